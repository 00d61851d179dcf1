"""Traces of KerasHub's blocks share nothing, and another KerasHub is refused in plain words."""

import threading
import tomllib

import jax
import numpy as np
import pytest
from keras_hub.layers import RotaryEmbedding
from keras_hub.src.models.gemma.gemma_attention import CachedGemmaAttention
from keras_hub.src.models.gemma.gemma_decoder_block import GemmaDecoderBlock

from gemma_ko_lib import models
from gemma_ko_lib.models import adapters, keras_hub_blocks
from gemma_ko_lib.models.keras_hub_blocks import TokenTree
from gemma_ko_lib.runtime import UserError
from tests.conftest import ROOT, TINY, make_model


def _inputs(seed: int):
    """Tokens, their documents and their tree; every seed has others, and other weights."""
    tokens = np.random.default_rng(seed).integers(3, 300, (2, 9)).astype("int32")
    segments = np.repeat([[1] * (3 + seed) + [2] * (6 - seed)], 2, axis=0).astype("int32")
    places = np.arange(9, dtype="int32") % (3 + seed)
    tree = TokenTree(np.stack([places, places]), np.full((2, 9), 9 - seed, "int32"))
    return tokens, segments, tree


def _weights(model, seed: int):
    lora = models.Lora(rank=2, alpha=4.0)
    frozen, trained = models.add_adapters(model.params, lora, seed)
    return frozen | {name: 0.1 + a for name, a in trained.items()}


def _hidden(model, seed: int):
    tokens, segments, tree = _inputs(seed)
    return model.decoder.hidden(_weights(model, seed), tokens, segments, tree=tree)


def test_traces_in_two_threads_do_not_mix(monkeypatch):
    model = make_model("gemma2")
    alone = [_hidden(model, seed) for seed in (0, 1)]
    together = threading.Barrier(2, timeout=60)

    def both_are_here(projection, *args, **settings):
        together.wait()
        return adapters.run_projection(projection, *args, **settings)

    monkeypatch.setattr(keras_hub_blocks, "run_projection", both_are_here)
    found = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: _hidden(model, seed)}))
        for seed in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (0, 1):
        np.testing.assert_array_equal(found[seed], alone[seed])


def test_a_trace_inside_another_does_not_change_it(monkeypatch):
    model = make_model("gemma2")
    alone = _hidden(model, 0)
    inner = []

    def with_another_inside(projection, *args, **settings):
        if not inner:
            inner.append(None)
            with jax.ensure_compile_time_eval():
                inner[0] = _hidden(model, 1)
        return adapters.run_projection(projection, *args, **settings)

    monkeypatch.setattr(keras_hub_blocks, "run_projection", with_another_inside)
    outer = _hidden(model, 0)
    np.testing.assert_array_equal(outer, alone)
    monkeypatch.undo()
    np.testing.assert_array_equal(inner[0], _hidden(model, 1))


def test_the_backbone_itself_is_left_as_it_was():
    model = make_model("gemma2")
    block = model.decoder.backbone.transformer_layers[0]
    layers = [block, block.attention, block.attention.rope_layer, block.ffw_linear]
    before = [dict(vars(layer)) for layer in layers]
    jax.eval_shape(lambda: _hidden(model, 0))
    assert [dict(vars(layer)) for layer in layers] == before


def test_a_block_that_no_longer_asks_for_what_is_replaced_is_refused(monkeypatch):
    monkeypatch.setattr(CachedGemmaAttention, "_apply_rope", lambda self, x, start_index: x)
    with pytest.raises(UserError, match=r"GemmaDecoderBlock .*no longer uses rope_layer") as found:
        models.Decoder(models.build_backbone(*TINY["gemma2"], "float32"))
    assert "keras-hub 0.32" in str(found.value)
    assert "pip install 'keras>=3.15,<3.16' 'keras-hub>=0.32,<0.33'" in str(found.value)


def test_a_rotation_that_does_not_ask_for_the_frequencies_of_its_layer_is_refused(monkeypatch):
    def call(self, x, start_index=0, positions=None):
        return x

    monkeypatch.setattr(RotaryEmbedding, "call", call)
    models.Decoder(models.build_backbone(*TINY["gemma1-mqa"], "float32"))  # all layers are alike
    with pytest.raises(UserError, match="no longer uses _get_inverse_freq"):
        models.Decoder(models.build_backbone(*TINY["gemma3"], "float32"))


def test_a_block_without_a_method_that_is_replaced_is_refused(monkeypatch):
    monkeypatch.delattr(GemmaDecoderBlock, "_compute_attention_mask")
    with pytest.raises(UserError, match="AttributeError: .*_compute_attention_mask"):
        models.Decoder(models.build_backbone(*TINY["gemma2"], "float32"))


def test_the_project_asks_for_the_versions_that_were_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(keras_hub_blocks.TESTED) <= set(project["dependencies"])
