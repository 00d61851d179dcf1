"""Gemma 3 270M learns to put the spaces back into Korean sentences: lesson 09's narrow task.

    python -m data_samples.makers.recorded.spacing

The sentences are the course's own, of its edited registers: those of the training texts to train
on, those of the held-out texts to test. The model reads a sentence without spaces and writes it
with them. Two rivals learn from the same sentences: a table of letters, and a perceptron on the
letters around each gap. Kiwi, an analyser with a dictionary, has learnt from far more. Needs the
extra `korean`. `--tiny` runs the same on nano in a few minutes and saves nothing.
"""

import argparse
import collections
import dataclasses
import difflib
import json
import re
from pathlib import Path

import numpy as np

from data_samples.makers.recorded import WORK, kept_part, lines_after, save, tuned_ahead_of
from gemma_ko_lib import models, runtime, tokenization, training
from gemma_ko_lib.corpus.cleaning.quality import kiwi
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.decoding import answer
from gemma_ko_lib.evaluation.statistics import draws, share_interval
from gemma_ko_lib.tokenization.conversations import Turn, encode_conversation

ASK = "띄어 써 주세요: "
EDITED = ("blog", "encyclopedia", "news", "notice")
SENTENCE = re.compile(r"[가-힣A-Za-z0-9 .,:;?!%\"'“”‘’()~·…/-]+")
WIDTH, LONGEST = 4, 5  # letters that the perceptron sees on each side of a gap, and in one feature


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is trained and asked."""

    model: str = "gemma3_270m"
    pieces: int = 32_768
    letters: tuple[int, int] = (10, 60)
    update_tokens: int = 512
    row_length: int = 256
    rate: float = 1e-3
    updates: int = 240
    choose: int = 100
    tests: int = 240
    shots: int = 4
    answer_tokens: int = 56


TINY = Sizes("nano", 3_000, (10, 30), 512, 256, 3e-3, 3, 20, 12, 2, 8)


def main() -> None:
    """Run what is not there yet, and save the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiny", action="store_true")
    tiny = parser.parse_args().tiny
    sizes = TINY if tiny else Sizes()
    work = WORK / ("spacing-tiny" if tiny else "spacing")
    work.mkdir(parents=True, exist_ok=True)
    runtime.seed_everything(0)
    train, choose, tests = _sentences(sizes)
    _cut(work, sizes, train)
    parts = {}

    def make(name: str, run) -> None:
        parts[name] = kept_part(work / f"part_{name}.json", run)

    make("run", lambda: _tune(work, train, choose, sizes))
    make("tuned", lambda: _answers(models.load(work / "run"), tests, sizes))
    make("examples", lambda: _shown(models.load(work / "cut"), tests, train, sizes))
    make("base", lambda: _answers(models.load(work / "cut"), tests, sizes))
    make("rivals", lambda: _rivals(train, choose, tests))
    found = {name: part["found"] for name, part in parts.items()}
    figures = _figures(found, tests)
    print(json.dumps(figures, ensure_ascii=False, indent=1))
    if not tiny:
        _save(found, figures, train, tests, sizes, sum(p["minutes"] for p in parts.values()))


# --- sentences ---


def _sentences(sizes: Sizes) -> tuple[list[str], list[str], list[str]]:
    """To train on, to choose the weights by, to test; no sentence is in two of them."""
    parts, seen = {}, set()
    for split in ("train", "held_out"):
        found = {}
        for record in read_samples("ko", split):
            if record["register"] not in EDITED:
                continue
            for line in re.split(r"(?<=[.!?])\s+|\n", record["text"]):
                line = " ".join(line.split())
                fits = sizes.letters[0] <= len(line) <= sizes.letters[1] and line.count(" ") > 1
                if fits and SENTENCE.fullmatch(line) and joined(line) not in seen:
                    found[line] = None
        seen |= {joined(line) for line in found}
        order = np.random.default_rng(0).permutation(len(found))
        parts[split] = [list(found)[i] for i in order]
    rest, tests = parts["train"], parts["held_out"][: sizes.tests]
    return rest[sizes.choose :], rest[: sizes.choose], tests


def joined(sentence: str) -> str:
    """A sentence without its spaces."""
    return sentence.replace(" ", "")


def gaps_of(sentence: str) -> np.ndarray:
    """1 where a space stands, 0 where none does, between the letters of a sentence."""
    ends = np.cumsum([len(word) for word in sentence.split()])[:-1]
    gaps = np.zeros(len(joined(sentence)) - 1, int)
    gaps[ends - 1] = 1
    return gaps


def put_back(letters: str, answer: str) -> str:
    """The letters of the question with the spaces of the answer.

    A language model may write other letters than it was given. Those are thrown away: only where
    the two are the same, or next to it, a space of the answer counts.
    """
    said, place = joined(answer), {}
    matcher = difflib.SequenceMatcher(None, said, letters, autojunk=False)
    for start, there, size in matcher.get_matching_blocks():
        place |= {start + n: there + n for n in range(size)}
    after = np.cumsum([len(word) for word in answer.split()])[:-1]
    cuts = {place.get(n, place.get(n - 1, -1) + 1) for n in map(int, after)}
    return "".join((" " if n in cuts and n else "") + x for n, x in enumerate(letters))


# --- the model ---


def _cut(work: Path, sizes: Sizes, train: list[str]) -> None:
    """The base with the pieces that these sentences use, with spaces and without."""
    if (work / "cut" / "model.safetensors").is_file():
        return
    texts = [text for line in train for text in (line, ASK + joined(line))]
    texts += [r["text"] for lang in ("ko", "en") for r in read_samples(lang, "train")]
    base = models.load(sizes.model)
    cut = tokenization.cut_to_texts(base.tokenizer, texts, sizes.pieces)
    models.change_vocabulary(base, cut).save(work / "cut")


def _tune(work: Path, train: list[str], choose: list[str], sizes: Sizes) -> dict:
    for name, some in (("train", train), ("choose", choose)):
        with runtime.whole_file(work / f"{name}.jsonl") as file:
            for line in some:
                talk = {"prompt": ASK + joined(line), "response": line}
                file.write(json.dumps(talk, ensure_ascii=False) + "\n")
    size = training.RunSize(
        tokens=sizes.updates * sizes.update_tokens,
        update_tokens=sizes.update_tokens,
        length=sizes.row_length,
        learning_rate=sizes.rate,
    )
    run = work / "run"
    summary = training.finetune(
        work / "cut",
        work / "train.jsonl",
        run,
        size=size,
        held_out=work / "choose.jsonl",
        resume=run.exists(),
    )
    return {
        "updates": summary["steps"],
        "best_update": summary["best_step"],
        "held_out_loss": training.answers.held_out_losses(run),
        "times_read": _times_read(work, train, summary["steps"], sizes),
    }


def _times_read(work: Path, train: list[str], updates: int, sizes: Sizes) -> float:
    """How often the updates have read each sentence."""
    tokenizer = models.load(work / "cut").tokenizer
    talks = [(Turn("user", ASK + joined(line)), Turn("model", line)) for line in train]
    tokens = sum(len(encode_conversation(tokenizer, talk)[0]) for talk in talks)
    return updates * sizes.update_tokens / tokens


def _answers(model, tests: list[str], sizes: Sizes) -> list[str]:
    asked = [ASK + joined(line) for line in tests]
    return [some.text for some in answer(model, asked, sizes.answer_tokens, progress=True)]


def _shown(model, tests: list[str], train: list[str], sizes: Sizes) -> list[str]:
    """The base with examples in its prompt instead of training."""
    shown = "".join(f"붙임: {joined(x)}\n띄움: {x}\n\n" for x in train[: sizes.shots])
    asked = [f"{shown}붙임: {joined(line)}\n띄움:" for line in tests]
    return [text for text, _ in lines_after(model, asked, sizes.answer_tokens)]


# --- the rivals ---


def _rivals(train: list[str], choose: list[str], tests: list[str]) -> dict[str, list[str]]:
    """Sentences as the rivals space them."""
    letters = [joined(line) for line in tests]
    learnt = {"letter rule": _letter_rule(train), "perceptron": _best_perceptron(train, choose)}
    found = {name: [_spaced(x, space(x)) for x in letters] for name, space in learnt.items()}
    return found | {"Kiwi": [put_back(x, kiwi().space(x)) for x in letters]}


def _spaced(letters: str, gaps) -> str:
    return letters[0] + "".join(
        " " * int(gap) + x for gap, x in zip(gaps, letters[1:], strict=True)
    )


def _letter_rule(sentences: list[str]):
    """A space behind each letter that has more spaces than letters behind it."""
    behind, seen = collections.Counter(), collections.Counter()
    for line in sentences:
        for letter, gap in zip(joined(line), gaps_of(line), strict=False):
            seen[letter] += 1
            behind[letter] += int(gap)
    return lambda letters: [behind[x] > seen[x] / 2 for x in letters[:-1]]


def _best_perceptron(sentences: list[str], choose: list[str]):
    """The perceptron with the rounds that suit the sentences to choose by best."""
    tried = {}
    for rounds in (2, 5, 10):
        space = _perceptron(sentences, rounds)
        counts = [_counts(_spaced(joined(x), space(joined(x))), x) for x in choose]
        tried[rounds] = f1(np.array(counts).sum(0)), space
    return max(tried.values(), key=lambda some: some[0])[1]


def _perceptron(sentences: list[str], rounds: int):
    """An averaged perceptron (Collins, 2002) that decides gap by gap, from left to right."""
    weights, sums = collections.defaultdict(float), collections.defaultdict(float)
    rng, step = np.random.default_rng(0), 0
    for _ in range(rounds):
        for i in rng.permutation(len(sentences)):
            letters, gaps = joined(sentences[i]), gaps_of(sentences[i])
            since = 1
            for place, gap in enumerate(gaps):
                step += 1
                seen = _around(letters, place, since)
                if (sum(weights[x] for x in seen) > 0) != gap:
                    for x in seen:
                        weights[x] += 2 * gap - 1
                        sums[x] += step * (2 * gap - 1)
                since = 1 if gap else since + 1
    mean = {x: weight - sums[x] / step for x, weight in weights.items()}

    def space(letters: str) -> list[int]:
        gaps, since = [], 1
        for place in range(len(letters) - 1):
            score = sum(mean.get(x, 0.0) for x in _around(letters, place, since))
            gaps.append(int(score > 0))
            since = 1 if gaps[-1] else since + 1
        return gaps

    return space


def _around(letters: str, place: int, since: int) -> list[str]:
    """What the perceptron sees of a gap: runs of letters around it, letters since a space."""
    padded = "^" * WIDTH + letters + "$" * WIDTH
    here = place + WIDTH + 1
    seen = [f"since {min(since, 6)}"]
    for start in range(-WIDTH, 2):
        ends = range(max(start + 1, 0), min(start + LONGEST, WIDTH) + 1)
        seen += [f"{start} {padded[here + start : here + end]}" for end in ends]
    return seen


# --- figures ---


def _counts(spaced: str, right: str) -> tuple[int, int, int]:
    """Spaces that are right, wrong, missing."""
    return _compared(gaps_of(spaced), gaps_of(right))


def _counts_in_hangul(spaced: str, right: str) -> tuple[int, int, int]:
    """The same between two Hangul syllables: no gap beside a figure or a mark is counted."""
    hangul = np.array(["가" <= letter <= "힣" for letter in joined(right)])
    kept = hangul[:-1] & hangul[1:]
    return _compared(gaps_of(spaced)[kept], gaps_of(right)[kept])


def _compared(put: np.ndarray, there: np.ndarray) -> tuple[int, int, int]:
    return int((put & there).sum()), int((put > there).sum()), int((put < there).sum())


def f1(counts) -> float:
    """2 × right / (2 × right + wrong + missing), of counts [..., 3]."""
    right, wrong, missing = np.moveaxis(np.asarray(counts, float), -1, 0)
    return 2 * right / np.maximum(2 * right + wrong + missing, 1)


def _figures(found: dict, tests: list[str]) -> dict:
    """F1 of the spaces and share of whole sentences, with intervals over sentences."""
    written = {name: found[name] for name in ("base", "examples", "tuned")}
    spaced = {
        name: [put_back(joined(x), y) for x, y in zip(tests, some, strict=True)]
        for name, some in written.items()
    }
    spaced |= found["rivals"]
    whole = {
        name: np.array([x == y for x, y in zip(tests, some, strict=True)], float)
        for name, some in spaced.items()
    }
    kept = {
        name: [joined(x) == joined(y) for x, y in zip(tests, some, strict=True)]
        for name, some in written.items()
    }
    return {
        **_f1_figures(spaced, tests, _counts),
        "between_hangul": _f1_figures(spaced, tests, _counts_in_hangul),
        "whole": {n: [float(some.mean()), *share_interval(some)] for n, some in whole.items()},
        "whole_ahead_of": tuned_ahead_of(whole),
        "letters_kept": {n: [float(np.mean(x)), *share_interval(x)] for n, x in kept.items()},
    }


def _f1_figures(spaced: dict, tests: list[str], count) -> dict:
    """F1 of each, and by how much the tuned model is ahead, over the same drawn sentences."""
    counts = {
        name: np.array([count(y, x) for x, y in zip(tests, some, strict=True)])
        for name, some in spaced.items()
    }
    drawn, ends = draws(len(tests)), (2.5, 97.5)
    again = {name: f1(some[drawn].sum(1)) for name, some in counts.items()}
    value = {name: float(f1(some.sum(0))) for name, some in counts.items()}
    return {
        "f1": {n: [value[n], *np.percentile(some, ends).tolist()] for n, some in again.items()},
        "f1_ahead_of": {
            name: [
                value["tuned"] - value[name],
                *np.percentile(again["tuned"] - some, ends).tolist(),
            ]
            for name, some in again.items()
            if name != "tuned"
        },
    }


def _save(found, figures, train, tests, sizes: Sizes, minutes: float) -> None:
    run, rivals = found["run"], found["rivals"]
    save(
        "spacing",
        f"Gemma 3 270M (4-bit weights dequantised, vocabulary cut to {sizes.pieces:,} pieces) puts "
        f"the spaces back into Korean sentences of {sizes.letters[0]} to {sizes.letters[1]} "
        f"characters, from the course's own edited texts: LoRA of rank 16, {run['updates']} "
        f"updates of {sizes.update_tokens} tokens at rate {sizes.rate}, which read each of "
        f"{len(train):,} sentences {run['times_read']:.1f} times; {len(tests)} sentences of "
        "held-out texts to test. Letters that the model changes are put back before it is judged.",
        minutes,
        run=run,
        tests=len(tests),
        trained_on=len(train),
        shots=sizes.shots,
        **figures,
        examples=[
            {
                "asked": joined(tests[i]),
                "right": tests[i],
                **{name: found[name][i] for name in ("base", "examples", "tuned")},
                **{name: rivals[name][i] for name in ("perceptron", "Kiwi")},
            }
            for i in range(12)
        ],
    )


if __name__ == "__main__":
    main()
