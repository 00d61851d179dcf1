"""Suites: what can be read is read, what cannot is named; results with their baselines."""

import dataclasses
import json

import numpy as np
import pytest

from gemma_ko_lib import evaluation, runtime
from gemma_ko_lib.evaluation import Item, Score, Suite
from gemma_ko_lib.evaluation.statistics import interval, share_interval
from gemma_ko_lib.runtime import UserError


def write(path, *records):
    path.write_text("\n".join(json.dumps(record) for record in records), "utf-8")


COPA = {
    "premise": "비가 왔다.",
    "ask": "결과",
    "choices": ["땅이 젖었다.", "해가 떴다."],
    "label": 0,
}


def test_kobest_is_read_in_both_layouts_with_the_harness_prompts(tmp_path):
    published = {
        "premise": "땅이 젖었다.",
        "question": "원인",
        "alternative_1": "해가 떴다.",
        "alternative_2": "비가 왔다.",
        "label": 1,
    }
    write(tmp_path / "kobest_copa_dev.jsonl", COPA, published)
    (suite,) = evaluation.load_suites("kobest", tmp_path)
    assert suite.items[0].prompt == "비가 왔다.  그래서"
    assert suite.items[1].prompt == "땅이 젖었다.  왜냐하면"
    assert suite.items[1].choices[suite.items[1].answer] == " 비가 왔다."


def test_bad_items_are_listed_and_good_ones_kept(tmp_path):
    path = tmp_path / "copa.jsonl"
    write(
        path,
        COPA,
        {**COPA, "label": 2},
        {**COPA, "choices": ["땅이 젖었다."]},
        {**COPA, "choices": ["같다.", "같다."]},
        {key: value for key, value in COPA.items() if key != "label"},
        {**COPA, "premise": None},
    )
    path.write_text(path.read_text() + "\n{broken", "utf-8")
    (suite,) = evaluation.load_suites("kobest_copa", tmp_path)
    assert len(suite.items) == 1
    for number, (line, why) in enumerate(
        zip(
            suite.rejects,
            ("label is 2", "not 2 different", "not 2 different", "no field 'label'", "premise", ""),
            strict=True,
        ),
        2,
    ):
        assert line.startswith(f"copa.jsonl, line {number}: ") and why in line


def test_nsmc_is_read_as_published_and_from_stars(tmp_path):
    published = (
        "id\tdocument\tlabel\n1\t다시 봐도 좋다\t1\n2\t돈이 아깝다\t0\n3\t그냥\t7\n4\t\t1\n5 졸렸다"
    )
    (tmp_path / "ratings_test.txt").write_text(published, "utf-8")
    (suite,) = evaluation.load_suites("nsmc", tmp_path)
    assert [(item.prompt, item.choices[item.answer]) for item in suite.items] == [
        ("문장: 다시 봐도 좋다 긍부정:", " 긍정"),
        ("문장: 돈이 아깝다 긍부정:", " 부정"),
    ]
    assert [line.split(":")[0] for line in suite.rejects] == [
        f"ratings_test.txt, line {number}" for number in (4, 5, 6)
    ]
    assert "1 columns" in suite.rejects[2]
    # Five to eight stars are neither, by NSMC's rule, and no fault of the file.
    stars = (1, 4, 5, 8, 9, 10, 0, 95, "10")
    write(tmp_path / "raw.jsonl", *({"text": f"{n}점", "rating": n} for n in stars))
    (suite,) = evaluation.load_suites("nsmc", tmp_path / "raw.jsonl")
    assert [item.answer for item in suite.items] == [0, 0, 1, 1] and len(suite.rejects) == 3
    # Always praising is half right, however many reviews praise.
    lopsided = dataclasses.replace(suite, items=suite.items[1:])
    praise = [[Score(-2.0, 1, False), Score(-1.0, 1, False)]] * 3
    result = evaluation.judge(lopsided, praise)
    assert result.majority == pytest.approx(2 / 3) and result.macro == pytest.approx(1 / 2)


def test_a_line_ends_at_a_line_break_and_nowhere_else(tmp_path):
    """str.splitlines also cuts at U+2028 and U+0085, which reviews hold."""
    path = tmp_path / "ratings_test.txt"
    lines = ("\ufeffid\tdocument\tlabel", "1\t좋다\u2028정말\t1", "2\t글쎄\x85별로\t0")
    path.write_bytes("\r\n".join(lines).encode())
    (suite,) = evaluation.load_suites("nsmc", path)
    assert [item.answer for item in suite.items] == [1, 0] and not suite.rejects


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("kmmmlu", None, "No suite 'kmmmlu'"),
        ("kobest_wik", ".", "No suite 'kobest_wik'"),
        ("kobest", None, "--data"),
        ("nsmc", None, "--data"),
        ("nsmc", ".", "ratings_test.txt cannot be read"),
        ("kobest", ".", "no file for KoBEST"),
        ("kobest_boolq", ".", r"\*boolq\*\.jsonl"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(name, folder, message, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluation.load_suites(name, folder and tmp_path / folder)


def test_an_empty_suite_and_two_files_for_one_task_are_refused(tmp_path):
    (tmp_path / "copa.jsonl").write_text("", "utf-8")
    with pytest.raises(UserError, match="has no item"):
        evaluation.load_suites("kobest", tmp_path)
    write(tmp_path / "copa_test.jsonl", COPA)
    with pytest.raises(UserError, match="several files for copa"):
        evaluation.load_suites("kobest", tmp_path)


def suite_of(answers, sizes, groups):
    items = [
        Item(str(n), "", tuple("가" * size for size in its), answer, group)
        for n, (answer, its, group) in enumerate(zip(answers, sizes, groups, strict=True))
    ]
    return Suite("test", tuple(items))


def test_accuracies_margins_and_baselines_by_hand():
    suite = suite_of([0, 1, 1, 1], [(1, 2), (1, 2), (2, 3), (5, 5)], "aabc")
    nats = [(-1.0, -2.0), (-1.0, -3.0), (-4.0, -1.5), (-2.0, -2.0)]
    result = evaluation.judge(suite, [[Score(x, 1, False) for x in its] for its in nats])
    np.testing.assert_allclose(result.right, [1, 0, 1, 0.5])  # a tie is half a point
    np.testing.assert_allclose(result.margins, [1, -2, 2.5, 0])
    assert result.micro == pytest.approx(2.5 / 4)
    assert result.macro == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert result.majority == 3 / 4
    assert result.length_only == pytest.approx(2.5 / 4)  # the longest: wrong, right, right, tie
    low, high = result.interval
    assert low < result.micro < high


def test_per_character_scores_do_not_punish_length():
    suite = suite_of([1], [(1, 4)], "a")
    scores = [[Score(-1.0, 1, False), Score(-2.0, 4, False)]]
    assert evaluation.judge(suite, scores).micro == 0
    per_character = Suite("test", suite.items, per_character=True)
    assert evaluation.judge(per_character, scores).micro == 1


def test_a_paired_comparison_is_sharper_than_two_intervals():
    random = np.random.default_rng(0)
    first = (random.random(400) < 0.5).astype(float)
    second = np.maximum(first, random.random(400) < 0.06)
    change, (low, high) = evaluation.paired_difference(first, second)
    assert change == pytest.approx(second.mean() - first.mean())
    assert 0 < low < change < high
    # Their own intervals overlap.
    assert interval(first)[1] > interval(second)[0]
    with pytest.raises(ValueError, match="cannot be paired"):
        evaluation.paired_difference(first, second[1:])


def test_two_right_of_two_are_no_certainty():
    low, high = share_interval([1, 1])
    assert 0.3 < low < 0.4 and high == 1
    # With many items the two kinds of interval agree.
    right = np.repeat([0.0, 1.0], [120, 280])
    np.testing.assert_allclose(share_interval(right), interval(right), atol=0.005)


def test_no_quiz_answer_is_taught_by_the_instructions():
    """Fine-tuning on the one would otherwise show as knowledge in the other."""
    from kiwipiepy import Kiwi

    kiwi = Kiwi()

    def words(text: str) -> set[str]:
        kept = ("NNG", "NNP", "SL", "SN", "VV", "VA")
        return {t.form for t in kiwi.tokenize(text) if t.tag in kept} - {"질문", "정답"}

    def long(found: set[str]) -> set[str]:
        return {word for word in found if len(word) > 1}

    def bare(text: str) -> str:
        return "".join(filter(str.isalnum, text))

    lines = (runtime.samples_dir() / "instructions.jsonl").read_text("utf-8").splitlines()
    talks = [" ".join(m["content"] for m in json.loads(line)["messages"]) for line in lines]
    talks = [(talk, bare(talk), words(talk)) for talk in talks]
    quiz = [item for name in ("culture", "knowledge") for item in evaluation.load_suites(name)]
    leaks = []
    for item in (item for suite in quiz for item in suite.items):
        asked, answer = words(item.prompt), item.choices[item.answer]
        answered, answer = long(words(answer)), bare(answer)
        for talk, letters, said in talks:
            common = asked & said
            leaked = len(answer) > 6 and answer in letters  # a fact by itself
            if len(answer) > 2 and answer in letters:
                leaked |= len(common) >= 0.4 * len(asked)
            elif answer in letters or (answered and answered <= said):
                leaked |= len(long(common)) >= max(2, 0.4 * len(long(asked)))
            if leaked:
                leaks.append((item.id, talk))
    assert not leaks


@pytest.mark.parametrize("name", ["native", "culture", "knowledge", "grammar", "grammar_en"])
def test_the_facets_are_whole_and_cannot_be_won_without_reading(name):
    (suite,) = evaluation.load_suites(name)
    assert not suite.rejects
    count = len(suite.items[0].choices)
    scores = [[Score(0.0, 1, False)] * count for _ in suite.items]
    blind = evaluation.judge(suite, scores)
    assert blind.micro == pytest.approx(1 / count)
    low, high = 1 / count - 0.06, 1 / count + 0.06
    assert low < blind.majority < high
    assert blind.length_only < high
