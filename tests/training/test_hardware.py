"""The table of what fits where: whole, in step with the code, and the README with it."""

import collections
from pathlib import Path

import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training import hardware, step_compiler
from gemma_ko_lib.training.memory import DEVICES
from gemma_ko_lib.training.methods import Setting
from gemma_ko_lib.training.step_compiler import Compiled

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def data():
    return hardware.load()


def test_the_readme_shows_the_stored_table(data):
    section = README.read_text("utf-8").split(hardware.BEGIN)[1].split(hardware.END)[0]
    assert section.strip() == hardware.markdown(data)


def test_every_model_method_and_device_has_one_cell(data):
    found = collections.Counter((c["device"], c["model"], c["method"]) for c in data["cells"])
    assert set(found.values()) == {1}
    assert len(found) == len(DEVICES) * len(hardware.MODELS) * len(hardware.METHODS)
    assert all(cell["rows"] or cell["why"] for cell in data["cells"])


@pytest.mark.parametrize(
    "key",
    [("t4", "gemma3_270m", "full"), ("l4", "gemma3_1b", "lora"), ("v5e-8", "gemma3_1b", "lomo")],
)
def test_a_stored_cell_is_what_the_code_says_today(key, data):
    names = ("device", "model", "method")
    stored = next(cell for cell in data["cells"] if tuple(cell[n] for n in names) == key)
    assert stored == hardware.cell(data, *key)


def test_the_estimates_agree_with_the_tpu_compiler(data):
    for answer in data["compiled"]:
        estimate = hardware._estimate(answer["device"], answer["model"], answer["method"])
        need = estimate.need(Setting(answer["method"], answer["rows"], answer["length"]))
        fixed = need.kept["weights"] + need.kept["optimizer"]
        assert fixed == pytest.approx(answer["arguments"], rel=0.01), answer
        # On several chips XLA also decides what to gather, and when.
        if DEVICES[answer["device"]].count == 1 and not answer["refusal"]:
            total = answer["arguments"] + answer["temporaries"]
            assert 1 / 1.15 < need.total / total < 1.7, answer


# --- compiling ---


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    """A compiler that takes up to 8 rows, and remembers what it was asked."""
    asked = []

    def compile_for_tpu(step, device):
        asked.append(step)
        refusal = "Ran out of memory" if step.rows > 8 else None
        return Compiled(device, 1, 0 if refusal else 1, refusal, 1.0)

    monkeypatch.setattr(step_compiler, "compile_for_tpu", compile_for_tpu)
    monkeypatch.setattr(hardware, "DATA", tmp_path / "hardware.json")
    monkeypatch.setattr(hardware, "_stamp", lambda *_: {"date": "", "versions": {}})
    monkeypatch.setattr(step_compiler, "TPU_TOPOLOGIES", {"v5e-1": "v5e:1x1"})
    monkeypatch.setattr(hardware, "MODELS", ("gemma3_270m",))
    monkeypatch.setattr(hardware, "METHODS", ("full",))
    monkeypatch.setattr(hardware, "PROOFS", (("v5e-1", "gemma3_270m", "full", 1, 256),))
    return asked


def test_each_setting_is_compiled_once_and_kept_at_once(compiler):
    data = {"compiled": []}
    hardware.compile_missing(data)
    settings = [(step.rows, step.length) for step in compiler]
    assert settings[0] == (1, 256) and len(settings) == len(set(settings))
    assert hardware.load()["compiled"] == data["compiled"]
    compiler.clear()
    hardware.compile_missing(hardware.load())
    assert compiler == []


def test_a_refused_setting_leads_to_the_next_smaller_one(compiler):
    data = {"compiled": []}
    hardware.compile_missing(data)
    rows = [answer["rows"] for answer in data["compiled"]][1:]
    assert rows == sorted(rows, reverse=True) and rows[0] > 8 and rows[-1] == 8
    cell = hardware.cell(data, "v5e-1", "gemma3_270m", "full")
    assert (cell["rows"], cell["how"]) == (8, "compiled")


def test_what_is_only_refused_so_far_is_estimated_below_that(compiler):
    refused = {"device": "v5e-1", "model": "gemma3_270m", "method": "full", "refusal": "no"}
    data = {"compiled": [{**refused, "rows": 4, "length": 2048}]}
    cell = hardware.cell(data, "v5e-1", "gemma3_270m", "full")
    assert (cell["rows"], cell["how"]) == (2, "estimated")
    data["compiled"].append({**refused, "rows": 1, "length": 128})
    cell = hardware.cell(data, "v5e-1", "gemma3_270m", "full")
    assert (cell["rows"], cell["how"], cell["why"]) == (None, "compiled", "no")


def test_a_readme_without_the_marks_is_refused(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no marks", "utf-8")
    with pytest.raises(UserError, match="has no line"):
        hardware.write_into(readme, {})
    assert readme.read_text("utf-8") == "no marks"
