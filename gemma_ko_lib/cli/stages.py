"""The commands of all stages: those that a learner types, and that a road is made of."""

from gemma_ko_lib.cli import (
    corpus_commands,
    course_commands,
    evaluation_commands,
    export_commands,
    serving_commands,
    tokenization_commands,
    training_commands,
    vocabulary_commands,
)


def add(commands) -> None:
    """Register the commands, in the order in which `gemma-ko --help` shows them."""
    for stage in (
        course_commands,
        corpus_commands,
        tokenization_commands,
        vocabulary_commands,
        training_commands,
        evaluation_commands,
        export_commands,
        serving_commands,
    ):
        stage.add(commands)
