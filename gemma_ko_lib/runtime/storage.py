"""Files: where they are kept, writing that is whole or not there, one process a folder."""

import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gemma_ko_lib.runtime.errors import OF_WRITING, UserError, disk_error, disk_errors

_PART = ".part"  # the end of the names of folders in which something is being written
_LARGEST_JSON = 50_000_000  # bytes; a manifest of 100,000 files has 20 MB


def cache_dir() -> Path:
    """Folder for converted weights and tokenizers: `GEMMA_KO_CACHE` or ~/.cache/gemma-ko."""
    return Path(os.environ.get("GEMMA_KO_CACHE") or "~/.cache/gemma-ko").expanduser()


def samples_dir() -> Path:
    """The course's own texts: beside the library in a checkout, inside it in a wheel."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "data_samples"
    return checkout if checkout.is_dir() else package / "data_samples"


@contextlib.contextmanager
def whole_path(path: str | Path) -> Iterator[Path]:
    """A place for a file or folder that appears under its name only when the block is left.

    A crash or a full disk leaves nothing half-written behind that could be taken for whole. What a
    killed process leaves, a hidden folder, goes when `only_process` next holds the folder it is in.

    Yields:
        Where to write it.

    Raises:
        UserError: the disk is full or the folder is not writable.
        OSError: the block's own, where it is none of writing.
    """
    path, in_block = Path(path), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a folder of its own, what the block makes gets the permissions that the umask leaves.
        with tempfile.TemporaryDirectory(
            _PART, f".{path.name}.", path.parent, ignore_cleanup_errors=True
        ) as folder:
            part = Path(folder, "part")
            in_block = True
            yield part
            in_block = False
            os.replace(part, path)
    except OSError as error:
        # What the block reads, from the network for one, has errors of its own.
        if in_block and error.errno not in OF_WRITING:
            raise
        raise disk_error(path, error) from error


@contextlib.contextmanager
def whole_file(path: str | Path, mode: str = "w"):
    """Open a file that appears under its name only once it is written to the end.

    Raises:
        UserError, OSError: as `whole_path`.
    """
    encoding = None if "b" in mode else "utf-8"
    with whole_path(path) as part, open(part, mode, encoding=encoding) as file:
        yield file
        with disk_errors(path):
            file.flush()
            os.fsync(file.fileno())


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file that is whole or not there, as by `whole_file`.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    with whole_file(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)


def write_json(path: str | Path, value) -> None:
    """Write a JSON file that is whole or not there.

    Raises:
        UserError: the disk is full or the folder is not writable.
        ValueError: a figure is not finite, which JSON has no word for.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(path, text + "\n")


@contextlib.contextmanager
def only_process(folder: str | Path):
    """Lock a folder for this process; a second process is refused, a killed one lets go.

    The folder is created if it is missing, and removed again if it was left empty.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    import fcntl

    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    lock = folder / ".lock"
    with contextlib.ExitStack() as opened:
        while True:
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                file = opened.enter_context(open(lock, "a+", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise UserError(
                    f"Another process is writing to {folder} now ({file.read() or 'just begun'}); "
                    "wait for it, or give another folder with -o."
                ) from None
            except OSError as error:
                print(
                    f"{folder} cannot be locked ({error.strerror}): see that no second process "
                    "writes to it.",
                    file=sys.stderr,
                )
            # The process before may have released and removed the file after it was opened here.
            if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                break
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        for left in folder.glob(f".*{_PART}/"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty
                for path in made:
                    path.rmdir()


def read_json_object(path: str | Path) -> dict:
    """A JSON object out of a file that a program wrote; a hostile one costs little.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the path is no file, or it does not hold a JSON object; the message says what
            is wrong.
        OSError: it cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError("is not a file")
    with open(path, "rb") as file:
        content = file.read(_LARGEST_JSON + 1)
    if len(content) > _LARGEST_JSON:
        raise ValueError(f"is larger than {_LARGEST_JSON / 1e6:,.0f} MB")
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"holds {type(found).__name__}, not an object")
    return found


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, by which they are known wherever they lie.

    Raises:
        UserError: a file cannot be read.
    """
    try:
        found = [sha256_of(path) for path in paths]
    except OSError as error:
        raise UserError(f"Cannot read {error.filename}: {error.strerror or error}.") from error
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers from 1.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Not splitlines, which also cuts at U+2028 and U+0085; a text may hold these.
    lines = path.read_text("utf-8-sig").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def json_object(line: str) -> dict:
    """Parse a line that must hold a JSON object which can be written as UTF-8 again.

    Raises:
        ValueError: it does not: broken, nested too deep, or with half a surrogate pair in it.
    """
    try:
        return _writable(json.loads(line))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def read_json_lines(path: Path) -> list[dict]:
    """The records of a file of JSON lines that a program wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: a line holds no JSON object.
    """
    return [json_object(line) for _, line in numbered_lines(path)]


_TOO_DEEP = "nested too deep"


def _writable(record) -> dict:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair in a text") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(record, dict):
        raise ValueError(f"a JSON object was expected, not {type(record).__name__}")
    return record


def numbered_records(
    path: Path, parse: Callable[[str], dict] = json_object
) -> Iterator[tuple[int, dict | ValueError]]:
    """The records of a data file with their numbers from 1, in the layouts that data sets have.

    Args:
        path: JSON lines; a JSON list, which some call .jsonl, too; a .csv or .tsv that names its
            columns in the first line, or a .txt that does so by tabs, as NSMC's; a .parquet table.
        parse: makes a record of a line of text, also in a .tsv or .txt, whose first line then
            names nothing; raises ValueError if it cannot.

    Yields:
        Line or place, and the record; or the ValueError that says why a line is none.

    Raises:
        OSError: it cannot be read.
        ValueError, csv.Error: it is damaged as a whole, or is a pipe, a device or a folder.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")  # a pipe would be waited for
    suffix = path.suffix.lower()  # Windows' programs write DATA.CSV
    if suffix == ".parquet":
        from pyarrow import parquet

        yield from enumerate(parquet.read_table(path).to_pylist(), 1)
        return
    if suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for record in reader:
                # DictReader puts what no column is for under None.
                more = ValueError("more columns than in the first line")
                yield reader.line_num, more if None in record else record
        return
    lines = numbered_lines(path)
    if suffix == ".json" or (lines and lines[0][1].lstrip().startswith("[")):
        yield from _listed(path.read_text("utf-8-sig"))
        return
    if lines and parse is json_object:  # no reader of its own is given
        first = lines[0][1]
        as_nsmc = suffix == ".txt" and "\t" in first and first[0] != "{"
        if suffix == ".tsv" or as_nsmc:
            parse, lines = _by_columns(first.split("\t")), lines[1:]
    for number, line in lines:
        try:
            yield number, parse(line)
        except ValueError as error:
            yield number, error


_SPACE = re.compile(r"[ \t\n\r]*")


def _listed(text: str) -> Iterator[tuple[int, dict | ValueError]]:
    """The objects of a JSON list, read one by one, so that an error names its record."""
    decode = json.JSONDecoder().raw_decode
    place, number = _SPACE.match(text).end(), 0
    if not text.startswith("[", place):
        raise ValueError("it holds no JSON list; JSON lines are called .jsonl")
    place = _SPACE.match(text, place + 1).end()
    while not text.startswith("]", place):
        number += 1
        try:
            record, place = decode(text, place)
        except RecursionError:  # where the next one begins is not known
            raise ValueError(f"record {number} is {_TOO_DEEP}") from None
        try:
            yield number, _writable(record)
        except ValueError as error:
            yield number, error
        place = _SPACE.match(text, place).end()
        if text.startswith(",", place):
            place = _SPACE.match(text, place + 1).end()
        elif not text.startswith("]", place):
            raise json.JSONDecodeError("Expecting ',' or ']'", text, place)
    if (end := _SPACE.match(text, place + 1).end()) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _by_columns(names: list[str]) -> Callable[[str], dict]:
    def parse(line: str) -> dict:
        cells = line.split("\t")
        if len(cells) != len(names):
            raise ValueError(f"{len(cells)} columns, not the {len(names)} of the first line")
        return {name.strip(): cell.strip() for name, cell in zip(names, cells, strict=True)}

    return parse
