"""AI-Hub: records of its JSON and XLSX corpora → passages.

No file says which corpus it is: each is told by where in a record its text lies, as the table
aihub.json lists it. Speakers become A, B …, and of what is known about a person nothing is taken
over.

Places are written as lesson 05 and `gemma-ko clean --formats` show them: "content[].sentence"
is the field "sentence" of each object in the list "content"; "+" joins two places, of "a | b"
the first that holds text counts.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from gemma_ko_lib.corpus.sources.dialogues import dialogue
from gemma_ko_lib.corpus.sources.records import Origin, Passage, iso_date, items, string
from gemma_ko_lib.corpus.sources.tags import map_dialect, map_sns

LICENCE = "AI-Hub: no redistribution"
# Of a list, so many items are looked at to see whether a record has a layout.
_LOOKED_AT = 3
_MARKS = {"dialect": map_dialect, "sns": map_sns}


# --- Layouts ----------------------------------------------------------------------------


class Layout(NamedTuple):
    """A corpus' register, and where in its records what is.

    Attributes:
        corpus: its name on AI-Hub.
        register: see `cleaning.filters.REGISTERS`.
        text: the place of its text; in a dialogue, of what is said within a turn.
        needs: fields of which one must be there, too.
        title: the place of a title, to stand above the text.
        turns: in a dialogue, the place of the list of turns.
        speaker: within a turn.
        each: every piece of text is a document of its own.
        between: what stands between two pieces of text.
        marks: that a dialogue's text has, "sns" or "dialect".
        container: the field of the JSON root that lists the records; "table" for rows of one.
        path: letters that the name of the file has.
        about: the metadata: names with their places.
    """

    corpus: str
    register: str
    text: str
    needs: str = ""
    title: str = ""
    turns: str = ""
    speaker: str = ""
    each: bool = False
    between: str = "\n"
    marks: str = "sns"
    container: str = ""
    path: str = ""
    about: Mapping[str, str] = MappingProxyType({})

    def places(self) -> str:
        """Where the text is, for people."""
        text = f"{self.turns}.({self.text})" if self.turns else self.text
        needs = f", with {self.needs}" if self.needs else ""
        return f"{self.container + '[].' if self.container else ''}{text}{needs}"


# The first that fits: the more a layout asks for, the earlier it stands in the table.
LAYOUTS = tuple(
    Layout(**entry) for entry in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
)


# --- Places -----------------------------------------------------------------------------

Keys = tuple[str, ...]


@functools.cache
def _place(written: str) -> tuple[tuple[Keys, ...], ...]:
    """Alternatives, each of joined paths, each of keys."""
    return tuple(
        tuple(tuple(path.strip().replace("[]", "").split(".")) for path in alternative.split("+"))
        for alternative in written.split("|")
        if alternative.strip()
    )


def _at(value, keys: Keys, kinds: tuple, most: int | None = None) -> list:
    """What lies at the end of a path, through all lists; an inner list is one piece."""
    if isinstance(value, list) and (keys or dict not in kinds):
        found = []
        for item in value[:most]:
            inner = _at(item, keys, kinds, most)
            found += inner if len(inner) < 2 or dict in kinds else [" ".join(map(str, inner))]
        return found
    if keys:
        return _at(value.get(keys[0]), keys[1:], kinds, most) if isinstance(value, dict) else []
    if dict in kinds:
        return [turns] if (turns := items(value)) else []
    value = value.strip() if isinstance(value, str) else value
    return [value] if type(value) in kinds and value != "" else []


def _found(record, written: str, kinds: tuple = (str,), most: int | None = None) -> list:
    for paths in _place(written):
        if found := [piece for keys in paths for piece in _at(record, keys, kinds, most)]:
            return found
    return []


# --- Records ----------------------------------------------------------------------------


def passages(record: dict, origin: Origin) -> Iterable[Passage] | None:
    """The text of a record: one document, or one for each dialogue or reading passage; None if it
    has none of the layouts.
    """
    for layout in _candidates((*record,)):
        if _fits(layout, record, origin):
            return _laid_out(record, layout, origin)
    if turns := _emotion(record):
        return (_passage(dialogue(turns), None, "감성대화", "chat"),)
    return None


@functools.lru_cache(maxsize=256)
def _candidates(names: tuple[str, ...]) -> list[Layout]:
    """Layouts whose text lies under one of these fields; cached, as files have few sets of them."""
    return [
        layout
        for layout in LAYOUTS
        if any(keys[0] in names for paths in _place(layout.turns or layout.text) for keys in paths)
    ]


def _fits(layout: Layout, record: dict, origin: Origin) -> bool:
    if layout.container not in ("", origin.container) or layout.path not in origin.file:
        return False
    found = [record]
    if layout.turns:
        lists = _found(record, layout.turns, (dict,), _LOOKED_AT)
        found = [turn for turns in lists for turn in turns[:_LOOKED_AT]]
    return any(
        bool(_found(item, layout.text, most=_LOOKED_AT))
        and (not layout.needs or any(keys[0] in item for (keys,) in _place(layout.needs)))
        for item in found
    )


def _laid_out(record: dict, layout: Layout, origin: Origin) -> Iterator[Passage]:
    about = {
        name: next(map(str, _found(record, place, (str, int, float))), "")
        for name, place in layout.about.items()
    }
    identifier = about.pop("id", None)
    if "date" in about:
        about["date"] = iso_date(about["date"])
    if "summary" in about:
        about["summary"] = _MARKS[layout.marks](about["summary"])
    if layout.turns:
        texts = [_dialogue(turns, layout) for turns in _found(record, layout.turns, (dict,))]
    elif layout.each:
        texts = list(dict.fromkeys(_found(record, layout.text)))
    else:
        texts = [layout.between.join(_found(record, layout.text))]
    title = " ".join(_found(record, layout.title))
    for text in texts:
        if title and text and not text.startswith(title):
            text = f"{title}\n\n{text}"
        passage = _passage(text, identifier, layout.corpus, layout.register, **about)
        if layout.corpus == "기계독해":
            passage.metadata.update(_published(str(origin.root.get("version", ""))))
        yield passage


def _published(version: str) -> dict:
    """KorQuAD and KLUE share the layout of AI-Hub's reading comprehension, and say who they are."""
    if "korquad" in version.lower():
        return {"corpus": "KorQuAD", "licence": "CC BY-ND 2.0 KR"}
    if "klue" in version.lower():
        return {"corpus": "KLUE-MRC", "licence": "CC BY-SA 4.0"}
    return {}


def _dialogue(turns: list[dict], layout: Layout) -> str:
    def at(written: str, turn: dict) -> str:
        return " ".join(map(str, _found(turn, written, (str, int))))

    without_marks = _MARKS[layout.marks]
    return dialogue(
        (at(layout.speaker, turn), without_marks(at(layout.text, turn))) for turn in turns
    )


def _passage(text: str, identifier, corpus: str, register: str, **metadata) -> Passage:
    about = {"corpus": f"AI-Hub {corpus}", "register": register, "licence": LICENCE, **metadata}
    return Passage(text.strip(), str(identifier) if identifier else None, about)


# 감성대화: talk.content {HS01, SS01, HS02 …}, or the columns 사람문장1, 시스템문장1 … of its table.
_BY_TURNS = re.compile(r"(?:HS|SS|사람문장|시스템문장)(\d{1,3})")


def _emotion(record: dict) -> list[tuple[str, str]]:
    talk = record.get("talk")
    content = talk.get("content") if isinstance(talk, dict) else record
    if not isinstance(content, dict) or not {"HS01", "사람문장1"} & content.keys():
        return []
    turns = [(match, content[key]) for key in content if (match := _BY_TURNS.fullmatch(str(key)))]
    turns.sort(key=lambda turn: int(turn[0][1]))
    return [(match[0][0], string(text)) for match, text in turns]


_NUMBER = re.compile(r"\d{1,9}")


# --- Dialogues as tables ------------------------------------------------------------------


def starts_dialogue(row: dict, previous: dict) -> bool:
    """Whether a row opens a new dialogue: sentence numbers start again or the subject changes."""
    if any(row.get(field) != previous.get(field) for field in ("DOMAINID", "DOMAIN", "CATEGORY")):
        return True
    number, before = (str(r.get("SENTENCEID", "")).strip() for r in (row, previous))
    return all(map(_NUMBER.fullmatch, (number, before))) and int(number) <= int(before)


def table_dialogue(rows: list[dict], origin: Origin) -> Passage:
    """The rows of one dialogue or call, a turn each."""
    tables = (layout for layout in LAYOUTS if layout.container == "table")
    layout = next(layout for layout in tables if any(layout.speaker in row for row in rows))
    return next(_laid_out({"rows": rows}, layout, origin))
