"""Do other languages help Korean? Gemma 3 270M reads the same Korean rows, alone and beside others.

Each update of each arm has the same row of film reviews. Beside it stands nothing; a row of
Japanese or Chinese; a row of English; or a row of the Japanese and Chinese with the characters of
each document shuffled: the same letters, and no language. So all arms make as many updates and read
as much Korean. The learning rate is the best for held-out reviews on a seed that is not judged: one
alone, and one in company, for which Japanese and Chinese choose. Then each seed draws other rows,
the same for all arms. Pieces are counted on all languages. The other languages are the course's own
samples. From `gemma-ko clean`:

    gemma-ko clean nsmc_raw.jsonl.gz -o reviews --hold-out 0.02 --hold-out-by movie_id
    gemma-ko clean petitions_*.jsonl -o petitions --hold-out 0.05
    python -m data_samples.makers.recorded.mling --reviews reviews --petitions petitions
"""

import argparse
import dataclasses

import numpy as np

from data_samples.makers.recorded import (
    WORK,
    batch_of,
    commands_in,
    evenly,
    kept_part,
    rated_update,
    ratio,
    rounded,
    save,
)
from gemma_ko_lib import evaluation, models, tokenization
from gemma_ko_lib.corpus import read_clean
from gemma_ko_lib.corpus.samples import LANGUAGES, read_samples
from gemma_ko_lib.tokenization.packing import document_ids, pack_documents
from gemma_ko_lib.tokenization.tokenizer import encode_documents
from gemma_ko_lib.training import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule

NAME = "mling"
LENGTH = 256
SHUFFLED = ", shuffled"
# What stands beside the Korean row: rows of these pools in turns.
ARMS = {
    "alone": (),
    "Japanese and Chinese": ("ja", "zh"),
    "English": ("en",),
    "shuffled": ("ja" + SHUFFLED, "zh" + SHUFFLED),
}
REGISTERS = ("news", "encyclopedia", "blog", "dialogue", "review")  # that all three have
TUNED_ARMS = ("alone", "Japanese and Chinese")  # the second chooses for all that have company
TUNING_SEED = 100


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is read; `TINY` is for trying the maker out."""

    model: str = "gemma3_270m"
    pieces: int = 32_768
    counted_bytes: int = 1_000_000  # of reviews, and of petitions
    pool_bytes: int = 300_000
    updates: int = 24
    rates: tuple[float, ...] = (1e-5, 3e-5, 1e-4)
    seeds: int = 3
    reviews: int = 160
    others: int = 16  # of each other register; the held-out samples may be fewer
    tuned: int = 80
    letters: int = 200  # of a text; of English, whose tokens are longer, twice that


TINY = Size("nano", 3000, 200_000, 60_000, 3, (1e-3, 3e-3), 2, 20, 3, 10, 60)


def shuffled(text: str, seed: int) -> str:
    """The same characters in an order drawn at random."""
    return "".join(np.random.default_rng(seed).permutation(list(text)))


class Maker:
    """The run, part by part; each part that is finished is a file in the work folder.

    Args:
        given: the command's arguments.
    """

    def __init__(self, given):
        self.size = TINY if given.tiny else Size()
        self.name = f"{NAME}_tiny" if given.tiny else NAME
        self.work = WORK / self.name
        self.work.mkdir(parents=True, exist_ok=True)
        self.minutes, self.peak = 0.0, 0
        self.judged, self.tuned = self.held_out(given)
        self.part("cut", lambda: self.cut(given))
        self.model = models.load(self.work / "cut", dtype="float32")
        self.pools = self.pack(given)
        schedule = learning_rate_schedule(1.0, self.size.updates, self.size.updates // 10 + 1)
        self.method = Method()
        self.update = rated_update(self.method, self.model.decoder, schedule)

    def part(self, name: str, make):
        """What `make` gave, now or before."""
        kept = kept_part(self.work / f"{name}.json", make)
        self.minutes += kept["minutes"]
        self.peak = max(self.peak, kept["peak_bytes"])
        return kept["found"]

    # --- texts ---

    def held_out(self, given) -> tuple[dict[str, list[str]], list[str]]:
        """Beginnings of texts to judge by, by register, and of reviews to choose rates by."""
        size = self.size
        reviews = [d.text for d in read_clean(given.reviews, held_out=True)]
        reviews = reviews[:: max(1, len(reviews) // (size.reviews + size.tuned))]
        texts = {
            "reviews": reviews[size.tuned :][: size.reviews],
            "petitions": [d.text for d in read_clean(given.petitions, held_out=True)],
            "news": [record["text"] for record in read_samples("ko", register="news")],
        }
        for name, code in (("English", "en"), ("Japanese", "ja"), ("Chinese", "zh")):
            texts[name] = _samples(code, "held_out")
        judged = {}
        for name, some in texts.items():
            most = len(some) if name == "reviews" else size.others
            letters = size.letters * (2 if name == "English" else 1)
            judged[name] = [t[:letters] for t in some[:: max(1, len(some) // most)][:most]]
        return judged, reviews[: size.tuned]

    def cut(self, given) -> dict:
        """Cut the vocabulary to pieces of reviews, petitions and the samples of all languages."""
        texts = []
        for folder in (given.reviews, given.petitions):
            texts += evenly([d.text for d in read_clean(folder)], self.size.counted_bytes)
        for code in LANGUAGES:
            texts += [r["text"] for r in read_samples(code, "train") if r["register"] != "news"]
        base = models.load(self.size.model, dtype="float32")
        tokenizer = tokenization.cut_to_texts(base.tokenizer, texts, self.size.pieces)
        models.change_vocabulary(base, tokenizer).save(self.work / "cut")
        return {"counted_bytes": sum(len(text.encode()) for text in texts)}

    def pack(self, given) -> dict[str, list]:
        """Rows by pool: reviews, a language, or its shuffled documents."""
        tokenizer, pools = self.model.tokenizer, {}
        reviews = [d.text for d in read_clean(given.reviews)]
        texts = {"ko": evenly(reviews, self.size.pool_bytes)}
        texts |= {code: _samples(code, "train") for code in ("ja", "zh", "en")}
        for code in ("ja", "zh"):
            texts[code + SHUFFLED] = [shuffled(text, i) for i, text in enumerate(texts[code])]
        for name, some in texts.items():
            framed = [
                document_ids(ids, tokenizer.bos_id, tokenizer.eos_id)
                for ids in encode_documents(tokenizer, some)
            ]
            pools[name] = list(pack_documents(framed, LENGTH, tokenizer.pad_id))
        return pools

    # --- runs ---

    def batches(self, arm: str, seed: int):
        """The updates' rows: a Korean one, the same for every arm, and what stands beside it."""
        order = {
            name: np.random.default_rng([seed, place]).permutation(len(rows))
            for place, (name, rows) in enumerate(self.pools.items())
        }
        for step in range(self.size.updates):
            names = ["ko", *ARMS[arm][step % max(1, len(ARMS[arm])) :][:1]]
            rows = [self.pools[name][order[name][step]] for name in names]
            yield batch_of(rows)

    def bits(self, texts: list[str], params: dict | None = None) -> list[float]:
        """The bits of each text."""
        found = evaluation.bits_per_byte(self.model, texts, params=params, window=LENGTH)
        return [bits for bits, _ in found.by_document]

    def run(self, arm: str, rate: float, seed: int, texts: list[str]) -> dict:
        """Train one arm, and measure it on texts."""
        state, frozen = self.method.begin(self.model.params)
        losses, tokens = [], np.zeros(2, int)
        for batch in self.batches(arm, seed):
            state, figures = self.update(state, batch, frozen, np.float32(rate))
            losses.append(round(float(figures["loss"]), 4))
            there = (batch["segment_ids"][0] > 0).sum(1)
            tokens[: len(there)] += there
        found = self.bits(texts, state.params)
        print(f"  {arm}, rate {rate:g}, seed {seed}: loss {losses[-1]}", flush=True)
        return {"losses": losses, "tokens": tokens.tolist(), "bits": found}

    def tune(self, arm: str) -> dict[float, float]:
        """Bits per byte of the reviews to choose by, by learning rate."""
        size = sum(len(text.encode()) for text in self.tuned)

        def measure(rate: float) -> float:
            found = self.part(
                f"tune-{arm}-{rate:g}", lambda: self.run(arm, rate, TUNING_SEED, self.tuned)
            )
            return sum(found["bits"]) / size

        return {rate: measure(rate) for rate in self.size.rates}

    def make(self) -> None:
        """Everything, from what is there already."""
        texts = [text for some in self.judged.values() for text in some]
        before = self.part("before", lambda: self.bits(texts))
        tried = {arm: self.tune(arm) for arm in TUNED_ARMS}
        alone, company = (min(rates, key=rates.get) for rates in tried.values())
        best = {arm: company if beside else alone for arm, beside in ARMS.items()}
        print(tried, best, flush=True)
        runs = {arm: [] for arm in ARMS}
        for seed in range(self.size.seeds):
            for arm in ARMS:
                runs[arm].append(
                    self.part(
                        f"run-{arm}-{seed}",
                        lambda arm=arm, seed=seed: self.run(arm, best[arm], seed, texts),
                    )
                )
        self.save(before, tried, best, runs)

    # --- the record ---

    def changes(self, bits: list, against: list) -> dict[str, dict]:
        """By register: the difference in bits per byte, [value, low, high], and by seed.

        The interval is over texts, each the mean of the seeds.

        Args:
            bits: [seeds, texts].
            against: likewise, or [texts].
        """
        change, start, found = np.subtract(bits, against), 0, {}
        for name, texts in self.judged.items():
            some = change[:, start : start + len(texts)]
            sizes = np.array([len(text.encode()) for text in texts])
            mean, start = some.mean(0), start + len(texts)
            found[name] = {
                "change": ratio(mean, sizes),
                "by_seed": rounded(some.sum(1) / sizes.sum()),
            }
        return found

    def against(self, bits: dict[str, list], arm: str) -> dict[str, dict]:
        """What the other arms have more than this one, text by text of the same seed."""
        return {name: self.changes(x, bits[arm]) for name, x in bits.items() if name != arm}

    def save(self, before: list, tried: dict, best: dict, runs: dict) -> None:
        """Write the record."""
        bits = {arm: [run["bits"] for run in some] for arm, some in runs.items()}
        sizes = {name: sum(len(t.encode()) for t in some) for name, some in self.judged.items()}
        start = self.changes([before], np.zeros_like(before))
        path = save(
            self.name,
            "Gemma 3 270M (the 4-bit Q4_K_M weights, dequantised), its vocabulary cut to "
            f"{self.size.pieces:,} pieces counted on four languages, then trained (AdamW, all "
            f"weights) for {self.size.updates} updates. Each has a row of {LENGTH} tokens of "
            "film reviews (NSMC, CC0), the same in every arm; beside it nothing, or a row of the "
            "course's own samples: Japanese and Chinese in turns, English, or the Japanese and "
            "Chinese with the characters of each document shuffled. The rate is the "
            "best of three for other held-out reviews with another seed: one alone, and one in "
            "company, for which Japanese and Chinese choose. "
            f"{self.size.seeds} seeds draw the rows. Reviews of the held-out films, petitions and "
            "Korean news are in no row.",
            self.minutes,
            commands=commands_in(__doc__),
            updates=self.size.updates,
            tokens={arm: some[0]["tokens"] for arm, some in runs.items()},
            peak_bytes=self.peak,
            held_out={
                name: {"documents": len(some), "bytes": sizes[name]}
                for name, some in self.judged.items()
            },
            before={name: found["change"] for name, found in start.items()},
            tried={
                arm: {f"{r:g}": round(v, 4) for r, v in by.items()} for arm, by in tried.items()
            },
            learning_rate=best,
            against_before={arm: self.changes(some, before) for arm, some in bits.items()},
            against_alone=self.against(bits, "alone"),
            against_shuffled=self.against(bits, "shuffled"),
        )
        print(f"written: {path.name}", flush=True)


def _samples(code: str, split: str) -> list[str]:
    return [r["text"] for r in read_samples(code, split) if r["register"] in REGISTERS]


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--petitions", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--tiny", action="store_true", help="nano and little text, to try it out")
    Maker(parser.parse_args()).make()


if __name__ == "__main__":
    main()
