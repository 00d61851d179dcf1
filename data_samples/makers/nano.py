"""Remake the nano model: a small Gemma 2 that knows English and no Korean.

    python -m data_samples.makers.nano -o data_samples/nano

The tokenizer learns 4,096 pieces from the English samples, so Korean falls to bytes; the
model then reads the same samples for some epochs. Same seed, same weights.
"""

import argparse
import tempfile
from pathlib import Path

from gemma_ko_lib import tokenization
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.models.configs import CONFIGS
from gemma_ko_lib.models.model import Model, random_model
from gemma_ko_lib.tokenization.shards import open_shards, write_shards
from gemma_ko_lib.training.loop import LoopConfig
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.run import train

LOOP = LoopConfig(
    steps=320,
    batch_rows=8,
    learning_rate=4e-3,
    warmup_steps=40,
    checkpoint_every=320,
)
ROW_LENGTH = 256


def remake(folder: str | Path, loop: LoopConfig = LOOP, quiet: bool = False) -> Model:
    """Train nano from the English samples and store it.

    Args:
        folder: where the model goes.
        loop: the training; its seed is also that of the initial weights.
        quiet: no progress.

    Returns:
        The trained model.
    """
    english = [record["text"] for record in read_samples("en", "train")]
    _, config = CONFIGS["nano"]
    tokenizer = tokenization.train_tokenizer(english, config["vocabulary_size"], "nano")
    start = random_model("nano", *CONFIGS["nano"], tokenizer, loop.seed)

    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch) / "shards"
        write_shards(english, start.tokenizer, shards, ROW_LENGTH)
        run = Path(scratch) / "run"
        method = Method("full", weight_decay=0.1)
        trained = train(start, open_shards(shards), loop, run, method=method, quiet=quiet)
    trained.save(folder)
    return trained


def main() -> None:
    """Command line: where to put the model, and the seed."""
    import dataclasses

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the model")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    remake(arguments.output, dataclasses.replace(LOOP, seed=arguments.seed))


if __name__ == "__main__":
    main()
