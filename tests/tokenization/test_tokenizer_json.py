"""A tokenizer.json gives the ids of the tokenizer.model, whole, cut and exchanged."""

import random

import pytest

from gemma_ko_lib.corpus.samples import LANGUAGES
from gemma_ko_lib.tokenization import (
    count_pieces,
    cut_vocabulary,
    expand_vocabulary,
    learn_pieces,
    load_tokenizer,
    rank_pieces,
    train_tokenizer,
    write_tokenizer_json,
)
from tests.conftest import texts_of

ODD = ["  두  칸", "\n\n\n", "\t\tx", "ᄒᆞᆫ글", "👩🏽💻", "a" * 40, " " * 40 + "x"]
ODD += ["<b>굵게</b>", "\u0000\ufffd"]


@pytest.fixture(scope="module")
def ten_thousand():
    """Stretches of the samples in four languages, cut anywhere and joined with odd ones."""
    draw = random.Random(0)
    documents = [text for language in LANGUAGES for text in texts_of(language)]
    found = []
    while len(found) < 10_000:
        text = draw.choice(documents)
        start = draw.randrange(len(text))
        parts = [text[start : start + draw.randrange(1, 60)], draw.choice(ODD)]
        found.append(" ".join(parts[: draw.choice((1, 1, 1, 2))]))
    return found


def variants(base):
    korean = [text for language in ("ko", "en") for text in texts_of(language)[:150]]
    ranked = rank_pieces(base, count_pieces(base, korean))
    cut = cut_vocabulary(base, ranked, len(base.vocabulary) // 2)
    return [base, cut, expand_vocabulary(cut, learn_pieces(korean, cut, 200))]


def assert_agree(tokenizer, texts, folder):
    tokenizer.save(folder / "tokenizer.model")
    write_tokenizer_json(tokenizer, folder / "tokenizer.json")
    theirs = load_tokenizer(folder / "tokenizer.json")
    assert theirs.vocabulary == tokenizer.vocabulary
    assert (theirs.bos_id, theirs.eos_id) == (tokenizer.bos_id, tokenizer.eos_id)
    wanted = tokenizer.encode(texts)
    assert theirs.encode(texts) == wanted
    assert load_tokenizer(folder / "tokenizer.model").encode(texts) == wanted
    assert [theirs.decode(ids) for ids in wanted] == texts


@pytest.mark.parametrize("which", [0, 1, 2])
def test_ten_thousand_texts_have_the_same_ids(which, ten_thousand, tmp_path):
    texts = [text for language in LANGUAGES for text in texts_of(language)[:200]]
    base = train_tokenizer(texts, 5000, "four")
    assert_agree(variants(base)[which], ten_thousand, tmp_path)


@pytest.mark.real
def test_so_have_the_real_one_and_its_cut(ten_thousand, tmp_path):
    for tokenizer in variants(load_tokenizer("gemma3")):
        assert_agree(tokenizer, ten_thousand, tmp_path)


def test_special_tokens_are_asked_for(tmp_path, tiny_tokenizer):
    import tokenizers

    write_tokenizer_json(tiny_tokenizer, tmp_path / "tokenizer.json")
    file = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert file.encode("The").ids == [tiny_tokenizer.bos_id, *tiny_tokenizer.encode(["The"])[0]]
