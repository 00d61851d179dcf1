"""Stage 5, evaluation: measures models on texts and questions, with intervals."""

from gemma_ko_lib.evaluation.bits_per_byte import BitsPerByte, bits_per_byte
from gemma_ko_lib.evaluation.choices import Score, score_choices, score_continuations
from gemma_ko_lib.evaluation.cut_curve import CutPoint, cut_curve, knee
from gemma_ko_lib.evaluation.decoding import Answer, answer, generate
from gemma_ko_lib.evaluation.items import Item, Suite
from gemma_ko_lib.evaluation.prompts import by_letter, few_shot
from gemma_ko_lib.evaluation.results import SuiteResult, evaluate_suite, format_results, judge
from gemma_ko_lib.evaluation.statistics import paired_difference
from gemma_ko_lib.evaluation.suites import load_suites
