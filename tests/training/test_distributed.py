"""One run, however many devices and processes it has: the same losses, the same weights."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from jax.sharding import AbstractMesh

from gemma_ko_lib import models, training
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.tokenization.conversations import Turn, pack_conversations
from gemma_ko_lib.training import hosts
from gemma_ko_lib.training.batches import Batches, own_rows
from gemma_ko_lib.training.checkpoints import Checkpoints
from gemma_ko_lib.training.loop import LoopConfig
from gemma_ko_lib.training.method import Method
from tests.conftest import SENTENCES, make_model

ROOT = Path(__file__).parents[2]
CONFIG = LoopConfig(
    steps=4,
    batch_rows=8,
    accumulation=2,
    update_rows=13,
    learning_rate=1e-2,
    warmup_steps=1,
    checkpoint_every=2,
    seed=3,
)

TALKS = [
    (Turn("user", f"Question {number}?"), Turn("model", f"The answer is {number % 3}."))
    for number in range(40)
]


def tiny_run(model, folder: Path, run: Path, mesh=None, **options):
    shards = open_shards(folder / "shards", model.tokenizer)
    return training.train(model, shards, CONFIG, run, mesh=mesh, quiet=True, **options)


def tiny_answers(model, run: Path, mesh=None):
    """Adapters beside a quantised base, tuned on questions."""
    rows = pack_conversations(TALKS, model.tokenizer, 64)
    config = LoopConfig(2, batch_rows=8, learning_rate=1e-2, warmup_steps=1, evaluate_every=1)
    method = Method("lora", rank=2, base="int8")
    return training.train_on_answers(
        model, rows, rows, config, run, method=method, mesh=mesh, quiet=True
    )


def first_state(model, mesh=None):
    return Method().begin(model.params, mesh)[0]


# Argument: the folder that has the model and the shards. Run by one process and by two.
_SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from gemma_ko_lib.training import hosts

folder, joined = Path(sys.argv[1]), sys.argv[2] == "joined"
if joined:
    hosts.join_hosts()
from gemma_ko_lib import models
from gemma_ko_lib.models.sharding import shardings
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.shards import Shards
from gemma_ko_lib.training.checkpoints import Checkpoints
from tests.training.test_distributed import first_state, tiny_answers, tiny_run

opened = set()
read = Shards.__getitem__
Shards.__getitem__ = lambda self, row: opened.add(int(row)) or read(self, row)

model = models.load(folder / "model", "float32")
mesh = models.make_mesh()
name = "two_processes" if joined else "eight_devices"
moved = []

def find_moved(weights, step):
    places = shardings(weights, mesh)
    moved.extend(
        name for name, value in weights.items()
        if not value.sharding.is_equivalent_to(places[name], value.ndim)
    )
    return {}

trained = tiny_run(model, folder, folder / name, mesh, evaluate=find_moved)
hosts.on_first_host(lambda: trained.save(folder / name))
tuned = tiny_answers(model, folder / f"{name}_answers", mesh)
report = {
    "opened": sorted(opened),
    "moved": moved,
    "answers": list(tuned.held_out_loss.values()),
    "merged": {key: len(value.devices()) for key, value in tuned.model.params.items()},
}

if joined:
    def refuse():
        raise UserError("this folder is taken")
    try:
        hosts.on_first_host(refuse)
    except UserError as error:
        report["said"] = str(error)
else:
    written = Checkpoints(folder / name / "checkpoints")
    step, state, _ = written.restore_latest(first_state(model, models.make_mesh(2, 4)))
    report["equal_on_2x4"] = all(
        np.array_equal(value, trained.params[key]) for key, value in state.params.items()
    )
    report["tensor_devices"] = state.params["blocks/ffw_linear/kernel"].sharding.mesh.shape
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_tokenizer):
    """The same run on one device, on eight, and on two processes of one each."""
    folder = tmp_path_factory.mktemp("runs")
    model = make_model("gemma1-mqa", tokenizer=tiny_tokenizer)
    model.save(folder / "model")
    write_shards(SENTENCES * 200, tiny_tokenizer, folder / "shards", length=32)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    started = [
        _start(folder, "alone", devices=8),
        *(
            _start(
                folder,
                "joined",
                devices=1,
                JAX_COORDINATOR_ADDRESS=address,
                JAX_NUM_PROCESSES="2",
                JAX_PROCESS_ID=str(index),
            )
            for index in range(2)
        ),
    ]
    reports = []
    try:
        tiny_run(model, folder, folder / "one_device")
        for process in started:
            output, errors = process.communicate()
            assert process.returncode == 0, errors[:3000]
            reports.append(json.loads(output.splitlines()[-1]))
    finally:
        for process in started:
            process.kill()
    return folder, model, reports


def _start(folder: Path, how: str, devices: int, **environment) -> subprocess.Popen:
    environment |= {"PYTHONPATH": str(ROOT), "JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SCRIPT), str(folder), how],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _losses(run: Path) -> list[float]:
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.parametrize("name", ["eight_devices", "two_processes"])
def test_the_losses_are_those_of_one_device(name, runs):
    folder, _, _ = runs
    expected = _losses(folder / "one_device")
    assert len(expected) == CONFIG.steps and expected[-1] < expected[0]
    np.testing.assert_allclose(_losses(folder / name), expected, rtol=0, atol=1e-5)


def test_adapters_are_merged_in_host_memory(runs):
    # A device that the base was quantised for has no room for the merged model.
    folder, model, (alone, first, second) = runs
    expected = tiny_answers(model, folder / "one_device_answers").held_out_loss.values()
    for report in (alone, first, second):
        np.testing.assert_allclose(report["answers"], list(expected), rtol=0, atol=1e-4)
    assert alone["merged"] == first["merged"] == dict.fromkeys(model.params, 1)
    assert not second["merged"]


def test_updates_leave_every_weight_in_its_place(runs):
    # What moves has the next update compiled anew, and may no longer fit.
    _, _, reports = runs
    assert [report["moved"] for report in reports] == [[], [], []]


def test_each_process_opens_its_own_rows_only(runs):
    # Gemma-EasyLM's hosts each tokenized and read the whole stream.
    folder, _, (alone, *joined) = runs
    first, second = (set(report["opened"]) for report in joined)
    shards = open_shards(folder / "shards")
    assert first & second <= {len(shards) - 1}  # the row by which each sees that they are whole
    order = Batches(shards, CONFIG.rows, CONFIG.seed)
    used = {int(row) for _ in range(CONFIG.steps) for row in next(order)["row"]}
    assert used <= first | second and used <= set(alone["opened"])
    assert first & used and second & used


@pytest.mark.parametrize("name", ["eight_devices", "two_processes"])
def test_their_checkpoint_restores_on_one_device(name, runs):
    folder, model, _ = runs
    checkpoints = Checkpoints(folder / name / "checkpoints")
    step, state, position = checkpoints.restore_latest(first_state(model))
    checkpoints.close()
    saved = models.load(folder / name, "float32").params
    assert step == CONFIG.steps and int(state.step) == CONFIG.steps
    for key, value in state.params.items():
        assert value.sharding.device_set == {value.device}
        np.testing.assert_array_equal(value, saved[key], err_msg=key)
    batches = Batches(open_shards(folder / "shards"), CONFIG.rows, CONFIG.seed)
    for _ in range(CONFIG.steps):
        next(batches)
    assert position == batches.get_state()


def test_a_checkpoint_of_eight_restores_on_two_by_four(runs):
    _, _, (alone, *_) = runs
    assert alone["equal_on_2x4"]
    assert alone["tensor_devices"] == {"fsdp": 2, "tensor": 4}


def test_what_the_first_process_refuses_all_of_them_hear(runs):
    _, _, (_, first, second) = runs
    assert first["said"] == "this folder is taken"
    assert second["said"] == "The first process says: this folder is taken"


@pytest.mark.parametrize("name", ["JAX_NUM_PROCESSES", "JAX_PROCESS_ID"])
@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²"])
def test_a_number_of_processes_that_is_none_is_named(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(UserError, match=f"{name} is '{text}' in the environment"):
        hosts.join_hosts()


def test_rows_that_cannot_be_dealt_out_are_refused():
    mesh = AbstractMesh((3, 1), ("fsdp", "tensor"))
    with pytest.raises(UserError, match="--rows 8 cannot be dealt out evenly to the 3 devices"):
        own_rows(CONFIG.batch_rows, 1, mesh)
