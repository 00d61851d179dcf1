"""Remake the nano model: a small Gemma 2 that knows English and no Korean.

    python data_samples/makers/nano.py -o data_samples/nano

The tokenizer learns 4,096 pieces from the English samples, so Korean falls to bytes; the
model then reads the same samples for some epochs. Same seed, same weights.
"""

import argparse
import io
import tempfile
from pathlib import Path

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.models import loading
from gemma_ko_lib.models.configs import CONFIGS
from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.tokenization.shards import open_shards, write_shards
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer
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


def train_tokenizer(texts: list[str], size: int) -> SentencePieceTokenizer:
    """A BPE with byte fallback and Gemma's conventions, learnt on English."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in texts for line in text.splitlines() if line),
        model_writer=model,
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        user_defined_symbols=["<start_of_turn>", "<end_of_turn>", "\n"],
        num_threads=1,
        minloglevel=2,
    )
    return SentencePieceTokenizer(model.getvalue(), "nano")


def random_model(tokenizer: SentencePieceTokenizer, seed: int) -> Model:
    """A nano with KerasHub's own initial weights."""
    return loading.random_model("nano", *CONFIGS["nano"], tokenizer, seed)


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
    start = random_model(train_tokenizer(english, config["vocabulary_size"]), loop.seed)

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
