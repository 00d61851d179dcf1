"""An n-gram model of tokens: what counting pieces and their neighbours in the course's texts gets.

It stands between the models without any skill and a trained one: it has seen which pieces follow
each other, and nothing farther apart than its order.
"""

import math
from collections import Counter
from collections.abc import Sequence

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.choices import Score
from gemma_ko_lib.tokenization.tokenizer import encode_documents

ORDER = 4


class NGram:
    """An interpolated n-gram model (Witten and Bell, IEEE Trans. Inf. Theory 37, 1991).

    Args:
        tokenizer: whose tokens are counted.
        texts: to count them in; the course's Korean and English training texts when None.
        order: tokens that a count spans.

    Example:
        >>> from gemma_ko_lib.tokenization import load_tokenizer
        >>> model = NGram(load_tokenizer("nano"), ["the rain fell", "the rain stopped"])
        >>> rain, fog = (model.tokenizer.encode([f"the {word}"])[0] for word in ("rain", "fog"))
        >>> found = model.score([([model.tokenizer.bos_id], rain), ([model.tokenizer.bos_id], fog)])
        >>> found[0].nats > found[1].nats
        True
    """

    def __init__(self, tokenizer, texts: Sequence[str] | None = None, order: int = ORDER):
        if texts is None:
            texts = [
                r["text"] for language in ("ko", "en") for r in read_samples(language, "train")
            ]
        self.tokenizer, self._order = tokenizer, order
        self._grams, self._totals, self._kinds = Counter(), Counter(), Counter()
        for ids in encode_documents(tokenizer, list(texts)):
            ids = [tokenizer.bos_id, *ids]
            for size in range(1, order + 1):
                self._grams.update(
                    tuple(ids[end - size : end]) for end in range(max(2, size), len(ids) + 1)
                )
        for gram, count in self._grams.items():
            self._totals[gram[:-1]] += count
            self._kinds[gram[:-1]] += 1

    def probability(self, before: Sequence[int], token: int) -> float:
        """Probability of a token after others: each order's counts, backed by the shorter one's."""
        found = 1 / len(self.tokenizer.vocabulary)
        for size in range(min(self._order, len(before) + 1)):
            history = tuple(before[len(before) - size :])
            if not self._totals[history]:
                break
            kinds = self._kinds[history]
            count = self._grams[*history, token]
            found = (count + kinds * found) / (self._totals[history] + kinds)
        return found

    def score(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Score]:
        """Score continuations given as token ids, as `score_continuations` does for a model.

        Args:
            pairs: (ids before, with the BOS; ids of the continuation).
        """
        found = []
        for before, continuation in pairs:
            ids = [*before, *continuation]
            nats = sum(
                math.log(self.probability(ids[max(0, end - self._order) : end], ids[end]))
                for end in range(len(before), len(ids))
            )
            found.append(Score(nats, len(continuation), False))
        return found
