"""Two scores that are kept beside a text: how much of an advert it is, and how much it swears.

In goes a cleaned text, out comes a number from 0 to 1. A word alone drops no document: dps
drops every text that holds one of 37 words, and with them the news on illegal gambling, the
petition against it and the film review that mentions baccarat. Profanity is never a reason
to drop: a model for comments has to know it, a corpus for children can leave it out.
"""

import re

from gemma_ko_lib.corpus.cleaning.rules import Rule


def _any_of(*rows: str) -> str:
    """A pattern of the words in rows, separated by "|"; a space in a word is optional."""
    return "|".join(rows).replace(" ", " ?")


# What is offered: gambling, escorts, loans, pills, accounts, stock tips.
_OFFER = re.compile(
    _any_of(
        "카지노 사이트|카지노 추천|카지노 주소|카지노 쿠폰|카지노 머니|온라인 카지노|실시간 카지노",
        "온라인 바카라|실시간 바카라|바카라 사이트|바카라 추천|토토 사이트|토토 추천|토토 총판",
        "사설 토토|사설 놀이터|안전 놀이터|메이저 놀이터|먹튀 검증|먹튀 사이트|먹튀 없는",
        r"온라인 슬롯|슬롯 사이트|파워볼 사이트|꽁 머니|첫 충 \d|총판 모집",
        "출장 안마|출장 마사지|출장 샵|출장 아가씨|출장 만남|콜걸|조건 만남|애인 대행|휴게텔",
        "키스방|풀싸롱|오피 사이트|오피 추천",
        "무직자 대출|당일 대출|급전 대출|작업 대출|개인돈 대출|소액 결제 현금화|카드 현금화",
        "비아그라 구매|비아그라 구입|비아그라 판매|비아그라 정품|시알리스 구매|시알리스 판매",
        "대포 통장|대포폰|팔로워 늘리기|팔로워 구매|상위 노출 대행|상위 노출 보장",
        "주식 리딩|급등주 추천|무료 체험방",
    )
)
# How to take it up.
_CALL = re.compile(
    _any_of(
        "카톡 아이디|카톡 ID|카톡 문의|카톡 상담|카톡 추가|카톡 ?[:：]|카카오톡 문의|카카오톡 상담",
        "텔레그램 문의|텔레그램 아이디|텔레 ?[:：@]|텔레그램 ?[:：@]|라인 아이디",
        "24시 상담|24시 문의|24시간 상담|24시간 문의|24시간 영업|연중 무휴",
        "문의 주세요|문의 환영|상담 환영|문의 전화|무료 상담|친절 상담",
        "가입 코드|가입 즉시|가입 문의|추천인 코드|선입금|후불제",
        "당일 지급|당일 입금|즉시 지급|즉시 입금",
        r"최저가|클릭|바로 가기|https?://|www\.|\[전화번호\]|\[링크\]",
    )
    + r"|\b01[016789][- .]?\d{3,4}[- .]?\d{4}"
)
_FULL_DENSITY = 1 / 6


ADVERT = Rule(
    "advert",
    "Offers of gambling, escorts or loans, more than one, dense, with a way to take them up.",
    "온라인 카지노 추천 먹튀검증 안전놀이터 가입코드 7777 카톡문의 환영",
    register="comment",
)


def advert_score(text: str) -> float:
    """How much a text is an advert for gambling, escorts, loans or other spam, 0 to 1.

    Three signs add up: an offer (0.4), a second, different one (0.3), a way to take it up
    (0.3). They count in full where one eojeol in six is such a word. So a complaint about
    adverts stays below 0.8: it has more to say, and nobody to call.

    Example: "토토사이트 먹튀검증 안전놀이터 가입코드 1234 카톡문의" → 1.0;
    "온라인 카지노를 단속해 달라는 청원입니다" → 0.4.
    """
    offers = [offer.replace(" ", "") for offer in _OFFER.findall(text)]
    if not offers:
        return 0.0
    calls = len(_CALL.findall(text))
    signs = 0.4 + 0.3 * (len(set(offers)) > 1) + 0.3 * (calls > 0)
    density = (len(offers) + calls) / len(text.split())
    return round(signs * min(1.0, density / _FULL_DENSITY), 3)


# Every alternative starts with a literal, and rather one that is rare: `re` skips to it fast.
# One that starts with a look behind makes the whole search seven times as slow.
_PROFANITY = re.compile(
    # 시발 is also a start (시발점, 시발은), a car, and the end of one word with the start of the
    # next; 병신 is also a year, and part of 징병신체검사.
    "씨[발빨팔벌]"
    "|발(?:(?<=[아개]시발)|(?<=시발)(?<![가-힣]시발)|(?<=시[1!]발)(?<![가-힣]시[1!]발))"
    "(?!점|역|택시|자동차|은|을|로|하)|벌놈(?<=시벌놈)"
    "|ㅅ[1!]?ㅂ|ㅆ[1!]?ㅂ|병(?<!징병)[1!]?신(?!년|도|체)|ㅂ[1!]?ㅅ(?![ㄱ-ㅎ])|씹[노명새선질할덕재]"
    "|좆|ㅈ같|존나|ㅈㄴ|ㅈㄹ|랄(?<=지랄)|염병할|엿먹어|ㄱㅅㄲ|ㅅㄲ|썅|쌍[년놈]"
    "|친(?<=미친) ?[놈년새]|꺼져라|꺼져버려|닥쳐라|걸레년|느금마"
    # 새끼 is also an animal's young, the little finger and a kind of rope.
    "|끼(?:(?<=[개이저그]새끼)|(?<=[이저그] 새끼)|(?<=새끼)(?=들[아이은]))(?!손|줄)"
)


def profanity_score(text: str) -> float:
    """Profane words per eojeol, 0 to 1; coarse, since it only describes.

    Example: "이런 병신 같은" → 0.333; "시발점이 된 사건" and "새끼 고양이" → 0.0.
    """
    found = len(_PROFANITY.findall(text))
    return round(min(1.0, found / len(text.split())), 3) if found else 0.0
