"""Text out of a model of the course: prompts as token ids in, new token ids out.

KerasHub's own `generate` runs it, with its cache; what comes back is what the model computed, cut
at a stop token.
"""

from collections.abc import Sequence

import numpy as np

from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.runtime import Progress, UserError

BATCH_ROWS = 8


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    stop_ids: Sequence[int] = (),
    top_p: float | None = None,
    seed: int = 0,
    progress: bool = False,
) -> list[list[int]]:
    """Continue prompts.

    Args:
        model: as from `models.load`.
        prompts: token ids, the BOS included.
        max_new_tokens: at most so many for each.
        stop_ids: tokens that end a text; they are not part of it.
        top_p: draw from the likeliest tokens with this much probability (arXiv 1904.09751);
            always the likeliest token when None.
        seed: of the draw.
        progress: show progress.

    Returns:
        New token ids of each prompt.

    Raises:
        UserError: an empty prompt.
    """
    for number, prompt in enumerate(prompts):
        if not len(prompt):
            raise UserError(
                f"Prompt {number} is empty, not even a BOS; there is nothing to continue."
            )
    causal_lm = _causal_lm(model, top_p, seed)
    found: list[list[int]] = [[] for _ in prompts]
    # Rows of one batch are read up to the longest, so those of a length go together.
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    with Progress(len(prompts), "Generating", "texts", quiet=not progress) as bar:
        for start in range(0, len(order), BATCH_ROWS):
            batch = order[start : start + BATCH_ROWS]
            rows = [list(prompts[i]) for i in batch]
            new = _continue(causal_lm, rows, max_new_tokens, tuple(stop_ids))
            for i, ids in zip(batch, new, strict=True):
                found[i] = ids
            bar.update(len(batch))
    return found


def _causal_lm(model: Model, top_p: float | None, seed: int):
    from gemma_ko_lib.models.keras_hub import keras_hub

    kinds = {
        "GemmaBackbone": keras_hub.models.GemmaCausalLM,
        "Gemma3Backbone": keras_hub.models.Gemma3CausalLM,
    }
    causal_lm = kinds[model.kind](backbone=model.keras_backbone(), preprocessor=None)
    sampler = "greedy" if top_p is None else keras_hub.samplers.TopPSampler(p=top_p, seed=seed)
    causal_lm.compile(sampler=sampler)
    return causal_lm


def _continue(causal_lm, rows: list[list[int]], new: int, stop_ids: tuple[int, ...]):
    """New tokens of some rows; lengths are rounded up, so that few shapes are compiled."""
    length = -(-(max(map(len, rows)) + new) // 32) * 32
    tokens = np.zeros((BATCH_ROWS, length), np.int32)
    mask = np.zeros((BATCH_ROWS, length), bool)
    for r in range(BATCH_ROWS):
        row = rows[min(r, len(rows) - 1)]  # the last one fills up the batch
        tokens[r, : len(row)], mask[r, : len(row)] = row, True
    inputs = {"token_ids": tokens, "padding_mask": mask}
    if "Gemma3" in type(causal_lm).__name__:
        inputs["images"] = np.zeros((BATCH_ROWS, 1), np.float32)  # wanted of text-only models, too
    out = causal_lm.generate(inputs, stop_token_ids=list(stop_ids) or None)["token_ids"]
    return [
        _until(np.asarray(out[r])[len(row) : len(row) + new], stop_ids)
        for r, row in enumerate(rows)
    ]


def _until(ids: np.ndarray, stop_ids: tuple[int, ...]) -> list[int]:
    stops = np.flatnonzero(np.isin(ids, stop_ids))
    return ids[: stops[0] if len(stops) else None].tolist()
