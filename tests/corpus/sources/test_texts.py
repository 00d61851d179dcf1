"""Text files of many documents: told by their content, or as the user says, whatever their size."""

import gzip

import pytest

from gemma_ko_lib.corpus.documents import Note, find_files, read_file
from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.reading import Reading
from gemma_ko_lib.corpus.sources.records import Reject


def split(path, by="auto"):
    """Texts, reasons of rejects, and notes of a file."""
    (file,) = find_files(path)
    found = list(read_file(file, Reading(by)))
    notes = [item.reason for item in found if isinstance(item, Note)]
    rejects = [item.reason for item in found if isinstance(item, Reject)]
    documents = [item for item in found if not isinstance(item, Note | Reject)]
    return documents, rejects, notes


def texts(documents) -> list[str]:
    return [document.text for document in documents]


def lines(count: int, *kinds: str) -> str:
    return "".join(f"{kinds[n % len(kinds)]} {n}\n" for n in range(count))


# --- One a line -----------------------------------------------------------------------

REVIEWS = lines(
    150, "국물이 진해서 또 왔어요", "별로", "주차할 곳이 없어서 한참 돌았습니다만 맛은 좋네요"
)


@pytest.mark.parametrize(
    "text",
    [
        REVIEWS,
        lines(120, "ㅋㅋㅋ 이게 뭐야", "기사가 너무 짧다", "나도 어제 봤는데 거기 사람 많더라"),
        lines(400, "배송 빨라요", "색이 사진과 달라요 ㅠㅠ").replace("\n", "\r\n"),
    ],
)
def test_a_file_of_comments_is_as_many_documents(tmp_path, text):
    (tmp_path / "comments.txt").write_bytes(text.encode())
    documents, rejects, (note,) = split(tmp_path)
    assert texts(documents) == [line.strip() for line in text.splitlines()]
    assert documents[7].id == f"{tmp_path.name}/comments.txt:8"
    assert (rejects, note[:19]) == ([], "one document a line")
    ((document,), _, _) = split(tmp_path, by="file")
    assert document.text.count("\n") >= len(documents) - 1


@pytest.mark.parametrize(
    "text",
    [
        # A novel, a law, a transcript, a text wrapped at some width, a long list.
        lines(60, "“어디 가니?”", "  그는 대답하지 않았다. 비가 오고 있었다."),
        lines(
            150, "제3조(정의) 이 법에서 쓰는 말의 뜻은 다음과 같다.", "① 샘터란 물이 솟는 곳이다."
        ),
        lines(150, "가람: 오늘은 어디로 갈까요?", "나루: 둑길이 좋겠어요."),
        lines(150, "이 글은 한 줄의 길이가 거의 같도록 잘려 있어서 어디서 끝나는지 알 수 없다"),
        lines(150, "- 물레", "- 베틀"),
        lines(99, "배송 빨라요", "별로"),
    ],
)
def test_a_single_text_of_many_lines_stays_one(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    documents, rejects, _ = split(tmp_path)
    assert (len(documents), rejects) == (1, [])
    assert len(split(tmp_path, by="line")[0]) == text.count("\n")


# --- Parted by blank lines --------------------------------------------------------------

BLOCK = "첫 문장이다.\n둘째 문장이다.\n셋째 문장이다.\n"


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("\n".join([BLOCK] * 40), 40),
        ("\n\n \n".join([BLOCK] * 35), 35),
        ("\n".join([BLOCK, "한 문장뿐이다.\n"] * 30).replace("\n", "\r\n"), None),
    ],
)
def test_sentences_in_blocks_are_documents(tmp_path, text, blocks):
    (tmp_path / "a.txt").write_bytes(text.encode())
    documents, _, notes = split(tmp_path)
    if blocks is None:  # as many blocks of one line as of three: a text with headings?
        assert len(documents) in (1, 60)
    else:
        assert (len(documents), notes[0][:27]) == (blocks, "documents parted by blank l")
    documents, rejects, _ = split(tmp_path, by="blank")
    assert (len(documents), rejects) == (blocks or 60, [])
    assert documents[0].text.split() == BLOCK.split()


def test_a_few_blocks_may_be_one_text_and_the_other_reading_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join([BLOCK] * 3))
    documents, _, (note,) = split(tmp_path)
    assert (len(documents), "--documents-by blank" in note) == (1, True)
    (tmp_path / "a.txt").write_text("첫 문단이다. 두 문장이다.\n\n둘째 문단이다.\n\n셋째다.\n")
    assert split(tmp_path)[2] == []


# --- WikiExtractor and titles -------------------------------------------------------------


def test_wikiextractor_gives_articles_with_title_and_address(formats_dir):
    (first, second), rejects, _ = split(formats_dir / "texts/wiki_00")
    assert first.text == "물레 & 베틀\n\n물레는 실을 잣는 틀이다.\n베틀은 그 실로 베를 짠다."
    assert (second.id, second.metadata["title"], rejects) == ("8", "홍두깨", [])
    assert first.metadata["url"] == "https://wiki.example.kr/?curid=7"
    assert first.metadata["title"] == "물레 & 베틀"


DOC = '<doc id="{0}" url="u" title="제{0}">\n제{0}\n\n본문 {0}이다.\n</doc>\n'


def test_an_article_that_is_not_closed_is_kept_and_said_once(tmp_path):
    text = DOC.format(1).replace("</doc>\n", "") + DOC.format(2) + DOC.format(3)[:-7]
    (tmp_path / "wiki_00").write_text(text)
    documents, rejects, _ = split(tmp_path)
    assert [document.id for document in documents] == ["1", "2", "3"]
    assert [reason[:14] for reason in rejects] == ["a <doc …> with", "the file ends "]


def test_text_outside_of_articles_and_articles_without_text_are_told(tmp_path):
    empty = '<doc id="4" url="u" title="빈 글">\n빈 글\n\n</doc>\n'
    (tmp_path / "wiki_00").write_text(DOC.format(1) + "남은 줄\n" + DOC.format(2) + empty)
    documents, rejects, notes = split(tmp_path)
    assert (len(documents), rejects) == (2, ["text outside of <doc …> and </doc>"])
    assert notes[1:] == ["pages without text of their own"]


def test_titles_part_articles(formats_dir):
    (first, second), rejects, _ = split(formats_dir / "texts/titles.txt")
    assert first.text == "물레\n\n물레는 실을 잣는 틀이다.\n쓰임\n솜이나 털에서 실을 뽑는다."
    assert (second.metadata["title"], rejects) == ("홍두깨", [])


def test_a_heading_that_is_no_utf8_costs_its_article(tmp_path):
    damaged = " = 물레 = \n\n == \udcb0\udca1 == \n글\n = 베틀 = \n\n다른 글\n"
    (tmp_path / "a.txt").write_bytes(damaged.encode("utf-8", "surrogateescape"))
    (document,), (reason,), _ = split(tmp_path)
    assert (document.metadata["title"], reason[:9]) == ("베틀", "not UTF-8")


# --- Large and damaged --------------------------------------------------------------------


def test_a_text_too_long_for_a_document_is_read_by_the_line(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 1000)
    (tmp_path / "a.txt").write_text(REVIEWS + "끝없는 줄 " * 200 + "\n마지막 줄\n")
    documents, rejects, (note,) = split(tmp_path)
    assert (len(documents), documents[-1].text) == (151, "마지막 줄")
    assert (len(rejects), rejects[0][:8]) == (1, "too long")
    assert "too long for one" in note
    (tmp_path / "a.txt").write_text("\n".join([BLOCK] * 50))
    assert len(split(tmp_path)[0]) == 50
    assert split(tmp_path, by="file")[1][0].endswith("--documents-by line or blank")


def test_a_line_in_another_encoding_costs_itself(tmp_path):
    damaged = REVIEWS.encode() + "완성형 줄\n".encode("cp949") + "끝줄\n".encode()
    (tmp_path / "a.txt").write_bytes(damaged)
    documents, (reason,), _ = split(tmp_path)
    assert (len(documents), reason[:9]) == (151, "not UTF-8")


def test_a_cut_file_of_many_documents_counts_once(tmp_path):
    whole = gzip.compress(
        "".join(f"{n * 7919 % 10007}번 손님의 글\n" for n in range(9000)).encode()
    )
    (tmp_path / "a.txt.gz").write_bytes(whole[: len(whole) // 2])
    documents, rejects, _ = split(tmp_path)
    assert 1000 < len(documents) < 9000
    assert rejects == ["truncated file; what came before was kept"]


def test_korean_windows_files_are_parted_too(tmp_path):
    (tmp_path / "a.txt").write_bytes(REVIEWS.encode("cp949"))
    documents, _, _ = split(tmp_path)
    assert len(documents) == 150
    assert documents[0].metadata["decoded_from"] == "cp949"
