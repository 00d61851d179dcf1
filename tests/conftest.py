"""Models of a few thousand parameters, in every shape of the family."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

# Tiny models spend their time in tracing and compiling, and their numbers do not depend on the
# compiler's effort. On CPUs the first two together take a third of the time of either alone; one
# part for the code generator and no tracebacks beside the operations take a fifth of the rest.
# What one test has compiled, the next, another worker or a subprocess need not compile again.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", f"{Path(__file__).parents[1]}/build/compiled-tests"
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import numpy as np
import pytest

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import credentials

ROOT = Path(__file__).parents[1]

_POST_NORMS = {"use_post_ffw_norm": True, "use_post_attention_norm": True}
_SMALL = {
    "vocabulary_size": 320,
    "num_query_heads": 4,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "head_dim": 8,
}
TINY = {
    "gemma1-mqa": ("GemmaBackbone", {**_SMALL, "num_layers": 2, "num_key_value_heads": 1}),
    "gemma1-mha": ("GemmaBackbone", {**_SMALL, "num_layers": 2, "num_key_value_heads": 4}),
    "gemma2": (
        "GemmaBackbone",
        {
            **_SMALL,
            **_POST_NORMS,
            "num_layers": 4,
            "num_key_value_heads": 2,
            "attention_logit_soft_cap": 50,
            "final_logit_soft_cap": 30,
            "use_sliding_window_attention": True,
            "sliding_window_size": 4,
        },
    ),
    # Eight layers: the sixth is global, as every sixth is.
    "gemma3": (
        "Gemma3Backbone",
        {
            **_SMALL,
            **_POST_NORMS,
            "num_layers": 8,
            "num_key_value_heads": 1,
            "image_size": None,
            "use_query_key_norm": True,
            "use_sliding_window_attention": True,
            "sliding_window_size": 4,
        },
    ),
}


def on_eight_devices(script: str):
    """Run a script where JAX sees eight CPU devices; what its last line prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_NUM_CPU_DEVICES": "8"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def pytest_collection_finish():
    """The modules that were imported stay: a full collection need not go through them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _forget_programs():
    """Compiled programs of a module that is done would stay in memory: gigabytes, in all."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


def texts_of(language: str, split: str = "all") -> list[str]:
    """Texts of the course's samples."""
    return [record["text"] for record in read_samples(language, split)]


class SameKey:
    """Stands for `nnx.Rngs` where a model's shapes alone are asked for.

    Flax 0.12 asks a traced counter for its sharding, and JAX goes through all of the trace for the
    message that it has none: seconds, for a model of 38 layers.
    """

    def params(self):
        import jax

        return jax.random.key(0)


SENTENCES = [
    "The library opens at nine and closes at six.",
    "A heavy rain fell on the village all night long.",
    "비가 밤새 마을에 많이 내렸다.",
    "도서관은 아홉 시에 열고 여섯 시에 닫는다.",
    "She walked home with two loaves of bread and a newspaper.",
]


def random_weights(decoder, seed: int = 0) -> dict:
    """Random weights for a decoder, scales away from zero so that mistakes show."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, 0.3, shape.shape).astype("float32")
        for name, shape in decoder.shapes().items()
    }


def make_model(shape: str, seed: int = 0, tokenizer=None):
    """A tiny `Model` with random weights."""
    from gemma_ko_lib import models

    kind, config = TINY[shape]
    if tokenizer:
        config = {**config, "vocabulary_size": len(tokenizer.vocabulary)}
    decoder = models.build_decoder(kind, config, "float32")
    return models.Model(shape, kind, config, decoder, random_weights(decoder, seed), tokenizer)


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """A SentencePiece model with byte fallback and Gemma's conventions, 320 pieces."""
    from gemma_ko_lib.tokenization import train_tokenizer

    return train_tokenizer([s for s in SENTENCES if s.isascii()] * 4, 320, "tiny")


@pytest.fixture
def tiny_model(tiny_tokenizer):
    """A tiny Gemma 2 with a tokenizer."""
    return make_model("gemma2", tokenizer=tiny_tokenizer)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache, and none finds real credentials."""
    monkeypatch.setenv("GEMMA_KO_CACHE", str(tmp_path / "cache"))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", {"kaggle": (), "huggingface": ()})
