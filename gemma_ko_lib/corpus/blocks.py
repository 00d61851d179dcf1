"""The corpus stage as datatrove blocks: read, clean, mask, and at the end write.

What stands between them, leaks and duplicates, has modules of its own, and so has what a run
shows of its work (`audit`).
"""

import contextlib
import functools
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
from datatrove.data import Document

from gemma_ko_lib.corpus.audit import Examples, dropped_to, masked_metadata, masked_piece
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import clean_text
from gemma_ko_lib.corpus.cleaning.filters import REGISTERS
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.documents import InputFile, Note, Reject, read_file
from gemma_ko_lib.corpus.pii import mask_pii, mask_spans
from gemma_ko_lib.corpus.result_folder import HELD_OUT, OUT, new_lines, write_line
from gemma_ko_lib.corpus.samples import LANGUAGES
from gemma_ko_lib.corpus.sources.records import UNREAD
from gemma_ko_lib.corpus.spool import open_packed

_SECONDS_BETWEEN_REPORTS = 1
_MOST_NAMES, _LONGEST_NAME = 1000, 40
_SHOWN_OF_A_REJECT = 100  # characters
_SHORT = re.compile("[A-Za-z_-]*[0-9]{1,8}")
_LABELS, _LONGEST_LABEL = 4096, 100


class DocumentReader(CountingStep):
    """Read a task's files; rejects and notes go to files of the task in the working folder.

    Args:
        tasks: the files of each task.
        working_dir: where rejects, notes and progress are written.
        settings: of the run: what the user says about the files, and what is personal data.
    """

    name = "read"

    def __init__(
        self, tasks: Sequence[Sequence[InputFile]], working_dir: Path, settings: CleanSettings
    ):
        super().__init__(working_dir, settings)
        self.tasks = tasks

    def count(self, data, rank, counts):
        """Counts in, rejects, text_bytes, decoded|ENCODING, and unread|FIELD."""
        notes: Counter[Note] = Counter()
        unread: Counter[str] = Counter()
        reading, mask_key = self.settings.reading(), _mask_of(self.settings, "surrogate")
        # How far the task is, which the main process looks at: files work for every executor. They
        # also end a task whose run is over: the folder is gone then, and so writing fails.
        progress, reported = self.working_dir / f"progress-{rank:05d}", time.monotonic()
        with new_lines(self.working_dir, "rejects", rank) as rejects:
            for file in self.tasks[rank]:
                for record in read_file(file, reading):
                    if type(record) is Note:
                        notes[record] += 1
                        continue
                    counts["in"] += 1
                    if type(record) is Reject:
                        counts["rejects"] += 1
                        write_line(rejects, self._masked(record)._asdict())
                        continue
                    # Called after its file, or by a number too short to be anybody's.
                    is_nobodys = record.id.startswith(file.name) or _SHORT.fullmatch(record.id)
                    if mask_key and not is_nobodys:
                        record.id = mask_key(record.id)
                    counts["text_bytes"] += len(record.text.encode("utf-8", "replace"))
                    for field in record.metadata.pop(UNREAD, ()):
                        name = self._mask(field)[:_LONGEST_NAME]
                        # Where each record has names of its own, there is no end of them.
                        is_known = name in unread or len(unread) < _MOST_NAMES
                        unread[name if is_known else "others"] += 1
                    if "decoded_from" in record.metadata:
                        counts[f"decoded|{record.metadata['decoded_from']}"] += 1
                    if time.monotonic() - reported > _SECONDS_BETWEEN_REPORTS:
                        progress.write_text(str(counts["in"] - counts["rejects"]))
                        reported = time.monotonic()
                    yield record
        with new_lines(self.working_dir, "notes", rank) as file:
            for note, count in notes.items():
                write_line(file, note._replace(files=count)._asdict())
        progress.write_text(str(counts["in"] - counts["rejects"]))
        for name, count in unread.items():
            counts[f"unread|{name}"] = count

    def _masked(self, reject: Reject) -> Reject:
        spans = self.settings.find_pii(reject.start)
        start = masked_piece(reject.start, 0, _SHOWN_OF_A_REJECT, spans)
        # A reason names keys, which in a table without a header are data.
        start = start[:_SHOWN_OF_A_REJECT].rstrip()
        return reject._replace(reason=self._mask(reject.reason), start=start)

    def _mask(self, text: str) -> str:
        return mask_spans(text, self.settings.find_pii(text))


# --- Cleaning and masking -----------------------------------------------------------------


class Cleaner(CountingStep):
    """Clean each document and drop those that a filter names."""

    name = "clean"

    def count(self, data, rank, counts):
        """Counts in, and by register: in, out, chars_in, chars_out, changed, lost, dropped.

        Lost are the characters that a rule took away.
        """
        settings = self.settings
        wanted = {"languages": settings.languages, "quality": settings.quality}
        with (
            new_lines(self.working_dir, "examples-clean", rank) as file,
            dropped_to(self, rank, _mask_of(settings)) as drop,
        ):
            examples = Examples(file, settings)
            for document in data:
                text, metadata = document.text, document.metadata
                register, language = metadata.get("register"), metadata.get("language")
                result = clean_text(text, register, language=language, **wanted)
                # Only known registers get counters of their own: any string may stand there.
                known = register if register in REGISTERS else "other"
                counts["in"] += 1
                counts[f"{known}|in"] += 1
                counts[f"{known}|chars_in"] += len(text)
                if result.changed_by:
                    counts["changed"] += 1
                    for rule, lost in zip(result.changed_by, result.lost, strict=True):
                        counts[f"{known}|changed|{rule}"] += 1
                        counts[f"{known}|lost|{rule}"] += lost
                    for rule, before, after in result.steps:
                        examples.add(rule, document, before, after)
                if result.dropped_by:
                    counts[f"{known}|dropped|{result.dropped_by}"] += 1
                    is_shown = settings.keep_dropped or examples.wants(result.dropped_by)
                    # Personal data may show only where cleaning took tags or invisible signs out.
                    hides_some = (
                        is_shown
                        and text != result.text
                        and len(settings.find_pii(result.text)) > len(settings.find_pii(text))
                    )
                    examples.add(result.dropped_by, document, result.text if hides_some else text)
                    if hides_some and settings.pii != "keep":
                        document.text = result.text
                    drop(document, result.dropped_by)
                    continue
                counts[f"{known}|out"] += 1
                counts[f"{known}|chars_out"] += len(result.text)
                document.text = result.text
                metadata |= result.scores
                yield document


def _mask_of(
    settings: CleanSettings, replacement: str | None = None
) -> Callable[[str], str] | None:
    """What replaces personal data in a text, as the settings or the argument say; None to keep it.

    For what tells documents apart it is a surrogate: placeholders are all alike.
    """
    if settings.pii == "keep":
        return None
    how = {"seed": settings.seed, "urls": settings.urls, "names": settings.names}
    return functools.partial(mask_pii, replacement=replacement or settings.pii, **how)


class Masker(CountingStep):
    """Replace personal data in texts, and in what is kept of their records beside them."""

    name = "mask"

    def count(self, data, rank, counts):
        """Counts in, changed, and what was masked in texts by kind."""
        settings = self.settings
        mask = _mask_of(settings)
        keys, mask_key = {"pair", settings.hold_out_by}, _mask_of(settings, "surrogate")
        mask_label = functools.lru_cache(_LABELS)(mask)  # the same in many documents

        def mask_short(text: str) -> str:
            return (mask_label if len(text) <= _LONGEST_LABEL else mask)(text)

        with new_lines(self.working_dir, "examples-mask", rank) as file:
            examples = Examples(file, settings)
            for document in data:
                counts["in"] += 1
                if spans := settings.find_pii(document.text):
                    masked = mask_spans(document.text, spans, settings.pii, settings.seed)
                    counts["changed"] += 1
                    for span in spans:
                        counts[f"masked|{span.kind}"] += 1
                        if examples.wants(span.kind):
                            # It alone, for an example shows where two texts begin to differ.
                            alone = mask_spans(document.text, [span], settings.pii, settings.seed)
                            examples.add(span.kind, document, document.text, alone)
                    document.text = masked
                document.metadata = masked_metadata(document.metadata, mask_short, keys, mask_key)
                yield document


# --- Writing ------------------------------------------------------------------------------


def is_held_out(key: str, share: float) -> bool:
    """Decide by a key alone whether its documents are held out, in every run alike.

    Args:
        key: what must stay on one side: a document's id, or say a film's.
        share: of the keys to hold out, 0 to 1.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8, person=b"hold out")
    return int.from_bytes(digest.digest(), "big") < share * 2**64


_SIDE = re.compile(rf"\.(?:{'|'.join(LANGUAGES)})\Z")
_SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}


class CorpusWriter(CountingStep):
    """Write the documents as JSON lines, those that are held out apart.

    A line holds id, text and the document's metadata, flat. The files are documents-NNNNN.jsonl.gz
    (or .zst) and held_out/ in the working folder's out/. Where the settings hold nothing out by a
    field, the key is the id, without its language: the sides of a translation have one key.
    """

    name = "write"

    def count(self, data, rank, counts):
        """Counts in, kept, held_out, text_bytes, and without_key: documents hashed by their id."""
        share = self.settings.hold_out
        out = self.working_dir / OUT
        name = f"documents-{rank:05d}.jsonl{_SUFFIXES[self.settings.compression]}"
        paths = {"kept": out / name, "held_out": out / HELD_OUT / name}
        files: dict[str, BinaryIO] = {}
        with contextlib.ExitStack() as opened:
            for document in data:
                counts["in"] += 1
                held_out = share and is_held_out(self._key(document, counts), share)
                side = "held_out" if held_out else "kept"
                counts[side] += 1
                if side not in files:
                    files[side] = opened.enter_context(open_packed(paths[side]))
                self._write(document, files[side])
                # orjson leaves the encoded text with the string: it is not encoded twice.
                counts["text_bytes"] += len(document.text.encode())
                yield document

    def _write(self, document: Document, file: BinaryIO) -> None:
        record = {"id": document.id, "text": document.text}
        for key, value in document.metadata.items():
            # A field of the corpus that is called "text" is not the document's.
            record[f"source_{key}" if key in ("id", "text") else key] = value
        file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def _key(self, document: Document, counts: Counter) -> str:
        by = self.settings.hold_out_by
        if by is None:
            # A translation of what is held out is no text to train on either.
            return _SIDE.sub("", document.id)
        if by not in document.metadata:
            counts["without_key"] += 1
            return document.id
        return str(document.metadata[by])
