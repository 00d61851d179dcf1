"""Adverts and profanity are scores; a word alone drops nothing, as it does in dps."""

import pytest

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.cleaning.scores import advert_score, profanity_score


@pytest.mark.parametrize(
    "text",
    [
        "온라인 카지노 추천 먹튀검증 안전놀이터 가입코드 7777 카톡문의 환영",
        "출장안마 출장마사지 24시간 상담 010-0000-1234 후불제",
        "무직자대출 당일대출 급전대출 누구나 가능 무료상담 텔레그램 @example",
    ],
)
def test_adverts_are_dropped(text):
    assert clean_text(text, "comment").dropped_by == "advert"


@pytest.mark.parametrize(
    "text",
    [
        # dps drops each of these for a word.
        "경찰은 바카라 도박장을 차린 일당을 붙잡았다고 12일 밝혔다. 이들은 온라인 카지노 사이트로 "
        "손님을 모아 수수료를 챙긴 혐의를 받는다. 경찰은 대포통장을 판 사람들도 쫓고 있다.",
        "불법 스포츠토토와 사설 토토 때문에 중고등학생까지 빚을 집니다. 안전놀이터라는 이름으로 "
        "버젓이 광고하는 먹튀사이트를 강력히 단속해 주십시오. 부탁드립니다.",
        "바다이야기 사건을 다룬 영화인데 배우들 연기가 좋았다",
        "조건만남 콜걸 이런 글 좀 지워라",
        "동네 마사지 샵이 문을 닫아서 아쉽다",
    ],
)
def test_texts_about_such_things_are_kept(text):
    assert clean_text(text, None).dropped_by is None
    assert clean_text(text, "comment").dropped_by is None


def test_the_advert_score_is_kept_where_it_is_above_0():
    assert 0 < clean_text("온라인 카지노를 단속해 주세요", "comment").scores["advert"] < 0.8
    assert clean_text("날씨가 좋다", "comment").scores == {}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("이런 병신 같은", 0.333),
        ("ㅅㅂ 진짜", 0.5),
        ("아 이 새끼 또 왔네", 0.2),
        ("새끼 고양이가 새끼손가락을 문다", 0.0),
        ("시발점이 된 사건, 시발역에서 만나자", 0.0),
        ("다시 발표하고 역시 벌을 받았다", 0.0),
        ("칡을 씹다가 이가 빠졌다", 0.0),
        ("병신년 새해, 징병신체검사", 0.0),
        ("위기가 닥쳐도 불이 꺼져도 괜찮다", 0.0),
    ],
)
def test_profanity(text, score):
    assert profanity_score(text) == score


def test_profanity_never_drops():
    result = clean_text("씨발 존나 재밌다 개새끼들아", "comment")
    assert result.dropped_by is None
    assert result.scores["profanity"] == 0.75


@pytest.mark.parametrize(
    "piece", ["카지노 사이트 ", "카톡 ", "시", "새끼", "병신", "01", "https://"]
)
def test_hostile_texts_take_no_longer(piece):
    text = piece * (300_000 // len(piece))
    assert 0 <= advert_score(text) <= 1
    assert 0 <= profanity_score(text) <= 1
