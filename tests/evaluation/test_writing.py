"""Measures of what a model writes: each sees the fault it is for, and leaves sound text alone."""

import pytest

from gemma_ko_lib import models
from gemma_ko_lib.evaluation.writing import (
    Opening,
    ask,
    go_on,
    measure_writing,
    read_openings,
    read_questions,
    sentence_levels,
)
from gemma_ko_lib.runtime import UserError

SOUND = (
    "시장에는 사람이 많았어요. 사과와 배를 사서 집으로 돌아왔어요. 저녁에는 동생과 함께 과일을 "
    "깎아 먹었어요. 달고 시원해서 금세 다 먹었어요. 다음 주에도 또 가기로 했어요."
)
OPENING = Opening("1", "해요체", "어제 시장에 갔어요.")


def shares(text: str, ended: bool = True) -> dict:
    found = measure_writing([OPENING], [(text, ended)])
    return {name: measured.share for name, measured in found.items()}


def test_sound_text_passes():
    found = shares(SOUND)
    assert found["korean"] == found["ended"] == found["level_kept"] == 1
    assert found["particles_right"] == 1 and found["repetition"] < 0.1
    assert 0.4 < found["variety"] < 1


@pytest.mark.parametrize(
    ("text", "measure", "share"),
    [
        ("I went to the market.", "korean", 0),
        ("시장 市場", "korean", 0.5),
        ("시장에 갔다. 사과를 샀습니다.", "level_kept", 0),
        ("사과을 샀어요. 책는 안 샀어요. 학교으로 갔어요. 친구과 놀았어요.", "particles_right", 0),
        ("서울로 가서 물로 씻고 집으로 왔어요.", "particles_right", 1),
    ],
)
def test_each_measure_sees_its_fault(text, measure, share):
    assert shares(text)[measure] == share


def test_a_loop_is_repetition_and_lacks_variety():
    loop = shares("사과를 샀어요. " * 20, ended=False)
    assert loop["repetition"] > 0.9 and loop["variety"] < 0.2 and loop["ended"] == 0


def test_speech_levels_are_read_from_the_endings_outside_quotations():
    text = '비가 옵니다. 그가 말했다. "빨리 와요." 정말이야? 같이 가자. 좋지요.'
    assert sentence_levels(text) == ["합니다체", "해라체", "해체", "해요체"]


def test_what_cannot_be_counted_has_no_share():
    assert shares("")["korean"] is None and shares("")["variety"] is None
    empty = measure_writing([OPENING] * 2, [("", True), ("", False)])
    assert empty["ended"].share == 0.5 and empty["ended"].interval == (0, 1)


def test_the_openings_are_in_the_level_that_they_say():
    openings = read_openings()
    assert len(openings) == len({opening.id for opening in openings}) == 50
    assert {opening.level for opening in openings} == {"해요체", "합니다체", "해라체", "해체"}
    for opening in openings:
        assert set(sentence_levels(opening.text)) <= {opening.level}, opening.text


def test_a_model_goes_on_from_openings():
    written = go_on(models.load("nano"), read_openings()[:2], 8)
    assert len(written) == 2 and all(isinstance(ended, bool) for _, ended in written)


def test_questions_in_turn_are_asked_with_the_answers_before_them(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text(
        '{"id": 1, "category": "글쓰기", "questions": ["시를 써라.", "짧게 해라."]}\n'
        '{"id": 2, "question": "왜?"}',
        "utf-8",
    )
    talks = read_questions(path)
    assert talks == [("1", ["시를 써라.", "짧게 해라."]), ("2", ["왜?"])]
    questions, answers = ask(models.load("nano"), talks, 8)
    assert [question.id for question in questions] == ["1.1", "2.1", "1.2"]
    assert len(answers) == 3
    assert measure_writing(questions, answers)["level_kept"].texts == 0
    path.write_text('{"id": 1, "questions": []}', "utf-8")
    with pytest.raises(UserError, match="line 1 has no questions"):
        read_questions(path)
