"""Finding files: folders walked, zips looked into, what is there twice left out once.

In go paths, out come the files to read in a stable order, and a note on whatever was left
out on purpose: recordings and manuals, the second edition of a corpus that is there as
JSON and CSV, or the sources of a corpus whose labelled files hold the same text.
"""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gemma_ko_lib.corpus.sources import sniffing, zips
from gemma_ko_lib.runtime import UserError

_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini", "__macosx"))
# The lists of books and authors beside AI-Hub's book corpus.
_CATALOGUE = re.compile(r"(?:^|[_ -])INFO(?:[_ .-]|$)")


class InputFile(NamedTuple):
    """A file to read; plain values, since it travels to other processes and through JSON.

    Attributes:
        path: of the file on disk.
        name: what ids and reports call it: no machine path, with zip and member.
        members: within a zip, the member; within zips in zips, one after the other.
        size: in bytes, unpacked if it is a member of a zip.
    """

    path: str
    name: str
    members: tuple[str, ...] = ()
    size: int = 0


class Note(NamedTuple):
    """Files that were left out on purpose.

    Attributes:
        kind: "not text" or "twin".
        name: the zip or folder they are in.
        files: how many.
        reason: why, for people.
    """

    kind: str
    name: str
    files: int
    reason: str


def find_inputs(
    inputs: str | Path | Iterable[str | Path], has_text: Callable[[InputFile], bool]
) -> tuple[list[InputFile], list[Note]]:
    """List what is to be read in files, zips and folders, in a stable order.

    Names that start with "." are left out; a file named twice counts once. A zip that
    cannot be listed stays in the list, for its reader to say what is wrong.

    Args:
        inputs: paths.
        has_text: whether a file yields documents; asked once for each set of labelled
            files beside which the sources are there, too.

    Raises:
        UserError: a path does not exist.
    """
    found: list[InputFile] = []
    tops: dict[str, str] = {}
    left_out: Counter[tuple[str, str]] = Counter()
    for given in [inputs] if isinstance(inputs, str | Path) else inputs:
        path = Path(given).expanduser().resolve()
        if path.is_dir():
            files = list(_walk(path))
        elif path.exists():
            files = [(path, path.name)]
        else:
            raise UserError(f"There is no file or folder {given}. Check the path.")
        for file, name in files:
            # A file that somebody named is read, whatever it is.
            if path.is_dir() and _is_no_text(name):
                left_out[_place_and_suffix(name)] += 1
                continue
            if str(file) in tops:
                continue
            tops[str(file)] = name
            found.extend(_within(file, name, left_out))
    notes = [
        Note("not text", place, count, f"{suffix} files are no corpus text")
        for (place, suffix), count in left_out.items()
    ]
    files, twins = _without_twins(_with_own_names(found, tops), has_text)
    return files, notes + twins


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            if not _is_hidden(name):
                file = Path(parent, name)
                shown = file.relative_to(folder.parent).as_posix()
                yield file, unicodedata.normalize("NFC", shown)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _is_no_text(name: str) -> bool:
    return sniffing.extension(name) in sniffing.NOT_TEXT or _is_catalogue(name)


def _is_catalogue(name: str) -> bool:
    return bool(_CATALOGUE.search(_stem(name)))


def _place_and_suffix(name: str) -> tuple[str, str]:
    place, _, file = name.rpartition("/")
    suffix = "INFO" if _is_catalogue(name) else sniffing.extension(name)
    return place or file, suffix


def _with_own_names(files: list[InputFile], tops: dict[str, str]) -> list[InputFile]:
    """a/train.jsonl and b/train.jsonl: ids made from names must differ."""
    if len(set(tops.values())) == len(tops):
        return files
    common = os.path.commonpath({os.path.dirname(path) for path in tops})
    renamed = []
    for file in files:
        own = unicodedata.normalize("NFC", Path(file.path).relative_to(common).as_posix())
        renamed.append(file._replace(name=own + file.name[len(tops[file.path]) :]))
    return renamed


# --- Zips -----------------------------------------------------------------------------


def _within(path: Path, name: str, left_out: Counter) -> Iterator[InputFile]:
    size = path.stat().st_size
    if not _may_be_zip(name) or not _is_zip(path, name):
        yield InputFile(str(path), name, (), size)
        return
    yield from _members(InputFile(str(path), name, (), size), left_out)


def _may_be_zip(name: str) -> bool:
    known = (".json", ".jsonl", ".txt", ".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".warc")
    return sniffing.extension(name) not in known


def _is_zip(path: Path, name: str) -> bool:
    try:
        with open(path, "rb") as file:
            return sniffing.kind_of(file.read(64), name) == "zip"
    except OSError:
        return False  # its reader says why


def _members(archive: InputFile, left_out: Counter) -> Iterator[InputFile]:
    try:
        members = zips.list_members(archive.path, archive.members)
    except zips.ZipError:
        yield archive
        return
    for member in sorted(members, key=lambda member: member.name):
        if any(map(_is_hidden, member.name.split("/"))):
            continue
        name = f"{archive.name}/{member.name}"
        if _is_no_text(member.name):
            left_out[_place_and_suffix(f"{archive.name}/{member.name.rpartition('/')[2]}")] += 1
            continue
        file = InputFile(archive.path, name, (*archive.members, member.key), member.size)
        if member.name.lower().endswith(".zip"):
            yield from _members(file, left_out)
        else:
            yield file


# --- Twins ----------------------------------------------------------------------------

# 원천데이터, [원천], 02.라벨링데이터; TS1.zip, TL_게임.zip, VS_01.zip.
_SOURCES_OR_LABELS = re.compile(r"^[\d._\-() \[]*(원천|라벨)(?:링)?_?(?:데이터)?")
_SPLIT_PREFIX = re.compile(r"^\[?([TV])([SL])(?=[\d_.\-\s\]]|$)")
_EDITION = re.compile(r"[_-](json|csv)(?=[_.\-]|$)", re.IGNORECASE)


def _without_twins(
    files: list[InputFile], has_text: Callable[[InputFile], bool]
) -> tuple[list[InputFile], list[Note]]:
    left_out: dict[int, tuple[str, str]] = {}
    sides: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    editions: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, file in enumerate(files):
        if found := _side(file.name):
            place, side = found
            sides[place][side].append(number)
        for place, edition in _editions(file.name):
            editions[place][edition].append(number)
    for found in sides.values():
        if {"원천", "라벨"} <= found.keys():
            if has_text(files[found["라벨"][0]]):
                twins, reason = _labelled(found, files), "the labelled files hold the same texts"
            else:
                twins, reason = found["라벨"], "labels without text"
            for number in twins:
                left_out[number] = (_top(files[number].name), reason)
    for found in editions.values():
        if {"json", "csv"} <= found.keys():
            for number in found["csv"]:
                left_out[number] = (_top(files[number].name), "the JSON edition is read")
    counted = Counter(left_out.values())
    notes = [Note("twin", name, count, reason) for (name, reason), count in counted.items()]
    return [file for number, file in enumerate(files) if number not in left_out], notes


def _labelled(sides: dict[str, list[int]], files: list[InputFile]) -> list[int]:
    """The sources that a labelled file is called after; all, if none is."""
    labels = {_stem(files[number].name) for number in sides["라벨"]}
    return [n for n in sides["원천"] if _stem(files[n].name) in labels] or sides["원천"]


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]


def _side(name: str) -> tuple[str, str] | None:
    """A place that sources and labels of one corpus share, and which of them this is."""
    parts = name.split("/")
    side, deepest = None, 0
    for number, part in enumerate(parts):
        if match := _SOURCES_OR_LABELS.match(part):
            side, deepest = match[1], number
            parts[number] = part[match.end() :]
        elif match := _SPLIT_PREFIX.match(part):
            side, deepest = ("원천" if match[2] == "S" else "라벨"), number
            parts[number] = f"{match[1]}{part[match.end() :]}"
    if side is None:
        return None
    if deepest == len(parts) - 1:
        parts[-1] = os.path.splitext(parts[-1])[0]
    return "/".join(parts[: deepest + 1]), side


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
    parts = name.split("/")
    for number, part in enumerate(parts):
        if part.lower().endswith(".zip"):
            return "/".join(parts[: number + 1])
    return "/".join(parts[:-1]) or name
