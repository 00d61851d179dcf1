"""The base of all blocks: counters that cost little while documents stream.

Each block counts what it does with datatrove's `stat_update`, so that any executor, on one
machine or many, ends with the same figures. Counters are kept in a Counter while
documents stream and handed over at the end: datatrove's own bookkeeping per document
costs more than cleaning a review.
"""

import abc
import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import Stats
from loguru import logger

from gemma_ko_lib.corpus.clean_settings import CleanSettings

# One block works on so much text before the next one does: what it needs stays in the cache.
_CHARACTERS_AT_ONCE = 1 << 13


@contextlib.contextmanager
def without_log():
    """Keep datatrove's log of every task off the screen; errors reach the user as exceptions."""
    logger.disable("datatrove")
    try:
        yield
    finally:
        logger.enable("datatrove")


class CountingStep(PipelineStep):
    """A block whose counters start afresh with each task and are handed over when it ends.

    Every block counts "out", the documents that it lets through.

    Args:
        working_dir: of the run, where a block finds what others left there for it.
        settings: of the run.
    """

    type = "corpus"

    def __init__(self, working_dir: Path, settings: CleanSettings):
        super().__init__()
        self.working_dir, self.settings = working_dir, settings

    def run(
        self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1
    ) -> DocumentsPipeline:
        self.stats = Stats(str(self))
        counts: Counter[str] = Counter()
        batch, characters, passed = [], 0, 0
        for document in self.count(data, rank, counts):
            passed += 1
            batch.append(document)
            characters += len(document.text)
            if characters >= _CHARACTERS_AT_ONCE:
                yield from batch
                batch, characters = [], 0
        yield from batch
        counts["out"] = passed
        for label, value in sorted(counts.items()):
            self.stat_update(label, value=value)

    @abc.abstractmethod
    def count(self, data: DocumentsPipeline, rank: int, counts: Counter) -> Iterator[Document]:
        """What the block does, counting into `counts`."""
