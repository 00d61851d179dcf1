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


def test_masks_are_drawn_as_they_are_with_a_whole_number_at_each_tick():
    mask = np.tri(12, dtype=bool)
    drawings.draw_masks({"causal": mask, "none": np.zeros((3, 3), bool)})
    axes = plt.gcf().axes
    drawn, ticks = axes[0].images[0].get_array(), axes[0].get_xticks()
    plt.close("all")
    assert len(axes) == 2 and np.array_equal(drawn, mask)
    assert len(ticks) > 3 and all(float(tick).is_integer() for tick in ticks)


def test_every_query_head_is_joined_to_the_key_head_of_its_group():
    drawings.draw_sharing({"MHA": 8, "GQA": 4, "MQA": 1})
    ends = [{line.get_xdata()[1] for line in ax.lines} for ax in plt.gcf().axes]
    plt.close("all")
    assert [len(heads) for heads in ends] == [8, 4, 1]


def test_a_ring_shows_each_position_once_and_what_is_new_in_its_own_colour():
    held = [[0, -1], [0, 1], [2, 1]]
    ax = drawings.draw_ring(held)
    shown = [text.get_text() for text in ax.texts]
    new = [patch for patch in ax.patches if patch.get_facecolor()[:2] > (0.9, 0.6)]
    plt.close("all")
    assert shown == ["0", "", "0", "1", "2", "1"]
    assert len([patch for patch in new if patch.get_facecolor()[2] < 0.5]) == 3
