"""What kind of file this is, from its first bytes; its name only decides where they do not."""

import codecs
import re
from os.path import splitext

import orjson

from gemma_ko_lib.corpus.sources.records import TEXT_FIELDS

HEAD_BYTES = 1 << 16
BOM = b"\xef\xbb\xbf"

# Bytes at the start of a file → its kind.
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PAR1", "parquet"),
    (b"WARC/1.", "warc"),
    (b"%PDF", "not text"),
    (b"\x89PNG", "not text"),
    (b"\xff\xd8\xff", "not text"),
    (b"GIF8", "not text"),
    (b"RIFF", "not text"),
    *((b"ID3" + version, "not text") for version in (b"\2", b"\3", b"\4")),
)
# Where the first bytes say nothing, as in a damaged file, these names do.
_NAMED = {".zip": "zip", ".xlsx": "xlsx", ".xls": "xlsx", ".parquet": "parquet"}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0"  # Excel before 2007, Word, Hangul
_MARKED = ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Manuals, pictures and recordings, which corpora bring along.
NOT_TEXT = frozenset(
    ".pdf .hwp .hwpx .doc .docx .ppt .pptx .png .jpg .jpeg .gif .bmp .tif .tiff .svg .webp .wav "
    ".mp3 .mp4 .m4a .pcm .flac .avi .mov .exe .dll .py .js .css .ttf .lnk .db .ini".split()
)
_JSON_START = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\{\]])')
_XML_START = re.compile(rb"\s*(?:<\?xml\b[^<>]{0,200}>)?\s*")
_HTML_START = re.compile(rb"<(?:!doctype html|html)\b", re.IGNORECASE)
_HANGUL, _NOT_ASCII = re.compile("[가-힣]"), re.compile("[^\x00-\x7f]")
_NOT_ASCII_LINE = re.compile(rb"^([^\n\x80-\xff]*+[\x80-\xff][^\n]*+)(\n?)", re.MULTILINE)
# 5⇥배송이 빨라요: a rating and a review, without a header.
RATED_LINE = re.compile(r"-?\d{1,2}(?:\.\d)?\t[^\t]+")


def extension(name: str) -> str:
    """The last extension of a name, without those of a packed stream: "a.JSON.gz" → ".json"."""
    return splitext(re.sub(r"\.(?:gz|zst|bz2|xz)$", "", name.lower()))[1]


def kind_of(head: bytes, name: str) -> str:
    """Tell the kind of a file.

    Args:
        head: its first bytes, up to `HEAD_BYTES`, in UTF-8 if it is text.
        name: with its extension.

    Returns:
        "gzip", "zstd", "bzip2", "xz", "zip", "xlsx", "parquet", "warc", "html", "mediawiki",
        "xml", "json", "jsonl", "table", "text", "empty", or "not text".
    """
    if not head:
        return "empty"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    suffix = extension(name)
    if head.startswith(_ZIP):
        office = b"[Content_Types].xml" in head or suffix in (".xlsx", ".xlsm")
        if office and suffix not in (".xlsx", ".xlsm", ""):
            return "not text"
        return "xlsx" if office else "zip"
    if head.startswith(_OLE):
        return "xlsx" if suffix == ".xls" else "not text"
    return _NAMED.get(suffix) or _kind_of_text(head, suffix)


def _kind_of_text(head: bytes, suffix: str) -> str:
    head = head.removeprefix(BOM)
    lines = [line for line in head.splitlines() if line.strip()]
    first = lines[0].strip() if lines else b""
    if suffix in (".jsonl", ".ndjson"):
        follows = _starts_object(lines[1:])
        goes_on = first == b"[" or first[-1:] == b","
        # Some call a JSON list so, too.
        is_list = first[:1] == b"[" and (goes_on or not follows)
        is_one = is_list or (first == b"{" and not follows)
        return "json" if is_one else "jsonl"
    if suffix == ".json" or _JSON_START.match(head):
        return "jsonl" if _is_object(first) and _starts_object(lines[1:]) else "json"
    start = _XML_START.match(head)
    if _HTML_START.match(head, start.end()) or suffix in (".html", ".htm"):
        return "html"
    if head.startswith(b"<mediawiki", start.end()):
        return "mediawiki"
    if b"<?xml" in start[0] or suffix == ".xml":
        return "xml"
    if suffix in (".csv", ".tsv") or is_table(head.decode("utf-8", "replace")):
        return "table"
    return "text"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _starts_object(lines: list[bytes]) -> bool:
    return bool(lines) and lines[0].lstrip().startswith(b"{")


def is_table(head: str) -> bool:
    """Whether a text is a table: known names in its first line, or a rating before each text."""
    lines = [line for line in head.splitlines()[:21] if line.strip()]
    rows = [line for line in lines if not line.startswith("#")]
    if not rows:
        return False
    cells = split_header(rows[0])
    if len(cells) > 1 and any(cell in TEXT_FIELDS for cell in cells):
        return all(len(cell) <= 40 for cell in cells)
    # The last line may be cut.
    return len(rows) > 2 and all(map(RATED_LINE.fullmatch, rows[:-1]))


def delimiter_of(header: str) -> str:
    """Tab, comma, semicolon or bar: whichever the first line has most of."""
    return max("\t,;|", key=header.count)


def split_header(line: str) -> list[str]:
    """The names of the columns, without quotes and blanks."""
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter_of(line))]


# --- Encoding -------------------------------------------------------------------------


def encoding_of(head: bytes) -> str | None:
    """Tell "utf-8", "utf-16", "utf-32" or "cp949" from a text's first bytes; None if it is neither.

    The first line that is not ASCII decides: a damaged one further down does not make a
    UTF-8 file Korean Windows' own.
    """
    for mark, encoding in _MARKED:
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        return None
    line = _NOT_ASCII_LINE.search(head)
    if not line or _decoded(line[1], "utf-8", is_whole=bool(line[2])) is not None:
        return "utf-8"
    return "cp949" if is_cp949(line[1]) else None


def _decoded(data: bytes, encoding: str, is_whole: bool) -> str | None:
    """Text; None if it is none. The last character of what is not whole may be cut."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, is_whole)
    except UnicodeDecodeError:
        return None


def is_cp949(data: bytes) -> bool:
    """Whether bytes are 완성형/확장 완성형 text.

    Any bytes can happen to be valid cp949, so most of what is not ASCII must be Hangul.
    """
    text = _decoded(data, "cp949", is_whole=False) or ""
    hangul, others = len(_HANGUL.findall(text)), len(_NOT_ASCII.findall(text))
    return hangul > 0 and hangul >= others / 2
