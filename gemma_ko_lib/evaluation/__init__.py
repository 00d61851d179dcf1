"""Stage 5, evaluation: a model and texts in, figures with their uncertainty out."""

from gemma_ko_lib.evaluation.bits_per_byte import BitsPerByte, bits_per_byte
from gemma_ko_lib.evaluation.choices import Score, score_choices, score_continuations

__all__ = ["BitsPerByte", "Score", "bits_per_byte", "score_choices", "score_continuations"]
