"""Measures the Korean gap: how many tokens a tokenizer needs for Korean text.

An eojeol (어절) is a stretch between two spaces. A token that is not a whole character is a
byte fragment; it shows that the vocabulary has no piece for that syllable.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SPACE_MARK, Tokenizer

_SYLLABLE = re.compile("[가-힣]")
_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclasses.dataclass(frozen=True)
class GapRow:
    """The measurements of one tokenizer.

    Attributes:
        tokenizer: its name.
        vocabulary_size: number of pieces.
        tokens: tokens for all texts, without special ones.
        tokens_per_eojeol: fertility; 1 would be a token a word.
        tokens_per_character: white space included.
        bytes_per_token: UTF-8 bytes that one token carries.
        byte_fragment_fraction: share of tokens that are parts of a character.
        hangul_pieces: vocabulary pieces that contain a Hangul syllable.
        single_syllables: how many of the 11,172 syllables are a piece by themselves.
        price_against_english: tokens for the parallel Korean over tokens for its English, or None.
    """

    tokenizer: str
    vocabulary_size: int
    tokens: int
    tokens_per_eojeol: float
    tokens_per_character: float
    bytes_per_token: float
    byte_fragment_fraction: float
    hangul_pieces: int
    single_syllables: int
    price_against_english: float | None = None


def gap_report(
    texts: Sequence[str],
    tokenizers: Iterable[Tokenizer],
    parallel: Sequence[tuple[str, str]] = (),
) -> list[GapRow]:
    """Measure tokenizers on the same texts.

    Args:
        texts: Korean documents.
        tokenizers: as from `load_tokenizer`.
        parallel: (Korean, English) pairs of the same content, for the price.

    Raises:
        UserError: no text to measure on, or a tokenizer that has no token for any of it.

    Example:
        >>> from gemma_ko_lib.tokenization import load_tokenizer
        >>> (row,) = gap_report(["비가 밤새 내렸다."], [load_tokenizer("nano")])
        >>> row.tokens, row.tokens_per_eojeol
        (24, 8.0)
    """
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise UserError("No text to tokenize: the input is empty.")
    return [_measure(texts, tokenizer, parallel) for tokenizer in tokenizers]


def _measure(texts: Sequence[str], tokenizer: Tokenizer, parallel) -> GapRow:
    fragments, hangul, syllables = _piece_kinds(tokenizer)
    encoded, tokens = _encoded(tokenizer, texts)
    price = None
    if parallel:
        (_, korean), (_, english) = (_encoded(tokenizer, x) for x in zip(*parallel, strict=True))
        price = korean / english
    return GapRow(
        tokenizer=tokenizer.name,
        vocabulary_size=len(tokenizer.vocabulary),
        tokens=tokens,
        tokens_per_eojeol=tokens / sum(len(text.split()) for text in texts),
        tokens_per_character=tokens / sum(map(len, texts)),
        bytes_per_token=sum(len(text.encode("utf-8")) for text in texts) / tokens,
        byte_fragment_fraction=sum(i in fragments for ids in encoded for i in ids) / tokens,
        hangul_pieces=hangul,
        single_syllables=syllables,
        price_against_english=price,
    )


def _encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[list[list[int]], int]:
    """Token ids of texts, and how many there are."""
    encoded = tokenizer.encode(texts)
    if not (tokens := sum(map(len, encoded))):
        # A BPE without bytes and without an unknown token drops what it has no piece for.
        raise UserError(
            f"The tokenizer '{tokenizer.name}' gives no token for such text: {texts[0][:40]!r}."
        )
    return encoded, tokens


def _piece_kinds(tokenizer: Tokenizer) -> tuple[set[int], int, int]:
    """Find the ids of byte fragments, and count Hangul pieces and one-syllable pieces."""
    decode = _byte_level_decoder(tokenizer)
    fragments, hangul, syllables = set(), 0, set()
    for index, piece in enumerate(tokenizer.vocabulary):
        text = decode(piece)
        if text is None:
            fragments.add(index)
            continue
        hangul += bool(_SYLLABLE.search(text))
        if len(text) == 1 and _SYLLABLE.match(text):
            syllables.add(text)
    return fragments, hangul, len(syllables)


def _byte_level_decoder(tokenizer: Tokenizer):
    """Return a function from a piece to its text, or to None where it is not a whole character."""
    from tokenizers.decoders import ByteLevel

    def from_bytes(piece: str) -> str | None:
        text = ByteLevel().decode([piece])
        return None if "\ufffd" in text else text

    # A piece "Ġ" alone is no proof: SentencePiece vocabularies hold the letter too.
    pieces = set(tokenizer.vocabulary)
    if "Ġ" in pieces and "<0x00>" not in pieces:
        return from_bytes
    return lambda piece: None if _BYTE_PIECE.fullmatch(piece) else piece.replace(SPACE_MARK, " ")
