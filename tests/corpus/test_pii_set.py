"""The labelled set for personal data, and how much of it `find_pii` finds.

The labels were written from the rules of each identifier and not from the detector, so both can be
wrong: the first half of this file holds the set to its promises, the second the detector to the
set.
"""

import ipaddress
import json
import re
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from gemma_ko_lib.corpus.pii import find_pii
from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS
from gemma_ko_lib.runtime import samples_dir

PROMISED_SPANS = {
    "rrn": 60,
    "frn": 30,
    "phone": 120,
    "account": 60,
    "card": 45,
    "brn": 35,
    "corporation": 25,
    "passport": 30,
    "driver_licence": 30,
    "email": 60,
    "url": 40,
    "ip": 30,
    "vehicle_plate": 35,
    "address": 60,
}
REGISTERS = set("chat blog petition comment notice news review form contract".split())
SPELLED = str.maketrans("공일이삼사오육칠팔구", "0123456789")


@cache
def _records() -> list[dict]:
    lines = (samples_dir() / "pii.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _positives() -> list[dict]:
    return [record for record in _records() if record["spans"]]


def _negatives() -> list[dict]:
    return [record for record in _records() if not record["spans"]]


def _identifiers(*kinds: str) -> list[str]:
    return [
        record["text"][span["start"] : span["end"]]
        for record in _positives()
        for span in record["spans"]
        if span["kind"] in kinds
    ]


def _digits(identifier: str) -> list[int]:
    """The digits of a number, whether ASCII, full-width or spelled out in Korean."""
    return [int(c) for c in identifier.translate(SPELLED) if c.isdecimal()]


# --- Check digits, from the published rules ------------------------------------------


def _weighted(digits: list[int], weights: list[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))


def _resident_check(digits: list[int], shift: int = 0) -> bool:
    total = _weighted(digits[:12], [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5])
    return digits[12] == (11 - total % 11 + shift) % 10


def _foreign_check(digits: list[int]) -> bool:
    return _resident_check(digits, shift=2)


def _business_check(digits: list[int]) -> bool:
    total = _weighted(digits[:9], [1, 3, 7, 1, 3, 7, 1, 3, 5]) + digits[8] * 5 // 10
    return digits[9] == -total % 10


def _corporation_check(digits: list[int]) -> bool:
    return digits[12] == -_weighted(digits[:12], [1, 2] * 6) % 10


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _has_birth_date(digits: list[int]) -> bool:
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    return 1 <= month <= 12 and 1 <= day <= 31


# --- The set keeps its promises ------------------------------------------------------


def test_every_line_is_well_formed():
    assert len({record["id"] for record in _records()}) == len(_records())
    assert len({record["text"] for record in _records()}) == len(_records())
    for record in _records():
        label = {"looks_like"} if not record["spans"] else set()
        assert set(record) == {"id", "register", "text", "spans"} | label, record["id"]
        assert record["id"].startswith("pii-" if record["spans"] else "neg-")
        assert record["register"] in REGISTERS, record["id"]


def test_spans_lie_in_the_text_apart_from_each_other_and_without_edge_space():
    for record in _positives():
        for span in record["spans"]:
            identifier = record["text"][span["start"] : span["end"]]
            assert span["kind"] in PROMISED_SPANS.keys() & PLACEHOLDERS.keys(), record["id"]
            assert 0 <= span["start"] < span["end"] <= len(record["text"]), record["id"]
            assert identifier == identifier.strip(), record["id"]
        for one, other in pairwise(record["spans"]):
            assert one["end"] <= other["start"], record["id"]


def test_there_is_as_much_of_everything_as_promised():
    spans = Counter(span["kind"] for record in _positives() for span in record["spans"])
    assert {kind: n for kind, n in PROMISED_SPANS.items() if spans[kind] < n} == {}
    assert sum(len(record["spans"]) > 1 for record in _positives()) >= 60
    assert len(_negatives()) >= 430
    assert len({record["looks_like"] for record in _negatives()}) >= 40
    assert {record["register"] for record in _positives()} == REGISTERS
    assert {record["register"] for record in _negatives()} == REGISTERS


@pytest.mark.parametrize(
    ("kind", "check"),
    [("brn", _business_check), ("corporation", _corporation_check), ("card", _luhn)],
)
def test_check_digits_are_right(kind, check):
    assert [text for text in _identifiers(kind) if not check(_digits(text))] == []


@pytest.mark.parametrize(
    ("kind", "check", "centuries"),
    [("rrn", _resident_check, {9, 0, 1, 2, 3, 4}), ("frn", _foreign_check, {5, 6, 7, 8})],
)
def test_only_numbers_in_the_form_of_2020_lack_a_check_digit(kind, check, centuries):
    """Since October 2020 digits 8-13 are random: such numbers are known by date and hyphen."""
    numbers = _identifiers(kind)
    unchecked = [number for number in numbers if not check(_digits(number))]
    assert all(re.fullmatch(r"\d{6}-\d{7}", number) for number in unchecked)
    assert 5 <= len(unchecked) <= len(numbers) / 3
    assert all(len(_digits(number)) == 13 for number in numbers)
    assert all(_has_birth_date(_digits(number)) for number in numbers)
    assert {_digits(number)[6] for number in numbers} <= centuries


def test_every_way_to_write_a_telephone_number_is_there():
    written = "\n".join(_identifiers("phone"))
    for form in (
        r"010-\d{4}-\d{4}",
        r"010\.\d{4}\.\d{4}",
        r"010 \d{4} \d{4}",
        r"010\d{8}",
        r"010–\d{4}–\d{4}",
        r"\(010\) \d{4}-\d{4}",
        r"０１０－[０-９]{4}－[０-９]{4}",
        r"공일공-[공일이삼사오육칠팔구]{4}-[공일이삼사오육칠팔구]{4}",
        r"\+82 10-\d{4}-\d{4}",
        r"\+82-\(0\)10-\d{4}-\d{4}",
        r"\+8210\d{8}",
        r"01[16789]-\d{3}-\d{4}",
        r"02\)\d{3}-\d{4}",
        r"\(0[2-6][1-5]?\) \d{3}-\d{4}",
        r"070-\d{4}-\d{4}",
        r"050[2-8]-\d{3,4}-\d{4}",
    ):
        assert re.search(f"^{form}$", written, re.ASCII | re.MULTILINE), form


def test_nobody_is_reached_by_what_the_set_contains():
    for number in _identifiers("phone"):
        national = re.sub("^(82)?0?", "", "".join(map(str, _digits(number))))
        # No exchange begins with 0, and none of 010 with 1.
        assert re.match("10[01]|1[16789]0|20|[3-6][1-5]0|700|50[2-8]0", national), number
    for address in _identifiers("email"):
        assert "example" in address, address
    for link in _identifiers("url"):
        assert "example" in link.lower(), link
    networks = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    for address in map(ipaddress.ip_address, _identifiers("ip")):
        assert any(address in ipaddress.ip_network(network) for network in networks), address


def test_no_hard_negative_is_an_identifier_by_the_rules():
    for record in _negatives():
        text = record["text"]
        assert not re.search(r"(?<!\d)01[016789][-. ]?\d{3,4}[-. ]?\d{4}(?!-?\d)", text), text
        assert not re.search(r"[\w.+-]+@[\w-]+\.\w+", text), text
        for number in re.findall(r"(?<!\d)(?:\d[- ]?){12}\d(?!\d)", text):
            assert not (_has_birth_date(_digits(number)) and _resident_check(_digits(number))), text
        for number in re.findall(r"(?<!\d)[3-69](?:[- ]?\d){13,15}(?!\d)", text):
            assert not _luhn(_digits(number)), text
        for quad in re.findall(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])", text):
            assert any(int(part) > 255 for part in quad.split(".")), text


def test_no_two_texts_share_a_sentence_frame():
    """Character 3-grams without the identifiers: a template filled twice would be near 1."""
    frames = []
    for record in _records():
        text = record["text"]
        for span in reversed(record["spans"]):
            text = f"{text[: span['start']]}#{text[span['end'] :]}"
        text = re.sub(r"\d", "0", text)
        frames.append({text[i : i + 3] for i in range(max(len(text) - 2, 1))})
    column = {gram: number for number, gram in enumerate(sorted(set().union(*frames)))}
    present = np.zeros((len(frames), len(column)), np.float32)
    for row, grams in enumerate(frames):
        present[row, [column[gram] for gram in grams]] = 1
    common = present @ present.T
    size = present.sum(1)
    jaccard = common / (size[:, None] + size - common)
    np.fill_diagonal(jaccard, 0)
    assert jaccard.max() < 0.5


# --- The detector finds what is labelled, and nothing else ---------------------------


@cache
def _found(text: str) -> list:
    return list(find_pii(text))


def _covers(found, span: dict) -> bool:
    """All of the identifier, and at most two characters more."""
    inside = found.start <= span["start"] and span["end"] <= found.end
    return inside and (found.end - found.start) - (span["end"] - span["start"]) <= 2


def test_the_detector_finds_99_percent_of_the_identifiers():
    labelled, hit, missed = Counter(), Counter(), []
    for record in _positives():
        for span in record["spans"]:
            labelled[span["kind"]] += 1
            if any(_covers(found, span) for found in _found(record["text"])):
                hit[span["kind"]] += 1
            else:
                identifier = record["text"][span["start"] : span["end"]]
                missed.append(f"{record['id']} {span['kind']} {identifier!r}: {record['text']!r}")
    recall = {kind: f"{hit[kind]}/{labelled[kind]}" for kind in labelled}
    report = f"recall by kind {recall}\n" + "\n".join(missed)
    assert hit.total() >= 0.99 * labelled.total(), report
    assert all(hit[kind] >= 0.9 * labelled[kind] for kind in labelled), report


def test_the_placeholder_says_what_stood_there():
    right, wrong = 0, []
    for record in _positives():
        for span in record["spans"]:
            for found in _found(record["text"]):
                if not _covers(found, span):
                    continue
                if found.kind == span["kind"]:
                    right += 1
                else:
                    wrong.append(f"{record['id']} {span['kind']} as {found.kind}")
    assert len(wrong) <= 0.01 * right, wrong


def test_at_most_1_percent_of_the_hard_negatives_raise_a_false_alarm():
    alarms = [
        f"{record['id']} {record['looks_like']} as {found.kind}"
        f" {record['text'][found.start : found.end]!r}: {record['text']!r}"
        for record in _negatives()
        for found in _found(record["text"])[:1]
    ]
    assert len(alarms) <= 0.01 * len(_negatives()), "\n".join(alarms)


def test_numbers_beside_an_identifier_are_left_alone():
    alarms = [
        f"{record['id']} {found.kind} {record['text'][found.start : found.end]!r}"
        for record in _positives()
        for found in _found(record["text"])
        if not any(
            found.start < span["end"] and span["start"] < found.end for span in record["spans"]
        )
    ]
    assert len(alarms) <= 0.01 * sum(len(record["spans"]) for record in _positives()), alarms
