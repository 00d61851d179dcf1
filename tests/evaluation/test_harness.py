"""lm-evaluation-harness gets the course's own numbers, one BOS, and errors with a remedy."""

import itertools
import json

import jax
import numpy as np
import pytest

from gemma_ko_lib import evaluation
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model

pytest.importorskip("lm_eval", reason="`make test-full` installs it")
from gemma_ko_lib.evaluation import harness

ITEMS = [
    {"premise": "비가 왔다.", "question": "결과", "label": 0},
    {"premise": "It rained.", "question": "원인", "label": 1},
    {"premise": "The library", "question": "결과", "label": 1},
]
ENDINGS = [("땅이 젖었다.", "해가 떴다."), ("opens", "closes"), ("opens at nine.", "at six.")]
COPA = [
    {**item, "id": str(n), "alternative_1": first, "alternative_2": second}
    for n, (item, (first, second)) in enumerate(zip(ITEMS, ENDINGS, strict=True))
]


@pytest.fixture
def copa(tmp_path):
    """A folder with data for the harness' own KoBEST task."""
    path = tmp_path / "kobest_copa.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in COPA), "utf-8")
    return tmp_path


def test_a_task_of_the_harness_and_our_suite_agree(tiny_model, copa):
    found = harness.evaluate(tiny_model, ["kobest_copa"], data=copa)
    (suite,) = evaluation.load_suites("kobest_copa", copa)
    ours = evaluation.evaluate_suite(tiny_model, suite)
    assert found["results"]["kobest_copa"]["acc,none"] == pytest.approx(ours.micro)
    assert found["results"]["kobest_copa"]["macro_f1,none"] == pytest.approx(ours.macro_f1)
    scores = evaluation.score_choices(
        tiny_model, [item.prompt for item in suite.items], [item.choices for item in suite.items]
    )
    theirs = sorted(found["samples"]["kobest_copa"], key=lambda sample: sample["doc_id"])
    for sample, its in zip(theirs, scores, strict=True):
        answers = [float(response[0][0]) for response in sample["resps"]]
        np.testing.assert_allclose(answers, [score.nats for score in its], atol=1e-4)


PLACES = ("부엌", "마당", "도서관", "시장", "바닷가")
KOBEST = {  # in the hub's layout, to be filled with places
    "boolq": {"paragraph": "고양이는 {a}에 있다.", "question": "{b}에 있나?"},
    "copa": {
        "premise": "{a}에 불이 났다.",
        "question": "결과",
        "alternative_1": "{b}로 갔다.",
        "alternative_2": "웃었다.",
    },
    "hellaswag": {
        "context": "{a}에 갔다.",
        **{f"ending_{n}": f"{{b}}에서 {n}시에 왔다." for n in range(1, 5)},
    },
    "sentineg": {"sentence": "{a}보다 {b}이 좋아요."},
    "wic": {"word": "눈", "context_1": "{a}에 [눈]이 온다.", "context_2": "{b}에서 [눈]을 떴다."},
}


@pytest.mark.slow
@pytest.mark.parametrize("task", KOBEST)
def test_every_task_of_kobest_agrees_in_macro_f1_too(task, tiny_model, tmp_path):
    from lm_eval.tasks.kobest.utils import macro_f1_score  # by scikit-learn

    classes = 4 if task == "hellaswag" else 2
    records = [
        {name: text.format(a=a, b=b) for name, text in KOBEST[task].items()}
        | {"label": n * n % 7 % classes}
        for n, (a, b) in enumerate(itertools.product(PLACES, PLACES))
    ]
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    (tmp_path / f"kobest_{task}.jsonl").write_text(text, "utf-8")
    found = harness.evaluate(tiny_model, [f"kobest_{task}"], data=tmp_path)
    (suite,) = evaluation.load_suites(f"kobest_{task}", tmp_path)
    ours = evaluation.evaluate_suite(tiny_model, suite)
    assert found["results"][f"kobest_{task}"]["acc,none"] == pytest.approx(ours.micro)
    chosen = [
        max(range(classes), key=lambda n: float(sample["filtered_resps"][n][0]))
        for sample in sorted(found["samples"][f"kobest_{task}"], key=lambda its: its["doc_id"])
    ]
    theirs = macro_f1_score(zip([record["label"] for record in records], chosen, strict=True))
    assert theirs == pytest.approx(ours.macro_f1)


class Request:
    """What the adapter reads of a request."""

    task_name = "test"

    def __init__(self, *args):
        self.args = args


def test_each_window_of_a_rolling_text_begins_with_bos(tiny_model):
    text = "The library opens at nine and closes at six."
    adapter = harness.HarnessModel(tiny_model, max_length=8)
    (found,) = adapter.loglikelihood_rolling([Request(text)], disable_tqdm=True)
    tokenizer = tiny_model.tokenizer
    ids = [tokenizer.bos_id, *tokenizer.encode([text])[0]]
    expected = 0.0
    for start in range(0, len(ids) - 1, 7):
        end = min(start + 7, len(ids) - 1)
        before = ids[max(0, end - 7) : end]  # the last window looks back
        read = np.array([before if start == 0 else [ids[0], *before]], "int32")
        logits = jax.jit(tiny_model.decoder.logits)(tiny_model.params, read, np.ones_like(read))
        log_p = np.asarray(jax.nn.log_softmax(logits))[0, start - end :]
        expected += log_p[np.arange(end - start), ids[start + 1 : end + 1]].sum()
    assert found == pytest.approx(expected, abs=1e-3)


def test_generation_stops_at_the_first_stop_string(tiny_model):
    adapter = harness.HarnessModel(tiny_model)
    (whole,) = adapter.generate_until([Request("The", {"max_gen_toks": 12})])
    stop = whole[3:5]
    (cut,) = adapter.generate_until([Request("The", {"max_gen_toks": 12, "until": [stop]})])
    assert cut == whole[: whole.index(stop)]
    with pytest.raises(UserError, match="asks for sampling"):
        adapter.generate_until([Request("The", {"do_sample": True})])


def test_the_weights_that_are_given_generate(tiny_model, tiny_tokenizer):
    other = make_model("gemma2", seed=1, tokenizer=tiny_tokenizer)
    requests = [Request("The", {"max_gen_toks": 12})]
    given = harness.HarnessModel(tiny_model, other.params).generate_until(requests)
    assert given == harness.HarnessModel(other).generate_until(requests)
    assert given != harness.HarnessModel(tiny_model).generate_until(requests)


def test_a_task_that_does_not_exist_is_named(tiny_model):
    with pytest.raises(UserError, match="no task 'kmmmlu'"):
        harness.evaluate(tiny_model, ["kmmmlu"])


def test_data_that_is_not_there_is_named(tiny_model, tmp_path):
    with pytest.raises(UserError, match=r"kobest_copa\.jsonl is missing"):
        harness.evaluate(tiny_model, ["kobest_copa"], data=tmp_path)


def test_a_data_set_that_is_a_program_is_a_sentence(tiny_model, tmp_path, monkeypatch):
    import datasets

    # Several tasks name such data sets (lm-evaluation-harness #3171).
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.py").write_text("", "utf-8")
    load = lambda **_: datasets.load_dataset(str(tmp_path / "old"))  # noqa: E731
    monkeypatch.setattr(harness.lm_eval, "simple_evaluate", load)
    with pytest.raises(UserError, match=r"aclue cannot be loaded.*old\.py.*--data DIR"):
        harness.evaluate(tiny_model, ["aclue"])


def test_data_in_another_layout_is_a_sentence(tiny_model, tmp_path):
    record = {"premise": "비가 왔다.", "ask": "결과", "choices": ["젖었다.", "말랐다."], "label": 0}
    (tmp_path / "kobest_copa.jsonl").write_text(json.dumps(record), "utf-8")
    with pytest.raises(UserError, match="no field 'question'"):
        harness.evaluate(tiny_model, ["kobest_copa"], data=tmp_path)
