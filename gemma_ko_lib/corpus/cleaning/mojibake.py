"""Text that was decoded with the wrong encoding, put right where that is certain.

In goes a text, out comes the same with "ì•ˆë…•" and "¾È³ç" read as 안녕 again. Three
misreadings happen to Korean files: UTF-8 as Latin-1 or Windows-1252, cp949 as the same, and
UTF-8 as cp949. The last mostly loses bytes, and what is lost is dropped by a filter
(`is_broken`), not guessed.
"""

import functools
import re

from gemma_ko_lib.corpus.cleaning.rules import rule

# Windows-1252 shows these for the bytes that Latin-1 leaves to control characters.
_CP1252 = {
    code.decode("cp1252"): byte
    for byte in range(0x80, 0xA0)
    if (code := bytes([byte])).decode("cp1252", "ignore")
}
_BYTE_OF = {**{chr(byte): byte for byte in range(0x20, 0x100)}, **_CP1252}


def _characters(first: int, last: int) -> str:
    """What the bytes first to last look like, as the inside of a character class."""
    shown = {character for character, byte in _BYTE_OF.items() if first <= byte <= last}
    return re.escape("".join(sorted(shown)))


def _to_bytes(text: str) -> bytes:
    return bytes(map(_BYTE_OF.__getitem__, text))


def _decoded(text: str, encoding: str) -> str:
    """What the bytes that a text looks like spell; the text itself where they spell nothing."""
    try:
        return _to_bytes(text).decode(encoding)
    except UnicodeDecodeError:
        return text


# --- UTF-8 as Latin-1 or Windows-1252 ------------------------------------------------------

_CONTINUATION = _characters(0x80, 0xBF)
_LATIN = re.compile("[Â-þ¤]")
_HINT = re.compile(f"[Â-ô][{_CONTINUATION}]|[¡-þ]{{4}}|[ê-í] [{_CONTINUATION}]")
_LEAD = re.compile("[Â-ô]")
_SEQUENCE = re.compile(
    f"[Â-ß][{_CONTINUATION}]|[à-ï][{_CONTINUATION}]{{2}}|[ð-ô][{_CONTINUATION}]{{3}}"
)
_SYLLABLE = re.compile(f"[ê-í][{_CONTINUATION}]{{2}}")
# Quotes and dashes, single letters of Hangul, emoji, signs like the middle dot.
_NOT_HANGUL = re.compile(
    f"â€[{_CONTINUATION}]|ã[„…†][{_CONTINUATION}]|ðŸ[{_CONTINUATION}]{{2}}|Â[¡-¿]"
)
# Web pages turn the byte A0 into a space.
_LOST_SPACE = re.compile(
    f"(?<=[à-ï])  |(?<=[à-ï]) (?=[{_CONTINUATION}])|(?<=[à-ï][{_CONTINUATION}]) "
)


def _decode_utf8(match: re.Match) -> str:
    return _decoded(match[0], "utf-8")


def _latin_to_utf8(text: str) -> str:
    syllables = len(_SYLLABLE.findall(text))
    # One may be an accident. Two are not, unless most first bytes lead nowhere: then it is
    # cp949, where 우리 looks like 츮 with something around it.
    if syllables < 2 or syllables < 0.5 * len(_LEAD.findall(text)):
        return text
    text = _LOST_SPACE.sub(lambda match: "\xa0" * len(match[0]), text)
    return _SEQUENCE.sub(_decode_utf8, text)


# --- cp949 as Latin-1 or Windows-1252 ------------------------------------------------------

_KS = _characters(0xA1, 0xFE)
# The pairs that Microsoft added for the other 8,822 syllables.
_MORE = (
    f"[{_characters(0x81, 0xA0)}][A-Za-z{_characters(0x81, 0xFE)}]"
    f"|[{_characters(0xA1, 0xC6)}][A-Za-z{_characters(0x81, 0xA0)}]"
)
_PAIRS = re.compile(f"(?:[{_KS}]{{2}}|{_MORE})+")
# Without a pair of the standard, “a and …… would look like pairs too.
_STANDARD_PAIR = re.compile(f"[{_KS}]{{2}}")
_HANGUL_PAIR = re.compile("[°-È][¡-þ]|¤[¡-Ó]")
# Few syllables are only believed when one of them is among the commonest of Korean.
_COMMON = frozenset(
    "이다는가고에을의지하로한은도를서기어나있사자아리시그대안일만라수해인여보전제들정니요게"
    "원부과상주구장면세공국우성말생유스없무경내소위방비회미진음와것때습었았년월"
)
_ENOUGH_SYLLABLES = 6
# "ÄÄÄÄÄÄ" is a scream, and spells 컴컴컴.
_MANY_LETTERS = 8
_LAUGHS = frozenset("ㅋㅎㅠㅜ")


def _hangul(text: str) -> int:
    return sum("가" <= character <= "힣" for character in text)


def _latin_to_cp949(text: str) -> str:
    # What one pair spells proves nothing; what all pairs of a text spell does.
    decoded = "".join(
        _to_bytes(run).decode("cp949", "ignore")
        for run in _PAIRS.findall(text)
        if _HANGUL_PAIR.search(run)
    )
    letters = set(decoded)
    hangul = _hangul(decoded)
    is_korean = (
        hangul >= 0.6 * len(decoded)
        and len(letters) > min(len(decoded) / 3, _MANY_LETTERS)
        and (hangul >= _ENOUGH_SYLLABLES or (hangul > 1 and letters & _COMMON))
    )
    if is_korean or (letters and letters <= _LAUGHS):
        return _PAIRS.sub(_decode_cp949, text)
    return text


def _decode_cp949(match: re.Match) -> str:
    return _decoded(match[0], "cp949") if _STANDARD_PAIR.search(match[0]) else match[0]


# --- UTF-8 as cp949 --------------------------------------------------------------------

# First bytes of a Hangul syllable in UTF-8 are first bytes of Chinese characters in cp949.
_HAN_AND_HANGUL = re.compile("[\u4e00-\u9fff\uf900-\ufa0b][^\x00-\x7f]+")


def _cp949_to_utf8(match: re.Match) -> str:
    try:
        decoded = match[0].encode("cp949").decode("utf-8")
    except UnicodeError:
        return match[0]
    hangul = _hangul(decoded)
    return decoded if hangul >= 2 and hangul >= 0.6 * len(decoded) else match[0]


@rule("ì•ˆë…•í•˜ì„¸ìš”", "안녕하세요")
def repair_mojibake(text: str) -> str:
    """Decode again what was decoded with the wrong encoding; correct text stays as it is.

    Example: "ì•ˆë…•í•˜ì„¸ìš”" → "안녕하세요"; "¾È³çÇÏ¼¼¿ä" → "안녕하세요".
    """
    if text.isascii():
        return text
    if _LATIN.search(text) and _HINT.search(text):
        text = _latin_to_cp949(_latin_to_utf8(text))
        # A text may quote one of these because it is about them.
        if len(_NOT_HANGUL.findall(text)) > 1:
            text = _NOT_HANGUL.sub(_decode_utf8, text)
    return _HAN_AND_HANGUL.sub(_cp949_to_utf8, text)


# --- What cannot be put right -----------------------------------------------------------


@functools.cache
def _rare_syllables() -> re.Pattern:
    """The 8,822 syllables outside KS X 1001, which hardly a correct text holds."""
    rare = "".join(
        syllable
        for syllable in map(chr, range(0xAC00, 0xD7A4))
        if len(syllable.encode("euc_kr")) > 2  # spelled out, since the standard has no code
    )
    return re.compile(f"[{rare}]")


def is_broken(text: str, hangul: int) -> bool:
    """Whether bytes were lost in decoding: many U+FFFD, or "?" between syllables nobody uses.

    Args:
        text: after `repair_mojibake`.
        hangul: how many characters of it are Hangul.

    Example: "?덈뀞?섏꽭?? 諛섍컩?듬땲??" was 안녕하세요? 반갑습니다.
    """
    replaced = text.count("\ufffd")
    if replaced > 0.02 * len(text):
        return True
    if replaced + text.count("?") <= 0.03 * len(text):
        return False
    rare = len(_rare_syllables().findall(text))
    return rare >= 4 and rare > 0.1 * hangul
