"""Questions by letter and after examples: nothing of the answer shows, nothing else changes."""

import pytest

from gemma_ko_lib import evaluation
from gemma_ko_lib.evaluation import Item, Suite
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


def test_examples_carry_their_answers_and_are_not_asked():
    suite = evaluation.few_shot(QUESTIONS, 2)
    assert [item.id for item in suite.items] == ["q-0", "q-2", "q-3", "q-5"]
    start = "질문: 1에 1을 더하면?\n정답: 2\n\n질문: 4에 1을 더하면?\n정답: 5\n\n"
    assert all(item.prompt.startswith(start + "질문: ") for item in suite.items)
    both = evaluation.few_shot(evaluation.by_letter(QUESTIONS), 1)
    assert both.items[0].prompt.startswith("질문: 3에 1을 더하면?\nA. 4\nB. 5\n정답: A\n\n질문: 0")


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
