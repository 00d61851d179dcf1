"""Google's Gemma 3 270M in the learner's code writes what KerasHub writes (`make test-real`)."""

import numpy as np
import pytest
from flax import nnx

from gemma_ko_lib import models
from gemma_ko_lib.from_scratch import gemma, gemma1, generation

pytestmark = pytest.mark.real

PROMPTS = [
    "The capital of France is",
    "Water boils at a temperature of",
    "In the morning she opened the window and",
    "Once upon a time there was a small village where",
    "The three primary colours are",
    "대한민국의 수도는",
    "한글은 세종대왕이",
    "아침에 일어나서 창문을 열었더니",
    "김치를 만들려면 먼저",
    "옛날 옛적에 어느 마을에",
]
NEW_TOKENS = 64


def test_greedy_continuations_equal_keras_hub():
    from gemma_ko_lib.models.keras_hub import keras_hub

    model = models.load("gemma3_270m", dtype="float32")
    ours = nnx.eval_shape(
        lambda: gemma.Gemma(gemma.config_from_keras_hub(model.kind, model.config), nnx.Rngs(0))
    )
    weights = models.unstack(model.params)
    gemma1.load_weights(ours, weights)
    encoded = model.tokenizer.encode(PROMPTS)
    prompts = [[model.tokenizer.bos_id, *ids] for ids in encoded]
    found = generation.generate(ours, prompts, NEW_TOKENS)

    backbone = keras_hub.models.Gemma3Backbone(**model.config, dtype="float32")
    for variable in backbone.variables:
        variable.assign(weights[variable.path])
    theirs = keras_hub.models.Gemma3CausalLM(preprocessor=None, backbone=backbone)
    theirs.compile(sampler="greedy")
    length = max(map(len, prompts)) + NEW_TOKENS
    tokens, mask = np.zeros((2, len(prompts), length), "int32")
    for row, real, prompt in zip(tokens, mask, prompts, strict=True):
        row[: len(prompt)], real[: len(prompt)] = prompt, 1
    # A text-only Gemma3CausalLM of KerasHub 0.32 still wants something under "images".
    inputs = {"token_ids": tokens, "padding_mask": mask.astype(bool)}
    inputs["images"] = np.zeros((len(prompts), 1), "float32")
    written = np.asarray(theirs.generate(inputs, stop_token_ids=None)["token_ids"])
    for row, prompt, new in zip(written, prompts, found, strict=True):
        expected = row[len(prompt) : len(prompt) + NEW_TOKENS].tolist()
        assert new == expected, model.tokenizer.decode(prompt)
