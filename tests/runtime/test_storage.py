"""Files that are whole or not there."""

import errno
import os

import pytest

from gemma_ko_lib.runtime import UserError, whole_file


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_full_disk_names_the_file_and_the_remedy(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(UserError, match="report.json: No space left.*Free some space"),
        whole_file(tmp_path / "report.json") as file,
    ):
        file.write("text")
    assert os.listdir(tmp_path) == []
