"""What the tests of sources share: reading, and the course's samples of each format."""

from pathlib import Path

import pytest

from gemma_ko_lib.corpus import Reject, documents


@pytest.fixture
def formats_dir() -> Path:
    return Path(__file__).parents[3] / "data_samples" / "formats"


@pytest.fixture
def read():
    """Documents and rejects of some paths."""

    def split(*paths) -> tuple[list, list]:
        found = list(documents.read_records(paths))
        rejects = [record for record in found if isinstance(record, Reject)]
        return [record for record in found if not isinstance(record, Reject)], rejects

    return split
