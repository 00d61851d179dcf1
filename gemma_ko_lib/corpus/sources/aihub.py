"""AI-Hub: records of its JSON and XLSX corpora → passages.

Each corpus has a layout of its own, told by its keys: no file says what it is. Speakers
become A, B …, and of what is known about a person nothing is taken over.
"""

from collections.abc import Iterator

from gemma_ko_lib.corpus.sources.dialogues import dialogue
from gemma_ko_lib.corpus.sources.records import (
    Origin,
    Passage,
    iso_date,
    items,
    mapping,
    string,
)
from gemma_ko_lib.corpus.sources.tags import map_sns

LICENCE = "AI-Hub: no redistribution"


def _passage(text: str, identifier, corpus: str, register: str, **metadata) -> Passage:
    about = {"corpus": f"AI-Hub {corpus}", "register": register, "licence": LICENCE, **metadata}
    return Passage(text.strip(), str(identifier) if identifier else None, about)


def _column(value, field: str) -> list[str]:
    """A field of each object in a list, where it holds text."""
    return [found for item in items(value) if (found := string(item.get(field)))]


# --- Web text (030) and online colloquial text (031) ----------------------------------


def accepts_web(record: dict, origin: Origin) -> bool:
    """{content: [{sentence}], and for web pages title, subtitle, source_site, write_date}."""
    content = items(record.get("content"))
    return bool(content) and "sentence" in content[0]


def web(record: dict, origin: Origin) -> Iterator[Passage]:
    """A page: its title, an empty line, its sentences; one sentence a line."""
    title = " ".join(_column(record.get("title"), "sentence"))
    body = _column(record.get("subtitle"), "sentence") + _column(record["content"], "sentence")
    text = "\n".join(body)
    if title and text:
        text = f"{title}\n\n{text}"
    if "title" not in record and "source_site" not in record:
        yield _passage(text, None, "온라인 구어체 말뭉치", "community")
        return
    yield _passage(
        text,
        None,
        "웹데이터 기반 한국어 말뭉치",
        "blog",
        title=title,
        date=iso_date(record.get("write_date")),
        publisher=string(record.get("source_site")),
        category=string(record.get("board")),
    )


# --- Books (029) ----------------------------------------------------------------------


def accepts_book(record: dict, origin: Origin) -> bool:
    """{info: {kdc, published_year}, sentences: [{original_text}]}."""
    sentences = items(record.get("sentences"))
    return bool(sentences) and "original_text" in sentences[0]


def book(record: dict, origin: Origin) -> Iterator[Passage]:
    """A paragraph of a book: its sentences run on."""
    info = mapping(record.get("info"))
    yield _passage(
        " ".join(_column(record["sentences"], "original_text")),
        None,
        "대규모 구매도서 기반 한국어 말뭉치",
        "book",
        date=iso_date(info.get("published_year")),
        category=str(info.get("kdc") or ""),
    )


# --- Dialogues: SNS, its second edition (297), summaries ------------------------------


def accepts_sns(record: dict, origin: Origin) -> bool:
    """{header: {dialogueInfo}, body: [utterances] or {dialogue: [utterances], summary}}."""
    header = record.get("header")
    return isinstance(header, dict) and "dialogueInfo" in header and "body" in record


def sns(record: dict, origin: Origin) -> Iterator[Passage]:
    """A dialogue, one utterance a line; a summary goes into the metadata."""
    info, body = mapping(record["header"]["dialogueInfo"]), record["body"]
    summary = string(mapping(body).get("summary"))
    turns = items(mapping(body).get("dialogue") if isinstance(body, dict) else body)
    yield _passage(
        dialogue((turn.get("participantID"), map_sns(_utterance(turn))) for turn in turns),
        info.get("dialogueID"),
        "한국어 대화 요약" if isinstance(body, dict) else "한국어 SNS",
        "chat",
        date=next(filter(None, (iso_date(turn.get("date")) for turn in turns)), None),
        topic=string(info.get("topic")) or string(info.get("single_topic")),
        summary=map_sns(summary),
    )


def _utterance(turn: dict) -> str:
    return string(turn.get("utterance")) or string(turn.get("text"))


def accepts_turns(record: dict, origin: Origin) -> bool:
    """{info: {topic, keyword}, utterances: [{speaker, text}]} (012, several turns)."""
    turns = items(record.get("utterances"))
    return bool(turns) and "text" in turns[0]


def turns(record: dict, origin: Origin) -> Iterator[Passage]:
    """A dialogue, one utterance a line."""
    info = mapping(record.get("info"))
    said = (
        (turn.get("speaker"), map_sns(_utterance(turn))) for turn in items(record["utterances"])
    )
    topic = string(info.get("topic"))
    yield _passage(dialogue(said), info.get("id"), "SNS 멀티턴 대화", "chat", topic=topic)


# --- Expert domains -------------------------------------------------------------------


def accepts_expert(record: dict, origin: Origin) -> bool:
    """{doc_id, title, sentence: [{text, NE}]}, later rows: [{text}], or text flat beside NE."""
    if isinstance(record.get("text"), str) and "NE" in record:
        return True
    parts = items(record.get("sentence")) or items(record.get("rows"))
    return bool(parts) and "text" in parts[0] and ("doc_id" in record or "doc_type" in record)


def expert(record: dict, origin: Origin) -> Iterator[Passage]:
    """A paper, patent, law or ruling: its title, an empty line, its sentences."""
    title = string(record.get("title"))
    parts = record.get("sentence") or record.get("rows")
    text = string(record.get("text")) or "\n".join(_column(parts, "text"))
    yield _passage(
        f"{title}\n\n{text}" if title and text and not text.startswith(title) else text,
        record.get("doc_id"),
        "전문분야 말뭉치",
        "expert",
        title=title,
        date=iso_date(record.get("date")),
        domain=string(record.get("doc_type")),
        publisher=string(record.get("issued_by")),
    )


# --- Shopping and SNS reviews (147) ---------------------------------------------------


def accepts_review(record: dict, origin: Origin) -> bool:
    """{RawText, Source, Domain, MainCategory, GeneralPolarity, Aspects}."""
    return isinstance(record.get("RawText"), str)


def review(record: dict, origin: Origin) -> Iterator[Passage]:
    """One review."""
    yield _passage(
        string(record["RawText"]),
        None,
        "속성기반 감정분석",
        "review",
        domain=string(record.get("Domain")),
        category=string(record.get("MainCategory")),
        publisher=string(record.get("Source")),
        polarity=str(record.get("GeneralPolarity", "")),
    )


# --- National records (119), large-scale model corpora (121) --------------------------


def accepts_archive(record: dict, origin: Origin) -> bool:
    """{title, publisher_company, category_main, collection_name, issue_date, corpus}."""
    return isinstance(record.get("corpus"), str) and (
        "collection_name" in record or "publisher_company" in record
    )


def archive(record: dict, origin: Origin) -> Iterator[Passage]:
    """A record of the national archives: its title, an empty line, its text."""
    title, text = string(record.get("title")), string(record["corpus"])
    yield _passage(
        f"{title}\n\n{text}" if title and text else text,
        None,
        "국가기록물 대상 초거대AI 학습을 위한 말뭉치",
        "expert",
        title=title,
        date=iso_date(record.get("issue_date")),
        publisher=string(record.get("publisher_company")),
        category=string(record.get("category_main")),
    )


def accepts_large(record: dict, origin: Origin) -> bool:
    """{data_title, contents} or {text}, listed under data_info."""
    return origin.container == "data_info" and any(
        isinstance(record.get(field), str) for field in ("contents", "text")
    )


def large(record: dict, origin: Origin) -> Iterator[Passage]:
    """A text; whether spoken or written, the name of its zip says."""
    yield _passage(
        string(record.get("contents")) or string(record.get("text")),
        None,
        "한국어 말뭉치 (초거대)",
        "spoken" if "구어체" in origin.file else "book",
        title=string(record.get("data_title")),
    )


# --- Dialogues as a table (한국어 대화, XLSX) -------------------------------------------


def starts_dialogue(row: dict, previous: dict) -> bool:
    """Whether a row opens a new dialogue: sentence numbers start again or the subject changes."""
    if any(row.get(field) != previous.get(field) for field in ("DOMAINID", "DOMAIN", "CATEGORY")):
        return True
    number, before = string(row.get("SENTENCEID")), string(previous.get("SENTENCEID"))
    return number.isdecimal() and before.isdecimal() and int(number) <= int(before)


def table_dialogue(rows: list[dict], origin: Origin) -> Passage:
    """The rows of one dialogue between a customer and a shop."""
    said = ((row.get("SPEAKER"), map_sns(string(row.get("SENTENCE")))) for row in rows)
    domain, category = string(rows[0].get("DOMAIN")), string(rows[0].get("CATEGORY"))
    text = dialogue(said)
    return _passage(text, None, "한국어 대화", "spoken", domain=domain, category=category)
