"""Translation corpora of AI-Hub and 모두의 말뭉치: one passage for each side of a pair.

The sides carry the same "pair", so that a lesson on parallel text finds them again, and
a "language" where it is not Korean.
"""

import re
from collections.abc import Iterable, Iterator

from gemma_ko_lib.corpus.sources import aihub, nikl
from gemma_ko_lib.corpus.sources.records import (
    Origin,
    Passage,
    identifier_of,
    iso_date,
    mapping,
    string,
)

# Field → language, one row for each way of laying out a pair.
_LAYOUTS = (
    {"한국어": "ko", "영어": "en", "일본어": "ja", "중국어": "zh"},
    {"ko": "ko", "en": "en", "ja": "ja", "jp": "ja", "zh": "zh", "cn": "zh"},
)
_LANGUAGES = {"kr": "ko", "jp": "ja", "cn": "zh", "한국어": "ko", "영어": "en", "일본어": "ja"}
_LANGUAGES |= {"중국어": "zh", "korean": "ko", "english": "en", "japanese": "ja", "chinese": "zh"}
# Fields in which the corpora number their pairs.
_NUMBERS = ("sid", "sn", "SID", "관리번호", "ID", "id")
_HANGUL, _KANA, _HAN = re.compile("[가-힣]"), re.compile("[ぁ-ヺ]"), re.compile("[一-鿿]")


def passages(record: dict, origin: Origin) -> Iterable[Passage] | None:
    """Each side, called after the pair and its language; None if the record is no pair."""
    sides = _sides(record, origin)
    return None if sides is None else _passages(record, sides, origin)


def _passages(record: dict, sides: list[tuple[str, str]], origin: Origin) -> Iterator[Passage]:
    numbers = (identifier_of(record.get(field)) for field in _NUMBERS)
    number = next(filter(None, numbers), None)
    about = {
        "register": string(record.get("register")) or "sentence",
        "date": iso_date(record.get("날짜")),
        "domain": string(record.get("분야")) or string(record.get("domain")),
        "topic": string(record.get("subdomain")) or string(record.get("소분류")),
        "publisher": string(record.get("언론사")) or string(record.get("출처")),
        "pair": number,
        **_source(record, origin),
    }
    for language, text in sides or [("ko", "")]:
        known = {} if language == "ko" else {"language": language}
        yield Passage(text, number and f"{number}.{language}", about | known)


def _sides(record: dict, origin: Origin) -> list[tuple[str, str]] | None:
    """(language, text) of each side that has a text; None if the record is no pair."""
    for layout in _LAYOUTS:
        found = [(layout[field], string(record[field])) for field in layout if field in record]
        if len(found) > 1 and found[0][0] == "ko":
            return [side for side in found if side[1]]
    if "원문" in record and "번역문" in record:
        return _named((None, None), record["원문"], record["번역문"])
    if "sourceText" in record and "targetText" in record:
        languages = record.get("sourceLanguage"), record.get("targetLanguage")
        return _named(languages, record["sourceText"], record["targetText"])
    if origin.container == "parallel" and "source" in record:
        info = mapping(origin.root.get("language_info"))
        revision = mapping(record.get("revision"))
        # The last revision is the translation that was accepted.
        revised = string(revision.get("revision2")) or string(revision.get("revision1"))
        languages = info.get("source_language"), info.get("target_language")
        return _named(languages, record["source"], revised or record.get("target"))
    return None


def _named(languages: tuple, *texts) -> list[tuple[str, str]]:
    """The texts with their languages; where none is stated, the script tells."""
    return [
        (_code(language) or script_language(text), text)
        for language, text in zip(languages, map(string, texts), strict=True)
        if text
    ]


def _code(language) -> str:
    name = string(language).lower()
    return _LANGUAGES.get(name, name if re.fullmatch("[a-z]{2}", name) else "")


def script_language(text: str) -> str:
    """Guess among the languages that the course knows by the script: ko, ja, zh or en."""
    if _HANGUL.search(text):
        return "ko"
    if _KANA.search(text):
        return "ja"
    return "zh" if _HAN.search(text) else "en"


def _source(record: dict, origin: Origin) -> dict:
    if origin.container == "parallel":
        return {"corpus": "모두의 말뭉치 병렬", "licence": nikl.LICENCE}
    if {"ko", "id"} <= record.keys() or ("ko" in record and "sn" not in record):
        return {}
    return {"corpus": "AI-Hub 번역 말뭉치", "licence": aihub.LICENCE}
