"""The recorded run of all suites: what it keeps, and that it goes on where it stopped."""

import pytest

from data_samples.makers.recorded.suites import controls, judge, suites


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
