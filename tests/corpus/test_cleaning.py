"""What cleaning one text must do, and the faults of dps that it must not share."""

import json
import random
import unicodedata

import pytest

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.cleaning import CHARACTER_RULES, DROPPING, REWRITING
from gemma_ko_lib.corpus.cleaning.rewriting import is_clean
from gemma_ko_lib.runtime import samples_dir

ARTICLE = (
    "군산시는 옛 곡물 창고를 고쳐 도서관으로 다시 연다고 3일 밝혔다. 책은 3만 권이다.\n\n"
    "설계를 맡은 건축가는 벽돌의 흔적을 지우지 않으려고 물로만 씻었다고 말했다."
)


# --- Faults of dps ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("하하ㅋㅋㅋ 웃기다", "하하ㅋㅋ 웃기다"),
        ("진짜ㅋㅋㅋㅋㅋ", "진짜ㅋㅋ"),
        ("슬프다ㅠㅠㅠㅠ 정말ㅜㅜㅜ", "슬프다ㅠㅠ 정말ㅜㅜ"),
        ("핰ㅋㅋㅋㅋ 좋아ㅎㅎㅎ", "핰ㅋㅋ 좋아ㅎㅎ"),
        ("대박!!!! 뭐지??? 음~~~~ ^^^^^", "대박!! 뭐지?? 음~~ ^^"),
        ("그런데..... 왜………", "그런데... 왜……"),
        ("재밌네 ㅇㅇㅇㅇㅇㅇ", "재밌네 ㅇㅇ"),
    ],
)
def test_runs_shrink_and_leave_the_syllable_before(text, cleaned):
    assert clean_text(text, "review").text == cleaned


@pytest.mark.parametrize(
    "line",
    [
        "주소: 전남 신안군 하늘면 소금바퀴길 27-1 (북쪽 선착장)",
        "사진 밑에 ⓒ 표시만 붙이면 끝이냐고 아이들이 물었다.",
        "ⓒ 2024 김하늘",
        "이메일: 은 아직 정하지 않았다고 했다.",
        "대표이사: 김하늘, 전화: 없음",
    ],
)
@pytest.mark.parametrize("register", ["news", "blog", None])
def test_nothing_is_cut_off_after_an_address_or_a_copyright_mark(line, register):
    text = f"{ARTICLE}\n\n{line}\n\n그 뒤로도 기사는 계속된다. 마지막 문장까지 남아야 한다."
    assert clean_text(text, register).text == text
    flat = text.replace("\n\n", " ")
    assert clean_text(flat, register).text == flat


def test_the_bytes_of_a_lost_character_break_no_line():
    assert clean_text("이 옵\x85\x98을 고르세요\x85그다음을 누르세요").text == (
        "이 옵을 고르세요\n그다음을 누르세요"
    )


def test_conjoining_jamo_are_composed_and_not_deleted():
    decomposed = unicodedata.normalize("NFD", "한글은 쪼개져도 한글이다")
    assert len(decomposed) > 25
    assert clean_text(decomposed).text == "한글은 쪼개져도 한글이다"


def test_lone_conjoining_jamo_become_the_letters_one_types():
    assert clean_text("재밌다 \u110f\u110f\u110f\u110f \u1172\u1172").text == "재밌다 ㅋㅋ ㅠㅠ"


def test_old_hangul_keeps_its_letters():
    text = "훈민정음의 첫 구절 나랏말\u110a\u119e미는 널리 알려져 있다"
    assert clean_text(text).text == text


def test_the_first_copy_of_a_repeated_phrase_stays():
    copies = "제발 꼭 도와주세요 " * 3
    assert clean_text(f"여러분 {copies}고맙습니다", "comment").text == (
        "여러분 제발 꼭 도와주세요 고맙습니다"
    )
    twice = "우리 함께 가자 우리 함께 가자 저 산을 넘어"
    assert clean_text(twice, "comment").text == twice


def test_lines_around_a_repeated_one_keep_their_breaks():
    text = (
        "첫 줄이다.\n같은 줄이 또 나온다.\n같은 줄이 또 나온다.\n같은 줄이 또 나온다.\n끝 줄이다."
    )
    assert clean_text(text, "community").text == "첫 줄이다.\n같은 줄이 또 나온다.\n끝 줄이다."


def test_a_line_of_dashes_is_no_repeated_phrase():
    text = f"표의 머리\n{'- ' * 20}-\n표의 몸"
    assert clean_text(text, "comment").text == text


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("안 녕 하 세 요", "안녕하세요"),
        ("오 늘 은  날 씨 가  좋 습 니 다", "오늘은 날씨가 좋습니다"),
        ("알립니다. 잘 부 탁 합 니 다! 끝", "알립니다. 잘부탁합니다! 끝"),
        ("너 나 할 것 없이 다 한 번 더", "너 나 할 것 없이 다 한 번 더"),
        ("제가 할 수 있 는 게 더 이상 없어", "제가 할 수 있 는 게 더 이상 없어"),
        ("가 나 다 라 마 바 사", "가 나 다 라 마 바 사"),
        ("그 집 한 채 다 내 것", "그 집 한 채 다 내 것"),
        ("하 나 는 전 체 를 위 하 여", "하 나 는 전 체 를 위 하 여"),
    ],
)
def test_spaced_out_syllables_are_joined_only_where_it_is_certain(text, joined):
    assert clean_text(text, "review").text == joined


def test_leaving_spaces_out_is_a_style_in_a_post_and_a_broken_page_in_an_article():
    text = "저는전라도에사는세아이의엄마입니다. 이렇게글을남기게된이유는 아이들때문입니다. " * 2
    assert clean_text(text, "community").dropped_by is None
    assert clean_text(text, "news").dropped_by == "eojeol_length"


def test_one_line_reviews_are_kept():
    assert clean_text("배송빨라요굿", "review").dropped_by is None
    assert clean_text("재구매각").dropped_by is None


# --- Rewriting --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("맛있다&nbsp;<b>진짜</b><br/>또 감", "맛있다 진짜\n또 감"),
        ("하나 &lt; 둘 &amp; 셋", "하나 < 둘 & 셋"),
        ("a < b 이고 c > d 이다", "a < b 이고 c > d 이다"),
        ("사랑해 <3 영원히", "사랑해 <3 영원히"),
        ("<통영> 굴 까는 손이 모자란다", "<통영> 굴 까는 손이 모자란다"),
        ("링크 http://a.kr/?id=1&copy=2 참고", "링크 http://a.kr/?id=1&copy=2 참고"),
        ("&amp;amp;lt;br&amp;amp;gt;앞뒤", "앞뒤"),
        ("본문<script>var a = 1 < 2;</script>이다", "본문이다"),
        ("사과<!-- 광고 -->나무", "사과나무"),
        ("좋\u200b아요\u00a0정말\ufeff", "좋아요 정말"),
        ("빈칸\u3164없는\u3000글", "빈칸 없는 글"),
        ("가족 👨\u200d👩\u200d👧 여행", "가족 👨\u200d👩\u200d👧 여행"),
        ("줄\r\n바꿈\r또", "줄\n바꿈\n또"),
        ("반쪽\ud83d짜리", "반쪽짜리"),
        ("  첫째  문단 \n\n\n\n 둘째\t문단  ", "첫째 문단\n\n둘째 문단"),
    ],
)
def test_rewriting(text, cleaned):
    assert clean_text(text).text == cleaned


@pytest.mark.parametrize(
    "boilerplate",
    [
        "홍길동 기자 hong@example.com",
        "거제=추한결 기자",
        "글·사진 통영/여진솔 기자",
        "문화부 편지후 기자",
        "<저작권자(c) 가나다뉴스, 무단 전재-재배포 금지>",
        "[Copyright ⓒ 한마루뉴스. 무단 전재 및 재배포 금지.]",
        "COPYRIGHT ⓒ 섬사람일보 All rights reserved.",
        "저작권자ⓒ지리산바람신문 무단전재 및 재배포금지   /  엄다솜기자 dasom.um@example.org",
        "노아름 기자 areum.noh@example.com  저작권자 © 황강신문",
        "스포츠부 배지완 기자 jiwan.bae@example.com    페이스북 트위터 카카오톡 URL복사",
        "▲ 사진=8일 오후 여수 돌산읍 방파제에 높은 파도가 치고 있다. 독자 제공",
        "관련기사\n· 물류창고 화재 5년간 얼마나 늘었나\n· 소방서가 꼽은 세 가지",
        "[과학] 최신기사 더보기 &gt;",
        "지금까지 여수에서 가나다 뉴스 배지완입니다.",
        "촬영기자: 편지후 / 영상편집: 노아름",
        "■ 제보하기\n▷ 카카오톡 : '가나다제보' 검색\n▷ 전화 : 02-000-0000\n▷ 이메일 : a@example.kr",
        "상호: 섬사람상회 | 대표이사: 김하늘 | 사업자등록번호: 000-00-00000\n"
        "주소: 전남 신안군 하늘면 27-1\nTEL: 061-000-0000 FAX: 061-000-0001\n"
        "통신판매번호: 제0000-전남신안-000호",
        "(끝)\n2024/11/17 19:24 송고",
    ],
)
def test_news_boilerplate_goes_and_the_text_around_it_stays(boilerplate):
    last = "도서관은 다음 달 문을 연다."
    assert clean_text(f"{ARTICLE}\n\n{boilerplate}", "news").text == ARTICLE
    assert (
        clean_text(f"{ARTICLE}\n\n{boilerplate}\n\n{last}", "news").text == f"{ARTICLE}\n\n{last}"
    )


def test_boilerplate_in_a_flattened_text_goes_as_a_span():
    text = (
        "(군산=가나다뉴스) 홍길동 기자 = 창고가 도서관이 됐다고 시가 밝혔다. "
        "홍길동 기자 hong@example.com "
        "<저작권자 ⓒ 가나다뉴스, 무단전재 및 재배포 금지> 한편 다른 창고도 고칠 계획이라고 한다."
    )
    cleaned = "창고가 도서관이 됐다고 시가 밝혔다. 한편 다른 창고도 고칠 계획이라고 한다."
    assert clean_text(text, "news").text == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "기자님 오타요. 폭우인데 폭수라고 쓰셨어요.",
        "악성 댓글을 공유하고 스크랩하는 사람들이 있다.",
        "저작권 수업에서 무단 복제를 왜 금지하는지 배웠다.",
        "궁금한 분은 tomato@example.kr로 메일 주시면 답장을 드릴게요.",
        "지정 요일 이외의 무단 배출 시 과태료를 부과할 예정입니다.",
        "▲복지문화국장 채수경 ▲도시안전국장 길현우",
        "CIE LAB 및 CIE LCH 색상 공간을 더 보기",
        "▶ 전화: 02-000-0000 (평일 9시부터)",
        "이메일: 담당자에게 물어보세요",
        "사업자등록번호: 가게 문에 붙어 있다고 했다.",
        "TEL: 02-000-0000\nFAX: 02-000-0001",
    ],
)
def test_sentences_about_such_things_stay(text):
    assert clean_text(f"{ARTICLE}\n{text}", "news").text == f"{ARTICLE}\n{text}"


# --- Filters ----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [*REWRITING, *DROPPING], ids=lambda rule: rule.name)
def test_each_rule_does_to_its_example_what_it_says(rule):
    result = clean_text(rule.example, rule.register)
    if rule.becomes is None:
        assert result.dropped_by == rule.name
    else:
        assert result.text == rule.becomes
        assert rule.name in result.changed_by
        assert result.dropped_by is None


def test_every_rule_says_what_it_does_once():
    rules = [*REWRITING, *DROPPING]
    assert len({rule.name for rule in rules}) == len({rule.what for rule in rules}) == len(rules)


def test_strictness_depends_on_the_register():
    short = "배우들 연기가 정말 좋아서 두 번 봤어요"
    assert clean_text(short, "review").dropped_by is None
    assert clean_text(short, "news").dropped_by == "too_short"
    assert clean_text(short, "a register nobody knows").dropped_by is None


def test_escapes_piled_up_without_end_are_dropped():
    nested = "&" + "#38;" * 30 + "lt;"
    assert clean_text(f"글 {nested} 글").dropped_by == "nested_markup"


# --- Properties -------------------------------------------------------------------------

PIECES = [
    *"ㅋㅠㅎ^!?~.…·;<>&#=()[]/-\n\t \r\u200b\u00ad\u200d\u1112\u1161\u11ab▲ⓒ👍",
    *"<br> </p> <b &lt; &amp; amp; &nbsp; &#38; ㅋㅋㅋ 한국어 문장이다. 기자 a@b.kr".split(),
    *"저작권자 사진= 제공 공유 페이스북 카카오톡 관련기사 (서울=가나다뉴스) 더보기 (끝)".split(),
    *"ì•ˆë…• ¾È³ç â€™ 大韓 ありがとう English 뷁 \ufffd".split(),
    *"사업자등록번호: 주소: ■제보하기 ▷전화".split(),
    *("안 녕 하 세 요", "가  나 는 다", "또 또 또 ", "가 나 다 " * 3),
    *("```", "\n```\n", "\n~~~~\n", "`", "$", "$a<b>c$", "\n  x = 1\n", "\ndef f(a):\n"),
    *("<pre>\n", "\n</pre>", "x<p>y", "</b>", "\n}\n", "<!-- x", "-->", "\ufdd0", "import os\n"),
    *("ABC", "12", "홍길동 기자", "무단전재 및 재배포 금지", " = ", "2024/11/17 19:24 송고"),
]


@pytest.mark.parametrize("register", [None, "news", "review", "chat"])
def test_cleaning_twice_changes_nothing(register):
    rng = random.Random(0)
    for _ in range(1500):
        text = "".join(rng.choices(PIECES, k=rng.randint(1, 30)))
        once = clean_text(text, register)
        again = clean_text(once.text, register)
        assert again == once
        assert again.changed_by == ()


def test_a_text_that_is_called_clean_is_one_that_no_rule_changes():
    rng, clean = random.Random(0), 0
    for _ in range(20_000):
        text = "".join(
            rng.choices([*"가ㅋ!?.~^; \n=…·♥→", "A1", *PIECES[:20]], k=rng.randint(1, 9))
        )
        if is_clean(text):
            clean += 1
            assert all(rule(text) == text for rule in CHARACTER_RULES), repr(text)
    assert clean > 500


def test_cleaning_the_samples_twice_changes_nothing_and_keeps_nearly_all():
    kept = total = 0
    for path in sorted((samples_dir() / "ko").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            once = clean_text(record["text"], record["register"])
            assert clean_text(once.text, record["register"]) == once
            assert len(once.text) > len(record["text"]) / 2
            kept, total = kept + (once.dropped_by is None), total + 1
    assert kept > 0.98 * total


def test_changed_by_names_the_rules_that_did_something():
    assert clean_text("하하ㅋㅋㅋ<br>네", "review").changed_by == ("strip_html", "shorten_runs")
    assert clean_text("깨끗한 문장입니다.", "review").changed_by == ()


@pytest.mark.parametrize(
    "piece",
    [
        "<script>",
        "<!--",
        "<a ",
        "&amp;",
        "ㅋ",
        " ",
        "\n",
        "@",
        "(가=",
        "가-",
        "기자 ",
        "ì•",
        "¾È",
        "大韓",
        "가 ",
        "가  나 는 ",
        "또 또 하나 ",
        "a b c a b d ",
        "\u1100",
        "주소: ",
        "사업자등록번호: ",
        "- ",
        "\n▷a",
        "무단 ",
        "무단 전재 ",
        "ⓒ무단",
        "더보기",
        "(서울=",
        "@a.",
        "a@a.",
        "<",
        "<pre>",
        "<svg>",
        "<a b='",
        "<b>x",
        "> 태그",
        "`a",
        "$a",
        "```\n",
        "x = 1\n",
        "\\begin{a}",
        "\\[",
        "{\n",
        "\ufdd0",
        "그래픽: 가나 ",
        "저작권자 ⓒ ",
        "▲ ",
    ],
)
def test_no_text_takes_forever(piece):
    # Quadratic patterns would need minutes for this.
    text = piece * (400_000 // len(piece))
    assert len(clean_text(text, "news").text) <= len(text)
