"""The recorded run of all suites: what it keeps, and that it goes on where it stopped."""

import pytest

from data_samples.makers.recorded import suites as recorded_suites
from data_samples.makers.recorded import suites_after
from data_samples.makers.recorded.suites import controls, judge, suites
from tests.conftest import make_model


@pytest.fixture(scope="module")
def asked():
    found = suites(None, 6)
    assert {"grammar", "culture, letters", "knowledge, letters, 5 shots"} <= set(found)
    return {name: found[name] for name in ("grammar", "culture")}


def test_a_model_is_judged_and_its_parts_are_kept(asked, tiny_model, tmp_path):
    found = judge(lambda: tiny_model, tmp_path, asked, 2, 4)
    grammar = found["suites"]["grammar"]
    assert (grammar["items"], len(grammar["right"])) == (6, 6)
    assert sum(part["items"] for part in grammar["by_tokens"].values()) == 6
    assert found["suites"]["culture"]["chance"] == 0.25
    assert found["texts"]["en"]["documents"] == 2 and len(found["writing"]["texts"]) == 2
    # A second run computes nothing again.
    assert judge(None, tmp_path, asked, 2, 4) == found


def test_what_has_no_skill_is_judged_in_the_same_tokens(asked, tiny_model, tmp_path):
    found = controls(lambda: tiny_model.tokenizer, tmp_path, asked, 2)
    low, high = found["null_models"]["grammar"]["by_group"][""]
    assert low <= found["null_models"]["grammar"]["accuracy"]["unigram"] <= high
    assert found["ngram"]["texts"]["ko"]["bits_per_byte"] > 0
    assert controls(None, tmp_path, asked, 2) == found


@pytest.mark.parametrize(
    ("options", "noted"),
    [([], ""), (["--tokens", "8", "--skip", "a b"], " --skip 'a b' --tokens 8")],
)
def test_the_command_that_is_noted_is_the_one_that_was_given(options, noted, tmp_path, monkeypatch):
    saved = {}
    monkeypatch.setattr(recorded_suites, "suites", lambda bench, items: {})
    monkeypatch.setattr(recorded_suites, "judge", lambda *_: {})
    monkeypatch.setattr(recorded_suites, "controls", lambda *_: {})
    monkeypatch.setattr(recorded_suites.runtime, "samples_dir", lambda: tmp_path)
    monkeypatch.setattr(
        recorded_suites.recorded, "save", lambda *_, **results: saved.update(results)
    )
    recorded_suites.main(["--model", "nano", "--name", "nano", *options])
    command = "python -m data_samples.makers.recorded.suites --name nano --model nano"
    assert saved["commands"] == [command + noted]


def test_training_is_judged_on_the_items_of_before(asked, tiny_model, tiny_tokenizer, tmp_path):
    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    tiny_model.save(before)
    make_model("gemma2", seed=1, tokenizer=tiny_tokenizer).save(after)
    for name, its in suites_after.judge(before, after, tmp_path / "kept", asked).items():
        change, low, high = its["difference"]
        assert change == pytest.approx(its["after"][0] - its["before"][0], abs=1e-3)
        assert low <= change <= high and its["items"] == len(asked[name].items)
    same = suites_after.judge(before, before, tmp_path / "same", asked)
    assert all(its["difference"] == [0, 0, 0] for its in same.values())
