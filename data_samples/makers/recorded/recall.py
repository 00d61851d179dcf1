"""Trains small models to recall, for lesson 03a: attention, the recurrence, and both.

All are RecurrentGemmas of two blocks with the same width, rows, updates and learning rate, with two
seeds each; then the recurrence with a smaller state. About seven minutes on two cores; --tiny tries
the program.
"""

import argparse
import json
import time

from flax import nnx

from data_samples.makers.recorded import WORK, save
from gemma_ko_lib import runtime
from gemma_ko_lib.from_scratch.recall import PhoneBook, recall_by_distance, train_recall
from gemma_ko_lib.from_scratch.recurrent_gemma import RecurrentGemma, RecurrentGemmaConfig

WINDOW, STEPS = 8, 300
KINDS = {
    "attention": {"pattern": "A"},
    "recurrence": {"pattern": "R"},
    "hybrid": {"pattern": "RA", "window": WINDOW},
    "no mixing": {"pattern": "A", "window": 0},
}


def runs() -> list[dict]:
    """All runs: each kind with each seed, then the narrow recurrence."""
    both = [{"kind": kind, "seed": seed} for seed in (0, 1) for kind in KINDS]
    narrow = {"kind": "recurrence", "seed": 0, "width": 32}
    return [{"width": 64, "rate": 5e-3, "steps": STEPS} | run for run in (*both, narrow)]


def train(run: dict, book: PhoneBook, edges: list[int], rows: int) -> dict:
    """Train one model; the run with its recall by distance, [share, standard error] a span."""
    config = RecurrentGemmaConfig(
        *(book.vocab_size, run["width"], 2, 2 * run["width"], 2, run["width"]),
        **{"window": book.length, **KINDS[run["kind"]]},
    )
    model = nnx.jit(lambda: RecurrentGemma(config, nnx.Rngs(run["seed"])))()
    losses = train_recall(model, book, run["steps"], run["rate"], run["seed"])
    recall = recall_by_distance(model, book, edges, rows)
    loss = float(losses[-20:].mean())
    return run | {"loss": round(loss, 4), "recall": recall.round(4).tolist()}


def main() -> None:
    """Train what is not trained yet, then save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a few updates, and nothing is saved")
    tiny = parser.parse_args().tiny
    book = PhoneBook(length=16 if tiny else 64)
    edges = [edge for edge in (1, 3, 5, 9, 17, 33, 64) if edge <= book.length]
    folder = WORK / ("recall-tiny" if tiny else "recall")
    done = []
    for number, run in enumerate(runs()):
        if tiny:
            run |= {"steps": 3, "width": 16}
        path = folder / f"{number:02}.json"
        if not path.is_file():
            start = time.monotonic()
            result = train(run, book, edges, rows=32 if tiny else 512)
            result["seconds"] = round(time.monotonic() - start, 1)
            runtime.write_json(path, result)
        done.append(json.loads(path.read_text("utf-8")))
        print(json.dumps(done[-1]), flush=True)
    if tiny:
        return
    save(
        "recall",
        "RecurrentGemmas of two blocks, trained on fresh rows of 64 tokens (32 entries of a "
        "telephone book, a question after each, 8 digits), 32 rows an update; recall on 512 new "
        "rows. `edges` are the limits of the spans of distances; `recall` is [share, standard "
        f"error] for each. The hybrid's attention sees {WINDOW} tokens back.",
        sum(run["seconds"] for run in done) / 60,
        book={"names": book.names, "digits": book.digits, "length": book.length},
        window=WINDOW,
        edges=edges,
        runs=done,
    )


if __name__ == "__main__":
    main()
