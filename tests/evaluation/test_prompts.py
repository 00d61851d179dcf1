"""Questions by letter and after examples: nothing of the answer shows, nothing else changes."""

import dataclasses

import pytest

from gemma_ko_lib import evaluation
from gemma_ko_lib.evaluation import Item, Suite
from gemma_ko_lib.evaluation.items import Examples
from gemma_ko_lib.runtime import UserError

QUESTIONS = Suite(
    "quiz",
    tuple(
        Item(f"q-{n}", f"질문: {n}에 1을 더하면?\n정답:", (f" {n + 1}", f" {n + 2}"), 0, "sums")
        for n in range(6)
    ),
    per_character=True,
)


def test_by_letter_the_choices_are_shown_in_their_order():
    suite = evaluation.by_letter(QUESTIONS)
    assert suite.items[3].prompt == "질문: 3에 1을 더하면?\nA. 4\nB. 5\n정답:"
    assert suite.items[3].choices == (" A", " B") and suite.items[3].answer == 0
    assert not suite.per_character
    assert evaluation.by_letter(suite).items == suite.items  # as an exam by letters comes


@pytest.mark.parametrize(
    ("end", "form", "letters"),
    [
        ("\n정답：", " {}", "ABCD"),
        ("\n### 정답:", " ({})", "ABCDE"),
        ("\n정답:", " {}", "ABCDEFGHIJ"),
    ],
)
def test_an_exam_that_asks_by_letter_stays_as_it_is(end, form, letters):
    """KMMLU's colon is of full width, HAE-RAE's letters are in brackets, KoBALT has ten."""
    choices = tuple(map(form.format, letters))
    exam = Suite("exam", (Item("1", f"어느 것이 옳은가?{end}", choices, 0, "law"),))
    assert evaluation.by_letter(exam) == exam


def test_examples_carry_their_answers_and_are_not_asked():
    suite = evaluation.few_shot(QUESTIONS, 2)
    assert [item.id for item in suite.items] == ["q-0", "q-2", "q-3", "q-5"]
    start = "질문: 1에 1을 더하면?\n정답: 2\n\n질문: 4에 1을 더하면?\n정답: 5\n\n"
    assert all(item.prompt.startswith(start + "질문: ") for item in suite.items)
    assert suite.shots == 2 and "tested file" in suite.shots_from
    both = evaluation.few_shot(evaluation.by_letter(QUESTIONS), 1)
    assert both.items[0].prompt.startswith("질문: 3에 1을 더하면?\nA. 4\nB. 5\n정답: A\n\n질문: 0")


def test_examples_come_from_the_training_split_and_no_tested_item_is_shown():
    others = [dataclasses.replace(item, id=str(n)) for n, item in enumerate(QUESTIONS.items)]
    others += [
        Item(str(n), f"질문: {n}에 1을 더하면?\n정답:", (f" {n + 1}", f" {n + 2}"), 0, "sums")
        for n in (11, 12, 13)
    ]
    suite = dataclasses.replace(QUESTIONS, examples=Examples(tuple(others), "train.tsv"))
    asked = evaluation.few_shot(suite, 2)
    assert [item.id for item in asked.items] == [item.id for item in QUESTIONS.items]
    before = {item.prompt.rpartition("질문:")[0] for item in asked.items}
    (before,) = before
    assert before.count("\n\n") == 2 and before.count("질문: 1") == 2
    assert (asked.shots, "train.tsv" in asked.shots_from) == (2, True)
    assert evaluation.few_shot(suite, 2) == asked
    assert len({evaluation.few_shot(suite, 2, seed).items[0].prompt for seed in range(9)}) > 1
    with pytest.raises(UserError, match=r"3 examples in train\.tsv"):
        evaluation.few_shot(suite, 4)
    result = evaluation.judge(asked, [[evaluation.Score(-1.0, 1, False)] * 2] * 6)
    assert (result.as_dict()["shots"], result.as_dict()["shots_from"]) == (2, asked.shots_from)
    assert f"2 examples before every question: {asked.shots_from}" in (
        evaluation.format_results([result])
    )


def test_each_subject_has_its_own_examples_where_the_split_is_made_so():
    subjects = ("law", "music")
    asked, others = (
        tuple(Item(f"{s}{n}", f"{s}{n}?", (" a", " b"), 0, s) for s in subjects for n in numbers)
        for numbers in (range(2), range(5, 9))
    )
    suite = Suite("exam", asked, examples=Examples(others, "dev", by_group=True))
    for item in evaluation.few_shot(suite, 3).items:
        assert item.prompt.count(f"{item.group}") == 4 and len(item.prompt.split("?")) == 5
    with pytest.raises(UserError, match="4 examples for law in dev"):
        evaluation.few_shot(suite, 5)


def test_what_cannot_be_asked_so_is_refused():
    pairs = Suite("pairs", (Item("p-1", "", ("좋다.", "좋은다."), 0, "form"),))
    with pytest.raises(UserError, match="by letter"):
        evaluation.by_letter(pairs)
    with pytest.raises(UserError, match="minimal pairs"):
        evaluation.few_shot(pairs, 1)
    with pytest.raises(UserError, match="too few"):
        evaluation.few_shot(QUESTIONS, 6)


def test_results_are_given_by_level_where_items_are_graded():
    (suite,) = evaluation.load_suites("culture")
    always_first = [[evaluation.Score(float(-n), 1, False) for n in range(4)]] * len(suite.items)
    result = evaluation.judge(suite, always_first)
    assert sum(items for _, _, items in result.by_level().values()) == len(suite.items)
    assert set(result.as_dict()["by_level"]) == {1, 2, 3}
    assert "level 3" in evaluation.format_results([result])
    ungraded = evaluation.judge(QUESTIONS, [[evaluation.Score(-1.0, 1, False)] * 2] * 6)
    assert ungraded.by_level() == {} and "level" not in evaluation.format_results([ungraded])
