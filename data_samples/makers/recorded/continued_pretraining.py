"""Gemma 3 270M with its vocabulary cut goes on in pre-training, on reviews and petitions.

Learning rate and share of English replay are chosen by short runs; the best pair gets one long run
over text that it never sees twice. Before and after: bits per byte by register, KoBEST's COPA,
praise or blame of held-out reviews, grammar, and what the model writes. From `gemma-ko clean`:

    gemma-ko clean nsmc_raw.jsonl.gz -o reviews --hold-out 0.02 --hold-out-by movie_id
    gemma-ko clean petitions_*.jsonl -o petitions --hold-out 0.05
    python -m data_samples.makers.recorded.continued_pretraining --reviews reviews \
        --petitions petitions --english debian_handbook_en.jsonl gimp_help_en.jsonl --copa kobest
"""

import argparse
import dataclasses
import json
import math
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
from datatrove.data import Document

from data_samples.makers.recorded import (
    WORK,
    commands_in,
    kept_part,
    ratio,
    rounded,
    save,
    share_of,
)
from gemma_ko_lib import evaluation, models, runtime, tokenization
from gemma_ko_lib.corpus import read_clean, read_documents
from gemma_ko_lib.evaluation.bits_per_byte import document_nats, token_scorer
from gemma_ko_lib.evaluation.statistics import cluster_interval
from gemma_ko_lib.training import LoopConfig, RunSize, pretrain, train
from gemma_ko_lib.training.plan import size_options

NAME = "continued_pretraining"
LENGTH, UPDATE_TOKENS = 256, 512
REPLAY_SHARES = (0.0, 0.25)
BEGINNINGS = (
    "이 영화는",
    "배우들의 연기가",
    "안녕하세요. 저는",
    "정부는 국민의",
    "어제 서울에서는",
    "The town council",
)
WRITTEN_TOKENS = 48


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is read; `TINY` is for trying the maker out."""

    model: str = "gemma3_270m"
    pieces: int = 32_768
    rates: tuple[float, ...] = (1e-5, 3e-5, 1e-4, 3e-4)
    sweep_updates: int = 12
    counted_bytes: int = 10_000_000
    packed_tokens: int = 2_500_000
    reviews: int = 160
    letters: int = 400
    suite_items: int = 150


TINY = Size("nano", 2048, (1e-3, 3e-3), 4, 200_000, 60_000, 40, 100, 60)


class Maker:
    """The run, part by part; each part that is finished is a file in the work folder.

    Args:
        given: the command's arguments.
    """

    def __init__(self, given):
        self.given, self.size = given, TINY if given.tiny else Size()
        self.work = WORK / (f"{NAME}_tiny" if given.tiny else NAME)
        self.work.mkdir(parents=True, exist_ok=True)

    def part(self, name: str, make):
        """What `make` gave, now or before."""
        return kept_part(self.work / f"{name}.json", make)["found"]

    # --- texts and rows ---

    def training_texts(self) -> dict[str, list[str]]:
        """All text to train on, by group."""
        groups = {"reviews": self.given.reviews, "petitions": self.given.petitions}
        texts = {name: [d.text for d in read_clean(folder)] for name, folder in groups.items()}
        return texts | {"english": [d.text for d in read_documents(self.given.english)]}

    def pack(self) -> dict:
        """Cut the tokenizer to pieces counted on the training text, and pack rows with it."""
        texts = self.training_texts()
        tokenizer = models.load(self.size.model, dtype="float32").tokenizer
        counted = []
        for some in texts.values():  # an equal part of each, spread over all of it
            total = sum(len(text.encode()) for text in some)
            step = max(1, math.ceil(len(texts) * total / self.size.counted_bytes))
            counted += some[::step]
        cut = tokenization.cut_to_texts(tokenizer, counted, self.size.pieces)
        (self.work / "cut.model").write_bytes(cut.proto)
        packed = {}
        for share in REPLAY_SHARES:
            korean = {"reviews": 0.7 * (1 - share), "petitions": 0.3 * (1 - share)}
            weights = korean | ({"english": share} if share else {})
            mixture = tokenization.Mixture(weights, tokens=self.size.packed_tokens)
            documents = (
                Document(text, f"{name}-{i}", metadata={"language": "-", "register": name})
                for name in weights
                for i, text in enumerate(texts[name])
            )
            manifest = tokenization.pack_mixture(
                documents, cut, self.shards(share), LENGTH, mixture
            )
            packed[str(share)] = {
                name: {kind: group[kind] for kind in ("share", "tokens", "tokens_there")}
                for name, group in manifest["mixture"]["groups"].items()
            }
        size = {name: sum(len(t.encode()) for t in some) for name, some in texts.items()}
        return {"bytes": size, "packed": packed}

    def shards(self, share: float) -> Path:
        """The folder of rows with that share of replay."""
        return self.work / f"shards-{share:g}"

    def cut(self) -> str:
        """The model with the cut vocabulary, as a folder."""
        folder = self.work / "cut"
        if not (folder / "model.json").is_file():
            model = models.load(self.size.model, dtype="float32")
            tokenizer = tokenization.load_tokenizer(str(self.work / "cut.model"))
            models.change_vocabulary(model, tokenizer).save(folder)
        return str(folder)

    # --- measures ---

    def held_out(self, part: int = 1) -> dict[str, list[str]]:
        """Texts that nothing is trained on, by register; every `part`-th of them."""
        size, samples = self.size, runtime.samples_dir()
        reviews = [d.text for d in read_clean(self.given.reviews, held_out=True)]
        texts = {
            "reviews": reviews[:: max(1, len(reviews) // size.reviews)][: size.reviews],
            "petitions": [d.text for d in read_clean(self.given.petitions, held_out=True)][
                : size.reviews // 2
            ],
            "news": [d.text for d in read_documents(samples / "ko" / "news.jsonl")],
        }
        english = [d.text for d in read_documents(samples / "en" / "news.jsonl")]
        texts = {name: [text[: size.letters] for text in some] for name, some in texts.items()}
        texts["English news"] = [text[: 2 * size.letters] for text in english]
        return {name: some[::part] for name, some in texts.items()}

    def bits(self, model, texts: dict[str, list[str]], params: dict | None = None) -> dict:
        """The bits of each document, by register."""
        score, found = token_scorer(model.decoder), {}
        for name, some in texts.items():
            encoded = model.tokenizer.encode(some)
            nats = document_nats(model, encoded, score, params=params, window=LENGTH)
            found[name] = (nats / math.log(2)).tolist()
        return found

    def suites(self) -> list[evaluation.Suite]:
        """Grammar, an even part of each phenomenon; COPA; praise or blame of held-out reviews."""
        asked = self.work / "sentiment.jsonl"
        by_label = defaultdict(list)
        for d in read_clean(self.given.reviews, held_out=True):
            rating = int(d.metadata["rating"])
            if rating <= 4 or rating >= 9:
                by_label[rating >= 9].append({"id": d.id, "text": d.text, "rating": rating})
        half = self.size.suite_items // 2
        lines = [json.dumps(r, ensure_ascii=False) for rs in by_label.values() for r in rs[:half]]
        asked.write_text("\n".join(lines) + "\n", "utf-8")
        (grammar,) = evaluation.load_suites("grammar")
        (copa,) = evaluation.load_suites("kobest_copa", self.given.copa)
        (sentiment,) = evaluation.load_suites("nsmc", asked)
        step = max(1, len(grammar.items) // self.size.suite_items)
        grammar = dataclasses.replace(grammar, items=grammar.items[::step])
        copa = dataclasses.replace(copa, items=copa.items[: self.size.suite_items])
        return [grammar, copa, sentiment]

    def judged(self, model) -> dict:
        """All that is measured before and after."""
        began = [[model.tokenizer.bos_id, *model.tokenizer.encode([b])[0]] for b in BEGINNINGS]
        stop = [model.tokenizer.eos_id]
        written = evaluation.generate(model, began, WRITTEN_TOKENS, stop_ids=stop)
        found = {"bits": self.bits(model, self.held_out())}
        for suite in self.suites():
            result = evaluation.evaluate_suite(model, suite)
            found[suite.name] = {
                "right": result.right.tolist(),
                "clusters": list(result.clusters),
                "balanced": result.mean_of_groups,
                "null": [result.majority, result.length_only],
            }
            print(f"  {suite.name}: {result.micro:.1%}", flush=True)
        return found | {"written": [model.tokenizer.decode(ids) for ids in written]}

    # --- runs ---

    def short_run(self, rate: float, share: float) -> dict:
        """One pair of learning rate and replay, measured on a third of the held-out texts."""
        model = models.load(self.cut(), dtype="float32")
        shards = tokenization.open_shards(self.shards(share), model.tokenizer)
        folder = self.work / "sweep"
        shutil.rmtree(folder, ignore_errors=True)
        updates = self.size.sweep_updates
        config = LoopConfig(
            steps=updates,
            batch_rows=UPDATE_TOKENS // LENGTH,
            learning_rate=rate,
            warmup_steps=max(1, updates // 10),
            checkpoint_every=updates,
        )
        trained = train(model, shards, config, folder, quiet=True)
        lines = _metrics(folder)
        bits = self.bits(trained, self.held_out(part=3))
        shutil.rmtree(folder)
        speed = float(np.median([line["tokens_per_second"] for line in lines[2:]]))
        losses = [line["loss"] for line in lines]
        print(f"  rate {rate:g}, replay {share:g}: loss {losses[-1]:.3f}", flush=True)
        return {"bits": bits, "losses": losses, "tokens_per_second": speed}

    def sweep(self) -> dict[tuple[float, float], dict]:
        """The short runs, by (rate, share of replay)."""
        pairs = [(rate, share) for share in REPLAY_SHARES for rate in self.size.rates]
        return {
            (rate, share): self.part(
                f"sweep-{rate:g}-{share:g}",
                lambda rate=rate, share=share: self.short_run(rate, share),
            )
            for rate, share in pairs
        }

    def long_run(self, rate: float, share: float, tokens: int) -> dict:
        """The run that is recorded."""
        texts = self.held_out(part=4)
        sizes = {name: sum(len(text.encode()) for text in some) for name, some in texts.items()}

        def measure(model, weights) -> dict:
            bits = self.bits(model, texts, weights)
            return {f"bits_per_byte {name}": sum(b) / sizes[name] for name, b in bits.items()}

        size = RunSize(tokens, update_tokens=UPDATE_TOKENS, length=LENGTH, learning_rate=rate)
        run = self.work / "run"
        pretrain(self.cut(), self.shards(share), run, size=size, measure=measure, resume=True)
        return {"lines": _metrics(run), "options": size_options(size)}

    def make(self) -> None:
        """Everything, from what is there already."""
        packed = self.part("pack", self.pack)
        if self.given.until == "pack":
            return

        def whole() -> dict:
            return self.bits(models.load(self.size.model, dtype="float32"), self.held_out())

        def judged(folder) -> dict:
            return self.judged(models.load(folder, dtype="float32"))

        whole = self.part("whole", whole)
        before = self.part("before", lambda: judged(self.cut()))
        sweep = self.sweep()
        third = _bytes(self.held_out(part=3))
        start = {name: bits[::3] for name, bits in before["bits"].items()}
        table = [_short(pair, run, start, third) for pair, run in sweep.items()]
        best = min(table, key=lambda row: row["score"])
        print(json.dumps(table, indent=1), f"\nbest: {best}", flush=True)
        if self.given.until == "sweep":
            return
        speed = float(np.median([run["tokens_per_second"] for run in sweep.values()]))
        tokens = int(speed * 60 * self.given.minutes) // 10_240 * 10_240 or 4 * UPDATE_TOKENS
        tokens = self.part("tokens", lambda: tokens)
        rate, share = best["learning_rate"], best["replay"]
        run = self.part("long", lambda: self.long_run(rate, share, tokens))
        after = self.part("after", lambda: judged(self.work / "run"))
        self.save(packed, whole, before, table, best, tokens, run, after)

    def save(self, packed, whole, before, table, best, tokens, run, after) -> None:
        """Write the record."""
        parts = [json.loads(p.read_text()) for p in sorted(self.work.glob("*.json"))]
        sizes = _bytes(self.held_out())
        updates = [line for line in run["lines"] if "loss" in line]
        seconds = sum(line["tokens"] / line["tokens_per_second"] for line in updates)
        options = " ".join(run["options"])
        bits = {
            name: {
                "whole vocabulary": ratio(whole[name], some),
                "before": ratio(before["bits"][name], some),
                "after": ratio(after["bits"][name], some),
                "difference": ratio(np.subtract(after["bits"][name], before["bits"][name]), some),
                "documents": len(some),
            }
            for name, some in sizes.items()
        }
        suites = ("grammar", "kobest_copa", "nsmc")
        written = zip(BEGINNINGS, before["written"], after["written"], strict=True)
        measured = [line for line in run["lines"] if "loss" not in line]
        path = save(
            f"{NAME}_tiny" if self.given.tiny else NAME,
            "Gemma 3 270M (the 4-bit Q4_K_M weights, dequantised), its vocabulary cut to "
            f"{self.size.pieces:,} pieces, then continued pre-training of all weights by AdamW on "
            "film reviews (NSMC, CC0; films of the held-out reviews are never read) and petitions "
            "(the Blue House's, KOGL type 1); English replay, where there is any, from the Debian "
            "and GIMP manuals. Learning rate and share of replay are the best of the short runs.",
            sum(part["minutes"] for part in parts),
            commands=commands_in(__doc__),
            run_command=f"gemma-ko pretrain --model cut --data shards -o run {options}",
            text_bytes=packed["bytes"],
            shares=packed["packed"][str(best["replay"])],
            tokens=tokens,
            update_tokens=UPDATE_TOKENS,
            training_minutes=round(seconds / 60, 1),
            peak_bytes=max(part["peak_bytes"] for part in parts),
            sweep={
                "updates": self.size.sweep_updates,
                "rule": "least sum of the changes in bits per byte of Korean (mean of reviews and "
                "petitions) and of English",
                "runs": table,
                "best": {name: best[name] for name in ("learning_rate", "replay")},
            },
            losses=[round(line["loss"], 4) for line in updates],
            curve=[
                {n.removeprefix("bits_per_byte "): round(v, 4) for n, v in line.items()}
                for line in measured
            ],
            bits_per_byte=bits,
            suites={name: _compared(before[name], after[name]) for name in suites},
            continuations={start: {"before": old, "after": new} for start, old, new in written},
        )
        print(f"written: {path.name}", flush=True)


def _metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def _bytes(texts: dict[str, list[str]]) -> dict[str, list[int]]:
    return {name: [len(text.encode()) for text in some] for name, some in texts.items()}


def _short(pair, run: dict, start: dict, sizes: dict) -> dict:
    changes = {
        name: ratio(np.subtract(bits, start[name]), sizes[name])
        for name, bits in run["bits"].items()
    }
    korean = (changes["reviews"][0] + changes["petitions"][0]) / 2
    return {
        "learning_rate": pair[0],
        "replay": pair[1],
        "change": changes,
        "score": round(korean + changes["English news"][0], 4),
        "last_loss": round(float(np.mean(run["losses"][-5:])), 4),
        "tokens_per_second": round(run["tokens_per_second"], 1),
    }


def _compared(before: dict, after: dict) -> dict:
    shares = {when: share_of(f["right"]) for when, f in (("before", before), ("after", after))}
    change = np.subtract(after["right"], before["right"])
    span = cluster_interval(change, after["clusters"])
    return shares | {
        "difference": rounded((change.mean(), *span)),
        "items": len(change),
        "null": {"commonest place": before["null"][0], "by length": before["null"][1]},
    }


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--petitions", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--english", required=True, nargs="+", help="files to replay")
    parser.add_argument("--copa", required=True, help="folder with KoBEST's COPA")
    parser.add_argument("--minutes", type=float, default=30, help="of the long run (30)")
    parser.add_argument("--until", choices=("pack", "sweep", "end"), default="end")
    parser.add_argument("--tiny", action="store_true", help="nano and little text, to try it out")
    Maker(parser.parse_args()).make()


if __name__ == "__main__":
    main()
