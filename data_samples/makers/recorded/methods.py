"""Six ways of training on the same Korean rows: held-out bits per byte, seconds and peak bytes.

Gemma 3 270M with its vocabulary cut, 512 tokens an update. Each method starts with three learning
rates for a few updates; the one with the best held-out text goes on to the end. From the folders
that `continued_pretraining` has made:

    python -m data_samples.makers.recorded.methods --model cut --data shards-0 --reviews reviews
"""

import argparse
import dataclasses
import time

import jax
import numpy as np

from data_samples.makers.recorded import WORK, kept_part, save
from gemma_ko_lib import evaluation, models, tokenization
from gemma_ko_lib.corpus import read_clean
from gemma_ko_lib.training import Batches, Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule

NAME = "methods"
ROWS = 2
_BLOCKS = Method("lora", rank=16)
# The peak learning rates tried; an embedding beside adapters has a tenth of theirs.
METHODS = {
    "full AdamW": (Method(), (3e-5, 1e-4, 3e-4)),
    "LoRA": (_BLOCKS, (3e-4, 1e-3, 3e-3)),
    "LoRA + embedding": (dataclasses.replace(_BLOCKS, embedding_rate=0.1), (3e-4, 1e-3, 3e-3)),
    "LoRA, int8 base": (dataclasses.replace(_BLOCKS, base="int8"), (3e-4, 1e-3, 3e-3)),
    "LOMO": (Method("lomo"), (3e-3, 1e-2, 3e-2)),
    "AdaLomo": (Method("adalomo"), (5e-4, 1.5e-3, 5e-3)),
}


class Comparison:
    """The model, its rows and its held-out text.

    Args:
        given: the command's arguments.
    """

    def __init__(self, given):
        self.tries, self.updates = (2, 4) if given.tiny else (4, 14)
        self.work = WORK / (f"{NAME}_tiny" if given.tiny else NAME)
        self.work.mkdir(parents=True, exist_ok=True)
        self.model = models.load(given.model, dtype="float32")
        self.shards = tokenization.open_shards(given.data, self.model.tokenizer)
        held_out = [d.text for d in read_clean(given.reviews, held_out=True)]
        self.texts = held_out[:: max(1, len(held_out) // 160)][: 40 if given.tiny else 160]

    def bits(self, params: dict | None = None) -> evaluation.BitsPerByte:
        """Of the held-out reviews."""
        return evaluation.bits_per_byte(self.model, self.texts, params=params, window=256)

    def begin(self, method: Method, rate: float) -> dict:
        """A run of no update: the compiled update, its state, and what the compiler says."""
        state, frozen = method.begin(self.model.params)
        # Warm-up, then so long a cosine that the rate stays: a run may be stopped at any update.
        schedule = learning_rate_schedule(rate, 1_000_000, 2)
        batches = Batches(self.shards, ROWS, seed=0)
        update = method.update(self.model.decoder, schedule)
        began = time.monotonic()
        compiled = update.lower(state, _batch(next(batches)), frozen).compile()
        memory = compiled.memory_analysis()
        peak = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        peak += memory.output_size_in_bytes - memory.alias_size_in_bytes
        return {
            "method": method,
            "update": compiled,
            "batches": Batches(self.shards, ROWS, seed=0),
            "state": state,
            "frozen": frozen,
            "compile_seconds": time.monotonic() - began,
            "peak_bytes": peak,
            "seconds": [],
            "losses": [],
            "curve": [],
        }

    def go_on(self, run: dict, updates: int) -> None:
        """Some more updates, and the held-out text after them."""
        for _ in range(updates):
            batch = _batch(next(run["batches"]))
            began = time.monotonic()
            run["state"], figures = run["update"](run["state"], batch, run["frozen"])
            run["losses"].append(float(figures["loss"]))
            run["seconds"].append(time.monotonic() - began)
        shapes = self.model.decoder.shapes()
        params = run["method"].merge(run["state"].params, run["frozen"], shapes)
        found = self.bits(params)
        run["curve"].append([len(run["losses"]), round(found.micro, 4), *_rounded(found.interval)])

    def compare(self, name: str) -> dict:
        """Try a method's rates, and run the best to the end."""
        method, rates = METHODS[name]
        tried, best = {}, None
        for rate in rates:
            run = self.begin(method, rate)
            self.go_on(run, self.tries)
            tried[f"{rate:g}"] = run["curve"][-1][1]
            print(f"{name}, rate {rate:g}: {run['curve'][-1][1]} bits per byte", flush=True)
            if best is None or run["curve"][-1][1] < best[1]["curve"][-1][1]:
                best = rate, run
            del run
        rate, run = best
        while len(run["losses"]) < self.updates:
            self.go_on(run, min(self.tries, self.updates - len(run["losses"])))
        trained = sum(x.size for x in jax.tree.leaves(run["state"].params))
        seconds = np.percentile(run["seconds"], [50, 25, 75])
        print(f"{name}: {run['curve'][-1]}, {seconds[0]:.2f} s, {run['peak_bytes']:,} bytes")
        return {
            "learning_rate": rate,
            "tried": tried,
            "curve": run["curve"],
            "losses": [round(loss, 4) for loss in run["losses"]],
            "seconds": [round(float(s), 2) for s in seconds],
            "compile_seconds": round(run["compile_seconds"], 1),
            "peak_bytes": run["peak_bytes"],
            "trained": trained,
        }

    def part(self, name: str, make):
        """What `make` gave, now or before, and the minutes that it took."""
        kept = kept_part(self.work / f"{name}.json", make)
        return kept["found"], kept["minutes"]


def _batch(batch: dict) -> dict:
    return {name: x[None] for name, x in batch.items() if name != "row"}


def _rounded(values) -> list[float]:
    return [round(float(value), 4) for value in values]


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of the model to train")
    parser.add_argument("--data", required=True, help="its token shards")
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--tiny", action="store_true", help="few updates, to try it out")
    given = parser.parse_args()
    run = Comparison(given)
    before, minutes = run.part("before", lambda: _start(run.bits()))
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
        f"update. Each method's rate is the best of three after {run.tries} updates, and stays; "
        "bits per byte are of reviews of films that are in no row. Seconds are the median and "
        "quartiles, with other work on the machine; bytes are the compiler's for an update: "
        "weights, moments, batch and temporaries.",
        minutes,
        commands=[__doc__.rstrip().splitlines()[-1].strip()],
        update_tokens=tokens,
        updates=run.updates,
        tried_updates=run.tries,
        held_out={"reviews": len(run.texts), "before": before},
        methods=found,
    )


def _start(found: evaluation.BitsPerByte) -> list[float]:
    return _rounded((found.micro, *found.interval))


if __name__ == "__main__":
    main()
