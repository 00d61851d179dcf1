"""One pass of the whole model gives the figures of every cut."""

import numpy as np
import pytest

from gemma_ko_lib.evaluation import CutPoint, bits_per_byte, cut_curve, knee
from gemma_ko_lib.models import change_vocabulary
from gemma_ko_lib.tokenization import count_pieces, cut_vocabulary, rank_pieces
from tests.conftest import SENTENCES, make_model

ENGLISH = [sentence for sentence in SENTENCES if sentence.isascii()]
KOREAN = [sentence for sentence in SENTENCES if not sentence.isascii()]
GROUPS = {"en": ENGLISH, "ko": KOREAN}
SIZES = [280, 310]


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_the_curve_is_what_the_cut_models_give(shape, tiny_tokenizer):
    model = make_model(shape, tokenizer=tiny_tokenizer)
    ranked = rank_pieces(tiny_tokenizer, count_pieces(tiny_tokenizer, ENGLISH[:2]))
    curve = cut_curve(model, GROUPS, ranked, SIZES, window=64)
    assert [point.pieces for point in curve] == [*SIZES, 320]
    cuts = [
        change_vocabulary(model, cut_vocabulary(tiny_tokenizer, ranked, size)) for size in SIZES
    ]
    for point, by in zip(curve, [*cuts, model], strict=True):
        for name, texts in GROUPS.items():
            alone = bits_per_byte(by, texts, window=64)
            np.testing.assert_allclose(point.bits_per_byte[name], alone.micro, rtol=1e-5)
            assert point.tokens[name] == alone.tokens
    # Both ways were taken: texts that are read again, and texts that are not.
    assert curve[0].changed["en"] > 0 and curve[0].outside["en"] > 0
    assert curve[1].changed["en"] < len(ENGLISH)
    assert curve[-1].outside == {"en": 0, "ko": 0}


def test_the_knee_is_the_smallest_that_makes_no_group_much_longer():
    def point(pieces, **tokens):
        return CutPoint(pieces, tokens, {}, {}, {})

    curve = [
        point(1, ko=100, en=120, zh=300),
        point(2, ko=102, en=100, zh=200),
        point(3, ko=100, en=100, zh=100),
    ]
    assert knee(curve, ["ko", "en"]).pieces == 2
    assert knee(curve, ["ko"]).pieces == 1
    assert knee(curve, ["ko", "en"], cost=0.01).pieces == 3
    assert knee(curve, ["ko", "en", "zh"]).pieces == 3
