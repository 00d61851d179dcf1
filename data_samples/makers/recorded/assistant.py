"""Gemma 3 270M becomes a Korean assistant, and learns one narrow task: lesson 09's long runs.

    python -m data_samples.makers.recorded.assistant --chats CHATS.jsonl --reviews NSMC.jsonl

CHATS are short exchanges, {"instruction", "output"} a line (songys/Chatbot_data, MIT licence);
NSMC are film reviews, {"text", "rating"} a line (e9t/nsmc, CC0). The vocabulary is cut to the
pieces that these texts use, so that an update on two cores takes seconds. `--tiny` runs the same
on nano in a minute and saves nothing.
"""

import argparse
import collections
import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from data_samples.makers.recorded import WORK, kept_part, lines_after, save, tuned_ahead_of
from gemma_ko_lib import evaluation, models, runtime, tokenization, training
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation import writing
from gemma_ko_lib.evaluation.decoding import answer
from gemma_ko_lib.evaluation.statistics import interval, paired_difference, share_interval
from gemma_ko_lib.runtime import numbered_lines
from gemma_ko_lib.tokenization.conversations import (
    END,
    Turn,
    control_id,
    encode_conversation,
    encode_prompt,
    read_conversations,
)
from gemma_ko_lib.tokenization.tokenizer import encode_plain

LEVELS = ("해요체", "합니다체", "해라체", "해체")
POLITE = LEVELS[:2]
ROOM = 500  # tokens of a question and its answer, of the 512 that a row of scoring has
ASK = "이 영화평은 긍정인가요, 부정인가요?"
LABELS = ("부정", "긍정")
# A rule that needs no training: words that praise, and words that blame.
PRAISE = (
    "재밌 재미있 잼있 최고 감동 좋 명작 추천 훌륭 사랑 멋 완벽 굿 강추 대박 아름다 웃 수작 짱"
).split()
BLAME = (
    "별로 최악 쓰레기 지루 재미없 노잼 아깝 실망 망작 졸 유치 뻔 형편 억지 허접 짜증 식상 어이 "
    "돈주고 산만 비추"
).split()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is trained and asked."""

    model: str = "gemma3_270m"
    pieces: int = 32_768
    chats: int = 700
    row_length: int = 256
    update_tokens: int = 768
    rates: tuple[float, ...] = (1e-3, 3e-3)
    probe: int = 5
    updates: int = 30
    reviews: int = 900
    review_rates: tuple[float, ...] = (1e-3,)
    review_updates: int = 26
    review_tests: int = 240
    answer_tokens: int = 48
    grammar: int = 4


TINY = Sizes("nano", 3_000, 40, 256, 512, (3e-3, 1e-2), 1, 3, 40, (1e-2, 2e-2), 3, 24, 8, 1)


def main() -> None:
    """Run what is not there yet, and save the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chats", required=True, type=Path)
    parser.add_argument("--reviews", required=True, type=Path)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    sizes = TINY if arguments.tiny else Sizes()
    work = WORK / ("assistant-tiny" if arguments.tiny else "assistant")
    work.mkdir(parents=True, exist_ok=True)
    runtime.seed_everything(0)
    parts = _Parts(work)
    talks = _conversations(work, arguments.chats, sizes)
    reviews = _reviews(arguments.reviews, sizes)
    _cut(work, sizes, talks, reviews)
    parts.make("talk", lambda: _tune(work, "talk", sizes.rates, sizes.updates, sizes))
    parts.make("before", lambda: _talk_figures(models.load(work / "cut"), talks, sizes))
    parts.make("after", lambda: _talk_figures(models.load(work / "talk"), talks, sizes))
    parts.make("prompted", lambda: _prompted(models.load(work / "cut"), talks, sizes))
    parts.make("taught", lambda: _not_taught(work, sizes))
    _write_reviews(work, reviews)
    parts.make(
        "review_run",
        lambda: _tune(work, "review", sizes.review_rates, sizes.review_updates, sizes),
    )
    parts.make("review", lambda: _review_figures(work, reviews, sizes))
    if not arguments.tiny:
        _save(parts, talks, reviews, sizes)


class _Parts:
    """What is done so far: one JSON file a part, with its minutes."""

    def __init__(self, work: Path):
        self.work, self.found, self.minutes = work, {}, 0.0

    def make(self, name: str, run) -> None:
        kept = kept_part(self.work / f"part_{name}.json", run)
        self.found[name] = kept["found"]
        self.minutes += kept["minutes"]


# --- data ---


def _conversations(work: Path, chats: Path, sizes: Sizes) -> dict:
    """The course's conversations and short chats: to train on, to choose by, to ask."""
    path = runtime.samples_dir() / "instructions.jsonl"
    own = [json.loads(line) for _, line in numbered_lines(path)]
    levels = {" ".join(x["messages"][0]["content"].split()): x["register"] for x in own}
    found, _ = read_conversations(path)
    kept, asked = training.split_conversations(found, 0.2)
    more = [json.loads(line) for _, line in numbered_lines(chats)]
    more = [{"prompt": x["instruction"], "response": x["output"]} for x in more]
    order = np.random.default_rng(0).permutation(len(more))
    more = [more[i] for i in order[: sizes.chats]]
    mine = [
        {"messages": [{"role": turn.role, "content": turn.text} for turn in talk]} for talk in kept
    ]
    for name, some in (
        ("talk_choose.jsonl", mine[::10] + more[::10]),
        ("talk_train.jsonl", [x for xs in (mine, more) for i, x in enumerate(xs) if i % 10]),
    ):
        _write_lines(work / name, some)
    tests = [
        {"level": levels[" ".join(talk[0].text.split())], "question": talk[0], "answer": talk[1]}
        for talk in asked
    ]
    examples = [talk for talk in kept if len(talk) == 2 and len(talk[1].text) < 60][:3]
    return {"tests": tests, "examples": examples, "kept": kept, "chats": more}


def _reviews(path: Path, sizes: Sizes) -> dict[str, list[tuple[str, int]]]:
    """Reviews with their label, half of them praise; no text is in two of the three parts."""
    by_label: dict[int, dict[str, None]] = {0: {}, 1: {}}
    for _, line in numbered_lines(path):
        record = json.loads(line)
        text, stars = " ".join(record["text"].split()), record["rating"]
        if 15 <= len(text) <= 90 and (stars <= 4 or stars >= 9):
            by_label[int(stars >= 9)][text] = None
    rng, parts = np.random.default_rng(1), {"train": [], "choose": [], "test": []}
    counts = {"train": sizes.reviews, "choose": sizes.reviews // 8, "test": sizes.review_tests}
    for label, texts in by_label.items():
        texts = [text for text in texts if text not in by_label[1 - label]]
        order = iter(rng.permutation(len(texts)))
        for name, count in counts.items():
            parts[name] += [(texts[next(order)], label) for _ in range(count // 2)]
    return {name: [some[i] for i in rng.permutation(len(some))] for name, some in parts.items()}


def _write_reviews(work: Path, reviews) -> None:
    for name in ("train", "choose"):
        lines = [{"prompt": _asked(t), "response": LABELS[label]} for t, label in reviews[name]]
        _write_lines(work / f"review_{name}.jsonl", lines)


def _asked(text: str) -> str:
    return f"{text}\n\n{ASK}"


def _write_lines(path: Path, records: list[dict]) -> None:
    with runtime.whole_file(path) as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _cut(work: Path, sizes: Sizes, talks: dict, reviews: dict) -> None:
    """The base with the pieces that these texts use; its probabilities are renormalised."""
    if (work / "cut" / "model.safetensors").is_file():
        return
    texts = [turn.text for talk in talks["kept"] for turn in talk]
    texts += [text for chat in talks["chats"] for text in chat.values()]
    texts += [text for text, _ in reviews["train"]]
    texts += [r["text"] for lang in ("ko", "en") for r in read_samples(lang, "train")]
    base = models.load(sizes.model)
    cut = tokenization.cut_to_texts(base.tokenizer, texts, sizes.pieces)
    models.change_vocabulary(base, cut).save(work / "cut")
    asked = [test["question"].text for test in talks["tests"]]
    longer = [sum(map(len, some.encode(asked))) for some in (base.tokenizer, cut)]
    print(f"cut to {sizes.pieces:,} pieces; questions {longer[0]} → {longer[1]} tokens", flush=True)


# --- training ---


def _tune(work: Path, name: str, rates, updates: int, sizes: Sizes) -> dict:
    """A short run at each rate, and the long one at the best."""
    probes = {r: _finetune(work, name, f"{name}-{r}", r, sizes.probe, sizes) for r in rates}
    chosen = min(probes, key=lambda rate: probes[rate]["held_out_loss"]["after"])
    summary = _finetune(work, name, name, chosen, updates, sizes)
    return {
        "rates": {str(r): run["held_out_loss"]["after"] for r, run in probes.items()},
        "probe_updates": sizes.probe,
        "rate": chosen,
        "updates": summary["steps"],
        "conversations": summary["conversations"],
        "best_update": summary["best_step"],
        "held_out_loss": training.answers.held_out_losses(work / name),
    }


def _finetune(work: Path, name: str, run: str, rate: float, updates: int, sizes: Sizes) -> dict:
    size = training.RunSize(
        tokens=updates * sizes.update_tokens,
        update_tokens=sizes.update_tokens,
        length=sizes.row_length,
        learning_rate=rate,
    )
    data, choose = (work / f"{name}_{part}.jsonl" for part in ("train", "choose"))
    there = (work / run).exists()
    return training.finetune(
        work / "cut", data, work / run, size=size, held_out=choose, resume=there
    )


# --- the assistant ---


def _talk_figures(model, talks: dict, sizes: Sizes) -> dict:
    """What a chat model writes, and what it gives to the answers that people wrote."""
    tests = talks["tests"]
    asked = [test["question"].text for test in tests]
    written = [(a.text, a.ended) for a in answer(model, asked, sizes.answer_tokens, progress=True)]
    return {"written": written, **_measured(tests, written), **_likelihoods(model, tests)}


def _measured(tests: list[dict], written: list[tuple[str, bool]]) -> dict:
    """`measure_writing` of the answers; the level only where the question has one."""
    openings = [
        writing.Opening(str(i), test["level"], test["question"].text)
        for i, test in enumerate(tests)
    ]
    pairs = list(zip(openings, written, strict=True))
    levelled = [pair for pair in pairs if pair[0].level in LEVELS]
    found = writing.measure_writing(openings, written)
    found["level_kept"] = writing.measure_writing(*zip(*levelled, strict=True))["level_kept"]
    figures = {
        name: None if some.share is None else [some.share, *(some.interval or (None, None))]
        for name, some in found.items()
    }
    ended = [ended for _, ended in written]
    figures["ended"] = [float(np.mean(ended)), *share_interval(ended)]
    polite = [
        [level in POLITE for level in writing.sentence_levels(text)]
        for opening, (text, _) in pairs
        if opening.level in POLITE
    ]
    polite = [some for some in polite if some]
    figures["polite_kept"] = _share(list(map(sum, polite)), list(map(len, polite)))
    return {"measures": figures}


def _share(hits, totals) -> list | None:
    if not totals:
        return None
    return [sum(hits) / sum(totals), *(interval(hits, totals) if len(hits) > 1 else (None, None))]


def _likelihoods(model, tests: list[dict]) -> dict:
    """Nats per token of the people's answers, asked rightly and wrongly, and of their ends."""
    tokenizer = model.tokenizer
    end = control_id(tokenizer, END)
    answers = [list(encode_plain(tokenizer, test["answer"].text)) for test in tests]
    right = [encode_prompt(tokenizer, (test["question"],)) for test in tests]
    plain = [
        [tokenizer.bos_id, *tokenizer.encode([f"질문: {test['question'].text}\n답변: "])[0]]
        for test in tests
    ]
    ways = {
        "template": right,
        "second BOS": [[tokenizer.bos_id, *prompt] for prompt in right],
        "no BOS": [prompt[1:] for prompt in right],
        "plain text": plain,
        "another's question": right[1:] + right[:1],
    }
    longest = [max(map(len, prompts)) for prompts in zip(*ways.values(), strict=True)]
    fits = [i for i, answer in enumerate(answers) if longest[i] + len(answer) < ROOM]
    found = {}
    for way, prompts in ways.items():
        pairs = [(prompts[i], answers[i]) for i in fits]
        scores = evaluation.score_continuations(model, pairs)
        found[way] = [[-score.nats, score.tokens] for score in scores]
    pairs = [(right[i] + answers[i], [end]) for i in fits]
    found["end"] = [[-score.nats, 1] for score in evaluation.score_continuations(model, pairs)]
    return {"nats": found}


def _prompted(model, talks: dict, sizes: Sizes) -> dict:
    """The control: the base with three examples in its prompt instead of training."""
    shown = "".join(f"질문: {q.text}\n답변: {a.text}\n\n" for q, a in talks["examples"])
    asked = [f"{shown}질문: {test['question'].text}\n답변:" for test in talks["tests"]]
    written = lines_after(model, asked, sizes.answer_tokens)
    return {"written": written, **_measured(talks["tests"], written)}


def _not_taught(work: Path, sizes: Sizes) -> dict:
    """What lies outside the conversations, before and after: questions, grammar, plain texts."""
    two = [models.load(work / name) for name in ("cut", "talk")]
    found = {}
    for name in ("knowledge", "grammar"):
        (suite,) = evaluation.load_suites(name)
        if name == "grammar":
            suite = dataclasses.replace(suite, items=_evenly(suite.items, sizes.grammar))
        right = [evaluation.evaluate_suite(model, suite).right for model in two]
        change, span = paired_difference(*right)
        found[name] = {
            "before": [float(right[0].mean()), *share_interval(right[0])],
            "after": [float(right[1].mean()), *share_interval(right[1])],
            "change": [change, *span],
            "items": len(suite.items),
        }
        print(name, found[name], flush=True)
    for language in ("ko", "en"):
        texts = [r["text"][:600] for r in read_samples(language, "held_out")]
        bits = [evaluation.bits_per_byte(m, texts, window=256, batch_rows=4) for m in two]
        found[f"bits_{language}"] = {
            name: [some.micro, *some.interval]
            for name, some in zip(("before", "after"), bits, strict=True)
        }
    return found


def _evenly(items, per_group: int):
    groups = collections.defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    return tuple(
        item
        for some in groups.values()
        for item in some[:: max(1, len(some) // per_group)][:per_group]
    )


# --- the narrow task ---


def _review_figures(work: Path, reviews: dict, sizes: Sizes) -> dict:
    """Right labels on reviews that nothing was trained on, by the model and by its controls."""
    base, tuned = models.load(work / "cut"), models.load(work / "review")
    tests, labels = reviews["test"], np.array([label for _, label in reviews["test"]])
    texts = [text for text, _ in tests]
    margins = {"base": _margins(base, texts), "tuned": _margins(tuned, texts)}
    margins["base, eight examples"] = _margins(base, texts, reviews["train"][:8])
    # The base leans to one word; its best threshold is learnt from the training reviews.
    seen = reviews["train"][: len(tests) // 2]
    leaning = _margins(base, [text for text, _ in seen])
    threshold = _best_threshold(leaning, np.array([label for _, label in seen]))
    margins["base, threshold learnt"] = margins["base"] - threshold
    right = {name: ((some > 0) == labels).astype(float) for name, some in margins.items()}
    right["word list"] = (np.array(list(map(_by_words, texts))) == labels).astype(float)
    learnt = _naive_bayes(reviews["train"])
    right["naive Bayes"] = (np.array([learnt(text) for text in texts]) == labels).astype(float)
    right["majority"] = (labels == np.bincount(labels).argmax()).astype(float)
    shown = answer(tuned, [_asked(text) for text in texts[:20]], 8)
    before = answer(base, [_asked(text) for text in texts[:20]], 8)
    return {
        "accuracy": {n: [float(r.mean()), *share_interval(r)] for n, r in right.items()},
        "ahead_of": tuned_ahead_of(right),
        "tests": len(tests),
        "trained_on": len(reviews["train"]),
        "examples": [
            {
                "text": text,
                "label": LABELS[label],
                "before": [old.text, old.ended],
                "after": [new.text, new.ended],
            }
            for (text, label), old, new in zip(tests[:20], before, shown, strict=True)
        ],
    }


def _margins(model, texts: list[str], examples=()) -> np.ndarray:
    """Nats by which "긍정" is ahead of "부정", with the chat template or after examples."""
    tokenizer = model.tokenizer
    words = [list(ids) for ids in tokenizer.encode(list(LABELS))]
    if examples:
        shown = "".join(f"{_asked(text)} {LABELS[label]}\n\n" for text, label in examples)
        words = [list(ids) for ids in tokenizer.encode([f" {label}" for label in LABELS])]
        prompts = [
            [tokenizer.bos_id, *ids] for ids in tokenizer.encode([shown + _asked(t) for t in texts])
        ]
    else:
        prompts = [encode_prompt(tokenizer, (Turn("user", _asked(text)),)) for text in texts]
    pairs = [(prompt, word) for prompt in prompts for word in words]
    nats = np.array([score.nats for score in evaluation.score_continuations(model, pairs)])
    return nats[1::2] - nats[::2]


def _best_threshold(margins: np.ndarray, labels: np.ndarray) -> float:
    return float(max(margins, key=lambda t: ((margins > t) == labels).mean()))


def _by_words(text: str) -> int:
    praise, blame = (sum(word in text for word in some) for some in (PRAISE, BLAME))
    return int(praise > blame)


def _naive_bayes(reviews: list[tuple[str, int]]):
    """A classifier of character pairs, with one added to each count (the control that learns)."""
    counts = [collections.Counter(), collections.Counter()]
    for text, label in reviews:
        counts[label].update(_pairs_of(text))
    seen = len(counts[0] | counts[1])
    totals = [some.total() + seen for some in counts]

    def classify(text: str) -> int:
        odds = sum(
            math.log((counts[1][pair] + 1) / totals[1] * totals[0] / (counts[0][pair] + 1))
            for pair in _pairs_of(text)
        )
        return int(odds > 0)

    return classify


def _pairs_of(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


# --- the record ---


def _save(parts: _Parts, talks: dict, reviews: dict, sizes: Sizes) -> None:
    found, tests = parts.found, talks["tests"]
    before, after, prompted = found["before"], found["after"], found["prompted"]
    twenty = _shown(tests)
    tokenizer = models.load(parts.work / "cut").tokenizer
    people = [test["answer"].text for test in tests]
    lengths = [len(ids) for ids in tokenizer.encode(people)]
    people = [(t, n < sizes.answer_tokens) for t, n in zip(people, lengths, strict=True)]
    written = {name: found[name]["written"] for name in ("before", "prompted", "after")}
    written["people"] = people
    measures = {name: _measured(tests, some)["measures"] for name, some in written.items()}
    review = found["review"]
    review["read"] = _read_reviews(tokenizer, reviews["train"], sizes)
    name = f"naive Bayes, {review['read']} reviews"
    learnt = _naive_bayes(reviews["train"][: review["read"]])
    right = [float(learnt(text) == label) for text, label in reviews["test"]]
    review["accuracy"][name] = [float(np.mean(right)), *share_interval(right)]
    save(
        "assistant",
        f"Gemma 3 270M (4-bit weights dequantised, vocabulary cut to {sizes.pieces:,} pieces), "
        f"LoRA of rank 16 on {found['talk']['conversations']} Korean conversations, "
        f"{found['talk']['updates']} updates of {sizes.update_tokens} tokens: the course's "
        "instructions and songys/Chatbot_data (MIT licence). Asked and measured on "
        f"{len(tests)} held-out instructions. Then, from the same base, the sentiment of film "
        f"reviews (NSMC, CC0): {len(reviews['train'])} to train on, of which the updates read "
        f"about {review['read']}, and {len(reviews['test'])} others to test.",
        parts.minutes,
        commands=[
            "python -m data_samples.makers.recorded.assistant --chats CHATS.jsonl "
            "--reviews NSMC.jsonl"
        ],
        run=found["talk"],
        asked=len(tests),
        answer_tokens=sizes.answer_tokens,
        answers=[
            {
                "level": tests[i]["level"],
                "question": tests[i]["question"].text,
                "person": tests[i]["answer"].text,
                "before": before["written"][i],
                "prompted": prompted["written"][i],
                "after": after["written"][i],
            }
            for i in twenty
        ],
        writing=measures,
        nats={way: _nats(before["nats"][way], after["nats"][way]) for way in before["nats"]},
        question_read={
            name: _read(some["nats"]) for name, some in (("before", before), ("after", after))
        },
        not_taught=found["taught"],
        review_run=found["review_run"],
        review=review,
    )


def _read_reviews(tokenizer, reviews: list[tuple[str, int]], sizes: Sizes) -> int:
    """How many reviews the updates have read: the rival gets as many."""
    talks = [(Turn("user", _asked(text)), Turn("model", LABELS[y])) for text, y in reviews]
    tokens = sum(len(encode_conversation(tokenizer, talk)[0]) for talk in talks)
    return min(
        len(reviews), round(len(reviews) * sizes.review_updates * sizes.update_tokens / tokens)
    )


def _shown(tests: list[dict]) -> list[int]:
    """Twenty questions of one line that need no text of their own, evenly spaced."""
    short = [i for i, test in enumerate(tests) if len(test["question"].text) <= 60]
    return [short[i] for i in np.linspace(0, len(short) - 1, min(20, len(short))).astype(int)]


def _nats(before: list, after: list) -> dict:
    first, second = np.array(before), np.array(after)
    tokens = first[:, 1]
    figures = {"before": first[:, 0], "after": second[:, 0], "change": second[:, 0] - first[:, 0]}
    return {
        name: [float(some.sum() / tokens.sum()), *interval(some, tokens)]
        for name, some in figures.items()
    }


def _read(nats: dict) -> list:
    """Nats per token by which another question makes the answer less likely, and its interval."""
    right, other = np.array(nats["template"]), np.array(nats["another's question"])
    dearer = other[:, 0] - right[:, 0]
    return [float(dearer.sum() / right[:, 1].sum()), *interval(dearer, right[:, 1])]


if __name__ == "__main__":
    main()
