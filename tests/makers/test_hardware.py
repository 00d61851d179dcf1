"""The table of what fits where: whole, in step with the code, and RESULTS.md with it."""

import pytest

from data_samples.makers import hardware
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training import step_compiler
from gemma_ko_lib.training.step_compiler import Compiled


@pytest.fixture(scope="module")
def data():
    return hardware.load()


def test_the_readme_shows_the_stored_table(data):
    section = hardware.RESULTS.read_text("utf-8").split(hardware.BEGIN)[1].split(hardware.END)[0]
    assert section.strip() == hardware.markdown(data)


@pytest.mark.parametrize(
    "models",
    [
        ("gemma_2b_en", "gemma2_2b_en", "gemma3_270m"),  # one of each kind
        pytest.param(hardware.MODELS, marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_the_stored_table_is_what_the_plan_says_today(data, models, monkeypatch):
    monkeypatch.setattr(hardware, "MODELS", models)
    cells = hardware.remake({"compiled": []})["cells"]
    assert [cell for cell in data["cells"] if cell["model"] in models] == cells
    assert len(cells) == len(hardware.DEVICES) * len(models) * len(hardware.METHODS)


def test_the_estimates_agree_with_the_tpu_compiler(data):
    assert len(data["compiled"]) >= 3
    for answer in data["compiled"]:
        if answer["refusal"]:
            continue
        total = answer["arguments"] + answer["temporaries"]
        assert 1 / 1.15 < answer["estimate"] / total < 1.25, answer["command"]


def test_an_estimate_beside_the_compilers_word_is_what_the_plan_says_today(data):
    assert [hardware.estimated_anew(answer) for answer in data["compiled"]] == data["compiled"]
    stale = {**data["compiled"][0], "estimate": 1}
    assert hardware.estimated_anew(stale) == data["compiled"][0]
    other = {**stale, "batching": {**stale["batching"], "rows": 1}}
    assert hardware.estimated_anew(other) == other  # another command: the compiler has to be asked


def test_each_proof_is_compiled_once_and_kept_at_once(monkeypatch, tmp_path):
    asked = []

    def compile_for_tpu(step, device):
        asked.append((step.model, device))
        return Compiled(device, 1, 1, None, 1.0)

    monkeypatch.setattr(step_compiler, "compile_for_tpu", compile_for_tpu)
    monkeypatch.setattr(hardware, "DATA", tmp_path / "hardware.json")
    monkeypatch.setattr(hardware, "stamp", lambda *_: {"date": "", "versions": {}})
    monkeypatch.setattr(hardware, "PROOFS", (("v5e-1", "gemma3_270m", "full"),) * 2)
    hardware.compile_proofs({"compiled": []})
    assert asked == [("gemma3_270m", "v5e-1")]
    hardware.compile_proofs(hardware.load())
    assert len(asked) == 1


def test_a_readme_without_the_marks_is_refused(tmp_path, data):
    (tmp_path / "RESULTS.md").write_text("# A course\n", "utf-8")
    with pytest.raises(UserError, match="has no line"):
        hardware.write_into(tmp_path / "RESULTS.md", data)
