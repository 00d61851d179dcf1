"""Asks a model questions in Gemma's turn format; an answer goes up to its <end_of_turn>."""

import dataclasses
from collections.abc import Sequence

from gemma_ko_lib.evaluation.decoding import generate
from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.tokenization.conversations import END, Turn, control_id, encode_prompt


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        text: without control tokens.
        ended: whether it ended its turn; if not, the text was cut off.
    """

    text: str
    ended: bool


def answer_questions(
    model: Model, questions: Sequence[str], max_new_tokens: int = 256, *, progress: bool = False
) -> list[Answer]:
    """Ask a model questions, each by itself; it always says what is likeliest.

    Args:
        model: as from `models.load`.
        questions: what the user says.
        max_new_tokens: where an answer that does not end is cut.
        progress: show progress.

    Raises:
        UserError: the model's tokenizer has no turn tokens.
    """
    tokenizer = model.tokenizer
    prompts = [encode_prompt(tokenizer, (Turn("user", question),)) for question in questions]
    end = control_id(tokenizer, END)
    found = generate(
        model, prompts, max_new_tokens, stop_ids=(end, tokenizer.eos_id), progress=progress
    )
    return [Answer(tokenizer.decode(ids).strip(), len(ids) < max_new_tokens) for ids in found]
