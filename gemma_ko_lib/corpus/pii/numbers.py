"""Personal data that is mostly digits: plain text in, candidates for `pii` out.

A cluster of digits and signs is looked for first; only where one is long enough are the
patterns of the kinds tried. Where a number could be several things, its check digits and
the words next to it (cues) decide.
"""

import re
from collections.abc import Callable, Iterator

from gemma_ko_lib.corpus.pii import checksums
from gemma_ko_lib.corpus.pii.written_forms import BLOCK

REGIONS = "서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주"

FEWEST_DIGITS = 7
_CLUSTER = re.compile(rf"[0-9](?:[-. ()~/*_,]{{0,4}}+[0-9]){{{FEWEST_DIGITS - 1},}}+")
_NOT_DIGITS = re.compile("[^0-9]+")
_START, _END = r"(?<![0-9])(?<![0-9]-)", r"(?![0-9])(?!-[0-9])"

# --- Cues -------------------------------------------------------------------------------

_CUE_LENGTH = 30
_BANKS = (
    "국민|KB|신한|우리|하나|농협|NH|기업|IBK|카카오뱅크|카카오|카뱅|토스|새마을|MG|우체국|케이뱅크"
    "|K뱅크|케뱅|수협|신협|SC제일|제일|씨티|대구|부산|경남|광주|전북|제주|산업|KDB|아이엠|iM|저축"
)
# In ASCII, a word ends before a particle: "HP는", "Tel은".
_ANY_CASE = re.IGNORECASE | re.ASCII
_CUES = {
    "phone": re.compile(
        r"전화|연락|휴대|폰|문의|팩스|전송|문자|대표번호|직통|(?<![가-힣])번호|☎|☏|📞|📱"
        r"|\b(?:tel|phone|mobile|fax|call|hp|h\.p|(?<![가-힣])[tmhcfp](?![가-힣]))\b",
        _ANY_CASE,
    ),
    "rrn": re.compile("주민|등록번호|신분증|RRN", re.IGNORECASE),
    "frn": re.compile("외국인|거소|체류|ARC", re.IGNORECASE),
    "card": re.compile("카드|card|비자|마스터|visa|master|amex", re.IGNORECASE),
    "brn": re.compile("사업자|등록번호|고유 ?번호"),
    "corporation": re.compile("법인"),
    "driver_licence": re.compile("면허"),
    "account": re.compile(
        r"계좌|입금|송금|이체|예금주|통장|은행|뱅크|금고|\bbank|\baccount"
        rf"|(?:{_BANKS})[\s:()·,-]{{0,4}}(?:은행)?[\s:()·,-]{{0,4}}[가-힣]{{0,4}}[\s:()·,-]{{0,4}}\Z",
        _ANY_CASE,
    ),
}
_ACCOUNT_AFTER = re.compile(
    rf"[\s(/,·-]{{0,3}}(?:(?:{_BANKS})(?:은행|뱅크|금고)?(?:으?로|에)?(?![가-힣])|계좌|예금주|\w{{2,4}}은행|입금|송금"
    r"|이체|로 (?:입금|송금|이체|보내))"
)
# A number in a bank's own form needs no more than that somebody sends money.
_BANK_FORM = re.compile(
    r"(?:100|110)-\d{3}-\d{6}|1002-\d{3}-\d{6}|3333-\d{2}-\d{7}|30[12]-\d{4}-\d{4}-\d{2}"
    r"|1000-\d{4}-\d{4}|9002-\d{4}-\d{4}-\d"
)
_MONEY = re.compile("보내|보냈|부쳐|부치|회비|예약금|보증금|후원|만 ?원|[0-9]원")
# Directly before a number they say that it is something else.
_OTHER_NUMBER = re.compile(
    r"(?:(?:주문|택배|배송|접수|관리|문서|일련|제품|상품|품목|출원|예약|승인|쿠폰|참조|고객|회원|발급|재고"
    r"|로트|추적|조회|인증|허가|신고|민원|글|시리얼|보험|티켓|항공권|거래|결제|영수증|송장|등기|모델|특허"
    r"|사건|증권|물류)\s?(?:번호|코드|넘버|no\.?)|송장|등기|모델|특허|사건|바코드|학번|사번|군번)"
    r"[\s:：#=]{0,3}(?:은|는|이|가)?[\s:：#(]{0,3}(?:no\.?\s?)?[a-z]{0,4}-?\Z"
    r"|(?:ISBN|ISSN|S/N|SN|EAN|UPC|ORD|ORDER|INV|REF|DOI|바코드|품번|코드)"
    r"(?:-1[03])?[\s:：#=_-]{0,3}(?:no\.?)?[\s:：#=_-]{0,3}\Z",
    re.IGNORECASE,
)

_AMOUNT = re.compile(" ?[원만천억]")


def _since_digit(text: str, start: int) -> str:
    """What stands before a number, back to the number or placeholder before it."""
    window = text[max(start - _CUE_LENGTH, 0) : start]
    return re.split(f"[0-9{BLOCK}]", window)[-1]


def _cued(kind: str, text: str, start: int) -> bool:
    return _CUES[kind].search(_since_digit(text, start)) is not None


def _is_other(text: str, start: int) -> bool:
    return _OTHER_NUMBER.search(_since_digit(text, start)) is not None


def _account_cued(text: str, start: int, end: int) -> bool:
    if _cued("account", text, start) or _ACCOUNT_AFTER.match(text, end):
        return True
    around = text[max(start - _CUE_LENGTH, 0) : end + _CUE_LENGTH]
    return bool(_BANK_FORM.fullmatch(text, start, end) and _MONEY.search(around))


def _digits(match: re.Match) -> str:
    return _NOT_DIGITS.sub("", match[0])


# --- Kinds ------------------------------------------------------------------------------

_S = r"(?: ?[-.~/*_,)]{1,2} ?| {1,2})"  # between the groups of a telephone number
_MOBILE = re.compile(
    rf"{_START}(?:(?:\(?\+ ?|00)82{_S}?(?:\(0\) ?-?|0)?|82{_S}(?:\(0\) ?-?|0)?|\(?0)"
    rf"1(?:0\)?{_S}?[0-9]{{4}}{_S}?[0-9]{{4}}|[16-9]\)?{_S}?[0-9]{{3,4}}{_S}?[0-9]{{4}}"
    rf"|0(?:[-. ]?[0-9]){{8}}){_END}"
)
_AREA = "2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|50[2-8]?"
_LANDLINE = re.compile(
    rf"{_START}(?:\+ ?82{_S}?(?:\(0\) ?-?|0)?|82{_S}0?|\(?0)(?:{_AREA})\)?"
    rf"{_S}?[0-9]{{3,4}}{_S}?[0-9]{{4}}{_END}"
)
_LOCAL = re.compile(rf"{_START}(?<!-)[2-9][0-9]{{2,3}}[-.)][0-9]{{4}}{_END}")
_LOCAL_CUE = re.compile(
    r"(?:전화(?:번호)?|연락처|☎|☏|팩스|전송|\b(?:tel|fax|phone))[은는]?[\s:.)]{0,3}\Z", _ANY_CASE
)


def _phone(text: str, match: re.Match) -> str | None:
    """A mobile number, or one with an area code, 070 or 050."""
    start, number = match.start(), match[0]
    before = text[max(start - 4, 0) : start]
    if "." in number and (
        re.search(r"[0-9]\.\Z", before) or re.match(r"\.[0-9]", text[match.end() :])
    ):
        return None
    # "011.123-4567" is no telephone number; after "(02)" and "+82" there is a sign of their own.
    signs = {sign.strip(" ()") for sign in re.findall("[^0-9]+", number)[-2:]} - {""}
    if len(signs) > 1:
        return None
    if re.search(r"[A-Za-z]-?\Z", before) and not _cued("phone", text, start):
        return None
    if _is_other(text, start):
        return None
    return "phone"


def _landline(text: str, match: re.Match) -> str | None:
    number = match[0]
    if "," in number:
        return None
    groups = len(re.findall("[0-9]+", number))
    # 9 to 11 digits in a row, or "02110-1301", are usually something else.
    doubtful = (
        re.match(r"\+|070[0-9]{8}$|050[2-8][0-9]{7,8}\Z", number) is None
        if groups == 1
        else groups == 2 and re.match(rf"\D*(?:82\D*)?0?(?:{_AREA})[-)]", number) is None
    )
    bracketed = number[0] == "(" and text[match.end() : match.end() + 1] == ")"
    if doubtful and not bracketed and not _cued("phone", text, match.start()):
        return None
    return _phone(text, match)


def _local(text: str, match: re.Match) -> str | None:
    return "phone" if _LOCAL_CUE.search(_since_digit(text, match.start())) else None


def _thirteen(text: str, match: re.Match) -> str | None:
    """Six and seven digits: a resident, a foreigner or a corporation.

    A corporation's number may start with what reads as a date: 1101, the Seoul registry, and
    11, a stock company, are also 11 January 2011.
    """
    number, start, bare = _digits(match), match.start(), match[0].isdigit()
    payload, check = number[:12], number[12]
    person = checksums.has_birth_date(number)
    kind = "frn" if number[6] in "5678" else "rrn"
    expected = checksums.frn_check_digit if kind == "frn" else checksums.rrn_check_digit
    corporate = check == checksums.corporation_check_digit(payload)
    if _cued("corporation", text, start):
        return "corporation"
    if person and (_cued("rrn", text, start) or _cued("frn", text, start)):
        return kind
    if _is_other(text, start) or (bare and _account_cued(text, start, match.end())):
        return None
    if bare:
        article = number.startswith("880") and check == checksums.ean_check_digit(payload)
        return kind if person and check == expected(payload) and not article else None
    if person and not (corporate and check != expected(payload) and number[6] in "09"):
        return kind
    return "corporation" if corporate and "-" in match[0] else None


def _card(text: str, match: re.Match) -> str | None:
    number, start = _digits(match), match.start()
    valid = number[-1] == checksums.luhn_check_digit(number[:-1]) and number[0] in "234569"
    if _cued("card", text, start):
        return "card" if valid or not match[0].isdigit() else None
    if not valid or _is_other(text, start) or _account_cued(text, start, match.end()):
        return None
    return "card"


def _brn(text: str, match: re.Match) -> str | None:
    number, start = _digits(match), match.start()
    if _cued("brn", text, start) or "사업자" in text[match.end() : match.end() + 8]:
        return "brn"
    if "-" not in match[0] or _is_other(text, start) or _account_cued(text, start, match.end()):
        return None
    return "brn" if number[9] == checksums.brn_check_digit(number[:9]) else None


def _driver(text: str, match: re.Match) -> str | None:
    start = match.start()
    if _cued("driver_licence", text, start):
        return "driver_licence"
    if "-" not in match[0] or _is_other(text, start) or _account_cued(text, start, match.end()):
        return None
    return "driver_licence"


def _account(text: str, match: re.Match) -> str | None:
    if not 10 <= len(_digits(match)) <= 14 or _is_other(text, match.start()):
        return None
    if _AMOUNT.match(text, match.end()):
        return None
    return "account" if _account_cued(text, match.start(), match.end()) else None


_Check = Callable[[str, re.Match], str | None]
# In the order in which they claim a number; the fewest digits of each come first.
_KINDS: tuple[tuple[int, re.Pattern, _Check], ...] = (
    (13, re.compile(rf"{_START}[0-9]{{6}}(?: ?[-.~*/] ?| )?[0-9]{{7}}{_END}"), _thirteen),
    (10, _MOBILE, _phone),
    (9, _LANDLINE, _landline),
    (
        14,
        re.compile(
            rf"{_START}(?:[0-9]{{4}}([-./ ]{{0,3}})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}"
            rf"|3[47][0-9]{{2}}([-. ]?)[0-9]{{6}}\2[0-9]{{5}}"
            rf"|3[0689][0-9]{{2}}([-. ]?)[0-9]{{6}}\3[0-9]{{4}}){_END}"
        ),
        _card,
    ),
    (
        10,
        re.compile(
            rf"{_START}(?:1[1-9]|2[0-68])([- ]?)[0-9]{{2}}\1[0-9]{{6}}\1[0-9]{{2}}{_END}"
            rf"|(?:{REGIONS})[ -]?[0-9]{{2}}-[0-9]{{6}}-[0-9]{{2}}{_END}"
        ),
        _driver,
    ),
    (10, re.compile(rf"{_START}[0-9]{{3}}( ?- ?|[. ]?)[0-9]{{2}}\1[0-9]{{5}}{_END}"), _brn),
    (
        10,
        re.compile(
            rf"{_START}(?:[0-9]{{1,7}}(?:-[0-9]{{1,8}}){{1,4}}|[0-9]{{2,6}}(?: [0-9]{{1,7}}){{2,3}}"
            rf"|[0-9]{{10,14}}){_END}"
        ),
        _account,
    ),
    (FEWEST_DIGITS, _LOCAL, _local),
)


def find_numbers(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Candidates (rank, start, end, kind) in a text of plain forms; low ranks come first."""
    done = 0
    for cluster in _CLUSTER.finditer(text):
        # With "(", "+" or the name of a region before it.
        start = max(cluster.start() - 4, done)
        done = cluster.end()
        # Most are dates and sums, which have too few for all kinds but one.
        digits = len(_NOT_DIGITS.sub("", text[start:done]))
        for rank, (fewest, pattern, check) in enumerate(_KINDS):
            if digits < fewest:
                continue
            for match in pattern.finditer(text, start, done):
                if kind := check(text, match):
                    # "(02-012-3456)": the bracket is not the number's own.
                    opened = match[0][0] == "(" and ")" not in match[0]
                    yield rank, match.start() + opened, match.end(), kind
