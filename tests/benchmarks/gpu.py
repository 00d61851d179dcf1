"""What a GPU gives: ten minutes of measurements, each stored as soon as it is there.

    python -m tests.benchmarks gpu [--text FILE …]

- Model-FLOPs utilisation of an update by full AdamW, LoRA and LOMO, for the shapes of Gemma 3
  270M, Gemma 3 1B and Gemma 2 2B in the card's number format, on random weights. FLOPs are the
  model's (6 a parameter and token, 4 where a base is frozen, and attention's), so that computing
  blocks twice counts as loss. The peak is measured on this card, by a product of 8192³.
- The most bytes in use during an update, against the plan's estimate, under pools of 15, 24
  and 40 GB: each in a process of its own, with what `plan` says fits there.
- An update of 270M's shape in float32 and with float16 products, which a T4's tensor cores have.
- Tokens/s of decoding with 270M's shape.
- With `--text`, Gemma 3 270M trained on those texts: bits per byte on held-out ones and
  grammar, before and after.

Answers go to data_samples/recorded/gpu-DEVICE.json, with date, device, versions and command. A
measurement that is there already is not made again, so a run that was cut off goes on. On a CPU
the whole runs on nano's shape, to show that it runs.
"""

import datetime
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

# Before JAX is up: each update has a process of its own, and this one must leave it the card.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
from jax.sharding import AbstractMesh

from gemma_ko_lib import evaluation, models, runtime, tokenization, training
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.models.configs import shape_of
from gemma_ko_lib.runtime import Accelerator
from gemma_ko_lib.training import Method, RunSize
from gemma_ko_lib.training.memory import GIB, Estimate
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from gemma_ko_lib.training.plan import fitting_batching

ON_GPU = jax.default_backend() == "gpu"
SHAPES = ("gemma3_270m", "gemma3_1b", "gemma2_2b_en") if ON_GPU else ("nano",)
METHODS = ("full", "lora", "lomo")
DTYPE = runtime.choose_dtype(runtime.accelerator()).policy.removeprefix("mixed_")
POOLS = (15, 24, 40) if ON_GPU else ()
LENGTH, UPDATES = (2048, 4) if ON_GPU else (64, 2)
SECONDS = 540  # what is not begun by then is left to the next run


# --- one update, in a process of its own where a pool is set ---


def _random_model(name: str, dtype: str) -> models.Model:
    """A model of a shape, with small random weights that were drawn on the device."""
    kind, config = shape_of(name)
    decoder = models.build_decoder(kind, config, dtype)

    def draw(key):
        shapes = decoder.shapes()
        keys = jax.random.split(key, len(shapes))
        return {
            n: (0.02 * jax.random.normal(k, x.shape)).astype(x.dtype)
            for (n, x), k in zip(shapes.items(), keys, strict=True)
        }

    return models.Model(name, kind, config, decoder, jax.jit(draw)(jax.random.key(0)), None)


def _flops(name: str, method: Method, tokens: int) -> float:
    """The model's FLOPs of an update: products by weights, and attention over half a row."""
    _, config = shape_of(name)
    weights = models.parameter_count(name)
    trained = 6 if not method.lora else 4
    window = config.get("sliding_window_size", LENGTH)
    layers, heads, head_dim = (config[key] for key in ("num_layers", "num_query_heads", "head_dim"))
    share = {"nano": 2, "gemma2_2b_en": 2}.get(name, 6)  # of the layers one in so many is global
    seen = (LENGTH / 2) / share + min(window, LENGTH / 2) * (1 - 1 / share)
    attention = 3 * 4 * layers * heads * head_dim * seen
    return tokens * (trained * weights + attention)


def one_update(
    name: str, method_name: str, memory_bytes: int | None = None, dtype: str | None = None
) -> dict:
    """Seconds and most bytes of an update, with the rows that the plan takes."""
    method = Method(method_name)
    here = runtime.accelerator()
    dtype = dtype or method.dtype(here)
    model = _random_model(name, dtype)
    machine = Accelerator(here.kind, here.name, 1, memory_bytes or here.memory_bytes)
    size = RunSize(update_tokens=16 * LENGTH, length=LENGTH)
    batching = fitting_batching(model, method, size, machine)
    mesh = AbstractMesh((1, 1), ("fsdp", "tensor"))
    estimate = Estimate(model.decoder, method, mesh).need(batching).total
    schedule = learning_rate_schedule(1e-5, 100, 1)
    update = method.update(model.decoder, schedule, rematerialise=batching.rematerialise)
    state, frozen = method.begin(model.params, dtype=model.decoder.product_dtype)
    del model.params
    shape = (batching.accumulation, batching.rows, LENGTH)
    tokens = np.random.default_rng(0).integers(4, 4000, shape, dtype=np.int32)
    batch = {
        "token_ids": tokens,
        "segment_ids": np.ones(shape, np.int32),
        "targets": np.roll(tokens, -1, -1),
        "loss_weights": np.ones(shape, np.float32),
    }
    seconds = []
    for _ in range(UPDATES):
        began = time.monotonic()
        state, figures = update(state, batch, frozen)
        assert math.isfinite(float(figures["loss"]))
        seconds.append(time.monotonic() - began)
    peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {
        "batching": str(batching),
        "dtype": dtype,
        "tokens": int(np.prod(shape)),
        "seconds": min(seconds[1:]),
        "flops": _flops(name, method, int(np.prod(shape))),
        "peak_bytes": peak,
        "planned_bytes": estimate,
    }


def _in_own_process(
    name: str, method_name: str, gigabytes: int | None = None, dtype: str | None = None
) -> dict:
    """`one_update` in a process that gives its memory back, or has so much of the card only."""
    if not ON_GPU:
        return one_update(name, method_name, dtype=dtype)
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if gigabytes:
        whole = runtime.accelerator().memory_bytes / 0.75  # JAX takes three quarters by itself
        environment |= {
            "XLA_PYTHON_CLIENT_PREALLOCATE": "true",
            "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{gigabytes * 1e9 / whole:.4f}",
        }
    task = json.dumps([name, method_name, gigabytes and int(gigabytes * 1e9), dtype])
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gpu", task],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


# --- the others ---


def peak_flops() -> dict:
    """FLOP/s of a product of two square matrices in 16 bits, as the card has them."""
    n = 8192 if ON_GPU else 512
    a = jax.random.normal(jax.random.key(0), (n, n), DTYPE)
    product = jax.jit(lambda x: x @ x)
    product(a).block_until_ready()
    began = time.monotonic()
    for _ in range(10):
        found = product(a)
    found.block_until_ready()
    return {"flops_per_second": 10 * 2 * n**3 / (time.monotonic() - began)}


def decoding() -> dict:
    """Tokens/s of one row and of eight, after a short prompt."""
    model = _random_model(SHAPES[0], DTYPE)
    count, found = (128 if ON_GPU else 8), {}
    for rows in (1, 8):
        prompts = [[2, *range(10, 200)]] * rows
        evaluation.generate(model, prompts, count, stop_ids=())
        began = time.monotonic()
        evaluation.generate(model, prompts, count, stop_ids=())
        found[f"tokens_per_second_{rows}_rows"] = rows * count / (time.monotonic() - began)
    return found


def learning(text_files: list[str]) -> dict:
    """270M on texts: held-out bits per byte and grammar, before and after an epoch."""
    model = models.load("gemma3_270m" if ON_GPU else "nano")
    model.params = models.place(model.params)
    documents = [d.text for d in read_documents(text_files)]
    documents = [documents[i] for i in np.random.default_rng(0).permutation(len(documents))]
    held_out, texts = documents[:300], documents[300:]
    (grammar,) = [s for s in evaluation.load_suites("korean", None) if s.name == "grammar"]

    def measure(some) -> dict:
        bits = evaluation.bits_per_byte(some, held_out, window=512)
        right = evaluation.evaluate_suite(some, grammar)
        return {"bits_per_byte": bits.micro, "interval": bits.interval, "grammar": right.as_dict()}

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenization.write_shards(texts, model.tokenizer, folder / "shards", 1024)
        method, size = Method("full"), RunSize(tokens=8_000_000, update_tokens=32_768)
        began, before = time.monotonic(), measure(model)
        run = training.pretrain(
            model.name, folder / "shards", folder / "run", method=method, size=size, quiet=True
        )
        seconds = time.monotonic() - began
        trained = models.load(run)
        trained.params = models.place(trained.params)
        log = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
    curve = [[line["step"], line["loss"]] for line in log if "loss" in line]
    return {"before": before, "after": measure(trained), "seconds": seconds, "loss": curve}


# --- all of it, stored as it comes ---


def _stored() -> Path:
    device = runtime.accelerator().name.lower().replace(" ", "-")[:40]
    return runtime.samples_dir() / "recorded" / f"gpu-{device}.json"


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); see the head of this file."""
    path = _stored() if ON_GPU else Path(tempfile.mkdtemp()) / "gpu.json"
    data = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    packages = ("jax", "keras", "keras-hub")
    data |= {
        "date": datetime.date.today().isoformat(),
        "device": runtime.accelerator().name,
        "versions": {name: metadata.version(name) for name in packages},
        "command": "python -m tests.benchmarks gpu",
    }
    tasks = {"peak": peak_flops}
    for name in SHAPES:
        for method in METHODS:
            tasks[f"update {name} {method}"] = lambda n=name, m=method: _in_own_process(n, m)
    for dtype in ("float32", "mixed_float16"):
        key = f"update {SHAPES[0]} full {dtype}"
        tasks[key] = lambda d=dtype: _in_own_process(SHAPES[0], "full", dtype=d)
    for pool in POOLS:
        for name, method in (("gemma3_270m", "full"), ("gemma3_1b", "lora"), ("gemma3_1b", "lomo")):
            key = f"pool {pool} {name} {method}"
            tasks[key] = lambda n=name, m=method, p=pool: _in_own_process(n, m, p)
    tasks["decoding"] = decoding
    if text_files:
        tasks["learning"] = lambda: learning(text_files)
    began = time.monotonic()
    for key, task in tasks.items():
        if key in data or time.monotonic() - began > SECONDS:
            continue
        print(f"{key} …", flush=True)
        data[key] = task()
        with runtime.whole_file(path) as file:
            json.dump(data, file, indent=1)
    print(f"stored in {path}")
    return list(_rows(data))


def _rows(data: dict):
    peak = data["peak"]["flops_per_second"]
    yield f"{data['device']}: TFLOP/s of a square product", f"{peak / 1e12:.1f}"
    for key, found in data.items():
        if not isinstance(found, dict) or not key.startswith(("update", "pool")):
            continue
        if "error" in found:
            yield f"{key}: {found['error']}", "failed"
            continue
        used = found["flops"] / found["seconds"] / peak
        yield f"{key}, {found['batching']}: share of that", f"{used:.1%}"
        if found["peak_bytes"]:
            yield (
                f"  most bytes in use / planned ({found['planned_bytes'] / GIB:.1f} GiB)",
                f"{found['peak_bytes'] / found['planned_bytes']:.2f}",
            )
    for key, value in data.get("decoding", {}).items():
        yield f"decoding: {key.replace('_', ' ')}", f"{value:.1f}"
    if learnt := data.get("learning"):
        for when in ("before", "after"):
            yield f"270M {when}: held-out bits per byte", f"{learnt[when]['bits_per_byte']:.4f}"


if __name__ == "__main__":
    print(json.dumps(one_update(*json.loads(sys.argv[1]))))
