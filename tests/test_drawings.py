"""Every drawing lights the part it is asked for, and names the parts there are."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from gemma_ko_lib import drawings
from gemma_ko_lib.runtime import UserError


@pytest.mark.parametrize(
    ("draw", "part", "boxes"),
    [
        (drawings.draw_gemma, "attention", 1),
        (drawings.draw_gemma, "norm", 3),
        (drawings.draw_recurrent_gemma, "recurrent block", 2),
        (drawings.draw_recurrent_gemma, "RG-LRU", 1),
        (drawings.draw_paligemma, "projector", 1),
        (drawings.draw_road, "continued pre-training", 1),
    ],
)
def test_the_part_is_lit_and_nothing_else(draw, part, boxes):
    dark = {patch.get_facecolor() for patch in draw().patches}
    lit = [patch for patch in draw([part]).patches if patch.get_facecolor() not in dark]
    plt.close("all")
    assert len(lit) == boxes


@pytest.mark.parametrize("draw", [drawings.draw_recurrent_gemma, drawings.draw_paligemma])
def test_an_unknown_part_is_refused_with_those_that_there_are(draw):
    with pytest.raises(UserError, match="no part 'wheel'; it has .*embedding"):
        draw(["wheel"])
    plt.close("all")


def test_documents_that_touch_have_different_colours_and_padding_has_its_own():
    rows = np.array([[1, 1, 2, 0], [1, 2, 3, 0]])
    drawings.draw_rows({"packed": rows})
    drawn = plt.gca().images[0].get_array()
    plt.close("all")
    assert (drawn[:, 3] == 0).all() and (drawn[:, :3] > 0).all()
    touch = rows[:, 1:3] != rows[:, :2]
    assert ((drawn[:, 1:3] != drawn[:, :2]) == touch).all()
