"""The layouts of AI-Hub's corpora: where in a record what is.

Places are written as lesson 05 and `gemma-ko clean --formats` show them: "content[].sentence"
is the field "sentence" of each object in the list "content"; "+" joins two places, of "a | b"
the first that holds text counts.
"""

from collections.abc import Callable
from typing import NamedTuple

from gemma_ko_lib.corpus.sources.tags import map_dialect, map_sns


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
        marks: maps the marks that a dialogue's text has.
        container: the field of the JSON root that lists the records.
        path: letters that the name of the file has.
        about: the metadata: names with their places; a name alone is its own place.
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
    marks: Callable[[str], str] = map_sns
    container: str = ""
    path: str = ""
    about: str = ""

    def places(self) -> str:
        """Where the text is, for people."""
        text = f"{self.turns}.({self.text})" if self.turns else self.text
        needs = f", with {self.needs}" if self.needs else ""
        return f"{self.container + '[].' if self.container else ''}{text}{needs}"


_SNS = (
    "id: header.dialogueInfo.dialogueID; "
    "topic: header.dialogueInfo.topic | header.dialogueInfo.single_topic"
)
# The first that fits: the more a layout asks for, the earlier it stands.
LAYOUTS = (
    Layout(
        "한국어 방언 발화",
        "spoken",
        "form | dialect_form | standard_form",
        needs="eojeolList | dialect_form",
        turns="utterance[]",
        speaker="speaker_id",
        marks=map_dialect,
        about="id; category: metadata.category; relation: setting.relation",
    ),
    Layout(
        "한국어 방언 발화",
        "spoken",
        "dialect | standard | text",
        needs="dialect",
        turns="transcription.sentences[]",
        speaker="speakerId",
        marks=map_dialect,
        about="id",
    ),
    Layout(
        "한국어 대화 요약",
        "chat",
        "utterance | text",
        turns="body.dialogue[]",
        speaker="participantID",
        about=_SNS + "; date: body.dialogue[].date; summary: body.summary",
    ),
    Layout(
        "한국어 SNS",
        "chat",
        "utterance | text",
        turns="body[]",
        speaker="participantID",
        about=_SNS + "; date: body[].date",
    ),
    Layout(
        "SNS 멀티턴 대화",
        "chat",
        "text | utterance",
        turns="utterances[]",
        speaker="speaker | speaker_id",
        about="id: info.id; topic: info.topic",
    ),
    Layout(
        "대화",
        "chat",
        "utterance | text",
        turns="dialogs[].utterances[]",
        speaker="speaker | speaker_id",
    ),
    Layout(
        "문서요약 텍스트",
        "news",
        "text[][].sentence | article_original[]",
        title="title",
        about="id; title; date: publish_date; publisher: media_name | media; category",
    ),
    Layout(
        "논문자료 요약",
        "expert",
        "summary_entire[].orginal_text + summary_section[].orginal_text",
        title="title",
        about="id: doc_id; title; date; domain: doc_type",
    ),
    Layout(
        "도서자료 요약",
        "book",
        "passage",
        about="id: passage_id; title: metadata.doc_name; date: metadata.published_year; "
        "publisher: metadata.publisher; category: metadata.kdc_label",
    ),
    Layout(
        "기계독해",
        "",
        "paragraphs[].context",
        each=True,
        about="title: title | doc_title; date: doc_published; publisher: doc_source; "
        "category: doc_class.class",
    ),
    Layout(
        "기계독해",
        "",
        "context",
        needs="qas | question | answers",
        about="title: title | doc_title",
    ),
    Layout(
        "전문분야 말뭉치",
        "expert",
        "sentence[].text | rows[].text",
        needs="title | doc_id | doc_type",
        title="title",
        about="id: doc_id; title; date; domain: doc_type; publisher: issued_by",
    ),
    Layout(
        "전문분야 말뭉치",
        "expert",
        "text",
        needs="NE",
        title="title",
        about="id: doc_id; title; date; domain: doc_type",
    ),
    Layout(
        "웹데이터 기반 한국어 말뭉치",
        "blog",
        "subtitle[].sentence + content[].sentence",
        needs="title | source_site",
        title="title[].sentence",
        about="title: title[].sentence; date: write_date; publisher: source_site; category: board",
    ),
    Layout("온라인 구어체 말뭉치", "community", "content[].sentence"),
    Layout(
        "대규모 구매도서 기반 한국어 말뭉치",
        "book",
        "sentences[].original_text",
        between=" ",
        about="date: info.published_year; category: info.kdc",
    ),
    Layout(
        "속성기반 감정분석",
        "review",
        "RawText",
        about="domain: Domain; category: MainCategory; publisher: Source; "
        "polarity: GeneralPolarity",
    ),
    Layout(
        "국가기록물 대상 초거대AI 학습을 위한 말뭉치",
        "expert",
        "corpus",
        needs="collection_name | publisher_company",
        title="title",
        about="title; date: issue_date; publisher: publisher_company; category: category_main",
    ),
    Layout(
        "한국어 말뭉치 (초거대)",
        "spoken",
        "contents | text",
        container="data_info",
        path="구어체",
        about="title: data_title",
    ),
    Layout(
        "한국어 말뭉치 (초거대)",
        "book",
        "contents | text",
        container="data_info",
        about="title: data_title",
    ),
)
