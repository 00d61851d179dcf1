"""Names of persons and dates of birth, on request: text in, places in it out.

A Korean name is a surname of a short list and a given name of one or two syllables, and so are
many other words (이자율, 민주당). The morphological analyser Kiwi says which words are proper
nouns, and titles and cues nearby (씨, 기자, "이름은") which are persons. What a name is without
either, and foreign names, it cannot know.
"""

import re
from collections.abc import Iterator
from itertools import chain, pairwise

from gemma_ko_lib.corpus.cleaning.quality import kiwi
from gemma_ko_lib.corpus.pii.written_forms import BLOCK

_SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공"
    "현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"
)
# Those that hardly begin other words: without a title or a cue, only they make a name.
_COMMON_SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송류유전홍고문손배양백허남심노하곽성차주우구민진엄채원천"
)
_DOUBLE_SURNAMES = "남궁|황보|제갈|선우|독고|사공|서문"
_SURNAME = f"(?:{_DOUBLE_SURNAMES}|[{''.join(sorted(_SURNAMES))}])"
_TITLE = (
    "기자|특파원|앵커|아나운서|대표|의원|장관|차관|대통령|총리|시장|지사|위원장|대변인|교수|박사|감독|선수|코치"
    "|사장|회장|부장|차장|과장|팀장|실장|이사장|이사|상무|전무|변호사|검사|판사|원장|총장|소장|국장|배우|가수|작가"
    "|시인|화백|선생|연구원|의사|간호사|약사|경위|경감|경정|순경|중위|대위|소령|중령|대령|병장|상병|일병|이병|목사|신부"
    "|스님|사무관|주무관|조합원|학생|어린이|할머니|할아버지"
)
# 김하늘 씨, 이씨는, 박 대표: of a surname alone only 씨 is believed.
_TITLED = re.compile(
    rf"(?<![가-힣])(?P<name>{_SURNAME}[가-힣]{{1,2}})(?: ?씨(?![앗름줄알족])| ?님(?![가-힣]{{2}})"
    rf"|(?: ?(?:전|前|신임))? (?:{_TITLE})|(?:{_TITLE})(?=[은는이가의을를과와도에께로,.]|\s|$))"
    rf"|(?<![가-힣])(?P<alone>{_SURNAME}) ?씨(?=[는가의를와도에께,. ])"
)
_CUED = re.compile(
    r"(?:이름|성명|성함|본명|실명|예금주|담당자?|작성자|신청인|보호자|피해자|고인)[은는이가]?"
    rf"(?:\s?[:：]\s?|\s)(?P<name>{_SURNAME} ?[가-힣]{{1,2}})"
    r"(?=[은는이가의을를과와도께,.()/]|\s|$|입니다|이고|이라|이에요|예요)"
    rf"|(?:저는|나는|제가) (?P<self>{_SURNAME}[가-힣]{{2}})(?=(?:이라고|라고|입니다|이에요|예요))"
)
# Proper nouns of other things that begin with a surname, and how places and things end.
_NOT_NAMES = frozenset(
    "이라크 이집트 유튜브 하와이 모로코 모나코 마카오 여의도 신세계 이마트 오릭스 양키스 이글스 "
    "백악관 인터폴 한반도 임진각 천안함 고질라 이케아 지브리 하느님 하나님 마우나 도호쿠 오리건 "
    "한수원 남아공 국과수 전경련 기아차 현대차 현충원 민주당 남양주 위안부 국회 국방 국가 "
    "문자열 조건문 우분투 한국어".split()
)
_LONG_WORD = re.compile(r"\S{100,}")
_OTHER_ENDS = frozenset("도시구군면읍역당대동강파키값율판스줄행점부법릭트투넷터력량")

# --- Dates of birth -----------------------------------------------------------------------

_YEAR = r"(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?:{_YEAR}|[0-9]{{2}})(?: ?년 ?|[-./] ?)(?:0?[1-9]|1[0-2])(?: ?월 ?|[-./] ?)"
    r"(?:0?[1-9]|[12][0-9]|3[01])(?: ?일(?!간))?"
)
_DIGITS = rf"(?:{_YEAR}|[0-9]{{2}})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
# 생 also begins 생산, 생방송, 생긴: what follows it here is a particle, or 생일.
_SAID_AFTER = (
    r"\.? ?(?:\([음양]력?\) ?)?"
    r"(?:생(?:(?![가-힣])|(?=인|이[고다라며지었에신]|입니다|으로|은 |의 |일[이인]))|生|출생|태생)"
    r"|(?:에| )[가-힣 ]{0,20}태어[나난났]"
)
_BORN = re.compile(
    rf"(?<![0-9])(?P<date>{_DATE}|{_DIGITS})(?={_SAID_AFTER})"
    r"|(?:생년월일|생일|생신|출생일|출생 ?연월일|[Dd]ate of [Bb]irth|DOB)[은는이가]?[\s:：(]{0,3}"
    rf"(?:[음양]력 ?)?(?P<cued>{_DATE}|{_DIGITS})(?![0-9])"
)


def find_birth_dates(text: str) -> Iterator[tuple[int, int]]:
    """Full dates that somebody is said to be born on; a year alone ("81년생") is none.

    Example: "1990년 1월 2일생" → the place of "1990년 1월 2일".
    """
    for match in _BORN.finditer(text):
        yield match.span("date" if match["date"] else "cued")


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Korean names of persons: proper nouns, by their form, a title or a cue.

    Kiwi reads about 130 kB a second.

    Example: "김하늘 기자가 썼다" → the place of "김하늘".
    """
    # A placeholder is a word: behind nothing, "기자" would be taken for a name. Over what has no
    # spaces for a hundred characters, Kiwi takes time out of proportion.
    readable = _LONG_WORD.sub(lambda word: " " * len(word[0]), text.replace(BLOCK, "X"))
    tokens = kiwi().tokenize(readable)
    proper = {(token.start, token.len) for token in tokens if token.tag == "NNP"}
    for match in chain(_TITLED.finditer(text), _CUED.finditer(text)):
        start, end = match.span(match.lastgroup)
        is_proper = (start, 1) in proper or (start, end - start) in proper
        if is_proper and text[start:end] not in _NOT_NAMES:
            yield start, end
    for token, after in pairwise([*tokens, None]):
        if token.tag != "NNP" or token.form[0] not in _COMMON_SURNAMES:
            continue
        start, end = token.start, token.start + token.len
        if token.len == 1 and after is not None and after.start == end and after.len == 2:
            # 김 + 하늘: a given name that is a word.
            end += 2 if after.tag in ("NNG", "NNP", "MAG") else 0
        name = text[start:end]
        if len(name) == 3 and name[-1] not in _OTHER_ENDS and name not in _NOT_NAMES:
            yield start, end
