"""Personal data with letters in it: plain text in, places in it out.

E-mail addresses, IP addresses, number plates, passports and postal addresses. Each is
looked for from the one sign that it cannot do without ("@", a digit after 로 …), and from
there back over a window of fixed length, so that the time is linear in the text's length.
"""

import ipaddress
import re
from collections.abc import Iterator

from gemma_ko_lib.corpus.pii.numbers import REGIONS

Spans = Iterator[tuple[int, int]]

# --- E-mail -----------------------------------------------------------------------------

_LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_TLDS = "com|net|org|kr|jp|cn|us|uk|de|fr|io|me|co|edu|gov|info|biz|dev|app|ai"
_PROVIDERS = "gmail|naver|hanmail|daum|nate|kakao|hotmail|outlook|yahoo|icloud"
_KOREAN_PROVIDERS = "네이버|지메일|쥐메일|구글|한메일|네이트|카카오|핫메일|야후|아웃룩"
_SAID_AT = "(?:at|At|AT|a|앳|엣|골뱅이|@)"
# Each alternative starts with a letter of its own, which makes the search fast.
AT_SIGN = re.compile(
    rf"@|골뱅이|앳(?=[A-Za-z0-9])|_at_|\( ?{_SAID_AT} ?\)|\[ ?{_SAID_AT} ?\]|\{{ ?{_SAID_AT} ?\}}"
    rf"|< ?{_SAID_AT} ?>"
)
AT_AND_DOT = re.compile(rf"{AT_SIGN.pattern}| at (?=[a-z0-9-]{{1,63}} dot |(?:{_PROVIDERS})\.)")
_DOT = r"(?:\.| ?(?:[(\[{<] ?(?:dot|점|닷|쩜|\.) ?[)\]}>]|점|닷|쩜|\bdot\b) ?)"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})"
_DOMAIN = re.compile(
    rf"(?:{_LABEL}\.)+[A-Za-z]{{2,24}}(?![A-Za-z0-9])|(?:[가-힣A-Za-z0-9-]{{1,63}}\.)+한국"
)
_SAID_DOMAIN = re.compile(
    rf"(?:{_LABEL}{_DOT})+(?:{_TLDS}|컴|넷|케이알)(?![A-Za-z0-9])"
    # 다음 alone is "next".
    rf"|(?:{_KOREAN_PROVIDERS}|다음(?={_DOT}))(?:{_DOT}(?:com|net|컴|넷))?",
    re.IGNORECASE,
)
_SHORT_DOMAIN = re.compile(rf"(?:{_PROVIDERS})(?![A-Za-z0-9.-]*[A-Za-z0-9])", re.IGNORECASE)
_FILES = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|css|js|py|service|socket|timer|mount|target)\Z"
    r"|\Av?[0-9]+\.[0-9]+[.-]",  # "react@18.2.0-next.abc" is a package
    re.IGNORECASE,
)
# git@host:team/project.git, and what scp and rsync copy from.
_REMOTE = re.compile(r":(?:[~./]|[\w.-]{1,64}/|[\w.-]{1,64}\.git\b)")
_COPIES = re.compile(r"\b(?:scp|rsync|sftp|git|hg|svn)\b[^\n]{0,60}\Z", re.ASCII)


def find_emails(text: str) -> Spans:
    """Addresses as written, with spaces around "@", or spelled ("이름 골뱅이 example 점 com")."""
    done = 0
    signs = AT_AND_DOT if " at " in text else AT_SIGN
    for at in signs.finditer(text):
        start, end = at.span()
        # "hong @ example.com" is an address, "hi @name" is not.
        spaced = text[start - 1 : start] == " " == text[end : end + 1]
        if spaced or (at[0] != "@" and text[start - 1 : start] == " "):
            start -= 1
        if text[end : end + 1] == " ":
            spaced, end = True, end + 1
        window = text[max(start - _LONGEST_LOCAL, done) : start]
        local = window[len(window.rstrip(_LOCAL)) :].lstrip("._%+-")
        if not local or local.endswith("."):
            continue
        if at[0] == "@" and not spaced:
            domain = _DOMAIN.match(text, end) or _SHORT_DOMAIN.match(text, end)
            domain = domain or _SAID_DOMAIN.match(text, end)
        else:
            domain = _SAID_DOMAIN.match(text, end)
        if domain and not _FILES.search(domain[0]):
            done = domain.end()
            if not _is_remote(text, local, start - len(local), done):
                yield start - len(local), done


def _is_remote(text: str, local: str, start: int, end: int) -> bool:
    """Whether it is a place in version control or on a host, of which one copies."""
    if local == "git":
        return True
    if text[end : end + 1] != ":":
        return False
    return bool(_REMOTE.match(text, end) or _COPIES.search(text, max(start - 80, 0), start))


# --- IP addresses -----------------------------------------------------------------------

_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])(?!\.[0-9])")
# This machine, and private networks (RFC 1918, RFC 3927): manuals are full of 192.168.0.1.
_OF_ONE_NETWORK = re.compile(r"(?:0|10|127|169\.254|172\.(?:1[6-9]|2[0-9]|3[01])|192\.168)\.")
_DOTTED = re.compile(r"\.[0-9]{1,3}\.[0-9]")
_COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")
_IPV6 = re.compile(r"[0-9A-Fa-f]{1,4}:(?:[0-9A-Fa-f]{0,4}:){1,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])")
_IP_CUE = re.compile(
    r"\bIPv?4?\b|아이피|접속|서버|호스트|\bhost|\bserver|\bping|\bfrom",
    re.IGNORECASE | re.ASCII,  # a word ends before a particle: "IP는"
)
_VERSION_CUE = re.compile(
    r"(?:버전|버젼|릴리스|릴리즈|펌웨어|빌드|패치|드라이버|절|항|표|그림|\bv|ver|version|release|build|section)"
    r"[.\s:]{0,2}\Z",
    re.IGNORECASE | re.ASCII,
)


def find_ips(text: str) -> Spans:
    """Addresses of machines that others can reach; versions and section numbers are not."""
    if _DOTTED.search(text):
        for match in _IPV4.finditer(text):
            start = match.start()
            before = text[max(start - 20, 0) : start].rpartition("\n")[2]
            if before[-1:].isdigit() or re.search(r"[0-9A-Za-z][.-]\Z", before):
                continue
            octets = [int(part) for part in match[0].split(".")]
            if max(octets) > 255 or octets[0] >= 224 or _OF_ONE_NETWORK.match(match[0]):
                continue
            if _VERSION_CUE.search(before) or re.search(r"[A-Za-z]\Z", before):
                continue
            # 4.2.10.1 is more often a version or a section.
            if max(octets) < 100 and not _IP_CUE.search(before):
                continue
            yield match.span()
    if _COLONS.search(text):
        for match in _IPV6.finditer(text):
            before = text[max(match.start() - 1, 0) : match.start()]
            # Shorter ones name no machine, and fc…, fd… and fe80 are of one network.
            is_none = len(match[0]) < 8 or re.match("f[cd]|fe[89ab]", match[0], re.IGNORECASE)
            if re.match("[0-9A-Za-z:]", before) or is_none:
                continue
            try:
                ipaddress.IPv6Address(match[0])
            except ValueError:
                continue
            yield match.span()


# --- Number plates ----------------------------------------------------------------------

FEWEST_DIGITS_OF_A_PLATE = 5
_PLATE_LETTER = (
    "[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자하허호배육해공국합]"
)
_PLATE_SIGN = re.compile(rf"[0-9] ?{_PLATE_LETTER}[ -]?[0-9]{{4}}(?![0-9])")
_PLATE = re.compile(rf"[0-9]{{1,3}} ?(?P<letter>{_PLATE_LETTER})(?P<gap>[ -]?)[0-9]{{4}}(?![0-9])")
_PLATE_REGION = re.compile(rf"(?:{REGIONS})[ -]?\Z")
_PLATE_CUE = re.compile(
    "차량|번호판|트럭|택시|렌터카|주차|차 ?번호|뺑소니|[가-힣]차|차 |(?<![가-힣])차[는가를도]"
)
# Words in their own right after a number: 10조 5000(억), 30도, 12주.
_AMBIGUOUS = "조도구주호부배수오다나사자바공국합소"
_UNITS = re.compile(
    r"(?:원|억|만|천|명|개|년|위|일|월)"
    r"| ?(?:원|억|만|천|명|개|년|권|점|kg|km|m(?![A-Za-z.])|%|㎡|평|대(?!신)|회|건|가구"
    r"|달러|엔)(?![가-힣]{2})"
    r"| ?(?:판결|선고|결정|사건|전원합의체)|[-.,][0-9]"
)
_COURT = re.compile(r"(?:대법원|법원|고법|지법|헌재|헌법재판소|선고) ?\Z")


def find_plates(text: str) -> Spans:
    """Number plates of vehicles, with the region that older ones carry."""
    if not _PLATE_SIGN.search(text):
        return
    for match in _PLATE.finditer(text):
        start, end = match.span()
        window = text[max(start - 20, 0) : start]
        if re.search(r"[0-9][-.,]?\Z", window) or _UNITS.match(text, end) or _COURT.search(window):
            continue
        region = _PLATE_REGION.search(window)
        digits = re.match("[0-9]+", match[0])[0]
        if region:
            yield start - len(region[0]), end
        elif len(digits) > 1:
            spaced = match["gap"] or " " in match[0]
            cued = _PLATE_CUE.search(window) or _PLATE_CUE.search(text[end : end + 12])
            if cued or not (spaced and match["letter"] in _AMBIGUOUS):
                yield start, end


# --- Passports --------------------------------------------------------------------------

_PASSPORT = re.compile("[A-Za-z] ?[0-9]{3}(?:[0-9]{5}|[A-Za-z][0-9]{4})(?![0-9A-Za-z])")
_PASSPORT_CUE = re.compile("여권|[Pp]assport|PASSPORT")


def find_passports(text: str) -> Spans:
    """Passport numbers of both series, in a text that speaks of a passport nearby."""
    if not any(cue in text for cue in ("여권", "assport", "PASSPORT")):
        return
    for match in _PASSPORT.finditer(text):
        start, end = match.span()
        if text[start - 1 : start].isascii() and text[start - 1 : start].isalnum():
            continue
        if _PASSPORT_CUE.search(text[max(start - 60, 0) : start] + "\n" + text[end : end + 20]):
            yield start, end


# --- Postal addresses -------------------------------------------------------------------

_METROPOLITAN = "서울|부산|대구|인천|광주|대전|울산|세종|제주"
_PROVINCE = r"(?:경기|강원|충[남북]|충청[남북]|전[남북]|전라[남북]|경[남북]|경상[남북])"
_RANK = "(?:특별자치시|특별자치도|특별시|광역시|시|도)"
PROVINCE = re.compile(
    f"(?:{_METROPOLITAN}|{_PROVINCE}){_RANK}?(?= )|(?:{_METROPOLITAN}|{_PROVINCE}){_RANK}"
)
_DISTRICT = "[가-힣]{1,5}[시군구]"
_HEAD = (
    rf"(?<![가-힣])(?:(?:{_METROPOLITAN})(?:{_RANK} ?| )(?:{_DISTRICT} ?){{0,2}}"
    rf"|{_PROVINCE}{_RANK}? ?(?:{_DISTRICT} ?){{1,2}}"
    rf"|(?P<city>[가-힣]{{2,5}}[시군구]) (?:{_DISTRICT} )?)"
    r"(?:[가-힣]{1,5}[0-9]{0,2}[읍면동리] ?|[가-힣]{1,6}[0-9]가 ?){0,2}"
)
_ROAD_HEAD = re.compile(rf"{_HEAD}[가-힣A-Za-z0-9·-]{{1,12}}(?<!으)[로길]\Z")
_LOT_HEAD = re.compile(rf"{_HEAD}[가-힣]{{1,6}}(?:[0-9]{{0,2}}[동리]| ?[0-9]{{1,2}}가)\Z")
# "주소: 구름로 12": no city is needed where it is said to be an address.
_CUED_HEAD = re.compile(
    r"(?<![가-힣])(?:주소지?|배송지|거주지|자택|사는 ?곳|집은|소재지)(?:[은는이가]|[\s:]){1,3}"
    r"(?P<name>[가-힣]{2,8}[0-9]{0,2}[로길동리])\Z"
)
# Words that end like a city or a district and stand before a name.
_NOT_CITIES = frozenset(
    "다시 역시 잠시 혹시 당시 즉시 임시 동시 반드시 일시 수시 표시 게시 전시 제시 지시 무시"
    " 감시 개시 응시 택시 실시 명시 암시 중시 도시 신도시 대도시 소도시 접시 장군 국군 미군 공군"
    " 육군 해군 친구 연구 요구 지구 인구 기구 도구 야구 축구 농구 배구 청구 욕구 입구 출구 식구"
    " 누구 가구".split()
)
_ANCHOR = re.compile(r"[로길동리가] ?(?:산 ?|지하 ?)?[0-9]")
_NUMBER = r"[0-9]{1,5}(?:-[0-9]{1,4})?(?:번지)?"
_ROAD_NUMBER = re.compile(
    rf" ?(?:지하 ?)?(?:[0-9]{{1,4}}(?:번 ?)?[가나다라]?길 ?)?{_NUMBER}(?:길 ?{_NUMBER})?"
)
_LOT_NUMBER = re.compile(rf" ?(?:산 ?)?{_NUMBER}")
_LONGEST_ADDRESS = 48
# "…로 55, 5동 201호".
_FLAT = re.compile(
    r",? ?(?:(?:[0-9]{1,4}|[가-하A-Za-z])동 ?|(?:반?지하|[0-9]{1,2}층) ?)?[0-9]{1,4}호(?!선)"
)
# What makes a number after 로 or 동 something else: 강남구로 3명, 종로 3가.
_NOT_A_NUMBER = re.compile(
    r"(?:명|개|시|분|초|년|월|일|층|호선|번|만|천|억|조|원|차|회|인|곳|위|배|살|세|대|점|건|박|주"
    r"|달|도|평|급|학년|마리|편|부(?!터)|권|장|줄|칸|종|필지|여(?!기)|[~가A-Za-z%]|-?[0-9]|[.,:][0-9])"
    r"| ?(?:가지|단계|등(?![가-힣])|퍼센트|km|kg)"
    r"| (?:명|개|시간|분|초|년|월|일(?!대)|층|번째|만|천|억|조|원|차례|회|배|살|세대|점|건)"
    r"(?![가-힣]{2})"
)


def find_addresses(text: str) -> Spans:
    """Addresses from the province, city or district to the number of the house or the flat."""
    done = 0
    for anchor in _ANCHOR.finditer(text):
        name_end = anchor.start() + 1
        if name_end <= done:
            continue
        number = (_ROAD_NUMBER if anchor[0][0] in "로길" else _LOT_NUMBER).match(text, name_end)
        # "…동 지하 3" and "…로 산 3" are no addresses.
        if number is None:
            continue
        if not number[0].endswith("번지") and _NOT_A_NUMBER.match(text, number.end()):
            continue
        window_start = max(name_end - _LONGEST_ADDRESS, done)
        window = text[window_start:name_end].rpartition("\n")[2]
        start = _address_start(window, number[0])
        if start is not None:
            flat = _FLAT.match(text, number.end())
            done = flat.end() if flat else number.end()
            yield name_end - len(window) + start, done


def _address_start(window: str, number: str) -> int | None:
    """Where in the text before a number the address starts that it ends."""
    road = window[-1] in "로길"
    head = (_ROAD_HEAD if road else _LOT_HEAD).search(window)
    if head is None or head["city"] in _NOT_CITIES:
        cued = _CUED_HEAD.search(window)
        return cued.start("name") if cued else None
    if not road and not re.search("[시군구] ?", head[0][3:-1]) and not re.search("-|번지", number):
        return None
    return head.start()
