"""Wiki markup becomes what a reader of the page reads; other texts keep their brackets."""

import bz2
import json

import pytest

from gemma_ko_lib.corpus.documents import Note, find_files, read_file
from gemma_ko_lib.corpus.sources import records, wiki


def test_a_page_of_namuwiki_is_its_text_and_a_redirect_is_none(read, formats_dir):
    path = formats_dir / "community/namuwiki.json"
    (document,), rejects = read(path)
    assert document.text == (
        "개요\n물빛 나루는 가람도 물빛에 있는 나루다. 푸른 등대가 있다.\n\n"
        "뱃길\n건너편까지 십 분이 걸린다."
    )
    assert (document.metadata["title"], rejects) == ("물빛 나루", [])
    (file,) = find_files(path)
    (note,) = [item for item in read_file(file) if isinstance(item, Note)]
    assert note.reason == "pages that only lead to another one"


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        (
            "'''물레'''는 [[실|실을]] 잣는 [[틀]]이다.<ref name=a>책 3쪽</ref>",
            "물레는 실을 잣는 틀이다.",
        ),
        ("{{정보상자|이름={{lang|ko|물레}}|값=1}}물레는 틀이다.", "물레는 틀이다."),
        ("{{lang|en|wheel}}은 바퀴다.", "wheel은 바퀴다."),
        ("[[파일:a.png|섬네일|[[물레]]를 돌린다]]물레다.", "물레다."),
        ("앞\n{| class=wikitable\n| 칸 || 칸\n|}\n뒤", "앞\n\n뒤"),
        ("<math>a < b</math>와 <nowiki>[[글자]]</nowiki>", "a < b와 [[글자]]"),
        ("{{{#!syntax python\nx = a[[0]]\n}}}", "x = a[[0]]"),
        ('{{{#!wiki style="color:red"\n안의 글}}}', "안의 글"),
        ("[* 각주 [[안]]의 글]밖의 글[* A]", "밖의 글"),
        ("[[닫히지 않은 글", "[[닫히지 않은 글"),
        ("[https://a.example.kr 누리집]에 있다. [https://b.example.kr]", "누리집에 있다."),
        ("__밑줄__ 2^^10^^ ,,아래,,", "밑줄 210 아래"),
        ("[[en:Wheel]][[분류:틀]]물레", "물레"),
    ],
)
def test_markup(markup, plain):
    assert wiki.plain_text(markup) == plain


@pytest.mark.parametrize(
    "text",
    [
        "if [[ -f a.txt ]] || [[ -f b.txt ]]; then echo '''x'''; fi",
        "a = [[1, 2], [3, 4]]\nprint('''끝''')",
        "옛글은 [[이렇게]] 적기도 한다.",
        "#해시태그 로 시작하는 글",
    ],
)
def test_a_text_that_is_no_wiki_page_is_left_alone(tmp_path, read, text):
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": "글", "text": text}))
    (document,), _ = read(tmp_path / "a.jsonl")
    assert document.text == text


def test_hostile_markup_takes_linear_time():
    for part in ("[[", "]]", "{{{", "}}}", "{{", "[*", "]", "<ref>", "<math>", "<!--", "~~", "'''"):
        text = part * (400_000 // len(part))
        assert len(wiki.plain_text(text)) <= len(text)


DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">
<siteinfo><sitename>연습</sitename></siteinfo>
<page><title>물레</title><ns>0</ns><id>1</id><revision><id>9</id>
<text>'''물레'''는 [[실]]을 잣는 틀이다.

== 쓰임 ==
솜에서 실을 뽑는다.</text></revision></page>
<page><title>물래</title><ns>0</ns><id>2</id><redirect title="물레" />
<revision><text>#넘겨주기 [[물레]]</text></revision></page>
<page><title>토론:물레</title><ns>1</ns><id>3</id><revision><text>토론</text></revision></page>
</mediawiki>"""


@pytest.mark.parametrize("packed", [True, False])
def test_a_dump_gives_its_articles(tmp_path, read, packed):
    path = tmp_path / ("pages.xml.bz2" if packed else "pages.xml")
    dump = DUMP.encode()
    declared = b"<?xml version='1.0' encoding='utf-8'?>\n" + dump
    path.write_bytes(bz2.compress(declared) if packed else dump)
    (document,), rejects = read(path)
    assert document.text == "물레는 실을 잣는 틀이다.\n\n쓰임\n솜에서 실을 뽑는다."
    assert (document.id, document.metadata["title"], rejects) == ("1", "물레", [])


def test_a_cut_dump_and_a_page_without_end_are_told_once(tmp_path, read, monkeypatch):
    (tmp_path / "pages.xml").write_text(DUMP[: DUMP.index("토론:")])
    found, (reject,) = read(tmp_path)
    assert (len(found), reject.reason[:12]) == (1, "damaged dump")
    monkeypatch.setattr(records, "LONGEST_RECORD", 100_000)
    (tmp_path / "pages.xml").write_text(DUMP.replace("토론</text>", "토론" * 100_000))
    found, (reject,) = read(tmp_path)
    assert (len(found), "too long" in reject.reason) == (1, True)


def test_a_dump_without_an_article_is_not_passed_over_in_silence(tmp_path, read):
    (tmp_path / "pages.xml").write_text(DUMP.replace("<ns>0</ns>", "<ns>10</ns>"))
    found, (reject,) = read(tmp_path)
    assert (found, reject.reason) == ([], "no pages in the dump")
