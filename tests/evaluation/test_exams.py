"""Public exams are read in their published layouts, and asked as the harness asks."""

import csv
import json

import pytest

from gemma_ko_lib import evaluation
from gemma_ko_lib.runtime import UserError

KMMLU = {
    "question": "물이 끓는 온도는? ",
    "answer": 2,
    "A": "0도",
    "B": "100도",
    "C": "200도",
    "D": "300도",
    "Category": "Chemistry",
    "Human Accuracy": 0.9,
}
REDUX = {
    "question": "소금은?",
    "options": ["1. 달다", "2. 짜다", "3. 쓰다", "4. 시다"],
    "solution": "2",
}
HAERAE = {
    "query": "다음 낱말의 뜻은?\n\n### 낱말: 미리내\n\n### 선택지:\n(A) 은하수\n(B) 시내\n"
    "(C) 안개\n(D) 구름\n(E) 노을\n\n### 정답:",
    "options": "['은하수', '시내', '안개', '구름', '노을']",
    "answer": "(A)",
}
CLICK = [
    {
        "id": "KIIP_tradition_1",
        "paragraph": "",
        "question": "설날에 먹는 음식은?",
        "choices": ["떡국", "송편", "팥죽", "냉면"],
        "answer": "떡국",
    },
    {
        "id": "CSAT_korean_22_4",
        "paragraph": "글을 읽자.",
        "question": "맞는 것은?",
        "choices": ["하나", "둘", "셋", "넷", "다섯"],
        "answer": "다섯",
    },
]
KOGEM = {
    "idx": 0,
    "data_src": "CSAT",
    "num_id": "2020-1",
    "level_1": "Norm",
    "level_2": "Orthography",
    "passage": "지문이다.",
    "question": "맞춤법에 맞는 것은?",
    "paragraph": "",
    "choices": ["1. 되요", "2. 돼요", "3. 됬다", "4. 돼어", "5. 되어라"],
    "label": 2,
}
KOBALT = {
    "ID": "k-1",
    "Class": "Syntax",
    "Question": "옳은 것은?\n" + "\n".join(f"{a}: 문장 {a}" for a in "ABCDEFGHIJ"),
    "Answer": "J",
    "Level": 3,
}


def lines(path, *records):
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in records), "utf-8")
    return path


def only(name, data):
    (suite,) = evaluation.load_suites(name, data)
    assert not suite.rejects
    return suite.items


def test_kmmlu_is_read_from_its_tables(tmp_path):
    for split, answer in (("dev", 1), ("test", 2)):
        with open(tmp_path / f"Chemistry-{split}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, KMMLU)
            writer.writeheader()
            writer.writerow({**KMMLU, "question": "두 줄인\n문제", "answer": answer})
    (item,) = only("kmmlu", tmp_path)  # of the test set
    assert item.prompt == "두 줄인\n문제\nA. 0도\nB. 100도\nC. 200도\nD. 300도\n정답："
    assert (item.choices[item.answer], item.group) == (" B", "Chemistry")


@pytest.mark.parametrize("layout", ["{subject}-{split}.jsonl", "{subject}/{split}/0000.jsonl"])
def test_kmmlu_takes_its_examples_from_the_dev_split_of_the_subject(layout, tmp_path):
    for subject in ("Chemistry", "Law"):
        for split, count in (("train", 9), ("dev", 5), ("test", 2)):
            path = tmp_path / layout.format(subject=subject, split=split)
            path.parent.mkdir(parents=True, exist_ok=True)
            question = f"{subject} {split}"
            its = (
                {**KMMLU, "question": f"{question} {n}", "Category": subject} for n in range(count)
            )
            lines(path, *its)
    (suite,) = evaluation.load_suites("kmmlu", tmp_path, examples=True)
    assert len(suite.items) == 4 and not suite.rejects
    asked = evaluation.few_shot(suite, 5)
    for item in asked.items:
        assert item.prompt.count(f"{item.group} dev") == 5
        assert item.prompt.count(f"{item.group} test") == 1 and "train" not in item.prompt
    assert "2 files such as Chemistry" in asked.shots_from
    assert evaluation.load_suites("kmmlu", tmp_path)[0].examples is None


def test_the_other_exams_are_read_in_their_layouts(tmp_path):
    (item,) = only("kmmlu_redux", lines(tmp_path / "redux.jsonl", REDUX))
    assert item.prompt.endswith("A. 달다\nB. 짜다\nC. 쓰다\nD. 시다\n정답：") and item.answer == 1
    scripts = {name: KOGEM[name] for name in KOGEM if name != "choices"}
    scripts["candidates"] = KOGEM["choices"]  # as in the authors' scripts
    for name, record in (("hub", KOGEM), ("scripts", scripts)):
        (item,) = only("kogem", lines(tmp_path / f"{name}.jsonl", record))
        assert item.prompt.startswith("지문이다.\n맞춤법에 맞는 것은?\nA. 되요\nB. 돼요")
        assert (len(item.choices), item.answer, item.group) == (5, 1, "Norm")
    (tmp_path / "kobalt").mkdir()
    path = tmp_path / "kobalt" / "train.jsonl"  # one list, in spite of its name
    path.write_text(json.dumps([KOBALT], ensure_ascii=False, indent=2), "utf-8")
    (item,) = only("kobalt", path.parent)
    assert (len(item.choices), item.answer, item.level) == (10, 9, 3)
    (tmp_path / "click.json").write_text(json.dumps(CLICK), "utf-8")
    four, five = only("click", tmp_path / "click.json")
    assert len(four.choices) == 4 and five.choices[five.answer] == " E"
    assert "E: 다섯" in five.prompt  # which the harness leaves out


def test_a_number_that_is_the_answer_stays(tmp_path):
    options = ["0.5 m", "1.5 m", "2.5 m", "3.5 m"]
    path = lines(tmp_path / "redux.jsonl", {**REDUX, "options": options})
    assert "A. 0.5 m\nB. 1.5 m" in only("kmmlu_redux", path)[0].prompt
    options = ["1.5 m", "2.5 m", "3.5 m", "4.5 m"]
    path = lines(tmp_path / "redux.jsonl", {**REDUX, "options": options})
    assert "A. 1.5 m\nB. 2.5 m" in only("kmmlu_redux", path)[0].prompt


def test_all_of_hae_rae_is_in_one_file_and_answers_in_words_are_listed(tmp_path):
    words = {"query": "노랫말의 빈칸은?", "options": "[]", "answer": "별", "category": "lyrics"}
    path = lines(tmp_path / "hrb.jsonl", {**HAERAE, "category": "rare_words"}, words)
    (suite,) = evaluation.load_suites("haerae", path)
    assert [item.group for item in suite.items] == ["rare_words"]
    assert suite.rejects == (
        "hrb.jsonl, line 2: the answer '별' is none of the choices, (A), (B), (C), (D), (E)",
    )


def test_an_exam_is_read_from_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for part in ("one", "two"):  # the hub names all parts alike
        (tmp_path / part).mkdir()
        table = pyarrow.Table.from_pylist([REDUX])
        parquet.write_table(table, tmp_path / part / "0000.parquet")
    items = only("kmmlu_redux", tmp_path)
    assert [item.answer for item in items] == [1, 1] and len({item.id for item in items}) == 2


def test_what_cannot_be_asked_is_listed_and_what_is_missing_named(tmp_path):
    path = lines(tmp_path / "kmmlu.jsonl", KMMLU, {**KMMLU, "answer": 5}, {**KMMLU, "A": ""})
    (suite,) = evaluation.load_suites("kmmlu", path)
    assert len(suite.items) == 1
    assert suite.rejects[0] == "kmmlu.jsonl, line 2: the answer is 5, of 4 choices"
    assert "A is ''" in suite.rejects[1]
    with pytest.raises(UserError, match="--data"):
        evaluation.load_suites("kmmlu")
    with pytest.raises(UserError, match="no file for kobalt"):
        evaluation.load_suites("kobalt", tmp_path / "nowhere")
    (tmp_path / "broken.json").write_text("[", "utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        evaluation.load_suites("click", tmp_path / "broken.json")


@pytest.mark.parametrize(
    ("suite", "task", "record"),
    [
        ("kmmlu", "kmmlu_accounting", KMMLU),
        ("haerae", "haerae_rare_word", HAERAE),
        ("click", "click_cul_tradition", CLICK[0]),
    ],
)
def test_the_harness_asks_in_the_same_words(suite, task, record, tiny_model, tmp_path):
    pytest.importorskip("lm_eval", reason="`make test-full` installs it")
    from gemma_ko_lib.evaluation import harness

    path = lines(tmp_path / f"{task}.jsonl", record)
    found = harness.evaluate(tiny_model, [task], data=tmp_path)
    theirs = found["samples"][task][0]
    ours = only(suite, path)[0]
    assert [tuple(pair) for pair in theirs["arguments"]] == [(ours.prompt, c) for c in ours.choices]
    result = evaluation.evaluate_suite(tiny_model, evaluation.load_suites(suite, path)[0])
    assert found["results"][task]["acc,none"] == result.micro
