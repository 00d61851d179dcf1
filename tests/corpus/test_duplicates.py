"""Duplicates against the truth that comparing every pair gives."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest
from datatrove.data import Document

from gemma_ko_lib.corpus import duplicate_keys, duplicates, shingles
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.executor import Stage, run_stages
from gemma_ko_lib.corpus.result_folder import read_joined
from gemma_ko_lib.corpus.spool import SpoolReader, SpoolWriter


class Give:
    """The documents of each task."""

    def __init__(self, tasks):
        self.tasks = tasks

    def __call__(self, data, rank, world_size):
        yield from self.tasks[rank]


class Take(list):
    """What a stage lets out, by task."""

    def __call__(self, data, rank, world_size):
        self.append([document.text for document in data])


def run(folder, texts, tasks=2, parts=1, near=True):
    """Kept texts in order, and the lines about the others."""
    documents = [Document(text=text, id=f"d{number}") for number, text in enumerate(texts)]
    size = -(-len(documents) // tasks)
    split = [documents[i * size : (i + 1) * size] for i in range(tasks)]
    kept, how = Take(), (folder, CleanSettings(duplicates="near" if near else "exact"))
    left_out = duplicates.DuplicateFilter(*how)
    stages = [
        Stage("in", [Give(split), duplicate_keys.DuplicateKeys(*how), SpoolWriter(*how)], 2),
        Stage("match", [duplicates.DuplicateMatch(parts, *how)], parts),
        Stage("resolve", [duplicates.DuplicateResolve(*how)], 1),
        Stage("out", [SpoolReader(*how), left_out, kept], tasks),
    ]
    run_stages(stages, "local", 1, folder / "logs", {})
    return list(itertools.chain(*kept)), list(read_joined(folder, "duplicates", tasks))


def corpus_with_near_duplicates(seed, families=80):
    """Texts of 40 to 200 words, and copies of them with 1 to 8 words changed."""
    draw = random.Random(seed)
    words = [f"{a}{b}" for a in "가나다라마바사아자차카타파하" for b in "은는이가을를에도만과와로"]
    texts = []
    for _ in range(families):
        text = draw.choices(words, k=draw.randint(40, 200))
        texts.append(text)
        for _ in range(draw.randint(0, 4)):
            copy = list(text)
            for _ in range(draw.randint(1, 8)):
                copy[draw.randrange(len(copy))] = draw.choice(words)
            texts.append(copy)
    draw.shuffle(texts)
    return list(dict.fromkeys(" ".join(text) for text in texts))


def true_similarity(a, b):
    grams = [
        {tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in map(str.split, (a, b))
    ]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Pairs found and pairs there really are, over several corpora."""
    found, true = set(), {}
    for seed in range(4):
        folder = tmp_path_factory.mktemp("near")
        texts = corpus_with_near_duplicates(seed)
        run(folder, texts)
        chunks = duplicate_keys.Chunks(folder)
        for path in sorted((folder / "matches").glob("near-*.npy")):
            for first, second, _ in duplicates.load_mapped(path).tolist():
                pair = [int(chunks.identifier(number)[1:]) for number in (first, second)]
                found.add((seed, *sorted(pair)))
        for i, j in itertools.combinations(range(len(texts)), 2):
            similarity = true_similarity(texts[i], texts[j])
            if similarity >= 0.5:
                true[seed, i, j] = similarity
    return found, true


def test_of_the_true_pairs_nearly_all_are_found_and_no_other(compared):
    found, true = compared
    near = {pair for pair, similarity in true.items() if similarity >= duplicates.THRESHOLD}
    assert len(near) > 150
    assert len(true) > len(near) + 100  # there are pairs that a rough measure would take
    assert len(found & near) >= 0.95 * len(near)
    assert len(found & near) >= 0.99 * len(found)


def test_every_removed_document_is_like_one_that_stays(tmp_path):
    texts = corpus_with_near_duplicates(9)
    kept, lines = run(tmp_path, texts)
    assert len(kept) + len(lines) == len(texts)
    assert len(lines) > 30
    for line in lines:
        stays, gone = texts[int(line["duplicate_of"][1:])], texts[int(line["id"][1:])]
        assert stays in kept
        assert gone not in kept
        similarity = true_similarity(stays, gone)
        assert similarity >= duplicates.THRESHOLD
        assert line["similarity"] == pytest.approx(similarity, abs=1e-3)
        assert len(stays) >= len(gone)


def test_exact_duplicates_go_whatever_their_case_and_punctuation_and_the_first_stays(tmp_path):
    texts = [
        "정말 좋아요!",
        "별로예요",
        "정말 좋아요",
        "정말, 좋아요.",
        "정말좋아요",
        "GOOD",
        "good",
    ]
    kept, lines = run(tmp_path, texts, near=False)
    assert kept == ["정말 좋아요!", "별로예요", "정말좋아요", "GOOD"]
    assert [(line["id"], line["duplicate_of"], line["kind"]) for line in lines] == [
        ("d2", "d0", "exact"),
        ("d3", "d0", "exact"),
        ("d6", "d5", "exact"),
    ]


def test_an_exact_duplicate_of_what_went_is_listed_with_what_stays(tmp_path):
    long = " ".join(f"낱말{i}" for i in range(60))
    texts = [long + " 끝", long + " 끝!", long + " 끝 부분"]
    kept, lines = run(tmp_path, texts)
    assert kept == [texts[2]]
    assert [(line["id"], line["duplicate_of"], line["kind"]) for line in lines] == [
        ("d0", "d2", "near"),
        ("d1", "d2", "exact"),
    ]


def test_a_chain_does_not_take_what_is_unlike_the_one_that_stays(tmp_path):
    # a ~ b ~ c, but a and c have less than THRESHOLD in common.
    base = [f"낱말{i}" for i in range(100)]
    change = lambda words, start: [*words[:start], *"가나다라마바", *words[start + 6 :]]  # noqa: E731
    first, second = base, change(base, 10)
    third = change(second, 60)
    texts = [" ".join(words) for words in (first, second, third)]
    assert true_similarity(texts[0], texts[1]) >= 0.8 > true_similarity(texts[0], texts[2])
    kept, lines = run(tmp_path, texts)
    assert {line["kind"] for line in lines} <= {"near"}
    for line in lines:
        pair = (texts[int(line["id"][1:])], texts[int(line["duplicate_of"][1:])])
        assert true_similarity(*pair) >= 0.8
    assert texts[0] in kept


def test_a_long_chain_takes_time_in_proportion(monkeypatch):
    # With a look at all that stay for each document, this test would not end.
    class Unlike:
        def look_up(self, name, documents):
            return np.full(len(documents), 100)

        def similarity(self, first, second):
            return 0.0

    monkeypatch.setattr(duplicates, "_MOST_COMPARED", 1)
    pairs = np.zeros(100_000, duplicates._NEAR)
    pairs["document"] = np.arange(len(pairs))
    pairs["kept"], pairs["similarity"] = pairs["document"] + 1, 0.9
    removed = duplicates._survivors(pairs, Unlike())
    assert removed["document"].tolist() == list(range(1, len(pairs) + 1, 2))
    # A column that is not aligned is copied whole, for each exact duplicate that is looked up.
    assert removed["document"].flags.aligned


def test_a_pair_that_is_only_proposed_takes_a_few_bytes():
    class Unlike:
        def similarity(self, first, second):
            return 0.5

    pairs = np.arange(40_000, dtype=np.uint64).reshape(-1, 2)
    tracemalloc.start()
    assert len(duplicates._confirmed(Unlike(), pairs)) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * len(pairs)


def test_the_result_does_not_depend_on_chunks_tasks_and_ranges(tmp_path, monkeypatch):
    texts = corpus_with_near_duplicates(5, families=30)
    whole = run(tmp_path / "whole", texts, tasks=2, parts=1)
    monkeypatch.setattr(duplicate_keys, "_CHUNK_DOCUMENTS", 8)
    monkeypatch.setattr(shingles, "_BATCH_DOCUMENTS", 4)
    monkeypatch.setattr(duplicate_keys, "MOST_DOCUMENTS", -(-len(texts) // 5))
    # Of nine parts five have something to do, for there are so few documents.
    assert run(tmp_path / "parts", texts, tasks=2, parts=9) == whole
    assert len(list((tmp_path / "parts" / "keys").iterdir())) > 5
    assert len(list((tmp_path / "parts" / "matches").glob("near-*.npy"))) == 5


def test_a_letter_sent_a_hundred_times_is_kept_once(tmp_path):
    letter = " ".join(f"문장{i}" for i in range(80))
    texts = [f"고객{i} 님 {letter}" for i in range(150)]
    kept, lines = run(tmp_path, texts)
    assert len(kept) == 1
    assert len(lines) == 149


def test_short_texts_are_near_duplicates_of_nothing(tmp_path):
    texts = [f"영화 {i} 최고" for i in range(50)] + ["★★★", "ㅋㅋㅋ", "..."]
    kept, lines = run(tmp_path, texts)
    assert kept == texts
    assert lines == []


def test_equal_words_have_equal_shingles():
    a, b = (shingles.shingle([shingles.words(text)], 5).hashes for text in ("가 나!", "가, 나"))
    assert a.tolist() == b.tolist()
