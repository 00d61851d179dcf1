"""What a suite gives to models that know nothing of what it asks: the band to be above.

A flat "50%" is not what ignorance gets: a model of random weights happens to prefer some piece,
a frequency table prefers the commoner word, and likelihood itself prefers what has fewer tokens.
`null_models` scores a suite with all of these, in the tokens of the model that is measured.
"""

import functools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.choices import Score, encode_pairs, score_continuations
from gemma_ko_lib.evaluation.items import Suite
from gemma_ko_lib.evaluation.results import SuiteResult, judge
from gemma_ko_lib.models.configs import CONFIGS
from gemma_ko_lib.models.decoder import build_decoder
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.models.sharding import BLOCKS

SEEDS = 5
_HIDDEN = 64


def null_models(
    tokenizer, suite: Suite, seeds: int = SEEDS, first_seed: int = 0
) -> dict[str, SuiteResult]:
    """Results of models without the skill.

    Args:
        tokenizer: of the model that is measured.
        suite: from `load_suites`.
        seeds: how many models of random weights: two blocks, over the pieces that the suite has.
        first_seed: of the first of them; others than the band's own say whether it holds.

    Returns:
        By name: "fewest tokens", "unigram" (frequencies in the course's Korean and English
        texts, each token by itself) and "random weights 0" and on.
    """
    flat = [(item.prompt, choice) for item in suite.items for choice in item.choices]
    pairs = encode_pairs(tokenizer, flat)
    counts = _frequencies(tokenizer)
    total = sum(counts.values()) + len(tokenizer.vocabulary)
    scores = {
        "fewest tokens": [Score(-float(len(ids)), len(ids), False) for _, ids in pairs],
        "unigram": [
            Score(sum(math.log((counts[t] + 1) / total) for t in ids), len(ids), False)
            for _, ids in pairs
        ],
    }
    # Their vocabulary is what the suite has: no other piece is ever scored, and a row of logits for
    # each of Gemma 3's 262,144 would cost more than the model that is measured.
    kept = sorted({token for before, ids in pairs for token in [*before, *ids]})
    place = {token: i for i, token in enumerate(kept)}
    renamed = [([place[t] for t in before], [place[t] for t in ids]) for before, ids in pairs]
    for seed in range(first_seed, first_seed + seeds):
        model = _random_model(tokenizer, len(kept), seed)
        scores[f"random weights {seed}"] = score_continuations(model, renamed)
    found = {}
    for name, flat_scores in scores.items():
        its = iter(flat_scores)
        found[name] = judge(suite, [[next(its) for _ in item.choices] for item in suite.items])
    return found


def band(results: Sequence[SuiteResult]) -> dict[str, tuple[float, float]]:
    """By group, the lowest and the highest accuracy of several models; "" is the whole suite.

    It is a range of those models and no interval: other random weights leave it in one of
    seven groups of native phrasing and one of four or five of grammar, nearly always by less than
    their own interval, and as a whole by up to three points. So compare by intervals.
    """
    accuracies = [{"": r.micro} | {g: a for g, (a, _, _) in r.by_group().items()} for r in results]
    return {
        g: (min(a[g] for a in accuracies), max(a[g] for a in accuracies)) for g in accuracies[0]
    }


def null_figures(tokenizer, suite: Suite) -> dict:
    """What models without the skill get, for JSON: each of them, and their band by group."""
    found = null_models(tokenizer, suite)
    return {
        "accuracy": {name: result.micro for name, result in found.items()},
        "by_group": band(list(found.values())),
    }


@functools.lru_cache(maxsize=2)
def _frequencies(tokenizer) -> Counter:
    texts = [
        record["text"] for language in ("ko", "en") for record in read_samples(language, "train")
    ]
    return Counter(token for ids in tokenizer.encode(texts) for token in ids)


def _random_model(tokenizer, pieces: int, seed: int) -> Model:
    """A Gemma 2 of two blocks that has learnt nothing, with room for some pieces."""
    kind, config = CONFIGS["nano"]
    config = {
        **config,
        # Few sizes, so that small suites share what is compiled.
        "vocabulary_size": max(512, 1 << (pieces - 1).bit_length()),
        "num_layers": 2,
        "hidden_dim": _HIDDEN,
        "intermediate_dim": 4 * _HIDDEN,
    }
    decoder = build_decoder(kind, config, "float32")
    rng = np.random.default_rng(seed)

    def drawn(name: str, shape: tuple[int, ...]):
        if "norm" in name:
            return np.zeros(shape, "float32")  # a scale of 1 + 0
        return rng.standard_normal(shape, "float32") / np.float32(math.sqrt(_HIDDEN))

    shapes = {name: spec.shape for name, spec in decoder.shapes().items()}
    params = {n: drawn(n, shape) for n, shape in shapes.items() if not n.startswith(BLOCKS)}
    # One layer after the other, however they are stored: the recorded bands were drawn so.
    layers = [
        {n: drawn(n, shape[1:]) for n, shape in shapes.items() if n.startswith(BLOCKS)}
        for _ in decoder.blocks
    ]
    params |= {name: np.stack([layer[name] for layer in layers]) for name in layers[0]}
    return Model(f"random weights {seed}", kind, config, decoder, params, tokenizer)
