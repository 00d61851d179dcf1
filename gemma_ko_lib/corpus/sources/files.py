"""Finding files: folders walked, zips looked into, what is there twice left out once.

In go paths, out come the files to read in a stable order, and a note on whatever was left
out on purpose: recordings and manuals, the second edition of a corpus that is there as
JSON and CSV, or the sources of a corpus whose labelled files hold the same text.
"""

import os
import re
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gemma_ko_lib.corpus.sources import sniffing, zips
from gemma_ko_lib.corpus.sources.records import Note
from gemma_ko_lib.runtime import UserError

_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini", "__macosx"))
# The lists of books and authors beside AI-Hub's book corpus.
_CATALOGUE = re.compile(r"(?:^|[_ -])INFO(?:[_ .-]|$)")
# The files of a run's result that are for training.
_DOCUMENTS = re.compile(r"documents-\d{5,}\.jsonl\.(?:gz|zst)")
# Kind, name and reason of a note → its files.
LeftOut = Counter[tuple[str, str, str]]


class InputFile(NamedTuple):
    """A file to read; plain values, since it travels to other processes and through JSON.

    Attributes:
        path: of the file on disk.
        name: what ids and reports call it: no machine path, with zip and member.
        members: within a zip, the member; within zips in zips, one after the other.
        size: in bytes, unpacked if it is a member of a zip.
        about: metadata of its documents, where these say nothing else.
    """

    path: str
    name: str
    members: tuple[str, ...] = ()
    size: int = 0
    about: tuple[tuple[str, str], ...] = ()


def find_inputs(
    inputs: str | Path | Iterable[str | Path], has_text: Callable[[InputFile], bool]
) -> tuple[list[InputFile], list[Note]]:
    """List what is to be read in files, zips and folders, in a stable order.

    Names that start with "." are left out, and what is no file: a link to nothing or to a
    folder, a pipe, a device. Of the folder of a run's result its documents are read, not what it
    held out, dropped or listed. A file named twice counts once. A zip that cannot be listed stays
    in the list, for its reader to say what is wrong.

    Args:
        inputs: paths.
        has_text: whether a file yields documents; asked once for each set of labelled
            files beside which the sources are there, too.

    Raises:
        UserError: a path does not exist.
    """
    found: list[InputFile] = []
    tops: dict[str, str] = {}  # path → name
    left_out: LeftOut = Counter()
    for given in [inputs] if isinstance(inputs, str | Path) else inputs:
        # os' functions take what is no path at all, or one that may not be looked at, for none.
        path = Path(os.path.expanduser(given)).absolute()
        if not os.path.exists(path):
            raise UserError(f"There is no file or folder {given}. Check the path.")
        path = path.resolve()
        # A file that somebody named is read, whatever it is.
        files = _walk(path, left_out) if path.is_dir() else [(path, _shown(path.name))]
        for file, name in files:
            if str(file) in tops:
                continue
            try:
                status = file.stat()
            except OSError as error:
                what = "link" if file.is_symlink() else "file"
                left_out["not a file", name, f"{what}: {error.strerror}"] += 1
                continue
            if not stat.S_ISREG(status.st_mode):
                left_out["not a file", name, "a pipe, socket or device is no file"] += 1
                continue
            tops[str(file)] = name
            top = InputFile(str(file), name, (), status.st_size)
            found.extend(_members(top, left_out) if _is_zip(top) else [top])
    files = _without_twins(_with_own_names(found, tops), has_text, left_out)
    notes = [Note(kind, name, n, reason) for (kind, name, reason), n in left_out.items()]
    return files, notes


def _walk(folder: Path, left_out: LeftOut) -> Iterator[tuple[Path, str]]:
    def shown(path: str) -> str:
        return _shown(str(Path(path).relative_to(folder.parent)))

    def unreadable(error: OSError) -> None:
        left_out["not a file", shown(error.filename), f"folder: {error.strerror}"] += 1

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        for name in folders:
            if os.path.islink(os.path.join(parent, name)) and not _is_hidden(name):
                link = shown(os.path.join(parent, name))
                left_out["not a file", link, "a link to a folder is not followed"] += 1
        if "report.json" in files and _is_result(parent):
            read = [name for name in files if _DOCUMENTS.fullmatch(name)]
            others = [name for name in files + folders if name not in read]
            reason = "a run's lists, and what it held out or dropped; give those by their own paths"
            left_out["not text", shown(parent), reason] += len(others)
            files, folders[:] = read, []
        for name in filter(_is_hidden, folders):
            _leave_out(shown(os.path.join(parent, name)), left_out)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            file = os.path.join(parent, name)
            if not _leave_out(shown(file), left_out):
                yield Path(file), shown(file)


def _is_result(folder: str) -> bool:
    """Whether a run has written its documents there, by the first bytes of the report."""
    try:
        with open(os.path.join(folder, "report.json"), "rb") as report:
            return b'"gemma-ko clean documents' in report.read(100)
    except OSError:
        return False


def _shown(path: str) -> str:
    """Names on disk as text: bytes that are no UTF-8 are read as cp949, or written out."""
    names = [
        zips.readable_name(data, data.decode("utf-8", "backslashreplace"))
        for data in os.fsencode(path).split(b"/")
    ]
    return unicodedata.normalize("NFC", "/".join(names))


def _leave_out(name: str, left_out: LeftOut) -> bool:
    """Whether a file is no text, by its name; counted by its folder or zip if so."""
    place, _, file = name.rpartition("/")
    if _is_hidden(file):
        kind, reason = "hidden", "hidden files and what systems keep beside theirs"
    elif _CATALOGUE.search(_stem(name)):
        kind, reason = "not text", "INFO files are no corpus text"
    elif (suffix := sniffing.extension(file)) in sniffing.NOT_TEXT:
        kind, reason = "not text", f"{suffix} files are no corpus text"
    else:
        return False
    left_out[kind, place, reason] += 1
    return True


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _with_own_names(files: list[InputFile], tops: dict[str, str]) -> list[InputFile]:
    """a/train.jsonl and b/train.jsonl: ids made from names must differ."""
    if len(set(tops.values())) < len(tops):
        common = os.path.commonpath({os.path.dirname(path) for path in tops})
        own = zips.numbered(_shown(os.path.relpath(path, common)) for path in tops)
        named = dict(zip(tops, own, strict=True))
        return [
            file._replace(name=named[file.path] + file.name[len(tops[file.path]) :])
            for file in files
        ]
    return files


# --- Zips -----------------------------------------------------------------------------


def _is_zip(file: InputFile) -> bool:
    known = (".json", ".jsonl", ".txt", ".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".warc")
    if sniffing.extension(file.name) in known:
        return False
    try:
        with open(file.path, "rb") as stream:
            return sniffing.kind_of(stream.read(64), file.name) == "zip"
    except OSError:
        return False  # its reader says why


def _members(archive: InputFile, left_out: LeftOut) -> Iterator[InputFile]:
    try:
        members = zips.list_members(archive.path, archive.members)
    except (zips.ZipError, OSError):
        yield archive
        return
    for member in sorted(members, key=lambda member: member.name):
        *folders, last = member.name.split("/")
        hidden = any(map(_is_hidden, folders))
        # Whatever folder of the archive it is in: an archive has one line in the report.
        if _leave_out(f"{archive.name}/{'.hidden' if hidden else last}", left_out):
            continue
        name = f"{archive.name}/{member.name}"
        file = InputFile(archive.path, name, (*archive.members, member.key), member.size)
        if member.name.lower().endswith(".zip"):
            yield from _members(file, left_out)
        else:
            yield file


# --- Twins ----------------------------------------------------------------------------

# 원천데이터, [원천], 02.라벨링데이터; TS1.zip, TL_게임.zip, VS_01.zip.
_SIDE = re.compile(
    r"[\d._\-() \[]*(원천|라벨)(?:링)?_?(?:데이터)?|\[?([TV])([SL])(?=[\d_.\-\s\]]|$)"
)
_SIDES = {"S": "원천", "L": "라벨"}
_EDITION = re.compile(r"[_-](json|csv)(?=[_.\-]|$)", re.IGNORECASE)
_IN_ZIP = re.compile(r".*?\.zip(?=/|\Z)", re.IGNORECASE | re.DOTALL)


def _without_twins(
    files: list[InputFile], has_text: Callable[[InputFile], bool], left_out: LeftOut
) -> list[InputFile]:
    twins: dict[int, str] = {}  # number of a file → why it is left out
    # Place → side or edition → numbers of its files.
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, file in enumerate(files):
        for place, which in (*_side(file.name), *_editions(file.name)):
            places[place][which].append(number)
    for found in places.values():
        if {"원천", "라벨"} <= found.keys():
            if has_text(files[found["라벨"][0]]):
                reason = "the labelled files hold the same texts"
                twins |= dict.fromkeys(_labelled(found, files), reason)
            else:
                twins |= dict.fromkeys(found["라벨"], "labels without text")
        if {"json", "csv"} <= found.keys():
            twins |= dict.fromkeys(found["csv"], "the JSON edition is read")
    for number, reason in twins.items():
        left_out["twin", _top(files[number].name), reason] += 1
    return [file for number, file in enumerate(files) if number not in twins]


def _labelled(sides: dict[str, list[int]], files: list[InputFile]) -> list[int]:
    """The sources that a labelled file is called after; all, if none is."""
    labels = {_stem(files[number].name) for number in sides["라벨"]}
    return [n for n in sides["원천"] if _stem(files[n].name) in labels] or sides["원천"]


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]


def _side(name: str) -> Iterator[tuple[str, str]]:
    """The place that sources and labels of one corpus share, and which of them this is."""
    parts = name.split("/")
    side, deepest = None, 0
    for number, part in enumerate(parts):
        if match := _SIDE.match(part):
            side, deepest = match[1] or _SIDES[match[3]], number
            parts[number] = f"{match[2] or ''}{part[match.end() :]}"
    if side:
        if deepest == len(parts) - 1:
            parts[-1] = os.path.splitext(parts[-1])[0]
        yield "/".join(parts[: deepest + 1]), side


def _editions(name: str) -> Iterator[tuple[str, str]]:
    """Places that the JSON and the CSV of one corpus share, and which of them this is."""
    parts = name.split("/")
    for number, part in enumerate(parts[:-1]):
        if match := _EDITION.search(part):
            without = part[: match.start()] + part[match.end() :]
            yield "/".join([*parts[:number], without, ""]), match[1].lower()
    stem, suffix = os.path.splitext(parts[-1])
    if suffix.lower() in (".json", ".csv"):
        yield "/".join([*parts[:-1], stem]), suffix.lower()[1:]


def _top(name: str) -> str:
    """The zip that a file is in, or else its folder."""
    in_zip = _IN_ZIP.match(name)
    return in_zip[0] if in_zip else name.rpartition("/")[0] or name
