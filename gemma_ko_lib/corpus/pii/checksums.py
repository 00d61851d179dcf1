"""Check digits of Korean identifiers and payment cards: digits in, digit or verdict out.

Everything takes and returns strings of ASCII digits, without separators.
"""

import datetime

_RRN_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_BRN_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
# The digit after the birth date -> the first year of the century.
_CENTURY = {"9": 1800, "0": 1800, "1": 1900, "2": 1900, "3": 2000, "4": 2000} | {
    "5": 1900, "6": 1900, "7": 2000, "8": 2000,  # foreigners
}  # fmt: skip


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def rrn_check_digit(payload: str) -> str:
    """Last digit of a resident registration number (주민등록번호) from its first 12.

    Numbers issued or changed since 5 October 2020 have no check digit: a mismatch proves
    nothing about a number that is written with its hyphen.

    Example: rrn_check_digit("900101123456") → "8".
    """
    return str((11 - _weighted(payload, _RRN_WEIGHTS) % 11) % 10)


def frn_check_digit(payload: str) -> str:
    """Last digit of a foreigner registration number (외국인등록번호) from its first 12."""
    return str((int(rrn_check_digit(payload)) + 2) % 10)


def brn_check_digit(payload: str) -> str:
    """Last digit of a business registration number (사업자등록번호) from its first 9."""
    total = _weighted(payload, _BRN_WEIGHTS) + int(payload[8]) * 5 // 10
    return str(-total % 10)


def corporation_check_digit(payload: str) -> str:
    """Last digit of a corporation's registration number (법인등록번호) from its first 12."""
    return str(-_weighted(payload, (1, 2) * 6) % 10)


def luhn_check_digit(payload: str) -> str:
    """Last digit of a card number (ISO/IEC 7812-1, Annex B) from those before it."""
    total = 0
    for place, digit in enumerate(reversed(payload)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 * (doubled > 9)
    return str(-total % 10)


def ean_check_digit(payload: str) -> str:
    """Last digit of a 13-digit article number (EAN-13, ISBN-13) from its first 12."""
    return str(-_weighted(payload, (1, 3) * 6) % 10)


def has_birth_date(number: str) -> bool:
    """Whether a 13-digit number starts with a date of the century that its 7th digit names."""
    try:
        century = _CENTURY[number[6]]
        datetime.date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))
    except ValueError:
        return False
    return True
