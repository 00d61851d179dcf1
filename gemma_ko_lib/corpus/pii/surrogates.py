"""Surrogates: an identifier in, another one of the same form out.

The new one is made from the identifier's digits and a seed alone, so that one person's
number stays one number in all documents, however it is written. Separators, script and
length stay, check digits are right. Where there are ranges that nobody is given, it lies
there: telephone numbers, people born before 1920, documentation networks, example domains.
Elsewhere digits are permuted, so that two identifiers never become one.
"""

import functools
import hashlib
import re
from collections.abc import Callable

from gemma_ko_lib.corpus.pii import checksums, links, mixed, secrets
from gemma_ko_lib.corpus.pii.written_forms import DIGITS_OF_SCRIPT, plain_forms
from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS

_ROUNDS = 8
_ATTEMPTS = 8  # the second is rarely needed


class _Draw:
    """Numbers that follow from a seed, a kind and an identifier."""

    def __init__(self, *key: object):
        self._key = "\x1f".join(map(str, key)).encode("utf-8", "replace")
        self._calls = 0

    def number(self, *tweak: object) -> int:
        """A number of 128 bits for a tweak."""
        data = self._key + "\x1f".join(map(str, tweak)).encode("utf-8", "replace")
        return int.from_bytes(hashlib.blake2b(data, digest_size=16).digest(), "big")

    def below(self, limit: int) -> int:
        self._calls += 1
        return self.number("draw", self._calls) % limit

    def pick(self, options: str | tuple) -> str:
        return options[self.below(len(options))]

    def digits(self, count: int) -> str:
        return "".join(str(self.below(10)) for _ in range(count))


def _permute(digits: str, *key: object) -> str:
    """A permutation of all numbers of this length.

    A Feistel network on the two halves, as in format-preserving encryption (NIST SP 800-38G,
    FF1), with a keyed hash for its round function.
    """
    draw = _Draw(*key, len(digits))
    half = len(digits) // 2
    left, right = digits[:half], digits[half:]
    for round_number in range(_ROUNDS):
        width = len(left)
        mixed = (int(left or "0") + draw.number(round_number, right)) % 10**width
        left, right = right, f"{mixed:0{width}d}" if width else ""
    return left + right


# --- Numbers ------------------------------------------------------------------------------

# Each takes the digits and a key of seed, kind and attempt; returns as many digits.
_PHONE_PREFIX = re.compile("(?:0082|82)?0?(?:1[016-9]|2|[346][1-4]|5[1-5]|70|50[2-8]?)")


def _phone(digits: str, *key: object) -> str:
    """Subscriber numbers that start with 0 or 1 are not given out."""
    prefix = _PHONE_PREFIX.match(digits)
    length = len(digits) - prefix.end() if prefix else len(digits)
    if prefix is None or not 7 <= length <= 8:
        length = 8 if len(digits) > 10 else 7
    kept, subscriber = digits[:-length], digits[-length:]
    # +82 10 … and 010 … are one number.
    draw = _Draw(*key, re.sub("^(?:00)?82", "", kept).lstrip("0"), subscriber)
    return kept + draw.pick("01") + draw.digits(length - 1)


def _person(digits: str, *key: object) -> str:
    """A valid number of a person who is not alive."""
    draw = _Draw(*key, digits)
    foreign = digits[6] in "5678"
    year, code = (draw.below(20), "56") if foreign else (draw.below(100), "90")
    payload = f"{year:02d}{1 + draw.below(12):02d}{1 + draw.below(28):02d}{draw.pick(code)}"
    payload += draw.digits(5)
    check = checksums.frn_check_digit if foreign else checksums.rrn_check_digit
    return payload + check(payload)


def _permuted(kept: int) -> Callable[..., str]:
    """Permute what follows the first digits."""
    return lambda digits, *key: digits[:kept] + _permute(digits[kept:], *key, digits[:kept])


def _checked(kept: int, check_digit: Callable[[str], str]) -> Callable[..., str]:
    """The same, with the check digit behind."""

    def replace(digits: str, *key: object) -> str:
        payload = _permuted(kept)(digits[:-1], *key)
        return payload + check_digit(payload)

    return replace


_BY_DIGITS = {
    "rrn": _person,
    "frn": _person,
    "phone": _phone,
    "account": _permuted(3),  # the bank's prefix
    "card": _checked(2, checksums.luhn_check_digit),
    "brn": _checked(0, checksums.brn_check_digit),
    "corporation": _checked(0, checksums.corporation_check_digit),
    "passport": _permuted(0),
    "driver_licence": lambda digits, *key: _permuted(2 * (len(digits) == 12))(digits, *key),
    "vehicle_plate": _permuted(0),
}


def _fill(original: str, plain: str, digits: str) -> str:
    """The original with other digits, each in the script of the one it replaces."""
    new = iter(digits)
    return "".join(
        DIGITS_OF_SCRIPT.get(old, "0123456789")[int(next(new))] if "0" <= form <= "9" else old
        for old, form in zip(original, plain, strict=True)
    )


# --- Others -------------------------------------------------------------------------------

_DOMAINS = ("example.com", "example.org", "example.net")
_FEWEST_LETTERS = 6
_SYLLABLES = "가나다라마바사아자하고노도로모보소오구누두루무부수우"
_KEPT = re.compile("번[가나다라]?길|번지|지하|산(?= ?[0-9])|[시군구읍면동리가로길](?=[ 0-9]|$)")


def _same_shape(text: str, draw: _Draw) -> str:
    """Other letters for letters, other digits for digits; signs stay."""
    alphabets = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")
    pieces = []
    for character in text:
        alphabet = next((a for a in alphabets if character in a), None)
        if "가" <= character <= "힣":
            alphabet = _SYLLABLES
        elif alphabet is None and character.isalpha():
            alphabet = alphabets[0]  # of another script
        pieces.append(draw.pick(alphabet) if alphabet else character)
    return "".join(pieces)


def _email(plain: str, draw: _Draw) -> str:
    at = mixed.AT_AND_DOT.search(plain)
    local = plain[: at.start()].rstrip()
    sign = plain[len(local) :]
    sign = sign[: at.end() - len(local)] + " " * (len(sign) > 1 and plain[at.end()] == " ")
    if sum(map(str.isalnum, local)) < _FEWEST_LETTERS:
        local = "a" * _FEWEST_LETTERS  # with fewer, two addresses would soon be one
    return _same_shape(local, draw) + sign + draw.pick(_DOMAINS)


def _link(plain: str, draw: _Draw) -> str:
    before, handle, domain, rest = links.split_link(plain)
    return before + _same_shape(handle, draw) + domain + _same_shape(rest, draw)


def _ip(plain: str, draw: _Draw) -> str:
    """From the ranges for measurements (RFC 2544) and documentation (RFC 3849)."""
    if ":" in plain:
        return "2001:db8:" + ":".join(f"{1 + draw.below(65535):x}" for _ in range(6))
    return f"198.{18 + draw.below(2)}.{draw.below(256)}.{draw.below(256)}"


def _around(kept: re.Pattern, plain: str, draw: _Draw) -> str:
    """Other letters and digits, but for what the pattern keeps."""
    pieces, done = [], 0
    for mark in kept.finditer(plain):
        pieces += [_same_shape(plain[done : mark.start()], draw), mark[0]]
        done = mark.end()
    return "".join([*pieces, _same_shape(plain[done:], draw)])


def _address(plain: str, draw: _Draw) -> str:
    """Invented names before 시, 구, 로 …; the province stays."""
    province = mixed.PROVINCE.match(plain)
    start = province.end() if province else 0
    return plain[:start] + _around(_KEPT, plain[start:], draw)


def _name(plain: str, draw: _Draw) -> str:
    return draw.pick("김이박최정강조윤장임") + _same_shape(plain[1:], draw)


def _birth_date(plain: str, draw: _Draw) -> str:
    """A day from 1900 to 1919, written with as many digits."""
    fields = re.findall("[0-9]+", plain)
    if len(fields) == 1:
        fields = [plain[:-4], plain[-4:-2], plain[-2:]]
    new = [f"{1900 + draw.below(20)}"[-len(fields[0]) :]]
    for field, most in zip(fields[1:], (12, 28), strict=True):
        new.append(f"{1 + draw.below(9 if len(field) == 1 else most):0{len(field)}d}")
    return _fill(plain, plain, "".join(new))


_BY_FORM = {
    "email": _email,
    "url": _link,
    "ip": _ip,
    "address": _address,
    "secret": functools.partial(_around, secrets.MARKS),
    "name": _name,
    "birth_date": _birth_date,
}


def surrogate(kind: str, identifier: str, seed: int) -> str:
    """Another identifier of the same kind and form, never the same one.

    One of signs alone (a page called "___") has no other of its form, and gets the placeholder.

    Example: surrogate("phone", "010.2345.6789", 0) → "010.0…"; of "010-2345-6789" the same
    digits.
    """
    plain = plain_forms(identifier)
    digits = re.sub("[^0-9]", "", plain)
    for attempt in range(_ATTEMPTS):
        if kind in _BY_DIGITS:
            new = _fill(identifier, plain, _BY_DIGITS[kind](digits, seed, kind, attempt))
        else:
            new = _BY_FORM[kind](plain, _Draw(seed, kind, attempt, plain))
        if new != identifier:
            return new
    return PLACEHOLDERS[kind]
