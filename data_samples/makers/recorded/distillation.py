"""Small students learn Korean from Gemma 3 270M or from the text, clean and damaged: lesson 08.

    python -m data_samples.makers.recorded.distillation

The texts are the course's own, which the teacher has never read. The damage is of the kinds that
collected Korean has: letters that a scanner confuses, slips of the keyboard, wrong spacing, lines
of another page. The teacher reads each row once; its last hidden states are kept, and from them its
whole distribution is computed in each update, with the library's own loss. `--tiny` runs the same
on nano in a minute and saves nothing.
"""

import argparse
import dataclasses
import functools
import json
import math
import time
from pathlib import Path

import jax
import numpy as np

from data_samples.makers.recorded import WORK, rounded, save, try_rates
from gemma_ko_lib import evaluation, models, runtime, tokenization, training
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.statistics import interval
from gemma_ko_lib.training.distillation import Objective, distillation_loss, random_student
from gemma_ko_lib.training.optimizer import learning_rate_schedule

EMBEDDING = "token_embedding/embeddings"
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
# Shapes that lie near each other on paper.
CONFUSED_INITIALS = ("ㅇㅁ", "ㅁㅂ", "ㄱㅋ", "ㄷㅌ", "ㅈㅊ", "ㅅㅈ", "ㅂㅍ", "ㄴㄹ")
CONFUSED_VOWELS = ("ㅏㅑ", "ㅓㅕ", "ㅗㅛ", "ㅜㅠ", "ㅐㅔ", "ㅣㅏ", "ㅣㅓ", "ㅡㅜ", "ㅗㅡ")
SCANNED, TYPED, SPACED, STRAYED = 0.10, 0.04, 0.15, 0.15
MISLABELLED = 0.15  # of the words to predict, behind sound text
TARGETS, TEXTS = ("text", "teacher"), ("clean", "damaged")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large, and how long."""

    teacher: str = "gemma3_270m"
    pieces: int = 8_192
    student: tuple[int, int, int, int, int] = (4, 256, 768, 4, 64)
    rows: int = 400
    row_length: int = 128
    batch_rows: int = 4
    updates: int = 100
    measure_every: int = 25
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    probe: int = 25
    seeds: int = 2
    label_seeds: int = 4
    letters: int = 240


TINY = Sizes("nano", 3_000, (2, 64, 128, 2, 32), 24, 64, 4, 6, 3, (3e-3, 1e-2), 2, 2, 2, 60)
VARIANTS = {"temperature 2": Objective(temperature=2.0), "half of each": Objective(share=0.5)}


def main() -> None:
    """Run what is not there yet, and save the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiny", action="store_true")
    tiny = parser.parse_args().tiny
    sizes = TINY if tiny else Sizes()
    work = WORK / ("distillation-tiny" if tiny else "distillation")
    work.mkdir(parents=True, exist_ok=True)
    runtime.seed_everything(0)
    texts = [record["text"] for record in read_samples("ko", "train")]
    rng = np.random.default_rng(0)
    sources = {"clean": texts, "damaged": [damaged(text, texts, rng) for text in texts]}
    teacher, longer = _cut(work, sizes, sources)
    held_out = [record["text"][: sizes.letters] for record in read_samples("ko", "held_out")]
    rng = np.random.default_rng(1)
    tests = {"clean": held_out, "damaged": [damaged(text, texts, rng) for text in held_out]}
    rows = {text: _rows(work, text, sources[text], teacher, sizes) for text in TEXTS}
    lab = _Lab(work, sizes, teacher, rows, tests)
    probes = lab.probes()
    rates = {target: min(ends, key=ends.get) for target, ends in probes.items()}
    runs = {
        (target, text, seed): lab.run(target, text, seed, rates[target])
        for seed in range(sizes.seeds)
        for text in TEXTS
        for target in TARGETS
    }
    # Wrong labels change nothing for the teacher's students, whose loss has no word of the text.
    labels = {
        text: [lab.run("text", text, seed, rates["text"]) for seed in range(sizes.label_seeds)]
        for text in ("clean", "mislabelled")
    }
    variants = {
        name: lab.run("teacher", "damaged", 0, rates["teacher"], objective, name)
        for name, objective in VARIANTS.items()
    }
    of_teacher = lab.of_teacher()
    behind = lab.behind(held_out, texts)
    if not tiny:
        found = {"runs": runs, "labels": labels, "variants": variants}
        _save(sizes, lab, longer, probes, rates, found, of_teacher, behind, sources)


# --- texts ---


def damaged(text: str, others: list[str], rng: np.random.Generator) -> str:
    """A text as a bad scan or a careless crawl gives it, with the shares above."""
    lines = []
    for line in text.split("\n"):
        if line and rng.random() < STRAYED:  # a line of another page
            line = rng.choice([some for some in rng.choice(others).split("\n") if some])
        lines.append("".join(_damaged_letter(letter, rng) for letter in line))
    return "\n".join(lines)


def _damaged_letter(letter: str, rng: np.random.Generator) -> str:
    chance = rng.random()
    if letter == " ":
        return "" if chance < SPACED else letter
    if not "가" <= letter <= "힣":
        return letter
    if chance < SCANNED:
        return _misread(letter, rng)
    if chance < SCANNED + TYPED:  # left out, struck twice, or with a space behind it
        return ("", letter * 2, letter + " ")[rng.integers(3)]
    return letter


def _misread(syllable: str, rng: np.random.Generator) -> str:
    """A syllable with one of its letters read as its neighbour, or without its last one."""
    initial, rest = divmod(ord(syllable) - ord("가"), 588)
    vowel, final = divmod(rest, 28)
    initials = _neighbours(INITIALS[initial], CONFUSED_INITIALS)
    vowels = _neighbours(VOWELS[vowel], CONFUSED_VOWELS)
    readings = [(INITIALS.index(other), vowel, final) for other in initials]
    readings += [(initial, VOWELS.index(other), final) for other in vowels]
    readings += [(initial, vowel, 0)] if final else []
    if not readings:
        return syllable
    initial, vowel, final = readings[rng.integers(len(readings))]
    return chr(ord("가") + initial * 588 + vowel * 28 + final)


def _neighbours(letter: str, pairs) -> list[str]:
    return [pair.replace(letter, "") for pair in pairs if letter in pair]


def _cut(work: Path, sizes: Sizes, sources: dict) -> tuple[models.Model, float]:
    """The teacher with the pieces that the clean texts use most, and how much longer they get."""
    base = models.load(sizes.teacher)
    tokenizer = base.tokenizer
    cut = tokenization.cut_to_texts(tokenizer, sources["clean"], sizes.pieces)
    tokens = [sum(map(len, some.encode(sources["clean"]))) for some in (tokenizer, cut)]
    return models.change_vocabulary(base, cut), tokens[1] / tokens[0] - 1


def _rows(work: Path, name: str, texts: list[str], teacher, sizes: Sizes):
    """Packed rows, and the teacher's last hidden states of them, [rows, length, width]."""
    folder, states = work / f"rows-{name}", work / f"states-{name}.npy"
    if not states.is_file():
        order = np.random.default_rng(2).permutation(len(texts))
        mixed = [texts[i] for i in order]
        tokenization.write_shards(mixed, teacher.tokenizer, folder, sizes.row_length)
    shards = tokenization.open_shards(folder, teacher.tokenizer)
    chosen = [shards[i] for i in range(min(sizes.rows, len(shards)))]
    if not states.is_file():
        read, found, started = jax.jit(teacher.decoder.hidden), [], time.monotonic()
        for start in range(0, len(chosen), 8):
            batch = chosen[start : start + 8]
            ids, segments = (
                np.stack([getattr(row, n) for row in batch]) for n in ("token_ids", "segment_ids")
            )
            found.append(np.asarray(read(teacher.params, ids, segments), np.float32))
            if start % 80 == 0:
                print(f"{name}: the teacher has read {start} of {len(chosen)} rows", flush=True)
        minutes = (time.monotonic() - started) / 60
        (work / f"reading-{name}.json").write_text(json.dumps(minutes), "utf-8")
        np.save(work / "unfinished.npy", np.concatenate(found))
        (work / "unfinished.npy").rename(states)
    return chosen, np.load(states)


# --- students ---


class _Lab:
    """Trains and measures students; each run is a file, so that a stopped maker goes on."""

    def __init__(self, work: Path, sizes: Sizes, teacher, rows, tests):
        self.work, self.sizes, self.teacher = work, sizes, teacher
        self.rows, self.tests = rows, tests
        layers, width, ffn, heads, head_dim = sizes.student
        self.shape = {
            "num_layers": layers,
            "hidden_dim": width,
            "intermediate_dim": ffn,
            "num_query_heads": heads,
            "num_key_value_heads": 1,
            "head_dim": head_dim,
        }
        self.student = random_student(teacher, self.shape, 0)
        self.updates, self.minutes = {}, 0.0

    def run(
        self, target: str, text: str, seed: int, rate: float, objective=None, name=None, steps=None
    ):
        """Bits per byte of one student by updates done, and on the damaged test at the end."""
        steps, objective = steps or self.sizes.updates, objective or Objective()
        label = f"{name or target}-{text}-{seed}-{rate}-{steps}".replace(" ", "_")
        path = self.work / f"run-{label}.json"
        if not path.is_file():
            started = time.monotonic()
            found = self._train(target, text, seed, rate, objective, steps)
            found["minutes"] = (time.monotonic() - started) / 60
            path.write_text(json.dumps(found), "utf-8")
            print(label, found, flush=True)
        found = json.loads(path.read_text("utf-8"))
        self.minutes += found["minutes"]
        return found

    def _train(self, target, text, seed, rate, objective, steps) -> dict:
        sizes, method = self.sizes, training.Method("full")
        chosen, states = self.rows["clean" if text == "mislabelled" else text]
        params = random_student(self.teacher, self.shape, seed).params
        state, _ = method.begin(params)
        update = self._update(target, rate, objective, steps)
        frozen = {}
        if target == "teacher":
            frozen = {"teacher_states": states, "teacher_words": self.teacher.params[EMBEDDING]}
            frozen = jax.device_put(frozen)
        batches, bits = training.Batches(chosen, sizes.batch_rows, seed), {}
        words = np.concatenate([row.token_ids for row in chosen])
        rng = np.random.default_rng(seed)
        for step in range(steps + 1):
            if step % sizes.measure_every == 0 or step == steps:
                bits[step] = self.measure(self.student, state.params, "clean")
            if step < steps:
                batch = next(batches)
                if text == "mislabelled":  # other words of the texts, as frequent as they are
                    hit = rng.random(batch["targets"].shape) < MISLABELLED
                    others = rng.choice(words, batch["targets"].shape)
                    batch["targets"] = np.where(hit, others, batch["targets"])
                batch = {name: x[None] for name, x in batch.items()}
                state, _ = update(state, batch, frozen)
        on_damaged = self.measure(self.student, state.params, "damaged")
        return {"bits": bits, "on_damaged": on_damaged}

    def _update(self, target, rate, objective, steps):
        """The library's update; the teacher's distribution comes from the states it has left."""
        key = target, rate, objective, steps
        if key not in self.updates:
            student, cap = self.student.decoder, self.teacher.decoder.soft_cap

            def loss_sum(params, batch):
                hidden = student.hidden(params, batch["token_ids"], batch["segment_ids"])
                weights = batch["loss_weights"]
                loss = distillation_loss(
                    hidden,
                    params[EMBEDDING],
                    params["teacher_states"][batch["row"]],
                    params["teacher_words"],
                    batch["targets"],
                    weights,
                    objective,
                    student_soft_cap=student.soft_cap,
                    teacher_soft_cap=cap,
                )
                return loss, weights.sum()

            schedule = learning_rate_schedule(rate, steps, max(1, steps // 10))
            loss = loss_sum if target == "teacher" else None
            self.updates[key] = training.Method("full").update(student, schedule, loss=loss)
        return self.updates[key]

    def measure(self, model, params, test: str) -> float:
        return evaluation.bits_per_byte(
            model, self.tests[test], params=params, window=self.sizes.row_length, batch_rows=16
        ).micro

    def probes(self) -> dict[str, dict[float, float]]:
        """Bits per byte by target and rate, in short runs on clean text with their own seed."""

        def measure(target: str, rate: float) -> float:
            run = self.run(target, "clean", 99, rate, steps=self.sizes.probe)
            return run["bits"][str(self.sizes.probe)]

        return {
            target: try_rates(self.sizes.rates, functools.partial(measure, target), most=8)
            for target in TARGETS
        }

    def behind(self, held_out: list[str], others: list[str]) -> dict[str, list[float]]:
        """The teacher's bits per byte of sound text behind three contexts, by text.

        The second half of each text is the same sound one every time; what stands before it is
        its first half as it is, that half damaged, or nothing.
        """
        path = self.work / "behind.json"
        if not path.is_file():
            rng = np.random.default_rng(3)
            halves = [(text[: len(text) // 2], text[len(text) // 2 :]) for text in held_out]
            contexts = {
                "clean": [first for first, _ in halves],
                "damaged": [damaged(first, others, rng) for first, _ in halves],
                "nothing": ["" for _ in halves],
            }
            seconds = [second for _, second in halves]
            found = {}
            for name, before in contexts.items():
                scores = evaluation.score_choices(
                    self.teacher, before, [[second] for second in seconds]
                )
                found[name] = [
                    -score.nats / math.log(2) / len(second.encode())
                    for (score,), second in zip(scores, seconds, strict=True)
                ]
            path.write_text(json.dumps(found), "utf-8")
        return json.loads(path.read_text("utf-8"))

    def of_teacher(self) -> dict[str, float]:
        """The teacher's own bits per byte, on clean and on damaged text."""
        path = self.work / "of_teacher.json"
        if not path.is_file():
            found = {test: self.measure(self.teacher, self.teacher.params, test) for test in TEXTS}
            path.write_text(json.dumps(found), "utf-8")
        return json.loads(path.read_text("utf-8"))


# --- the record ---


def _save(sizes, lab, longer, probes, rates, found, of_teacher, behind, sources) -> None:
    runs, variants = found["runs"], found["variants"]
    clean, bad = (["".join(text.split()) for text in sources[name]] for name in TEXTS)
    before, after = (lab.teacher.tokenizer.encode(sources[name]) for name in TEXTS)
    example = next(i for i, text in enumerate(sources["clean"]) if 150 < len(text) < 220)
    parameters = {
        name: sum(int(np.size(x)) for x in model.params.values())
        for name, model in (("teacher", lab.teacher), ("student", lab.student))
    }
    save(
        "distillation",
        f"Gemma 3 270M (4-bit weights dequantised, vocabulary cut to {sizes.pieces:,} pieces) "
        f"teaches students of {parameters['student'] / 1e6:.1f} million parameters; others learn "
        f"from the text itself. {sizes.updates} updates of {sizes.batch_rows} × "
        f"{sizes.row_length} tokens on the course's own Korean texts, which the teacher has not "
        f"read, clean and damaged; {sizes.seeds} seeds each, rates tuned for each target; "
        "measured on held-out texts.",
        lab.minutes + sum(map(_minutes, sorted(lab.work.glob("reading-*.json")))),
        parameters=parameters,
        texts_longer_by=longer,
        damage={
            "scanned": SCANNED,
            "typed": TYPED,
            "spaced": SPACED,
            "strayed": STRAYED,
            "clean": sources["clean"][example],
            "damaged": sources["damaged"][example],
            "tokens": [sum(map(len, before)), sum(map(len, after))],
            "letters": [sum(map(len, clean)), sum(map(len, bad))],
        },
        rates=rates,
        probes={
            f"{target} {rate}": bits
            for target, ends in probes.items()
            for rate, bits in ends.items()
        },
        seeds=sizes.seeds,
        updates=sizes.updates,
        update_tokens=sizes.batch_rows * sizes.row_length,
        bits={
            f"{target}, {text}": [runs[target, text, seed]["bits"] for seed in range(sizes.seeds)]
            for target in TARGETS
            for text in TEXTS
        },
        on_damaged={
            f"{target}, {text}": [
                runs[target, text, seed]["on_damaged"] for seed in range(sizes.seeds)
            ]
            for target in TARGETS
            for text in TEXTS
        },
        wrong_labels={
            "what": f"{MISLABELLED:.0%} of the words to predict replaced by other words of the "
            "texts, behind sound text; students of the text",
            "bits": {text: [run["bits"] for run in some] for text, some in found["labels"].items()},
        },
        variants={name: run["bits"][str(sizes.updates)] for name, run in variants.items()},
        teacher=of_teacher,
        behind={name: _interval(values) for name, values in behind.items()}
        | {"harm": _interval(np.subtract(behind["damaged"], behind["clean"]))},
    )


def _interval(values) -> list[float]:
    """A mean over texts, with the ends of its interval."""
    values = np.asarray(values)
    return rounded((values.mean(), *interval(values)))


def _minutes(path: Path) -> float:
    return json.loads(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
