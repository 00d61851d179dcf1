"""Native phrasing, culture and knowledge: enough items, and no way to win without the skill."""

import functools
import json
from collections import Counter, defaultdict

import pytest

from gemma_ko_lib import evaluation, runtime
from gemma_ko_lib.evaluation.null_models import band, null_models
from gemma_ko_lib.tokenization import load_tokenizer

QUIZZES = ("culture", "knowledge")


@pytest.fixture(scope="module")
def stored() -> dict[str, list[dict]]:
    return {
        name: [
            json.loads(line)
            for line in (runtime.samples_dir() / f"{name}.jsonl").read_text("utf-8").splitlines()
        ]
        for name in ("native", *QUIZZES)
    }


@functools.cache  # half a minute goes into reading a real one three times
def tokens_of(name: str):
    """Lengths of texts in a tokenizer's tokens; the real ones come from a package or a registry."""
    try:
        tokenizer = load_tokenizer(name)
    except runtime.UserError as error:
        pytest.skip(str(error))
    return lambda texts: [len(ids) for ids in tokenizer.encode(texts)]


def in_bytes(texts):
    return [len(text.encode()) for text in texts]


LENGTHS = ("bytes", "nano", "gemma3")


@pytest.fixture(params=LENGTHS)
def length(request):
    return in_bytes if request.param == "bytes" else tokens_of(request.param)


def right_at_the_end_of(sizes: list[int], answer: int, end) -> float:
    """Points of a rule that always takes the longest (or shortest) choice; ties are shared."""
    return (sizes[answer] == end(sizes)) / sizes.count(end(sizes))


def kinds_of(pairs: list[dict]) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for pair in pairs:
        found[pair["phenomenon"]].append(pair)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native", "grammar"])
def test_other_models_of_random_weights_stay_within_the_recorded_band(name):
    """The band is made by seven models, so these seven say nothing about it; five others do."""
    path = runtime.samples_dir() / "recorded" / "suites.json"
    tokenizer = load_tokenizer("nano")
    recorded = json.loads(path.read_text("utf-8"))["controls"][str(len(tokenizer.vocabulary))]
    stated = recorded["null_models"][name]["by_group"]
    (suite,) = evaluation.load_suites(name)
    found = null_models(tokenizer, suite, seeds=5, first_seed=5)
    others = [result for kind, result in found.items() if kind.startswith("random weights")]
    cases = [
        (group, accuracy, interval)
        for result in others
        for group, (accuracy, interval, _) in result.by_group().items()
    ]
    assert len(cases) == 5 * (len(stated) - 1)
    beyond = [
        (group, accuracy, interval, stated[group])
        for group, accuracy, interval in cases
        if interval[1] < stated[group][0] or interval[0] > stated[group][1]
    ]
    assert not beyond
    # Beyond the band itself some are: the next of six models is in one of three cases the highest
    # or lowest. Were it half of them, the band would not be of models like these.
    outside = [
        group
        for group, accuracy, _ in cases
        if not stated[group][0] - 1e-4 <= accuracy <= stated[group][1] + 1e-4
    ]
    assert len(outside) < len(cases) / 2
    # A liking runs through many frames, so the interval of a whole suite is too narrow for this.
    low, high = stated[""]
    assert all(low - 0.05 <= result.micro <= high + 0.05 for result in others)


def test_there_are_enough_pairs_of_enough_kinds_each_with_its_source(stored):
    kinds = kinds_of(stored["native"])
    assert len(stored["native"]) >= 300 and len(kinds) >= 15
    for pairs in kinds.values():
        assert len(pairs) >= 14
        assert len({(pair["note"], pair["source"]) for pair in pairs}) == 1
        assert "『" in pairs[0]["source"]


def common_start(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    unlike = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(unlike, min(len(a), len(b)))


def difference(native: str, calque: str) -> tuple[str, str]:
    """What is left of two sentences without their common beginning and end."""
    start = common_start(native, calque)
    end = common_start(native[start:][::-1], calque[start:][::-1])
    return native[start : len(native) - end], calque[start : len(calque) - end]


def test_a_pair_differs_in_one_stretch(stored):
    """The calque; only where a thing is the doer does the whole clause turn round it."""
    for pair in stored["native"]:
        if pair["phenomenon"] != "inanimate_subject":
            ours, theirs = difference(pair["native"], pair["translationese"])
            assert len(ours) <= 13 and len(theirs) <= 16, pair["id"]


def test_no_sentence_stands_twice(stored):
    sentences = [pair[side] for pair in stored["native"] for side in ("native", "translationese")]
    assert len(set(sentences)) == len(sentences)


def test_the_native_sentence_is_the_shorter_one_as_often_as_the_longer(stored, length):
    def share(pairs: list[dict]) -> float:
        sizes = zip(
            *(length([p[s] for p in pairs]) for s in ("native", "translationese")), strict=True
        )
        return sum(0.5 if a == b else float(a < b) for a, b in sizes) / len(pairs)

    assert 0.45 < share(stored["native"]) < 0.55
    assert all(0.25 < share(pairs) < 0.75 for pairs in kinds_of(stored["native"]).values())


def test_no_single_word_gives_the_translated_sentence_away(stored):
    """By avoiding one piece of two letters, 의 before all, one gets six pairs in ten at most."""
    only = Counter()
    for pair in stored["native"]:
        ours, theirs = (
            {text[i : i + 2] for i in range(len(text) - 1)}
            for text in (pair["native"], pair["translationese"])
        )
        only.update(theirs - ours)
        only.subtract(ours - theirs)
    most = max(map(abs, only.values()))
    assert most / 2 / len(stored["native"]) < 0.1, only.most_common(3)


@pytest.mark.parametrize("name", QUIZZES)
def test_questions_are_graded_and_have_a_source(stored, name):
    items = stored[name]
    assert len(items) >= 300
    levels = Counter(item["level"] for item in items)
    assert set(levels) == {1, 2, 3} and min(levels.values()) >= 100
    assert all(item["source"].strip() for item in items)


@pytest.mark.parametrize("name", QUIZZES)
def test_no_question_and_no_fact_is_asked_twice(stored, name):
    items = stored[name]
    assert len({item["question"] for item in items}) == len(items)
    keys = Counter((item["category"], item["choices"][item["answer"]]) for item in items)
    assert max(keys.values()) == 1, keys.most_common(1)


@pytest.mark.parametrize("name", QUIZZES)
def test_the_place_of_the_answer_tells_nothing(stored, name):
    places = Counter(item["answer"] for item in stored[name])
    assert max(places.values()) - min(places.values()) <= 1


@pytest.mark.parametrize("name", QUIZZES)
def test_the_length_of_a_choice_tells_nothing(stored, name, length):
    for end in (max, min):
        points = [
            right_at_the_end_of(length([f" {c}" for c in item["choices"]]), item["answer"], end)
            for item in stored[name]
        ]
        assert 0.19 < sum(points) / len(points) < 0.31


@pytest.mark.parametrize("name", QUIZZES)
def test_no_answer_stands_in_its_question(stored, name):
    """Neither as a word that the other choices lack, nor as what looks most like the question."""
    from kiwipiepy import Kiwi

    kiwi = Kiwi()
    kept = ("NNG", "NNP", "SL", "SN", "VV", "VA", "MAG", "XR")

    def words(text: str) -> set[str]:
        return {t.form for t in kiwi.tokenize(text) if t.tag in kept} - {"하"}

    def pieces(text: str) -> set[str]:
        letters = "".join(filter(str.isalnum, text))
        return {letters[i : i + 2] for i in range(len(letters) - 1)}

    points = []
    for item in stored[name]:
        question, choices, answer = item["question"], item["choices"], item["answer"]
        common = words(question) & words(choices[answer])
        told = {word for word in common if not all(word[0] in choice for choice in choices)}
        assert not told, item["id"]
        likeness = [len(pieces(choice) & pieces(question)) for choice in choices]
        points.append(right_at_the_end_of(likeness, answer, max))
    assert sum(points) / len(points) < 0.29


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "chance"), [("native", 0.5), ("culture", 0.25), ("knowledge", 0.25)]
)
def test_models_without_the_skill_are_near_chance(name, chance):
    (suite,) = evaluation.load_suites(name)
    found = null_models(load_tokenizer("nano"), suite, seeds=1)
    low, high = band(list(found.values()))[""]
    assert chance - 0.08 < low <= high < chance + 0.08
