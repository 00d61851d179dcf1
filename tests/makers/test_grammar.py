"""Minimal pairs: the stored files come from the rules, Korean is inflected right, length tells
nothing."""

import json
import string
import subprocess
import sys
from collections import Counter

import pytest

from data_samples.makers.grammar import clauses, pairs, particles, predicates, spelling, usage
from data_samples.makers.grammar.lexicon import LEXICON, table
from data_samples.makers.grammar.morphology import Noun, Verb
from gemma_ko_lib import runtime
from gemma_ko_lib.tokenization import load_tokenizer

FILES = ("grammar.jsonl", "grammar_en.jsonl")


@pytest.fixture(scope="module")
def stored() -> dict[str, list[dict]]:
    return {
        name: [
            json.loads(line)
            for line in (runtime.samples_dir() / name).read_text("utf-8").splitlines()
        ]
        for name in FILES
    }


@pytest.fixture(scope="module")
def tokenizers() -> dict:
    """Those that the pairs are balanced in; the real ones come from a package or a registry."""
    try:
        return {name: load_tokenizer(name) for name in ("nano", "gemma1", "gemma3")}
    except runtime.UserError as error:
        pytest.skip(str(error))


def twins(records):
    return zip(records[::2], records[1::2], strict=True)


@pytest.mark.slow
def test_the_stored_files_are_what_the_rules_make(tmp_path, tokenizers):
    command = [sys.executable, "-m", "data_samples.makers.grammar", "-o", str(tmp_path)]
    subprocess.run(command, check=True, cwd=runtime.samples_dir().parent)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (runtime.samples_dir() / name).read_bytes()


def test_another_seed_makes_other_pairs():
    first, second = pairs.english_pairs([]), pairs.english_pairs([], seed=1)
    assert {pair.good for pair in first} != {pair.good for pair in second}


def test_there_are_as_many_phenomena_and_pairs_as_the_readme_says(stored):
    counts = {
        name: Counter(record["phenomenon"] for record in records)
        for name, records in stored.items()
    }
    assert {name: len(of) for name, of in counts.items()} == {
        "grammar.jsonl": 26,
        "grammar_en.jsonl": 13,
    }
    assert all(set(of.values()) == {pairs.PAIRS_OF_EACH} for of in counts.values())


def test_every_phenomenon_has_several_frames(stored):
    """Intervals draw frames; with one there would be none."""
    for records in stored.values():
        frames = {(record["phenomenon"], record["frame"]) for record in records}
        assert min(Counter(phenomenon for phenomenon, _ in frames).values()) >= 4


def test_no_sentence_stands_twice_in_a_phenomenon_nor_on_both_sides(stored):
    for records in stored.values():
        for phenomenon in {record["phenomenon"] for record in records}:
            of = [record for record in records if record["phenomenon"] == phenomenon]
            sentences = [record[side] for record in of for side in ("good", "bad")]
            assert len(set(sentences)) == 2 * len(of), phenomenon
        assert not {r["good"] for r in records} & {r["bad"] for r in records}


def test_what_is_right_in_a_sentence_is_wrong_in_its_twin(stored):
    """Whoever prefers one form wherever it stands is right in exactly half."""
    for records in stored.values():
        for first, second in twins(records):
            assert first["frame"] == second["frame"]
            differs = pairs.difference(first["good"], first["bad"])
            assert differs == pairs.difference(second["bad"], second["good"]), first["id"]


def test_length_tells_nothing_in_bytes_or_in_the_tokens_of_real_tokenizers(stored, tokenizers):
    lengths = {"bytes": lambda texts: [len(text.encode()) for text in texts]}
    for name, tokenizer in tokenizers.items():
        lengths[name] = lambda texts, of=tokenizer: [len(ids) for ids in of.encode(texts)]
    for records in stored.values():
        for name, length in lengths.items():
            good, bad = (length([r[side] for r in records]) for side in ("good", "bad"))
            longer = [g - b for g, b in zip(good, bad, strict=True)]
            assert [a + b for a, b in twins(longer)] == [0] * (len(records) // 2), name


def test_two_sentences_that_are_no_twins_are_told_apart():
    right = ("책은 크다.", "책는 크다."), ("소는 크다.", "소은 크다.")
    assert pairs.are_twins(*right, [])
    assert not pairs.are_twins(right[0], right[0], [])
    assert not pairs.are_twins(right[0], ("소가 크다.", "소이 크다."), [])


def test_kiwi_finds_no_unknown_morpheme_in_a_good_sentence(stored):
    from kiwipiepy import Kiwi

    kiwi = Kiwi(num_workers=1)
    # Left-over consonants and unknown words are what a wrong inflection falls apart into.
    odd = {
        record["good"]: [token.form for token in tokens if token.tag in ("UN", "Z_CODA", "NA")]
        for record, tokens in zip(
            stored["grammar.jsonl"],
            kiwi.tokenize([record["good"] for record in stored["grammar.jsonl"]]),
            strict=True,
        )
    }
    assert {sentence: forms for sentence, forms in odd.items() if forms} == {}


@pytest.mark.parametrize(
    ("word", "endings", "forms"),
    [
        ("먹다", "어서 었다 으면 은 는다 습니다", "먹어서 먹었다 먹으면 먹은 먹는다 먹습니다"),
        ("가다", "어서 었다 으면 은 는다 습니다", "가서 갔다 가면 간 간다 갑니다"),
        ("하다", "어요 었다 으면 을 는다고 자", "해요 했다 하면 할 한다고 하자"),
        ("마시다", "어서 었다 으시는", "마셔서 마셨다 마시시는"),
        ("돕다", "어서 으면 은 습니다 고", "도와서 도우면 도운 돕습니다 돕고"),
        ("춥다", "어서 으니까 은", "추워서 추우니까 추운"),
        ("입다", "어서 은", "입어서 입은"),
        ("걷다", "어서 으면 는", "걸어서 걸으면 걷는"),
        ("짓다", "어서 으면 은 는다", "지어서 지으면 지은 짓는다"),
        ("파랗다", "어서 은 으면", "파래서 파란 파라면"),
        ("하얗다", "어졌다 은", "하얘졌다 하얀"),
        ("좋다", "어서 은", "좋아서 좋은"),
        ("모르다", "어서 으면 는다", "몰라서 모르면 모른다"),
        ("부르다", "었다", "불렀다"),
        ("따르다", "어서", "따라서"),
        ("이르다", "었다", "이르렀다"),
        ("바쁘다", "어서 은", "바빠서 바쁜"),
        ("편지를 쓰다", "어서", "편지를 써서"),
        ("만들다", "으면 은 는 습니다 으세요 을", "만들면 만든 만드는 만듭니다 만드세요 만들"),
        ("되다", "어요 었다 고", "돼요 됐다 되고"),
    ],
)
def test_verbs_are_inflected_by_their_class(word, endings, forms):
    assert " ".join(format(Verb(word), ending) for ending in endings.split()) == forms


@pytest.mark.parametrize(
    ("noun", "particles", "right", "wrong"),
    [
        ("책", "은 이 을 과 으로", "책은 책이 책을 책과 책으로", "책는 책가 책를 책와 책로"),
        ("소", "은 이 을 과 으로", "소는 소가 소를 소와 소로", "소은 소이 소을 소과 소으로"),
        ("서울", "은 을 으로", "서울은 서울을 서울로", "서울는 서울를 서울으로"),
    ],
)
def test_particles_go_by_the_last_sound(noun, particles, right, wrong):
    assert [format(Noun(noun), particle) for particle in particles.split()] == right.split()
    assert [format(Noun(noun), "*" + particle) for particle in particles.split()] == wrong.split()


def test_every_list_of_words_is_used_and_none_hides_another():
    modules = (particles, predicates, clauses, usage, spelling)
    names = [*LEXICON, *(name for module in modules for name in module.TABLES)]
    assert len(set(names)) == len(names)
    rules = "".join(rule for module in modules for rule in module.PHENOMENA.values())
    used = {field.split(".")[0] for _, field, _, _ in string.Formatter().parse(rules) if field}
    used = {name.rstrip("23") for name in used}
    assert (
        set(names) - used - {name.removesuffix("_c").removesuffix("_o") for name in used} == set()
    )


def test_a_rule_without_twins_is_refused():
    rules = {"negation": "{name:은} [안|않] 간다. / {name:은} [안|않] 잔다."}
    with pytest.raises(ValueError, match="0 pairs with a twin, 72 wanted"):
        pairs.generate(rules, LEXICON, [])


def test_a_row_without_a_column_is_refused():
    with pytest.raises(ValueError, match="'빵, 먹다' should have the columns object verb place"):
        table("object verb place", "책, 읽다, 도서관; 빵, 먹다")
