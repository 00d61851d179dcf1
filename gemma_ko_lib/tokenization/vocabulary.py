"""Learns more BPE pieces for a language, and adds them to a tokenizer's vocabulary.

Learning goes on where the base tokenizer stopped: merges are counted over its own output, so every
new piece can be reached. New pieces rank below all old ones, so text without them is tokenized as
before.
"""

import collections
import heapq
import itertools
import re
from collections.abc import Iterable

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SPACE_MARK, SentencePieceTokenizer

_HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")
# SentencePiece's own rule for Gemma: no piece mixes a script with digits or punctuation.
_KOREAN_PIECE = re.compile(f"{SPACE_MARK}?[가-힣ㄱ-ㅎㅏ-ㅣ]+")
# A word has the space before it, if it is one: after a line break there is no "▁" to merge.
_WORD = re.compile(r" ?\S+")
_Word = list[str]


def learn_pieces(
    texts: Iterable[str], tokenizer: SentencePieceTokenizer, count: int, min_frequency: int = 2
) -> list[str]:
    """Learn the Korean pieces that save the most tokens on a corpus.

    This is greedy: each step adds the syllable, or joins the two neighbouring pieces, whose piece
    saves the most tokens. A syllable that falls to its three bytes costs three, a known piece one.

    Args:
        texts: the corpus; a few megabytes are plenty.
        tokenizer: the base tokenizer.
        count: how many pieces to learn.
        min_frequency: pieces seen less often are not learnt.

    Returns:
        New pieces, those that save the most first; fewer than `count` when the corpus has no more.
    """
    words = collections.Counter(
        word
        for text in texts
        for word in _WORD.findall(text)
        if _HANGUL.search(word) and SPACE_MARK not in word
    )
    if not words:
        raise UserError("No Korean words to learn pieces from: the corpus has no Hangul in it.")
    return _Learner(words, tokenizer).learn(count, min_frequency)


class _Learner:
    """Holds words as sequences of symbols, and the places of each neighbouring pair."""

    def __init__(self, words: collections.Counter, tokenizer: SentencePieceTokenizer):
        self._known = set(tokenizer.vocabulary)
        self._frequencies = list(words.values())
        encoded = tokenizer.encode(list(words))
        vocabulary = tokenizer.vocabulary
        self._words = [_symbols([vocabulary[i] for i in ids]) for ids in encoded]
        self._counts: collections.Counter = collections.Counter()
        self._places: dict[tuple, set[int]] = collections.defaultdict(set)
        for index, word in enumerate(self._words):
            self._count(index, word, +1)
        self._queue: list[tuple[int, tuple]] = []
        self._push(self._counts)

    def _count(self, index: int, word: _Word, sign: int) -> set[tuple]:
        candidates = [*((symbol,) for symbol in word), *itertools.pairwise(word)]
        for candidate in candidates:
            self._counts[candidate] += sign * self._frequencies[index]
            self._places[candidate].add(index)
        return set(candidates)

    def _cost(self, symbol: str) -> int:
        return 1 if symbol in self._known else len(symbol.encode("utf-8"))

    def _saving(self, candidate: tuple) -> int:
        if not _KOREAN_PIECE.fullmatch("".join(candidate)):
            return 0
        # A tokenizer.json joins pieces only: what is no piece yet has to be learnt before.
        if len(candidate) == 2 and not self._known.issuperset(candidate):
            return 0
        return (sum(map(self._cost, candidate)) - 1) * self._counts[candidate]

    def learn(self, count: int, min_frequency: int) -> list[str]:
        learnt: list[str] = []
        while self._queue and len(learnt) < count:
            saving, candidate = heapq.heappop(self._queue)
            current = self._saving(candidate)
            if -saving != current:  # counted before a merge changed it
                if current > 0:
                    heapq.heappush(self._queue, (-current, candidate))
                continue
            if self._counts[candidate] < min_frequency:
                continue
            piece = "".join(candidate)
            if piece not in self._known:
                self._known.add(piece)
                learnt.append(piece)
            if len(candidate) == 2:
                self._merge(candidate)
            else:
                self._push(self._joins_with(piece))
        return learnt

    def _joins_with(self, piece: str) -> set[tuple]:
        """The pairs that a new piece of one symbol stands in."""
        words = (self._words[index] for index in self._places[(piece,)])
        return {pair for word in words for pair in itertools.pairwise(word) if piece in pair}

    def _push(self, candidates: Iterable[tuple]) -> None:
        for candidate in candidates:
            saving = self._saving(candidate)
            if saving > 0:
                heapq.heappush(self._queue, (-saving, candidate))

    def _merge(self, pair: tuple[str, str]) -> None:
        touched: set[tuple] = set()
        for index in sorted(self._places.pop(pair)):
            before = self._words[index]
            after = _joined(before, pair)
            if len(after) == len(before):
                continue
            self._count(index, before, -1)
            touched |= self._count(index, after, +1)
            self._words[index] = after
        self._push(touched)


def _joined(word: _Word, pair: tuple[str, str]) -> _Word:
    joined, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            joined.append(pair[0] + pair[1])
            i += 2
        else:
            joined.append(word[i])
            i += 1
    return joined


def _symbols(pieces: list[str]) -> _Word:
    """Put byte runs back together: BPE merges characters, and only then falls back to bytes."""
    symbols, run = [], bytearray()
    for piece in [*pieces, ""]:
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            run.append(int(piece[3:5], 16))
            continue
        symbols += run.decode("utf-8", errors="replace")
        run.clear()
        symbols += [piece] if piece else []
    return symbols


def expand_vocabulary(
    tokenizer: SentencePieceTokenizer, pieces: Iterable[str]
) -> SentencePieceTokenizer:
    """Add pieces to a SentencePiece model, ranked below all that it has.

    Args:
        tokenizer: the base tokenizer.
        pieces: as from `learn_pieces`; the first ranks highest.

    Returns:
        A tokenizer whose first ids are the base's.

    Raises:
        UserError: a piece is there already.
    """
    model = tokenizer.model_proto()
    known = set(tokenizer.vocabulary)
    score = min(piece.score for piece in model.pieces)
    for rank, piece in enumerate(pieces, 1):
        if piece in known:
            raise UserError(
                f"The piece '{piece}' is already in the vocabulary of {tokenizer.name}."
            )
        known.add(piece)
        model.pieces.add(piece=piece, score=score - rank, type=model.SentencePiece.NORMAL)
    model.trainer_spec.vocab_size = len(model.pieces)
    return SentencePieceTokenizer(model.SerializeToString(), f"{tokenizer.name}+ko")


def replaced_ids(base: SentencePieceTokenizer, pieces: Iterable[str]) -> list[list[int]]:
    """Return, for each new piece, the tokens of the base that it replaces."""
    return base.encode([piece.replace(SPACE_MARK, " ") for piece in pieces])
