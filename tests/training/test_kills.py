"""SIGKILL at twenty random moments of one run; what is left of it is the run, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gemma_ko_lib.tokenization import write_shards
from tests.conftest import ROOT, SENTENCES, make_model

KILLS, STEPS = 20, 200

# Imports once and forks a process for each life of the run: JAX starts in the child only.
_SCRIPT = """
import json, os, random, signal, sys, time
from pathlib import Path
from gemma_ko_lib import models
from gemma_ko_lib.models import decoder, keras_hub
from gemma_ko_lib.tokenization import open_shards
from gemma_ko_lib.training import LoopConfig, checkpoints, loop, train
from gemma_ko_lib.training.run_folder import claim_run

folder, kills, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
CONFIG = LoopConfig(
    steps, batch_rows=2, learning_rate=1e-2, warmup_steps=2, checkpoint_every=2, seed=3
)

def telling(function, word, tell):
    def told(*arguments, **options):
        os.write(tell, word)
        return function(*arguments, **options)
    return told

def live(run, tell):
    checkpoints.Checkpoints.save = telling(checkpoints.Checkpoints.save, b"s", tell)
    loop.Watch.check = telling(loop.Watch.check, b"u", tell)
    model = models.load(folder / "model", "float32")
    with claim_run(run, {"steps": steps}, resume=True) as finished:
        if not finished:
            os.write(tell, b"c")
            shards = open_shards(folder / "shards", model.tokenizer)
            train(model, shards, CONFIG, run, resume=True, quiet=True).save(run)

def begin(run):
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            live(run, tell)
            code = 0
        finally:
            os._exit(code)
    os.close(tell)
    return child, told

def end(child, told):
    os.close(told)
    return os.waitpid(child, 0)[1]

began = time.monotonic()
child, told = begin(folder / "whole")
seconds, last = {b"c": [], b"s": [], b"u": []}, None
while word := os.read(told, 1):
    now = time.monotonic()
    if last:
        seconds[last[0]].append(now - last[1])
    last = word, now
assert end(child, told) == 0

# The longest stretch of each kind: compiling and restoring, a checkpoint being written, an update.
longest = {word: max(found) for word, found in seconds.items()}
drawn, moments, died = random.Random(int(sys.argv[4])), [], 0
while died < kills:
    word = drawn.choice([b"c", b"s", b"s", b"u"])
    skip, wait = drawn.randrange(1, 4), drawn.random() * longest[word]
    child, told = begin(folder / "killed")
    for _ in range(1 if word == b"c" else skip):
        while (heard := os.read(told, 1)) not in (word, b""):
            pass
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    killed = os.WIFSIGNALED(end(child, told))
    assert killed, f"the run ended by itself after {died} kills"
    died += 1
    moments.append([word.decode(), skip, round(wait, 3)])
child, told = begin(folder / "killed")
while os.read(told, 4096):
    pass
assert end(child, told) == 0
print(json.dumps({"moments": moments, "seconds": time.monotonic() - began}))
"""


@pytest.mark.slow
def test_twenty_kills_leave_the_same_weights_and_the_whole_log(tiny_tokenizer, tmp_path):
    make_model("gemma2", tokenizer=tiny_tokenizer).save(tmp_path / "model")
    write_shards(SENTENCES * 8, tiny_tokenizer, tmp_path / "shards", length=32)
    seed = np.random.SeedSequence().entropy % 2**32
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path), str(KILLS), str(STEPS), str(seed)],
        cwd=ROOT,
        # A cache of compiled programs that a kill has torn is XLA's own matter.
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_COMPILATION_CACHE": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-4000:]}"
    print(seed, done.stdout.splitlines()[-1])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected, found = (load_file(run / "model.safetensors") for run in (whole, killed))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=f"seed {seed}: {name}")
    assert _figures(killed) == _figures(whole)
    assert [line["step"] for line in _figures(whole)] == list(range(1, STEPS + 1))
    assert not list((killed / "checkpoints").glob("*unreadable*"))


def _figures(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in lines]
