"""The corpus stage as datatrove blocks: read, clean, write.

Each block counts what it does with datatrove's `stat_update`, so that any executor, on one
machine or many, ends with the same figures. Counters are kept in a Counter while
documents stream and handed over at the end: datatrove's own bookkeeping per document
costs more than cleaning a review.
"""

import abc
import gzip
import hashlib
import io
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from datatrove.data import Document, DocumentsPipeline
from datatrove.io import OutputFileManager
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.stats import Stats

from gemma_ko_lib.corpus.cleaning import clean_text
from gemma_ko_lib.corpus.documents import InputFile, Reject, read_file
from gemma_ko_lib.corpus.filters import REGISTERS

HELD_OUT = "held_out"
_SECONDS_BETWEEN_REPORTS = 1.0
_DOCUMENTS_BETWEEN_LOOKS = 256


class CountingStep(PipelineStep):
    """A block whose counters start afresh with each task and are handed over when it ends."""

    def run(
        self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1
    ) -> DocumentsPipeline:
        self.stats = Stats(str(self))
        counts: Counter[str] = Counter()
        yield from self.count(data, rank, counts)
        for label, value in sorted(counts.items()):
            self.stat_update(label, value=value)

    @abc.abstractmethod
    def count(self, data: DocumentsPipeline, rank: int, counts: Counter) -> Iterator[Document]:
        """What the block does, counting into `counts`."""


class DocumentReader(CountingStep):
    """Read a task's files; rejects go to rejects-NNNNN.jsonl in the working folder.

    Args:
        tasks: the files of each task.
        working_dir: where rejects and progress are written.
    """

    name = "read"
    type = "corpus"

    def __init__(self, tasks: Sequence[Sequence[InputFile]], working_dir: Path):
        super().__init__()
        self.tasks, self.working_dir = tasks, working_dir

    def count(self, data, rank, counts):
        """Counts records (in), documents (out), rejects, decoded and text_bytes."""
        progress = TaskProgress(self.working_dir, rank)
        documents = text_bytes = 0
        with open(self.working_dir / f"rejects-{rank:05d}.jsonl", "w", encoding="utf-8") as rejects:
            for file in self.tasks[rank]:
                for record in read_file(InputFile(*file)):
                    if isinstance(record, Reject):
                        counts["rejects"] += 1
                        rejects.write(json.dumps(record._asdict(), ensure_ascii=False) + "\n")
                        continue
                    documents += 1
                    text_bytes += len(record.text.encode("utf-8", "replace"))
                    if "decoded_from" in record.metadata:
                        counts["decoded"] += 1
                    if not documents % _DOCUMENTS_BETWEEN_LOOKS:
                        progress.report(documents)
                    yield record
        progress.report(documents, final=True)
        counts["in"] = documents + counts["rejects"]
        counts["out"], counts["text_bytes"] = documents, text_bytes


class TaskProgress:
    """How many documents a task has read, as a file that the main process looks at.

    Files work for every executor. They also end a task whose run is over: the folder is
    gone then, and so reporting fails.
    """

    def __init__(self, working_dir: Path, rank: int):
        self._path, self._last = working_dir / f"progress-{rank:05d}", time.monotonic()

    def report(self, documents: int, final: bool = False) -> None:
        """Write the number down, at most once a second."""
        now = time.monotonic()
        if final or now - self._last > _SECONDS_BETWEEN_REPORTS:
            self._last = now
            self._path.write_text(str(documents))


class Cleaner(CountingStep):
    """Clean each document and drop those that a filter names.

    One example of each dropping rule goes to examples-NNNNN.json in the working folder.
    """

    name = "clean"
    type = "corpus"

    def __init__(self, working_dir: Path):
        super().__init__()
        self.working_dir = working_dir

    def count(self, data, rank, counts):
        """Counts in, out, and by register: in, out, chars_in, chars_out, changed, dropped."""
        examples: dict[str, dict] = {}
        # register -> documents in, characters in, documents out, characters out
        sizes = defaultdict(lambda: [0, 0, 0, 0])
        for document in data:
            text, register = document.text, document.metadata.get("register")
            result = clean_text(text, register)
            # Only known registers get counters of their own: any string may stand there.
            register = register if register in REGISTERS else "other"
            size = sizes[register]
            size[0] += 1
            size[1] += len(text)
            if result.changed_by:
                counts["changed"] += 1
                for rule in result.changed_by:
                    counts[f"{register}|changed|{rule}"] += 1
            if result.dropped_by:
                counts[f"{register}|dropped|{result.dropped_by}"] += 1
                if result.dropped_by not in examples:
                    examples[result.dropped_by] = {"id": document.id, "text": text[:200]}
                continue
            size[2] += 1
            size[3] += len(result.text)
            document.text = result.text
            yield document
        for register, size in sizes.items():
            for label, value in zip(("in", "chars_in", "out", "chars_out"), size, strict=True):
                counts[f"{register}|{label}"] = value
            counts["in"] += size[0]
            counts["out"] += size[2]
        with open(self.working_dir / f"examples-{rank:05d}.json", "w", encoding="utf-8") as file:
            json.dump(examples, file, ensure_ascii=False)


def is_held_out(key: str, share: float) -> bool:
    """Decide by a key alone whether its documents are held out, in every run alike.

    Args:
        key: what must stay on one side: a document's id, or say a film's.
        share: of the keys to hold out, 0 to 1.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8, person=b"hold out")
    return int.from_bytes(digest.digest(), "big") < share * 2**64


class _GzipFiles(OutputFileManager):
    """Output files whose bytes depend on their content only, not on the time of day."""

    def get_file(self, filename):
        if filename not in self._output_files:
            plain = self.fs.open(filename, mode="wb")
            # Level 4 takes half the time of 6 and makes files 5% larger.
            packed = gzip.GzipFile("", "wb", compresslevel=4, fileobj=plain, mtime=0)
            packed.myfileobj = plain  # closed with it
            # One call of zlib per megabyte instead of one per document.
            self._output_files[filename] = io.BufferedWriter(packed, 1 << 20)
        return self._output_files[filename]


class CorpusWriter(JsonlWriter):
    """datatrove's JSONL writer with reproducible gzip and a held-out side.

    A line holds id, text and the document's metadata, flat.

    Args:
        output_folder: where documents-NNNNN.jsonl.gz and held_out/ go.
        hold_out: share of keys whose documents go to held_out/.
        hold_out_by: the metadata field that is the key; the id when None.
    """

    name = "write"
    type = "corpus"

    def __init__(self, output_folder: str, hold_out: float = 0.0, hold_out_by: str | None = None):
        super().__init__(output_folder, "documents-${rank}.jsonl.gz", compression=None)
        self.output_mg = _GzipFiles(self.output_folder)
        self.hold_out, self.hold_out_by = hold_out, hold_out_by

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Counts in, kept, held_out, text_bytes, and without_key: documents hashed by their id."""
        self.stats = Stats(str(self))
        counts: Counter[str] = Counter()
        name = f"documents-{rank:05d}.jsonl.gz"
        held_out_name = f"{HELD_OUT}/{name}"
        documents = text_bytes = 0
        with self:
            for document in data:
                documents += 1
                text_bytes += len(document.text.encode())
                held_out = self.hold_out and is_held_out(self._key(document, counts), self.hold_out)
                if held_out:
                    counts["held_out"] += 1
                file = self.output_mg.get_file(held_out_name if held_out else name)
                self._write(document, file, name)
                yield document
        counts["in"], counts["text_bytes"] = documents, text_bytes
        counts["kept"] = documents - counts["held_out"]
        for label, value in sorted(counts.items()):
            self.stat_update(label, value=value)

    def _write(self, document: Document, file_handler, filename: str) -> None:
        record = {"id": document.id, "text": document.text, **document.metadata}
        file_handler.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def _key(self, document: Document, counts: Counter) -> str:
        if self.hold_out_by is None:
            return document.id
        if self.hold_out_by not in document.metadata:
            counts["without_key"] += 1
            return document.id
        return str(document.metadata[self.hold_out_by])
