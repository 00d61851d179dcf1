"""Vocabulary expansion: Korean gets shorter, and nothing else changes."""

import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import expand_vocabulary, gap_report, learn_pieces, train_tokenizer
from gemma_ko_lib.tokenization.vocabulary import replaced_ids
from tests.conftest import texts_of

COUNT = 300


@pytest.fixture(scope="module")
def korean():
    return texts_of("ko", "train")[:200]


@pytest.fixture(scope="module")
def base():
    return train_tokenizer(texts_of("en", "train"), 1000, "tiny")


@pytest.fixture(scope="module")
def pieces(korean, base):
    return learn_pieces(korean, base, COUNT)


@pytest.fixture(scope="module")
def expanded(base, pieces):
    return expand_vocabulary(base, pieces)


def test_the_first_ids_are_those_of_the_base(base, pieces, expanded):
    assert len(pieces) == COUNT == len(set(pieces))
    assert expanded.vocabulary == [*base.vocabulary, *pieces]
    for attribute in ("bos_id", "eos_id", "pad_id"):
        assert getattr(expanded, attribute) == getattr(base, attribute)


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_text_without_hangul_keeps_its_ids(base, expanded, language):
    texts = texts_of(language)
    assert expanded.encode(texts) == base.encode(texts)


def test_every_piece_can_be_reached(base, pieces, expanded):
    ids = expanded.encode([piece.replace("▁", " ") for piece in pieces])
    assert ids == [[len(base.vocabulary) + rank] for rank in range(COUNT)]


def test_every_piece_is_joined_from_two_others_or_is_one_letter(base, pieces, expanded):
    known = set(base.vocabulary)
    for piece in pieces:
        parts = ((piece[:i], piece[i:]) for i in range(1, len(piece)))
        assert len(piece) == 1 or any(known.issuperset(pair) for pair in parts)
        known.add(piece)


def test_every_piece_is_used_on_the_corpus_it_was_learnt_on(base, korean, expanded):
    used = {i for ids in expanded.encode(korean) for i in ids}
    new = set(range(len(base.vocabulary), len(expanded.vocabulary)))
    # A piece that only ever leads to a longer one is not seen again; that is rare.
    assert len(new - used) <= COUNT // 100


def test_korean_takes_fewer_tokens_than_before_also_where_nothing_was_learnt(base, expanded):
    before, after = gap_report(texts_of("ko", "held_out"), [base, expanded])
    assert after.tokens_per_eojeol < before.tokens_per_eojeol / 1.5
    assert after.byte_fragment_fraction < before.byte_fragment_fraction


def test_no_piece_mixes_hangul_with_digits_or_punctuation(base):
    texts = ["2024년 10월, 10월. 10월! 10월a 10월a ㅋㅋㅋ ㅋㅋㅋ"] * 5
    pieces = learn_pieces(texts, base, 50)
    assert {"월", "년", "ㅋㅋㅋ"} & set(pieces)
    assert all(all("ㄱ" <= c <= "힣" for c in piece.lstrip("▁")) for piece in pieces)


def test_a_line_break_is_not_learnt_as_a_space(base):
    assert learn_pieces(["다람쥐\n다람쥐\n다람쥐"], base, 10)[-1].startswith("▁") is False
    assert "▁다람쥐" in learn_pieces(["아 다람쥐 다람쥐 다람쥐"], base, 10)


def test_the_piece_that_saves_most_comes_first(base):
    # 물 saves two tokens six times, 불 twice; together they never stand.
    assert learn_pieces(["물a물a물a불a", "물a물a물a불a"], base, 2) == ["물", "불"]


def test_rare_pieces_are_not_learnt(base):
    assert learn_pieces(["가 가 나"], base, 10, min_frequency=2)
    assert not any("나" in piece for piece in learn_pieces(["가 가 나"], base, 10))


def test_expansion_goes_on_where_it_stopped(korean, expanded):
    more = learn_pieces(korean, expanded, 100)
    assert not set(more) & set(expanded.vocabulary)
    before, after = gap_report(korean, [expanded, expand_vocabulary(expanded, more)])
    assert after.tokens < before.tokens


def test_the_same_corpus_gives_the_same_pieces(korean, base, pieces, expanded):
    assert learn_pieces(iter(korean), base, COUNT) == pieces
    assert expand_vocabulary(base, iter(pieces)).proto == expanded.proto


def test_a_piece_that_is_there_already_is_refused(base, pieces, expanded):
    with pytest.raises(UserError, match=f"'{pieces[0]}' is already in the vocabulary"):
        expand_vocabulary(expanded, pieces[:1])
    with pytest.raises(UserError, match="'가나' is already"):
        expand_vocabulary(base, ["가나", "가나"])


@pytest.mark.parametrize("texts", [[], ["No Korean here.", "漢字だけ"]])
def test_a_corpus_without_hangul_is_reported(base, texts):
    with pytest.raises(UserError, match="no Hangul"):
        learn_pieces(texts, base, 10)


def test_replaced_ids_are_the_base_tokens_of_each_new_piece(base, pieces):
    replaced = replaced_ids(base, pieces)
    assert len(replaced) == COUNT
    for piece, ids in zip(pieces, replaced, strict=True):
        assert base.decode(ids) == piece.replace("▁", " ")
    byte_ids = [base.vocabulary.index(f"<0x{byte:02X}>") for byte in "이".encode()]
    assert replaced[pieces.index("이")] == byte_ids
