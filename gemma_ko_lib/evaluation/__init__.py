"""Stage 5, evaluation: a model and texts in, figures with their uncertainty out."""

from gemma_ko_lib.evaluation.bits_per_byte import BitsPerByte, bits_per_byte

__all__ = ["BitsPerByte", "bits_per_byte"]
