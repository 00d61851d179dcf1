"""Lesson 09's narrow task: only the spaces of an answer count, and they are counted rightly."""

import numpy as np

from data_samples.makers.recorded.spacing import f1, gaps_of, put_back


def test_the_letters_of_the_question_get_the_spaces_of_the_answer():
    assert put_back("오늘은비가와요.", "오늘은 비가 와요.") == "오늘은 비가 와요."
    # Another word in the answer: the spaces around it are kept, its letters are not.
    assert put_back("해를넘겨이어지고있다", "해를 넘겨 주고 있다") == "해를 넘겨 이어지고 있다"
    assert put_back("가나다", "") == "가나다" == put_back("가나다", "라 마")


def test_spaces_are_counted_between_letters():
    assert gaps_of("비가 와요").tolist() == [0, 1, 0]
    assert f1(np.array([2, 1, 1])) == 2 / 3 and f1(np.array([0, 0, 0])) == 0
