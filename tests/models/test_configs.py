"""Parameter counts of the published models, without allocating any weight."""

import pytest

from gemma_ko_lib import models
from gemma_ko_lib.runtime import UserError

PUBLISHED = {
    "gemma_2b_en": 2_506_172_416,
    "gemma_7b_en": 8_537_680_896,
    "gemma2_2b_en": 2_614_341_888,
    "gemma2_9b_en": 9_241_705_984,
    "gemma2_27b_en": 27_227_128_320,
    "gemma3_270m": 268_098_176,
    "gemma3_1b": 999_885_952,
    "gemma3_4b_text": 3_880_099_328,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_count_is_the_published_one(name):
    assert models.parameter_count(name) == PUBLISHED[name]


def test_an_unknown_shape_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="gemma9_9b.*Did you mean .*gemma2_9b_en"):
        models.parameter_count("gemma9_9b")
