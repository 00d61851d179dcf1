"""Gemma 3 270M reads the same Korean with its whole vocabulary, a cut one and an exchanged one.

The whole vocabulary has 262,144 pieces. The cut keeps 24,576, counted on Korean and English; the
exchange adds 8,192 Korean pieces to it, each started as the mean of what it replaces, trains the
embedding alone for the first updates and then all weights, as the others do from the start. Two
learning rates each, constant after a few updates, so that every point of a curve is a fair end.
Compared after equal bytes of Korean and after equal minutes. From `gemma-ko clean`:

    gemma-ko clean nsmc_raw.jsonl.gz -o reviews --hold-out 0.02 --hold-out-by movie_id
    gemma-ko clean petitions_*.jsonl -o petitions --hold-out 0.05
    python -m data_samples.makers.recorded.vocabulary_exchange --reviews reviews \
        --petitions petitions --english debian_handbook_en.jsonl gimp_help_en.jsonl --copa kobest
"""

import argparse
import dataclasses
import json
import math
import statistics
import time
from collections import defaultdict
from pathlib import Path

import jax
import numpy as np
import optax

from data_samples.makers.recorded import (
    WORK,
    batch_of,
    commands_in,
    kept_part,
    ratio,
    save,
    share_of,
)
from gemma_ko_lib import evaluation, models, runtime, tokenization
from gemma_ko_lib.corpus import read_clean, read_documents
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.bits_per_byte import document_nats, token_scorer
from gemma_ko_lib.models import sharding
from gemma_ko_lib.tokenization.packing import document_ids, pack_documents
from gemma_ko_lib.tokenization.tokenizer import encode_documents
from gemma_ko_lib.training.loop import first_state, make_update
from gemma_ko_lib.training.loss import next_token_loss
from gemma_ko_lib.training.method import EMBEDDING
from gemma_ko_lib.training.optimizer import adamw

NAME = "vocabulary_exchange"
ARMS = ("whole", "cut", "exchanged")
LENGTH, ROWS, WARMUP = 256, 2, 5
EMBEDDING_RATE = 5  # times the rate of all weights, while the embedding is trained alone
PROMPTS = ("이 영화는", "안녕하세요. 저는")
WRITTEN_TOKENS = 24
TIMED_TOKENS = 64


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is read; `TINY` is for trying the maker out."""

    model: str = "gemma3_270m"
    kept: int = 24_576
    added: int = 8192
    counted_bytes: int = 4_000_000
    learnt_bytes: int = 3_000_000
    pool_bytes: int = 400_000
    updates: int = 10  # of the whole vocabulary; the others read for as many minutes
    embedding_updates: int = 5
    rates: tuple[float, ...] = (2e-5, 1e-4)
    documents: tuple[int, int] = (48, 6)  # measured: reviews, and of each longer register
    letters: int = 400
    phenomenon_items: int = 5
    copa_items: int = 120
    turns: int = 2


TINY = Size("nano", 2048, 512, 200_000, 100_000, 60_000, 4, 2, (1e-3, 4e-3), (12, 3), 80, 1, 12, 2)


class Maker:
    """The run, part by part; each part that is finished is a file in the work folder.

    Args:
        given: the command's arguments.
    """

    def __init__(self, given):
        self.given, self.size = given, TINY if given.tiny else Size()
        self.work = WORK / (f"{NAME}_tiny" if given.tiny else NAME)
        self.work.mkdir(parents=True, exist_ok=True)
        self.whole = models.load(self.size.model, dtype="float32")
        self.registers = self.held_out()
        self.texts = [text for texts in self.registers.values() for text in texts]
        self.names = [name for name, texts in self.registers.items() for _ in texts]
        self.bytes = np.array([len(text.encode()) for text in self.texts])

    def part(self, name: str, make):
        """What `make` gave, now or before."""
        found = kept_part(self.work / f"{name}.json", make)["found"]
        jax.clear_caches()  # the next part compiles for another vocabulary
        return found

    # --- texts and vocabularies ---

    def korean(self, size: int) -> list[str]:
        """Training documents, as many bytes of petitions as of reviews, in turns."""
        streams = {
            name: (d.text for d in read_clean(folder))
            for name, folder in (("p", self.given.petitions), ("r", self.given.reviews))
        }
        taken, read = [], dict.fromkeys(streams, 0)
        while sum(read.values()) < size:
            name = min(read, key=read.get)
            text = next(streams[name], None)
            if text is None:
                break
            taken.append(text)
            read[name] += len(text.encode())
        return taken

    def held_out(self) -> dict[str, list[str]]:
        """Beginnings of texts that nothing is trained or counted on, by register."""
        samples = runtime.samples_dir()
        reviews, others = self.size.documents
        found = {
            "reviews": ([d.text for d in read_clean(self.given.reviews, True)], reviews),
            "petitions": ([d.text for d in read_clean(self.given.petitions, True)], others),
            "news": ([d.text for d in read_documents(samples / "ko" / "news.jsonl")], others),
            "English": ([record["text"] for record in read_samples("en", "held_out")], others),
        }
        return {
            name: [t[: self.size.letters] for t in texts[:: max(1, len(texts) // n)][:n]]
            for name, (texts, n) in found.items()
        }

    def vocabularies(self) -> dict:
        """Cut and exchanged tokenizers, written to the work folder."""
        size, base = self.size, self.whole.tokenizer
        english = [record["text"] for record in read_samples("en", "train")]
        english += [d.text for d in read_documents(self.given.english)]
        counted = self.korean(size.counted_bytes) + english
        cut = tokenization.cut_to_texts(base, counted, size.kept)
        texts = self.korean(size.learnt_bytes)
        learnt = tokenization.learn_pieces(texts, cut, size.added)
        exchanged = tokenization.expand_vocabulary(cut, learnt)
        (self.work / "cut.model").write_bytes(cut.proto)
        (self.work / "exchanged.model").write_bytes(exchanged.proto)
        return {
            "counted_bytes": sum(len(text.encode()) for text in counted),
            "learnt_from_bytes": sum(len(text.encode()) for text in texts),
            "learnt": learnt,
        }

    def arm(self, name: str, start: str = "mean") -> models.Model:
        """The model with that vocabulary."""
        if name == "whole":
            return self.whole
        tokenizer = tokenization.load_tokenizer(str(self.work / f"{name}.model"))
        return models.change_vocabulary(self.whole, tokenizer, start)

    def rows(self, model) -> tuple[list[dict], float]:
        """Batches of the pool's rows in its order, and how many bytes a token is."""
        documents, tokenizer = self.korean(self.size.pool_bytes), model.tokenizer
        framed = [
            document_ids(ids, tokenizer.bos_id, tokenizer.eos_id)
            for ids in encode_documents(tokenizer, documents)
        ]
        # Few rows are open at once, so that all vocabularies read the texts in the same order.
        packed = list(pack_documents(framed, LENGTH, tokenizer.pad_id, 16, 32))
        batches = [
            batch_of(packed[first : first + ROWS])
            for first in range(0, len(packed) - ROWS + 1, ROWS)
        ]
        bytes_a_token = sum(len(d.encode()) for d in documents) / sum(map(len, framed))
        return batches, bytes_a_token

    # --- measures ---

    def bits(self, model, params: dict | None = None, part: int = 1) -> list[float]:
        """The bits of every `part`-th document."""
        encoded = encode_documents(model.tokenizer, self.texts[::part])
        score = token_scorer(model.decoder)
        nats = document_nats(model, encoded, score, params=params, window=LENGTH)
        return (nats / math.log(2)).tolist()

    def start(self) -> dict:
        """Before any training, by vocabulary, the random start among them."""
        arms = [(name, name, "mean") for name in ARMS] + [("random", "exchanged", "random")]
        found = {}
        for label, name, start in arms:
            model = self.arm(name, start)
            found[label] = {
                "bits": self.bits(model),
                "tokens": [len(x) for x in encode_documents(model.tokenizer, self.texts)],
                "pieces": len(model.tokenizer.vocabulary),
                "parameters": sum(weight.size for weight in model.params.values()),
            }
        return found

    def start_by_added(self, learnt: list[str]) -> dict:
        """A third of the documents, with fewer of the new pieces."""
        cut, found = self.arm("cut").tokenizer, {}
        for share in (8, 4, 2):
            count = len(learnt) // share
            tokenizer = tokenization.expand_vocabulary(cut, learnt[:count])
            model = models.change_vocabulary(self.whole, tokenizer)
            tokens = [len(x) for x in encode_documents(tokenizer, self.texts[::3])]
            found[count] = {"bits": self.bits(model, part=3), "tokens": tokens}
        return found

    def suites(self) -> dict:
        """COPA and some grammar of each phenomenon, whole against cut, item by item."""
        (copa,) = evaluation.load_suites("kobest_copa", self.given.copa)
        (grammar,) = evaluation.load_suites("grammar")
        by_group = defaultdict(list)
        for item in grammar.items:
            by_group[item.group].append(item)
        some = [
            item
            for items in by_group.values()
            for item in items[:: max(1, len(items) // self.size.phenomenon_items)]
        ]
        grammar = dataclasses.replace(grammar, items=tuple(some))
        copa = dataclasses.replace(copa, items=copa.items[: self.size.copa_items])
        whole, cut = self.whole, self.arm("cut")
        known, found = set(cut.tokenizer.vocabulary), {}
        for suite in (copa, grammar):
            kept = [
                all(
                    whole.tokenizer.vocabulary[i] in known
                    for ids in encode_documents(
                        whole.tokenizer, [item.prompt + choice for choice in item.choices]
                    )
                    for i in ids
                )
                for item in suite.items
            ]
            by = [evaluation.evaluate_suite(model, suite) for model in (whole, cut)]
            same = np.array(by[0].chosen) == np.array(by[1].chosen)
            change = np.abs(by[0].margins - by[1].margins)[kept]
            found[suite.name] = {
                "items": len(suite.items),
                "ids kept": sum(kept),
                "same answer, ids kept": int(same[kept].sum()),
                "same answer, others": int(same[~np.array(kept)].sum()),
                "right": {n: share_of(r.right) for n, r in zip(("whole", "cut"), by, strict=True)},
                "commonest place": by[0].majority,
                "largest change of a margin, ids kept, nats": round(float(change.max()), 5),
                "smallest margin, ids kept, nats": round(
                    float(np.abs(by[0].margins)[kept].min()), 5
                ),
            }
            print(f"  {suite.name}: {found[suite.name]}", flush=True)
        return found

    def seconds(self) -> dict:
        """Time and peak of an update, and of a decoded token, all vocabularies in turns."""
        steps, peaks, decoders = {}, {}, {}
        for name in ARMS:
            model = self.arm(name)
            (batch, *_), _ = self.rows(model)
            stages = ("all", "embedding") if name == "exchanged" else ("all",)
            for stage in stages:
                state, frozen, update = begin(model, model.params, 1e-5, stage == "embedding")
                compiled = update.lower(state, batch, frozen).compile()
                memory = compiled.memory_analysis()
                peaks[f"{name} {stage}"] = (
                    memory.argument_size_in_bytes
                    + memory.temp_size_in_bytes
                    + memory.output_size_in_bytes
                    - memory.alias_size_in_bytes
                )
                steps[f"{name} {stage}"] = stepper(compiled, state, batch, frozen)
            decoders[name] = decoding(model)
        turns = [
            {name: timed(step) for name, step in steps.items()} for _ in range(self.size.turns + 1)
        ][1:]
        spans = [{name: token() for name, token in decoders.items()} for _ in range(3)][1:]
        return {
            "update": {n: statistics.median(t[n] for t in turns) for n in steps},
            "peak_bytes": peaks,
            "decoded token": {n: statistics.median(s[n] for s in spans) for n in decoders},
        }

    # --- training ---

    def plan(self, seconds: dict) -> dict:
        """Updates of each vocabulary: as many minutes as the whole one takes for its own."""
        took, size = seconds["update"], self.size
        budget = size.updates * took["whole all"]
        first = size.embedding_updates
        left = budget - first * took["exchanged embedding"]
        return {
            "seconds": budget,
            "whole": [0, size.updates],
            "cut": [0, int(budget / took["cut all"])],
            "exchanged": [first, first + max(1, int(left / took["exchanged all"]))],
        }

    def run(self, name: str, rate: float, first: int, updates: int, equal_bytes: float) -> dict:
        """One run, measured along the way, at equal bytes and at equal minutes.

        Args:
            name: of the vocabulary.
            rate: of all weights.
            first: updates in which only the embedding is trained.
            updates: in as many minutes as the whole vocabulary takes for its own.
            equal_bytes: Korean that the whole vocabulary reads in its run.
        """
        model = self.arm(name)
        batches, bytes_a_token = self.rows(model)
        read = np.cumsum([(batch["segment_ids"] > 0).sum() for batch in batches]) * bytes_a_token
        level = int(np.argmax(read >= equal_bytes)) + 1
        end = max(level, updates)
        some = {end * quarter // 4 for quarter in (1, 2, 3)} - {level, updates}
        params, losses, points = model.params, [], []
        for stage, (start, until) in {"embedding": (0, first), "all": (first, end)}.items():
            if start == until:
                continue
            factor = EMBEDDING_RATE if stage == "embedding" else 1
            state, frozen, update = begin(model, params, factor * rate, stage == "embedding")
            for step in range(start + 1, until + 1):
                state, figures = update(state, batches[step - 1], frozen)
                losses.append(float(figures["loss"]))
                if step in {level, updates} or step in some:
                    part = 3 if step in some else 1
                    bits = self.bits(model, {**frozen, **state.params}, part)
                    points.append({"update": step, "bytes": float(read[step - 1]), "bits": bits})
                    print(f"  {name} {rate:g}: {step}, loss {losses[-1]:.3f}", flush=True)
            params = {**frozen, **state.params}
        tokenizer = model.tokenizer
        asked = [[tokenizer.bos_id, *tokenizer.encode([prompt])[0]] for prompt in PROMPTS]
        trained = dataclasses.replace(model, params=params)
        written = evaluation.generate(trained, asked, WRITTEN_TOKENS, stop_ids=[tokenizer.eos_id])
        return {
            "losses": [round(loss, 4) for loss in losses],
            "points": points,
            "equal bytes": level,
            "equal minutes": updates,
            "written": [tokenizer.decode(ids) for ids in written],
        }

    # --- the record ---

    def make(self) -> None:
        """Everything, from what is there already."""
        vocabularies = self.part("vocabularies", self.vocabularies)
        seconds = self.part("seconds", self.seconds)
        plan = self.plan(seconds)
        print(seconds, plan, flush=True)
        start = self.part("start", self.start)
        batches, bytes_a_token = self.rows(self.whole)
        read = sum((b["segment_ids"] > 0).sum() for b in batches[: self.size.updates])
        read = float(read) * bytes_a_token
        runs = {
            (name, rate): self.part(
                f"{name}-{rate:g}",
                lambda name=name, rate=rate: self.run(name, rate, *plan[name], read),
            )
            for name in ("exchanged", "cut", "whole")
            for rate in self.size.rates
        }
        by_added = self.part("added", lambda: self.start_by_added(vocabularies["learnt"]))
        suites = self.part("suites", self.suites)
        self.save(vocabularies, seconds, plan, start, by_added, runs, suites, read)

    def table(self, bits, against=None, part: int = 1) -> dict:
        """Bits per byte by register with intervals, or the paired difference to other bits."""
        values = np.array(bits) - (0 if against is None else np.array(against))
        names, sizes = np.array(self.names[::part]), self.bytes[::part]
        korean = names != "English"
        groups = {name: names == name for name in self.registers} | {"Korean": korean}
        return {name: ratio(values[which], sizes[which]) for name, which in groups.items()}

    def save(self, vocabularies, seconds, plan, start, by_added, runs, suites, read) -> None:
        """Write the record."""

        def at(name: str, rate: float, when: str) -> list[float]:
            run = runs[name, rate]
            return next(p["bits"] for p in run["points"] if p["update"] == run[when])

        ends = {key: at(*key, "equal minutes") for key in runs}
        best = {
            name: min(self.size.rates, key=lambda rate: self.table(ends[name, rate])["Korean"][0])
            for name in ARMS
        }
        took = seconds["update"]

        def seconds_at(name: str, step: int) -> float:
            alone = min(step, plan[name][0])
            stage = took.get(f"{name} embedding", 0.0)
            return alone * stage + (step - alone) * took[f"{name} all"]

        def curve(name: str, rate: float) -> list[dict]:  # of every third document
            first = {"update": 0, "bytes": 0.0, "bits": start[name]["bits"]}
            found = []
            for point in [first, *runs[name, rate]["points"]]:
                whole_set = len(point["bits"]) == len(self.texts)
                third = point["bits"][::3] if whole_set else point["bits"]
                found.append(
                    {
                        "update": point["update"],
                        "kilobytes": round(point["bytes"] / 1000, 1),
                        "seconds": round(seconds_at(name, point["update"]), 1),
                        "bits_per_byte": {
                            group: figures[0]
                            for group, figures in self.table(third, part=3).items()
                        },
                    }
                )
            return found

        whole = ends["whole", best["whole"]]
        moved = np.subtract(whole, start["whole"]["bits"])
        parts = [json.loads(p.read_text()) for p in self.work.glob("*.json")]
        tokens = {name: np.array(at["tokens"]) for name, at in start.items()}
        path = save(
            f"{NAME}_tiny" if self.given.tiny else NAME,
            "Gemma 3 270M (the 4-bit Q4_K_M weights, dequantised) with its whole vocabulary, cut "
            f"to {self.size.kept:,} pieces, and exchanged (the cut and {self.size.added:,} new "
            "Korean pieces, mean start). All read the same film reviews (NSMC, CC0; films of the "
            "held-out reviews are never read) and petitions (the Blue House's, KOGL type 1), half "
            f"and half, by AdamW, {ROWS} rows of {LENGTH} tokens an update. Held out: other "
            "reviews and petitions, and news and English written for the course.",
            sum(part["minutes"] for part in parts),
            commands=commands_in(__doc__),
            counted_bytes=vocabularies["counted_bytes"],
            learnt_from_bytes=vocabularies["learnt_from_bytes"],
            learnt={"first": vocabularies["learnt"][:24], "last": vocabularies["learnt"][-24:]},
            held_out={
                name: {
                    "documents": len(texts),
                    "bytes": sum(len(t.encode()) for t in texts),
                    "tokens": {
                        arm: int(n[np.array(self.names) == name].sum()) for arm, n in tokens.items()
                    },
                }
                for name, texts in self.registers.items()
            },
            models={
                name: {kind: at[kind] for kind in ("pieces", "parameters")}
                for name, at in start.items()
                if name in ARMS
            },
            seconds_an_update={name: round(value, 2) for name, value in took.items()},
            peak_bytes_of_an_update=seconds["peak_bytes"],
            seconds_a_decoded_token={
                n: round(value, 4) for n, value in seconds["decoded token"].items()
            },
            start={name: self.table(at["bits"]) for name, at in start.items()},
            start_by_added={
                count: {
                    "tokens": sum(
                        n
                        for n, name in zip(at["tokens"], self.names[::3], strict=True)
                        if name != "English"
                    ),
                    "bits_per_byte": self.table(at["bits"], part=3)["Korean"][0],
                }
                for count, at in by_added.items()
            },
            rates={
                "tried": self.size.rates,
                "best": best,
                "embedding alone": f"{EMBEDDING_RATE} times the rate, in the first "
                f"{plan['exchanged'][0]} updates",
                "end": {
                    name: {
                        f"{rate:g}": self.table(ends[name, rate])["Korean"]
                        for rate in self.size.rates
                    }
                    for name in ARMS
                },
            },
            budget={"kilobytes": round(read / 1000, 1), "seconds": round(plan["seconds"], 1)},
            curves={name: curve(name, best[name]) for name in ARMS},
            equal_bytes={name: self.table(at(name, best[name], "equal bytes")) for name in ARMS},
            equal_minutes={name: self.table(ends[name, best[name]]) for name in ARMS},
            against_whole={
                when: {name: self.table(bits_of(name), whole) for name in ("cut", "exchanged")}
                for when, bits_of in (
                    ("start", lambda name: np.add(start[name]["bits"], moved)),
                    ("equal bytes", lambda name: at(name, best[name], "equal bytes")),
                    ("equal minutes", lambda name: ends[name, best[name]]),
                )
            },
            suites=suites,
            written={
                prompt: {name: runs[name, best[name]]["written"][i] for name in ARMS}
                for i, prompt in enumerate(PROMPTS)
            },
        )
        print(path.name)


def begin(model, params: dict, rate: float, embedding_only: bool):
    """A state, what is frozen, and the update; the rate rises over a few updates and then stays."""
    trained = {EMBEDDING: params[EMBEDDING]} if embedding_only else params
    frozen = {name: weight for name, weight in params.items() if name not in trained}
    optimizer = adamw(optax.linear_schedule(rate / WARMUP, rate, WARMUP))
    state = first_state(sharding.place(trained, copy=True), optimizer)
    return state, frozen, make_update(next_token_loss(model.decoder), optimizer)


def stepper(update, state, batch, frozen):
    """A function that does one update."""

    def step() -> None:
        nonlocal state
        state, figures = update(state, batch, frozen)
        float(figures["loss"])

    return step


def timed(step) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def decoding(model):
    """A function that gives the seconds of a decoded token after the first."""
    tokenizer = model.tokenizer
    prompt = [[tokenizer.bos_id, *tokenizer.encode(["이 영화는 처음부터 끝까지"])[0]]]

    def token() -> float:
        one, more = (
            timed(lambda count=count: evaluation.generate(model, prompt, count))
            for count in (1, 1 + TIMED_TOKENS)
        )
        return (more - one) / TIMED_TOKENS

    return token


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--petitions", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--english", required=True, nargs="+", help="files to count pieces in")
    parser.add_argument("--copa", required=True, type=Path, help="folder with KoBEST's COPA")
    parser.add_argument("--tiny", action="store_true", help="nano and little text, to try it out")
    Maker(parser.parse_args()).make()


if __name__ == "__main__":
    main()
