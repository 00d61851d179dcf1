"""Questions a second: `score_choices` against one text after another, and the harness on torch.

Culture questions of the course (four choices each), in Gemma 3 270M's shape with a vocabulary of
32,768 and random weights, float32: time does not depend on their values. All sides get the same
token ids, of nano's tokenizer, to which Korean is bytes. The harness' own model (HFLM) runs on
the same weights in transformers; it computes the prompt that four choices share four times.
Needs a quiet machine.
"""

import importlib.util
import time

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import evaluation, models
from gemma_ko_lib.evaluation.choices import encode_pairs
from gemma_ko_lib.models import kernels
from gemma_ko_lib.models.peft_files import MODULES
from gemma_ko_lib.tokenization import load_tokenizer
from tests.benchmarks.random_model import random_model

QUESTIONS, BATCH, VOCABULARY = 12, 8, 32_768
_NORMS = {
    "pre_attention_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "pre_ffw_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "attention/query_norm": "self_attn.q_norm",
    "attention/key_norm": "self_attn.k_norm",
}


def _rows(model: models.Model, pairs, rows: int) -> list[float]:
    """Log-likelihoods the plain way: so many texts at once, the whole vocabulary everywhere."""

    @jax.jit
    def score(params, tokens, segments):
        log_p = jax.nn.log_softmax(model.decoder.logits(params, tokens, segments)[:, :-1])
        return jnp.take_along_axis(log_p, tokens[:, 1:, None], axis=-1)[..., 0]

    def run():
        found = [0.0] * len(pairs)
        order = sorted(range(len(pairs)), key=lambda i: sum(map(len, pairs[i])))
        for start in range(0, len(order), rows):
            chosen = order[start : start + rows]
            longest = max(sum(map(len, pairs[i])) for i in chosen)
            tokens = np.zeros((rows, -(-longest // 64) * 64), np.int32)
            for row, i in enumerate(chosen):
                ids = [*pairs[i][0], *pairs[i][1]]
                tokens[row, : len(ids)] = ids
            nats = np.asarray(score(model.params, tokens, (tokens > 0).astype(np.int32)))
            for row, i in enumerate(chosen):
                before, after = map(len, pairs[i])
                found[i] = float(nats[row, before - 1 : before - 1 + after].sum())
        return found

    return run


def _by_transformers_names(model: models.Model) -> dict[str, np.ndarray]:
    named = {}
    for name, weight in models.unstack(model.params).items():
        block, _, inside = name.partition("/")
        part = inside.rpartition("/")[0]
        if block == "token_embedding":
            named["model.embed_tokens.weight"] = named["lm_head.weight"] = weight
        elif block == "final_normalization":
            named["model.norm.weight"] = weight
        else:
            if part in MODULES:
                weight = np.asarray(kernels.to_matrix(part, weight)).T
            place = f"model.layers.{block.rpartition('_')[2]}.{(MODULES | _NORMS)[part]}.weight"
            named[place] = np.ascontiguousarray(weight)
    return named


def _harness(model: models.Model, pairs):
    """The same through lm-evaluation-harness' model for transformers, or None."""
    if not all(map(importlib.util.find_spec, ("lm_eval", "torch", "transformers"))):
        return None
    import tokenizers
    import torch
    import transformers
    from lm_eval.models.huggingface import HFLM

    config = model.config
    shape = transformers.Gemma3TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=config["hidden_dim"],
        intermediate_size=config["intermediate_dim"],
        num_hidden_layers=config["num_layers"],
        num_attention_heads=config["num_query_heads"],
        num_key_value_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        sliding_window=config["sliding_window_size"],
    )
    theirs = transformers.Gemma3ForCausalLM(shape).eval()
    weights = {n: torch.from_numpy(w.copy()) for n, w in _by_transformers_names(model).items()}
    theirs.load_state_dict(weights)
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<pad>": 0}, "<pad>"))
    lm = HFLM(
        pretrained=theirs,
        tokenizer=transformers.PreTrainedTokenizerFast(
            tokenizer_object=words, pad_token="<pad>", eos_token="<pad>"
        ),
        batch_size=BATCH,
        device="cpu",
    )
    requests = [(("", str(n)), *pair) for n, pair in enumerate(pairs)]
    return lambda: [nats for nats, _ in lm._loglikelihood_tokens(requests, disable_tqdm=True)]


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    model = random_model("gemma3_270m", load_tokenizer("nano"), vocabulary_size=VOCABULARY)
    (suite,) = evaluation.load_suites("culture")
    items = suite.items[:QUESTIONS]
    pairs = encode_pairs(
        model.tokenizer, [(item.prompt, choice) for item in items for choice in item.choices]
    )

    def ours():
        return [score.nats for score in evaluation.score_continuations(model, pairs)]

    one, several = _rows(model, pairs, 1), _rows(model, pairs, BATCH)
    np.testing.assert_allclose(ours(), one(), atol=0.05)  # compiles, and shows equal work
    np.testing.assert_allclose(ours(), several(), atol=0.05)
    sides = {
        "score_choices (ours)": ours,
        "one text after another": one,
        f"{BATCH} texts at once, by length": several,
    }
    peer = _harness(model, pairs)
    if peer:
        np.testing.assert_allclose(ours(), peer(), atol=0.05)
        sides[f"lm-evaluation-harness on transformers, {BATCH} texts at once"] = peer
    rates = {}
    for name, run in sides.items():
        start = time.perf_counter()
        run()
        rates[name] = QUESTIONS / (time.perf_counter() - start)
    best = rates["score_choices (ours)"]
    title = f"{QUESTIONS} questions of four choices, Gemma 3 270M's shape: "
    rows = [(title + name, f"{rate:.2f}/s") for name, rate in rates.items()]
    rows += [
        (f"  ours / {name} (goal ≥ 3)", f"{best / rates[name]:.1f}") for name in list(rates)[1:]
    ]
    if not peer:
        rows.append(("  lm-evaluation-harness: needs lm_eval, torch and transformers", "left out"))
    return rows
