"""Documents of any input file, one at a time and in constant memory.

What a file is and how a corpus lays out its texts, `sources` knows; here each text becomes
a datatrove document. A damaged record never stops a run and is never lost silently: it
comes out as a `Reject` that names the file, the line and the reason, beside the good
documents around it.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.corpus.pii import mask_pii
from gemma_ko_lib.corpus.sources.files import InputFile, find_inputs
from gemma_ko_lib.corpus.sources.open_corpora import EVERYTHING, OPEN, Limit, fetch, is_open
from gemma_ko_lib.corpus.sources.reading import PLAIN, Reading, read_passages
from gemma_ko_lib.corpus.sources.records import Note, Reject
from gemma_ko_lib.runtime import printable

if TYPE_CHECKING:
    from datatrove.data import Document

# Records of a labelled file that are looked at to see whether the labels hold the texts.
_LOOKED_AT = 20


def find_files(inputs: str | Path | Iterable[str | Path]) -> list[InputFile]:
    """List the files of some inputs, folders and zips with all in them, in a stable order.

    Raises:
        UserError: a path does not exist.
    """
    return find_files_and_notes(inputs)[0]


def find_files_and_notes(
    inputs: str | Path | Iterable[str | Path], limit: Limit = EVERYTHING, quiet: bool = False
) -> tuple[list[InputFile], list[Note]]:
    """List the files to read, and what is left out on purpose: see `sources.files`.

    Args:
        inputs: paths; "open:NAME" and "hf://…" are brought here first, see `sources.open_corpora`.
        limit: how much of each of the latter.
        quiet: say nothing of them.

    Raises:
        UserError: a path does not exist, or a corpus cannot be fetched.
    """
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    local = [given for given in inputs if not is_open(given)]
    files, notes = find_inputs(local, _has_text)
    fetched = [file for given in inputs if is_open(given) for file in fetch(given, limit, quiet)]
    return files + fetched, notes


def open_corpus(
    name: str, documents: int | None = None, text_bytes: int | None = None
) -> Iterator["Document"]:
    """Read a public corpus, which is fetched as far as it is not in the cache.

    Args:
        name: of the table in sources/open_corpora.json ("nsmc", "petitions", "comments",
            "wikipedia-ko", "wikipedia-en"), or "hf://datasets/OWNER/NAME/PATH".
        documents: take so many at most.
        text_bytes: take so many bytes of its files at most, instead.

    Raises:
        UserError: unknown name, no network, a damaged file, a full disk.
    """
    given = name if is_open(name) else OPEN + name
    for file in fetch(given, Limit(documents, text_bytes)):
        yield from documents_of(file)


def _has_text(file: InputFile) -> bool:
    looked_at = islice(read_file(file), _LOOKED_AT)
    return any(not isinstance(record, Reject | Note) for record in looked_at)


def read_documents(inputs: str | Path | Iterable[str | Path]) -> Iterator["Document"]:
    """Read every document of some files, zips and folders; rejects are told on stderr.

    A document's metadata holds "source_file", what the corpus says about it ("corpus",
    "register", "date", "licence" …) and the record's other scalar fields. Without an id of
    its own a document is called after its file and line, row or record.

    Raises:
        UserError: a path does not exist.
    """
    rejects = 0
    for record in read_records(inputs):
        if isinstance(record, Reject):
            rejects += 1
            if rejects == 1:
                first = record
            continue
        yield record
    if rejects:
        place = first.file if first.line is None else f"{first.file}:{first.line}"
        reason = mask_pii(first.reason)  # it names keys, which without a header are data
        records = "record" if rejects == 1 else "records"
        said = f"{rejects:,} {records} left out; the first, {place}: {reason}"
        print(printable(said), file=sys.stderr)


def read_records(inputs: str | Path | Iterable[str | Path]) -> Iterator["Document | Reject"]:
    """Read the documents and, where there is none to be had, the rejects.

    Raises:
        UserError: a path does not exist.
    """
    for file in find_files(inputs):
        for record in read_file(file):
            if type(record) is not Note:
                yield record


def documents_of(file: InputFile) -> Iterator["Document"]:
    """Read the documents of one file alone, without its rejects and notes."""
    return (record for record in read_file(file) if not isinstance(record, Reject | Note))


def read_file(file: InputFile, reading: Reading = PLAIN) -> Iterator["Document | Reject | Note"]:
    """Read the documents and rejects of one file, by its content; and notes on how it was read.

    Args:
        file: on disk or in a zip.
        reading: what the user says about it.
    """
    from datatrove.data import Document

    name, last, nth = file.name, None, 1
    for item in read_passages(file, reading):
        if type(item) is not tuple:
            yield item
            continue
        number, (text, identifier, metadata) = item
        if not text or text.isspace():
            yield Reject(name, number, "empty text")
            continue
        metadata.setdefault("source_file", name)
        for key, value in file.about:
            metadata.setdefault(key, value)
        if not identifier:
            identifier = name if number is None else f"{name}:{number}"
            if "language" in metadata:
                # The sides of a pair are one record.
                identifier = f"{identifier}.{metadata['language']}"
            elif number is not None:
                # So are the dialogues or reading passages of one record.
                nth = nth + 1 if number == last else 1
                identifier = identifier if nth == 1 else f"{identifier}.{nth}"
                last = number
        yield Document(text=text, id=identifier, metadata=metadata)
