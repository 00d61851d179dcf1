"""Public corpora by a name, and any data set of the Hugging Face hub, without a login.

`open:NAME` is a corpus of the table open_corpora.json: address, size, checksum and licence of each
file. `hf://datasets/OWNER/NAME/…` is read as it streams, by datatrove's readers. Either becomes
files in the cache, as much of them as is wanted, which are then read like all others.

With GEMMA_KO_MIRROR, an address or a folder, the files of open:NAME are taken from
GEMMA_KO_MIRROR/NAME/FILE instead; HF_ENDPOINT does the same for the hub.
"""

import difflib
import functools
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import orjson

from gemma_ko_lib.corpus.sources import sniffing
from gemma_ko_lib.corpus.sources.downloads import Remote, download
from gemma_ko_lib.corpus.sources.files import InputFile
from gemma_ko_lib.runtime import (
    Progress,
    UserError,
    cache_dir,
    export_credentials,
    only_process,
    printable,
    whole_file,
    write_whole,
)

OPEN, HUB = "open:", "hf://"
_STEP = 1 << 22  # bytes at a time where nobody knows how many so many lines have
_SMALLEST_REST = 10_000  # bytes of a limit that are not worth opening another file for


class Limit(NamedTuple):
    """How much of a corpus is taken: its first documents, or bytes of its files; all when None."""

    documents: int | None = None
    bytes: int | None = None

    @property
    def folder(self) -> str:
        """Name of the folder for files that end at the limit."""
        if self.documents is not None:
            return f"first-{self.documents}-documents"
        return "all" if self.bytes is None else f"first-{self.bytes}-bytes"


EVERYTHING = Limit()


class Source(NamedTuple):
    """A corpus and what its documents and reports say of it.

    Attributes:
        name: as it was asked for.
        title: for people.
        licence: as its publisher states it.
        source: where it is described.
        register: of its documents; "" if it has none.
        address: of the folder of its files.
        files: each with name, bytes and sha256; none where the folder is listed.
        header_lines: of each file, before its documents.
    """

    name: str
    title: str
    licence: str
    source: str
    address: str
    register: str = ""
    files: Sequence[dict] = ()
    header_lines: int = 0

    @property
    def about(self) -> tuple[tuple[str, str], ...]:
        """Metadata of its documents."""
        known = {
            "corpus": self.title,
            "register": self.register,
            "licence": self.licence,
            "source": self.source,
        }
        return tuple((key, value) for key, value in known.items() if value)


def is_open(given: str | Path) -> bool:
    """Whether an input is a corpus elsewhere and not a path."""
    return str(given).startswith((OPEN, HUB))


@functools.cache
def corpora() -> dict[str, Source]:
    """The corpora of the table, by name."""
    table = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return {name: Source(OPEN + name, **entry) for name, entry in table.items()}


def fetch(given: str, limit: Limit = EVERYTHING, quiet: bool = False) -> list[InputFile]:
    """Bring a corpus into the cache, as far as it is not there.

    Args:
        given: "open:NAME" or "hf://datasets/OWNER/NAME/PATH".
        limit: how much of it.
        quiet: say nothing of licence and progress.

    Raises:
        UserError: unknown name, no network, a damaged file, a full disk.
    """
    source = _look_up(given)
    if not quiet:
        said = f"{source.name}: {source.title}; licence: {source.licence}; {source.source}"
        print(printable(said), file=sys.stderr)
    found = _lines if source.files else _rows
    return [
        InputFile(str(path), f"{source.name}/{path.name}", (), path.stat().st_size, source.about)
        for path in found(source, _kept(given), limit, quiet)
    ]


def _kept(given: str) -> Path:
    """Where the files of a corpus are kept; remove it to have them fetched anew."""
    return cache_dir() / "open" / re.sub(r"[^\w.@-]+", "--", given.removeprefix(OPEN))


def _look_up(given: str) -> Source:
    if given.startswith(HUB):
        return _on_the_hub(given)
    name = given.removeprefix(OPEN)
    if name not in corpora():
        near = difflib.get_close_matches(name, corpora(), 1)
        hint = f" Did you mean {OPEN}{near[0]}?" if near else ""
        known = ", ".join(OPEN + known for known in corpora())
        raise UserError(f"No open corpus '{name}'.{hint} There are: {known}.")
    source = corpora()[name]
    if mirror := os.environ.get("GEMMA_KO_MIRROR"):
        if "://" not in mirror:
            mirror = Path(mirror).expanduser().absolute().as_uri()
        return source._replace(address=f"{mirror.rstrip('/')}/{name}/")
    return source


# --- Files with a document a line -----------------------------------------------------------


def _lines(source: Source, folder: Path, limit: Limit, quiet: bool) -> Iterator[Path]:
    documents, room = limit.documents, limit.bytes or math.inf
    for file in source.files:
        remote = Remote(source.address + file["name"], file["bytes"], file["sha256"])
        path = folder / file["name"]
        if documents is not None:
            part, lines, end = _first_lines(remote, path, documents + source.header_lines, quiet)
            documents -= lines - source.header_lines
        else:
            asked = min(room, remote.bytes)
            part = download(remote, path, asked, quiet)
            end = asked if asked == remote.bytes else _end_of_line(part, asked)
            if not end and room == limit.bytes:  # there is no file before this one
                raise UserError(f"The first line of {path.name} has more bytes; take more.")
            room -= asked
        if end:
            whole = end == remote.bytes
            yield part if whole else _beginning(part, folder / limit.folder / path.name, end)
        if 0 in (documents, room):
            return


def _first_lines(remote: Remote, path: Path, wanted: int, quiet: bool) -> tuple[Path, int, int]:
    """A file that holds the first lines, how many they are, and where they end."""
    for asked in count(_STEP, _STEP):
        part = download(remote, path, asked, quiet)
        with open(part, "rb") as file:
            lines = list(map(len, islice(file, wanted)))
        if (len(lines) == wanted and sum(lines) < asked) or asked >= remote.bytes:
            return part, len(lines), sum(lines)


def _end_of_line(path: Path, most: int) -> int:
    """Where the last whole line within so many bytes ends; 0 if there is none."""
    with open(path, "rb") as file:
        return file.read(most).rfind(b"\n") + 1


def _beginning(whole: Path, path: Path, end: int) -> Path:
    """The first bytes of a file as a file of their own."""
    if not path.exists() or path.stat().st_size != end:
        with open(whole, "rb") as source, whole_file(path, "wb") as file:
            file.write(source.read(end))
    return path


# --- Rows that stream from the hub ----------------------------------------------------------

_DATA_SET = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)(@[\w.~-]+)?(?:/(.*))?")
_LICENCE = re.compile(r"^license:\s*(.*(?:\n\s*-.*)*)", re.MULTILINE)
_DONE = "files.json"


def _on_the_hub(given: str) -> Source:
    match = _DATA_SET.fullmatch(given)
    if not match:
        raise UserError(
            f"{given} is no data set of the hub; write hf://datasets/OWNER/NAME, with @REVISION "
            "and /PATH behind it where wanted."
        )
    name, revision, path = match.groups()
    export_credentials("huggingface")
    page = f"https://huggingface.co/datasets/{name}"
    kept = _kept(given) / "licence.txt"
    if not kept.exists():
        licence = _stated_licence(f"hf://datasets/{name}{revision or ''}", given)
        write_whole(kept, licence or f"not stated by its card, {page}")
    is_file = "." in (path or "").rpartition("/")[2]
    address = given if is_file else f"{given.rstrip('/')}/"
    return Source(given, name, kept.read_text("utf-8"), page, address)


def _stated_licence(root: str, given: str) -> str:
    """The licence in the head of a data set's card; "" if it states none."""
    try:
        with _folder(root).open("README.md", "rb") as file:
            card = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except Exception as error:
        raise _unreadable(given, error) from error
    stated = _LICENCE.search(card.removeprefix("---").partition("\n---")[0])
    return ", ".join(re.findall(r"\w[\w.-]*", stated[1])) if stated else ""


def _folder(address: str):
    from datatrove.io import get_datafolder

    return get_datafolder(address)


def _unreadable(address: str, error: Exception) -> UserError:
    said = (str(error) or type(error).__name__).splitlines()[0][:300]
    return UserError(
        f"{address} cannot be read ({type(error).__name__}: {said}). Check the network and the "
        "path; a data set with terms to accept needs HF_TOKEN. Without a network, bring its "
        "Parquet files another way and give their folder as INPUT."
    )


def _rows(source: Source, folder: Path, limit: Limit, quiet: bool) -> Iterator[Path]:
    """The rows of Parquet, CSV and JSON lines as files of JSON lines, one for each of theirs."""
    from gemma_ko_lib.corpus.counting import without_log

    folder = folder / limit.folder
    if (folder / _DONE).exists():
        yield from (folder / name for name in json.loads((folder / _DONE).read_text("utf-8")))
        return
    documents, room = limit.documents, limit.bytes or math.inf
    paths: list[Path] = []
    try:
        with (
            only_process(folder),
            without_log(),
            Progress(documents, source.name, "rows", quiet) as bar,
        ):
            parent, names = _list(source.address)
            for number, name in enumerate(names):
                path = folder / f"{number:05d}-{name.replace('/', '-').partition('.')[0]}.jsonl"
                if not path.exists():
                    _write_rows(parent, name, path, Limit(documents, room), bar)
                paths.append(path)
                if documents is not None:
                    with open(path, "rb") as file:
                        documents -= sum(1 for _ in file)
                room -= path.stat().st_size
                if documents == 0 or room <= _SMALLEST_REST:
                    break
            write_whole(folder / _DONE, json.dumps([path.name for path in paths]))
    except UserError:
        raise
    except Exception as error:  # each file system and reader has errors of its own
        raise _unreadable(source.address, error) from error
    yield from paths


def _list(address: str) -> tuple[str, list[str]]:
    """A folder and the files in it that have rows."""
    parent, _, last = address.rpartition("/")
    found = _folder(parent).list_files(glob_pattern=last or None)
    names = [name for name in found if sniffing.extension(name) in _READERS]
    if not names:
        there = ", ".join(found[:5]) or "nothing"
        raise UserError(
            f"{address} has no Parquet, CSV or JSON lines; there is: {there}. Give the path of "
            "those files."
        )
    return parent, names


_READERS = {".parquet": "ParquetReader", ".csv": "CSVReader"}
_READERS |= {".jsonl": "JsonlReader", ".json": "JsonlReader"}


def _write_rows(parent: str, name: str, path: Path, limit: Limit, bar: Progress) -> None:
    from datatrove.pipeline import readers

    documents = -1 if limit.documents is None else limit.documents
    new_reader = getattr(readers, _READERS[sniffing.extension(name)])
    reader = new_reader(parent, limit=documents, adapter=_whole_row)
    written = 0
    with whole_file(path) as file:
        for row in reader.read_files_shard([name]):
            size = len(row.text.encode("utf-8", "replace")) + 1
            if written and written + size > limit.bytes:
                break
            file.write(row.text + "\n")
            written += size
            bar.update(1)


def _whole_row(reader, row: dict, path: str, number: int | str) -> dict:
    """A row as a line of JSON, for the reader of JSON lines here to find the text in."""
    line = orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return {"text": line, "id": str(number), "metadata": {}}
