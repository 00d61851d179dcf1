"""Minimal pairs: the stored files come from the rules, Korean is inflected right, length tells
nothing."""

import json
import string
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from data_samples.makers.grammar import clauses, particles, predicates, spelling, usage
from data_samples.makers.grammar import pairs as minimal_pairs
from data_samples.makers.grammar.lexicon import LEXICON, table
from data_samples.makers.grammar.morphology import Noun, Verb
from gemma_ko_lib import runtime

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


def test_the_stored_files_are_what_the_rules_make(tmp_path):
    command = [sys.executable, "-m", "data_samples.makers.grammar", "-o", str(tmp_path)]
    subprocess.run(command, check=True, cwd=runtime.samples_dir().parent)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (runtime.samples_dir() / name).read_bytes()


def test_another_seed_makes_other_pairs():
    first, second = minimal_pairs.english_pairs(), minimal_pairs.english_pairs(seed=1)
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
    assert all(set(of.values()) == {minimal_pairs.PAIRS_OF_EACH} for of in counts.values())


def test_no_sentence_stands_twice_in_a_phenomenon_nor_on_both_sides(stored):
    for records in stored.values():
        for phenomenon in {record["phenomenon"] for record in records}:
            of = [record for record in records if record["phenomenon"] == phenomenon]
            sentences = [record[side] for record in of for side in ("good", "bad")]
            assert len(set(sentences)) == 2 * len(of), phenomenon
        assert not {r["good"] for r in records} & {r["bad"] for r in records}


def test_who_always_takes_the_shorter_sentence_is_right_half_the_time(stored):
    for records in stored.values():
        won = defaultdict(list)
        for record in records:
            good, bad = (len(record[side].encode()) for side in ("good", "bad"))
            won[record["phenomenon"]].append((good < bad) + 0.5 * (good == bad))
        for phenomenon, wins in won.items():
            assert abs(sum(wins) / len(wins) - 0.5) <= 1 / len(wins), phenomenon


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
    assert set(names) - {name.rstrip("23") for name in used} == set()


def test_a_rule_that_tells_nothing_apart_is_refused():
    with pytest.raises(ValueError, match=r"same.*both"):
        minimal_pairs.generate({"same": "[{name:은}|{name:은}] 간다."}, LEXICON)


def test_a_phenomenon_that_length_alone_would_solve_is_refused():
    rules = {"negation": "{name:은} {act.object:을} [안 {act.verb:었다}|{act.verb:었다}]."}
    with pytest.raises(ValueError, match="0 balanced pairs, 72 wanted"):
        minimal_pairs.generate(rules, LEXICON)


def test_a_row_without_a_column_is_refused():
    with pytest.raises(ValueError, match="'빵, 먹다' should have the columns object verb place"):
        table("object verb place", "책, 읽다, 도서관; 빵, 먹다")
