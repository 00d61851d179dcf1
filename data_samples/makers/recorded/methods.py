"""Six ways of training on the same Korean rows: held-out bits per byte, seconds and peak bytes.

Gemma 3 270M with its vocabulary cut, 512 tokens an update. Each method starts with three learning
rates for a few updates, and with more while the best is at the edge; the best runs to the end with
two seeds. From the folders that `continued_pretraining` has made:

    python -m data_samples.makers.recorded.methods --model cut --data shards-0 --reviews reviews
"""

import argparse
import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np

from data_samples.makers.recorded import (
    WORK,
    commands_in,
    kept_part,
    rated_update,
    rounded,
    save,
    try_rates,
)
from gemma_ko_lib import evaluation, models, runtime, tokenization
from gemma_ko_lib.corpus import read_clean, read_documents
from gemma_ko_lib.training import Batches, Method

NAME = "methods"
ROWS = 2
SEEDS = (0, 1)
_BLOCKS = Method("lora", rank=16)
# The peak learning rates that a method begins with, a factor of about 3 apart; an embedding beside
# adapters has a tenth of theirs.
METHODS = {
    "full AdamW": (Method(), (1e-5, 3e-5, 1e-4)),
    "LoRA": (_BLOCKS, (1e-4, 3e-4, 1e-3)),
    "LoRA + embedding": (dataclasses.replace(_BLOCKS, embedding_rate=0.1), (1e-4, 3e-4, 1e-3)),
    "LoRA, int8 base": (dataclasses.replace(_BLOCKS, base="int8"), (1e-4, 3e-4, 1e-3)),
    "LOMO": (Method("lomo"), (3e-3, 1e-2, 3e-2)),
    "AdaLomo": (Method("adalomo"), (5e-4, 1.5e-3, 5e-3)),
}


class Comparison:
    """The model, its rows and its held-out texts.

    Args:
        given: the command's arguments.
    """

    def __init__(self, given):
        self.tries, self.updates = (2, 4) if given.tiny else (8, 32)
        self.work = WORK / (f"{NAME}_tiny" if given.tiny else NAME)
        self.work.mkdir(parents=True, exist_ok=True)
        self.model = models.load(given.model, dtype="float32")
        self.shards = tokenization.open_shards(given.data, self.model.tokenizer)
        reviews = [d.text for d in read_clean(given.reviews, held_out=True)]
        self.reviews = reviews[:: max(1, len(reviews) // 160)][: 40 if given.tiny else 160]
        samples = runtime.samples_dir()
        # Of a register and of a language that are in no row: what a method forgets.
        self.others = {
            name: [d.text[:800] for d in read_documents(samples / code / "news.jsonl")][:40]
            for name, code in (("Korean news", "ko"), ("English news", "en"))
        }

    def bits(self, texts: list[str], params: dict | None = None) -> list[float]:
        """Bits per byte of texts, with the interval's ends."""
        found = evaluation.bits_per_byte(self.model, texts, params=params, window=256)
        return rounded((found.micro, *found.interval))

    def start(self) -> dict:
        """Bits per byte before training."""
        texts = {"reviews": self.reviews, **self.others}
        return {name: self.bits(some) for name, some in texts.items()}

    def compile(self, method: Method) -> dict:
        """The compiled update, its rate an argument, and what the compiler says of it."""
        # Warm-up, then a rate that stays: a run may be stopped at any update.
        update = rated_update(
            method, self.model.decoder, lambda step: jnp.minimum(1.0, (step + 1) / 3)
        )
        state, frozen = method.begin(self.model.params)
        batch = _batch(next(Batches(self.shards, ROWS, seed=0)))
        began = time.monotonic()
        compiled = update.lower(state, batch, frozen, jnp.float32(0)).compile()
        memory = compiled.memory_analysis()
        peak = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        peak += memory.output_size_in_bytes - memory.alias_size_in_bytes
        return {
            "update": compiled,
            "compile_seconds": round(time.monotonic() - began, 1),
            "peak_bytes": peak,
            "trained": sum(x.size for x in jax.tree.leaves(state.params)),
        }

    def run(self, method: Method, update, rate: float, seed: int, updates: int, last: bool) -> dict:
        """Some updates of one method, the held-out reviews measured on the way and after them."""
        state, frozen = method.begin(self.model.params, seed=seed)
        batches = Batches(self.shards, ROWS, seed=seed)
        shapes = self.model.decoder.shapes()
        losses, seconds, curve = [], [], []
        while len(losses) < updates:
            batch = _batch(next(batches))
            began = time.monotonic()
            state, figures = update(state, batch, frozen, jnp.float32(rate))
            losses.append(round(float(figures["loss"]), 4))
            seconds.append(time.monotonic() - began)
            if len(losses) % (2 * self.tries) == 0 or len(losses) == updates:
                params = method.merge(state.params, frozen, shapes)
                curve.append([len(losses), *self.bits(self.reviews, params)])
        others = {}
        if last:
            others = {name: self.bits(texts, params) for name, texts in self.others.items()}
        return {"losses": losses, "seconds": seconds, "curve": curve, "others": others}

    def compare(self, name: str) -> dict:
        """Try a method's rates, and run the best to the end with every seed."""
        method, rates = METHODS[name]
        found = self.compile(method)
        update = found.pop("update")

        def measure(rate: float) -> float:
            run = self.run(method, update, rate, 0, self.tries, last=False)
            bits = run["curve"][-1][1]
            print(f"{name}, rate {rate:g}: {bits} bits per byte", flush=True)
            return bits

        tried = try_rates(rates, measure, most=6)
        best = min(tried, key=tried.get)
        runs = [self.run(method, update, best, seed, self.updates, last=True) for seed in SEEDS]
        seconds = np.percentile([s for run in runs for s in run.pop("seconds")], [50, 25, 75])
        ends = [run["curve"][-1][1] for run in runs]
        print(f"{name}: {ends}, {seconds[0]:.2f} s, {found['peak_bytes']:,} bytes", flush=True)
        return found | {
            "learning_rate": best,
            "tried": {f"{rate:g}": tried[rate] for rate in sorted(tried)},
            "seconds": rounded(seconds),
            "runs": runs,
        }

    def part(self, name: str, make):
        """What `make` gave, now or before, and the minutes that it took."""
        kept = kept_part(self.work / f"{name}.json", make)
        return kept["found"], kept["minutes"]


def _batch(batch: dict) -> dict:
    return {name: x[None] for name, x in batch.items() if name != "row"}


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of the model to train")
    parser.add_argument("--data", required=True, help="its token shards")
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--tiny", action="store_true", help="few updates, to try it out")
    given = parser.parse_args()
    run = Comparison(given)
    before, minutes = run.part("before", run.start)
    found = {}
    for name in METHODS:
        found[name], took = run.part(name.replace(" ", "_"), lambda name=name: run.compare(name))
        minutes += took
    tokens = ROWS * run.shards.manifest["length"]
    save(
        f"{NAME}_tiny" if given.tiny else NAME,
        "Gemma 3 270M (the 4-bit Q4_K_M weights, dequantised), its vocabulary cut to "
        f"{len(run.model.tokenizer.vocabulary):,} pieces, float32, trained by six methods on the "
        f"same rows of film reviews (NSMC, CC0) and petitions (KOGL type 1), {tokens} tokens an "
        f"update. Each method's rate is the best after {run.tries} updates, and stays; two seeds "
        "order the rows and begin the adapters. Bits per byte are of reviews of films that are in "
        "no row, and of news, which is in none. Seconds are the median and quartiles; bytes are "
        "the compiler's for an update: weights, moments, batch and temporaries.",
        minutes,
        commands=commands_in(__doc__),
        update_tokens=tokens,
        updates=run.updates,
        tried_updates=run.tries,
        before=before,
        methods=found,
    )


if __name__ == "__main__":
    main()
