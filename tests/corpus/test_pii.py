"""Personal data: what is found in which form, what is left, and what stands there instead."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_ko_lib.corpus.pii import checksums, find_pii, mask_pii, mask_spans
from gemma_ko_lib.corpus.pii.written_forms import plain_forms
from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS
from gemma_ko_lib.runtime import UserError

# «…» marks the identifier; it is taken out before the text is looked at.
FOUND = {
    "phone": [
        "전화는 «010-0123-4567»로 주세요",
        "«01001234567» 저장해",
        "«010.0123.4567»",
        "연락처: «010 0123 4567».",
        "«010–0123–4567» (en-dash)",
        "«０１０－０１２３－４５６７»입니다",
        "«010 - 0123 - 4567»",
        "«010/0123/4567»",
        "«010ㅡ0123ㅡ4567»",
        "«010-01234567»",
        "«+82 10-0123-4567»",
        "«+82-(0)10-0123-4567»",
        "«+821001234567»",
        "«(010) 0123-4567»",
        "«010)0123-4567»",
        "«(+82) 10-0123-4567»",
        "«82-10-0123-4567»",
        "«011-012-3456» 옛 번호",
        "«공일공-일이삼사-오육칠팔»이에요",
        "«공일공 일이삼사 오육칠팔»",
        "«공일공 다시 일이삼사 다시 오육칠팔»",
        "«공1공 0123 4567»",
        "«ㅇ1ㅇ-0123-4567»",
        "«o1o.0123.4567»",
        "«02-012-3456»",
        "«02) 012-3456»",
        "«(02) 0123-4567»",
        "«031-012-3456» 또는 «064.012.3456»",
        "«+82-2-012-3456»",
        "문의 «0310123456»",
        "주택과 («0310123456»), 건축과 («02-012-3456»)",
        "«070-0123-4567»",
        "안심번호 «0502-0123-4567»",
        "«050-0123-4567»",
        "TEL.«02-012-3456» FAX.«02-012-3457»",
        "HP«010-0123-4567»",
        "«010-0123-4567»/«010-0765-4321»",
        "1.«010-0123-4567»",
        "전화 «312-0456»",
        "우리 HP는 «0310123456»이고 Fax는 «312-0456»",
    ],
    "rrn": [
        "주민번호 «900101-1234567»",  # no check digit since October 2020
        "«900101-1234568»입니다",
        "«9001011234568»",
        "주민등록번호는 «9001011234567»",
        "«900101 1234567»",
        "«９００１０１－１２３４５６７»",
        "«040229-3123456» 윤년",
    ],
    "frn": ["외국인등록번호 «900101-5234567»", "«040229-7123456»"],
    "card": [
        "카드 «4111-1111-1111-1111»",
        "«4111 1111 1111 1111»로 결제",
        "«4111111111111111»",
        "«3782-822463-10005»",
        "카드번호 «4111/1111/1111/1111»",
        "국내전용 «9410-0000-0000-0005»",
    ],
    "brn": ["«120-81-47521»", "사업자등록번호: «123-45-67890»", "사업자 «1208147521»",
        "«1208147521» 사업자번호입니다"],
    "corporation": ["법인등록번호 «110111-0000011»", "법인번호 «1101110000011»"],
    "passport": ["여권번호 «M12345678»", "여권은 «M123A4567»이고", "Passport No. «S12345678»"],
    "driver_licence": [
        "면허번호 «11-12-123456-12»",
        "«28-12-123456-12»",
        "운전면허 «111212345612»",
        "면허 «서울 12-123456-78»",
    ],
    "account": [
        "계좌 «110-012-345678» 김하늘",
        "국민은행 «012345-04-123456» (김하늘)",
        "농협 «302-0123-4567-91»로 보내줘",
        "«3333-01-1234567» 카카오뱅크",
        "우리 «1002-012-345678»",
        "입금계좌: 토스뱅크 «100001234567»",
        "«110-012-345678»(신한)으로",
        "계좌번호\n«110-012-345678»",
    ],
    "email": [
        "메일은 «a.b-c@example.com»로",
        "«hong@example.co.kr»입니다",
        "«hong+news@mail.example.org».",
        "«ＨＯＮＧ＠ｅｘａｍｐｌｅ．ｃｏｍ»",
        "«hong골뱅이example.com»",
        "«hong 골뱅이 example 점 com»",
        "«hong (at) example.com»",
        "«hong[at]example[dot]com»",
        "«hong at example dot com»",
        "«hong @ example.com» 으로",
        "«hong@naver» 로",
        "«hong@ example.com»",
        "«hong앳example.com»",
        "«hong at naver.com»",
        "mailto:«hong@example.kr»?subject=a",
    ],
    "url": [
        "«https://blog.naver.com/hong123»을 보세요",
        "«m.blog.naver.com/hong123/221234567890»",
        "«https://blog.naver.com/PostView.naver?blogId=hong123»",
        "«instagram.com/hong.gd»",
        "«https://www.instagram.com/hong.gd/»",
        "«https://cafe.naver.com/hongcafe»",
        "«https://www.youtube.com/@hong-tv»에서",
        "«https://youtube.com/@하늘채널»에서",
        "«https://open.kakao.com/o/sAbCdEf».",
        "«https://hong123.tistory.com/45»",
        "«https://x.com/hong_gd/status/123»",
        "«https://blog.example.kr/하늘소리/봄-소풍»",
        "«https://people.example.org/~hong/a.html»에",
        "«http://photo.example.kr/users/hong88»를",
    ],
    "ip": ["«203.0.113.45»에서 접속", "«2001:db8:0:1::7334»", "http://«198.51.100.7»:8080/",
           "IP는 «8.8.8.8»", "«172.32.0.200», «192.169.0.1»"],
    "vehicle_plate": [
        "«12가 3456»",
        "운전자 «12가 3456» 대신 «34나5678»번 차로",
        "«123가4567» 차주님",
        "«12가3456»호 차량",
        "«서울 12가 3456»",
        "«12가-3456»",
        "차량번호 «31조 1234»",
        "«경기37바1234»",
    ],
    "address": [
        "«서울특별시 하늘구 구름로 123»에 산다",
        "«경기도 하늘시 구름동 123-45번지»",
        "«전남 신안군 하늘면 소금바퀴길 27-1»",
        "«서울 하늘구 별빛로12길 34-5, 101동 202호»로",
        "«부산시 하늘구 구름로 8, 반지하 2호»에",
        "«전북특별자치도 하늘시 구름로 100» 인데",
        "«충남 하늘군 바람읍 노을리 58-1번지» 일대",
        "«하늘시 별빛로 14»부터",
        "«부산광역시 하늘구 까치고개로208번길 17»",
        "«하늘시 구름구 별빛로 12»",
        "«서울시 하늘구 구름동1가 13-1» 3층",
        "주소: «구름로 152»",
    ],
    "secret": [
        "OPENAI_API_KEY=«sk-proj-abCD1234efGH5678ijKL9012»",
        "키는 «sk-ant-api03-abCD1234efGH5678-ijKL9012mnOP»이고",
        "«AKIAABCDEFGHIJKLMNOP»",
        "token: «ghp_abcdefghijklmnopqrstuvwxyz0123456789»",
        "«github_pat_11ABCDEFG0abcdefghijkl_mnop»으로",
        "«xoxb-000000000000-abcdefABCDEF»",
        "Bearer «eyJhbGciOiJub25lIn0.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJl»",
        "«-----BEGIN RSA PRIVATE KEY-----\nTUlJRXhhbXBsZQ==\n-----END RSA PRIVATE KEY-----»\n끝",
        "«-----BEGIN PRIVATE KEY-----\nTUlJRXhhbXBsZUV4YW1wbGVFeGFtcGxl»\n그 뒤의 글",
    ],
}  # fmt: skip


def _marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and what they enclosed."""
    spans, plain = [], ""
    for piece in re.split("(«[^»]*»)", text):
        if piece.startswith("«"):
            spans.append((len(plain), len(plain) + len(piece) - 2))
        plain += piece.strip("«»")
    return plain, spans


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts]
)
def test_identifiers_are_found_and_what_follows_them_stays(kind, text):
    plain, spans = _marked(text)
    assert [tuple(span) for span in find_pii(plain)] == [(kind, *span) for span in spans]


def test_every_kind_that_has_a_form_is_in_this_file():
    only_in_corpora = {"affiliation", "company", "number", "other"}
    on_request = {"name", "birth_date"}
    assert set(FOUND) == set(PLACEHOLDERS) - only_in_corpora - on_request


@pytest.mark.parametrize(
    "text",
    [
        # dates, times, years
        "2024-01-02", "2024.01.02 13:20:33", "20240102132033", "2010-2020년", "06:30~12:30",
        "240102",
        # amounts
        "1,234-56-78", "12,000원", "100,000,000", "10조 5000억", "3대 2000원",
        "계좌에 10000000000원",
        # scores, measures
        "3-2 승", "11-9, 11-7, 8-11", "30도 1000", "12주 1000원", "031 200 300",
        # books, goods
        "ISBN 978-89-1234-567-8", "9788912345678", "바코드 8801234567893", "모델 010-1234-5678",
        # law
        "2019가합12345", "대법원 98다1234 판결", "제12조 제3항", "형법 제311조",
        "헌재 2004헌마1234",
        # orders and parcels: "any run of 9 to 11 digits is a phone" is a fault of dps
        "주문번호 01012345678", "송장번호 123456789012", "1234567890", "접수번호: 2024-0123456789",
        "ORD-01012345678", "12345678901",
        # numbers of services
        "1588-1234", "1670-0000", "080-123-4567", "112", "119 신고", "국번없이 1366", "*114",
        # versions and sections
        "버전 1.2.3.4", "v10.0.19041.1", "3.2.1.4절", "서버 설정\n8.3.1.1. 이름",
        "펌웨어 2.10.200.3", "127.0.0.1", "0.0.0.0", "IP 192.168.0.1", "서버 10.1.2.200",
        "172.31.255.1", "169.254.10.200", "fe80::1ff:fe23:4567:890a", "fd12:3456:789a::1",
        # links of offices, files, mentions
        "https://www.seoul.go.kr/main", "icon@2x.png",
        "http://news.example.com/article/01012345678",
        "https://www.youtube.com/watch?v=abc", "https://www.example.go.kr/member/login",
        "https://gitlab.example.org/group/project", "http://blog.example.com/category/news",
        "https://www.instagram.com/p/Cabc/", "고마워 @ 영희", "me@ 다음에 봐", "hi @name",
        "MA 02110-1301, USA", "std::vector", "10:20:30",
        # version control, copying between hosts, packages
        "git clone git@github.com:team/repo.git", "ssh -T git@gitlab.example.org",
        "scp a.txt hong@host.example.com:data", "rsync hong@host.example.com:/var/log .",
        "react@18.2.0-next.abc", "scp로 hong@host.example.com:data",
        # one separator a number
        "011.123-4567", "010-1234.5678", "02.012-3456",
        # what only begins like a key
        "sk-hynix-annual-report-2024-summary", "sk-learn", "eyJhbGciOiJub25lIn0", "AKIA",
        "-----BEGIN PUBLIC KEY-----", "ghp_short", "-----BEGIN PRIVATE KEY-----",
        # no address
        "서울시로 10분", "강남구 테헤란로 3시간", "부산 해운대구로 5명", "경기 부진으로 40",
        "다시 종로 3가",
        "공소시효가 10년", "기본적으로 4G",
        # not a number that somebody is given: wrong date, wrong check digit, no cue
        "991332-1234567", "9001011234567", "4111-1111-1111-1112", "123-45-67890",
        "M12345678",
        "1609459200000", "110-012-345678",
        # placeholders
        *PLACEHOLDERS.values(),
        "[계좌번호] 1234567890", "",
    ],
)  # fmt: skip
def test_what_only_looks_personal_is_left_alone(text):
    assert find_pii(text) == []
    assert mask_pii(f"그리고 {text} 입니다") == f"그리고 {text} 입니다"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("010-0123-4567로", "[전화번호]로"),
        ("a@example.kr로 보내", "[이메일]로 보내"),
        ("http://blog.naver.com/hong를", "[링크]를"),
        ("공일공일이삼사오육칠팔이야", "[전화번호]이야"),
        ("주소는 하늘시 구름로 12이고", "주소는 [주소]이고"),
        ("계좌 110-012-345678로 010-0123-4567 김하늘", "계좌 [계좌번호]로 [전화번호] 김하늘"),
        ("a@example.com\n010-0123-4567\n", "[이메일]\n[전화번호]\n"),
    ],
)
def test_particles_and_neighbours_stay(text, masked):
    assert mask_pii(text) == masked


@pytest.mark.parametrize("text", ["", "가" * 200, "1" * 5000, "\n"])
def test_names_are_looked_for_in_any_text(text):
    assert find_pii(text, names=True) == []


@pytest.mark.parametrize(
    "split", ["010-0123\n-4567", "서울 하늘구\n구름로 12", "hong@\nexample.com"]
)
def test_no_identifier_runs_over_a_line_break(split):
    assert not any("\n" in split[start:end] for _, start, end in find_pii(split))


def test_who_takes_a_number_that_could_be_several_things():
    # 1101 11, the Seoul registry and a stock company, is also 11 January 2011.
    for cue, kind in (("법인등록번호", "corporation"), ("주민등록번호", "rrn")):
        assert [span.kind for span in find_pii(f"{cue} 110111-3000011")] == [kind]
    for cue, kind in (("사업자번호", "brn"), ("국민은행", "account")):
        assert [span.kind for span in find_pii(f"{cue} 120-81-47521")] == [kind]
    assert [span.kind for span in find_pii("입금 후 010-0123-4567로 문자")] == ["phone"]


# --- Check digits -------------------------------------------------------------------------


@given(st.text(string.digits, min_size=12, max_size=12))
def test_check_digits_solve_their_congruences(payload):
    digits = [int(digit) for digit in payload]

    def total(weights, check, count=12):
        return sum(a * b for a, b in zip(digits[:count], weights, strict=False)) + check

    check = int(checksums.rrn_check_digit(payload))
    weights = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]
    # 11 divides the sum, but a check digit of 10 or 11 is written 0 or 1.
    assert total(weights, check) % 11 == (total(weights, 0) % 11 < 2)
    assert int(checksums.frn_check_digit(payload)) == (check + 2) % 10
    assert total([1, 2] * 6, int(checksums.corporation_check_digit(payload))) % 10 == 0
    assert total([1, 3] * 6, int(checksums.ean_check_digit(payload))) % 10 == 0
    business = int(checksums.brn_check_digit(payload[:9])) + digits[8] * 5 // 10
    assert total([1, 3, 7, 1, 3, 7, 1, 3, 5], business, 9) % 10 == 0
    luhn = payload + checksums.luhn_check_digit(payload)
    odd, even = luhn[-1::-2], luhn[-2::-2]
    assert (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


@pytest.mark.parametrize(
    ("date", "valid"),
    [("040229-3", True), ("030229-3", False), ("000229-1", False), ("000229-3", True),
     ("991231-2", True), ("990431-1", False), ("001301-3", False)],
)  # fmt: skip
def test_birth_dates_are_of_the_century_that_the_number_names(date, valid):
    assert checksums.has_birth_date(date.replace("-", "") + "000000") is valid


# --- What is asked for -----------------------------------------------------------------


LINKS = "글 http://news.example.com/a/1에서, www.example.go.kr/main과 blog.naver.com/hong을 보라"


def test_every_url_or_none_is_masked_on_request():
    assert mask_pii(LINKS).count("[링크]") == 1
    assert mask_pii(LINKS, urls="all") == "글 [링크]에서, [링크]과 [링크]을 보라"
    assert mask_pii(LINKS, urls="keep") == LINKS
    with pytest.raises(UserError, match="personal, all, keep, not some"):
        find_pii(LINKS, urls="some")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("위키 https://ko.example.org/wiki/나라_(뜻)는", "https://ko.example.org/wiki/나라_(뜻)"),
        ("(https://a.example.kr/b?c=1#d)", "https://a.example.kr/b?c=1#d"),
        ("http://x.example.kr를", "http://x.example.kr"),
        ("node.js와 a.py, 3.5점, e.g.", ""),
    ],
)
def test_urls_end_where_the_sentence_goes_on(text, link):
    assert "".join(text[a:b] for _, a, b in find_pii(text, urls="all")) == link


def test_a_home_page_is_judged_alike_whatever_path_follows():
    for path in ("", "/", "/45", "/category/a", "?page=2", "/m/45#c"):
        assert mask_pii(f"hong123.tistory.com{path} 참고") == "[링크] 참고"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("김하늘 기자가 박바다 씨를 만났다", "[이름] 기자가 [이름] 씨를 만났다"),
        ("제 이름은 윤서경입니다", "제 이름은 [이름]입니다"),
        ("1990년 1월 2일생인 사람", "[생년월일]생인 사람"),
        ("생년월일: 900102, 성별: 여", "생년월일: [생년월일], 성별: 여"),
        ("서울시는 1990년 1월 2일 강원도와 협약했다", "서울시는 1990년 1월 2일 강원도와 협약했다"),
        (
            "이자율이 오르자 민주당은 국회 의원을 불렀다",
            "이자율이 오르자 민주당은 국회 의원을 불렀다",
        ),
    ],
)
def test_names_and_dates_of_birth_are_found_on_request_only(text, masked):
    assert mask_pii(text) == text
    assert mask_pii(text, names=True) == masked
    surrogates = mask_pii(text, "surrogate", names=True)
    assert len(surrogates) == len(text)
    assert (surrogates == text) == (masked == text)


# --- Masking ------------------------------------------------------------------------------

ALL = [_marked(text)[0] for texts in FOUND.values() for text in texts]


PIECES = [*ALL, "계좌", "국민은행 ", "-1", "12", "가", "서울 ", "\n", "@"]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_a_masked_text_masked_again_is_the_same(pieces):
    masked = mask_pii(" ".join(pieces))
    assert mask_pii(masked) == masked


@given(st.text("0123456789-–. ()@/가로길서울구동a:계좌공일이삼\n[]", max_size=60))
def test_spans_are_sorted_and_apart(text):
    spans = find_pii(text)
    ends = [0, *(span.end for span in spans)]
    assert all(a <= span.start < span.end for a, span in zip(ends, spans, strict=False))
    assert len(plain_forms(text)) == len(text)
    assert mask_spans(text, []) == text


def test_only_known_replacements_are_taken():
    with pytest.raises(UserError, match="placeholder, surrogate, not burn"):
        mask_pii("010-0123-4567", "burn")


# --- Surrogates ---------------------------------------------------------------------------


def _shape(identifier: str) -> str:
    return re.sub(r"[^\W\d_]", "a", re.sub("[0-9]", "0", plain_forms(identifier)))


def _surrogate(text: str, seed: int = 0) -> str:
    return mask_pii(text, "surrogate", seed)


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts]
)
def test_surrogates_have_the_form_of_what_they_replace(kind, text):
    plain, spans = _marked(text)
    for start, end in spans:
        old, new = (
            plain[start:end],
            mask_spans(plain[start:end], [(kind, 0, end - start)], "surrogate"),
        )
        assert new != old
        if kind in ("email", "ip"):
            continue
        assert len(new) == len(old)
        shapes = [
            re.sub(r"[^\W\d_]", "a", re.sub(r"[0-9]", "0", plain_forms(x))) for x in (old, new)
        ]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("text", "kind"),
    [(_marked(text)[0], kind) for kind, texts in FOUND.items() for text in texts
     if kind not in ("url", "address", "email")],
)  # fmt: skip
def test_what_stands_there_instead_is_found_as_the_same_kind(text, kind):
    # Only if its check digits are right, its date is one and its ranges are.
    if "312-0456" not in text:  # an exchange that starts with 0 is not found without an area code
        assert {span.kind for span in find_pii(_surrogate(text))} == {kind}


@pytest.mark.parametrize("link", ["instagram.com/___", "http://__/-", "https://漢字.example/山田"])
def test_what_has_no_letter_or_digit_to_change_gets_the_placeholder(link):
    masked = mask_pii(f"글은 {link} 에", "surrogate", urls="all")
    assert not any(part in masked for part in ("__", "漢", "字", "山", "田"))
    assert ("[링크]" in masked) == (not link.startswith("https"))


digits = st.text(string.digits, min_size=8, max_size=8)


@given(digits, st.integers(0, 3))
def test_one_telephone_number_stays_one_however_it_is_written(number, seed):
    a, b = number[:4], number[4:]
    forms = [f"010-{a}-{b}", f"010.{a}.{b}", f"010{a}{b}", f"+82 10-{a}-{b}", f"(010) {a} {b}"]
    new = {
        re.sub("[^0-9]", "", _surrogate(form, seed)).removeprefix("82").lstrip("0")
        for form in forms
    }
    assert len(new) == 1
    assert new.pop()[2] in "01"  # 010-0… and 010-1… are not given out


@given(st.sets(digits, min_size=20, max_size=40), st.integers(0, 3))
@settings(max_examples=20)
def test_different_accounts_and_businesses_never_become_one(numbers, seed):
    accounts = {_surrogate(f"계좌 110-{n[:3]}-{n[3:]}9", seed) for n in numbers}
    assert len(accounts) == len(numbers)
    payloads = [n + "5" for n in numbers]
    business = [f"사업자 {p}{checksums.brn_check_digit(p)}" for p in payloads]
    assert len({_surrogate(text, seed) for text in business}) == len(numbers)


def test_surrogates_follow_from_the_seed():
    text = "010-0123-4567, a@example.com, 900101-1234568, 서울 하늘구 구름로 12"
    assert _surrogate(text, 1) == _surrogate(text, 1) != _surrogate(text, 2)
    assert _surrogate(f"앞 {text} 뒤", 1) == f"앞 {_surrogate(text, 1)} 뒤"


def test_different_identifiers_have_different_surrogates():
    # One random replacement for all matches is a fault of dps.
    texts = [f"hong{i}@example.com 900101-1{i:06d} 010-0000-{i:04d}" for i in range(200)]
    for number in range(3):
        assert len({_surrogate(text).split(" ")[number] for text in texts}) >= 199


# --- Hostile texts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["1", "1-", "1 ", "01", "010-", "0", "공", "공일", "a", "a.", "@", "a@", "a@b.", "골뱅이",
     "(at)", "://", "naver.com/", "blog.naver.com/", ".tistory.com", "1:", "::", "1.", "12가",
     "로 1", "서울 ", "서울시", "하늘구 ", "가동 1", "여권M1", "계좌1-", "[전화번호]", "(", "+82",
     "at dot ", "x.kr/u/", "10조 5000 ", "sk-a1", "eyJaaaaaaaa.", "www.", "a.com/",
     "-----BEGIN PRIVATE KEY-----", "git@a.com:", "scp a@b.com:", "생년월일 ", "1990.1.1 "],
)  # fmt: skip
def test_long_repetitions_take_time_in_proportion(piece):
    # With a quadratic pattern this test would not end.
    text = piece * (50_000 // len(piece))
    assert len(mask_pii(text, urls="all")) > 0
