"""A cut vocabulary: text of kept pieces is tokenized as before, and no text is lost."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_ko_lib.corpus.samples import LANGUAGES
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import (
    count_pieces,
    cut_to_texts,
    cut_vocabulary,
    expand_vocabulary,
    learn_pieces,
    load_tokenizer,
    rank_pieces,
    train_tokenizer,
)
from gemma_ko_lib.tokenization.cutting import fixed_pieces
from gemma_ko_lib.tokenization.vocabulary import replaced_ids
from tests.conftest import texts_of

CODE = "def f(x):\n    if x > 0:\n\t\treturn [x ** 2 for _ in range(10)]  # 제곱\n"
OLD_HANGUL = ["나랏말ᄊᆞ미 듕귁에 달아", "ᄒᆞᆫ글", "ㆍㆁㆆㅿ", "꥟ퟀ"]
EMOJI = ["👩🏽‍💻 좋아요👍", "🇰🇷🎉", "ㅋㅋㅋ😂😂"]


@pytest.fixture(scope="module")
def base():
    """A vocabulary of four languages, so that there is something to cut away."""
    texts = [text for language in LANGUAGES for text in texts_of(language, "train")[:250]]
    return train_tokenizer(texts, 6000, "four")


@pytest.fixture(scope="module")
def ranked(base):
    korean_and_english = [t for name in ("ko", "en") for t in texts_of(name, "train")[:150]]
    return rank_pieces(base, count_pieces(base, korean_and_english))


SNIPPETS = [
    *(line for name in LANGUAGES for text in texts_of(name)[:40] for line in text.splitlines()),
    *(unicodedata.normalize("NFD", text[:60]) for text in texts_of("ko")[:5]),
    *OLD_HANGUL,
    *EMOJI,
    CODE,
    "<end_of_turn>",
    "▁ ▁▁",
]
ANY_TEXT = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=12)), max_size=4).map(
    " ".join
)
SIZES = (300, 1000, 2000, 3000, 5000)


@pytest.fixture(scope="module")
def cuts(base, ranked):
    return {size: cut_vocabulary(base, ranked, size) for size in SIZES}


def new_ids(base, cut) -> dict[int, int]:
    """The id in the cut of each id of the base that is kept."""
    old = {piece: i for i, piece in enumerate(base.vocabulary)}
    return {old[piece]: i for i, piece in enumerate(cut.vocabulary)}


@settings(deadline=None)
@given(ANY_TEXT, st.sampled_from(SIZES))
def test_ids_map_one_to_one_where_all_pieces_are_kept_and_any_text_comes_back(
    base, cuts, text, size
):
    cut = cuts[size]
    (before,), (after,) = base.encode([text]), cut.encode([text])
    renumbered = new_ids(base, cut)
    if all(i in renumbered for i in before):
        assert after == [renumbered[i] for i in before]
    assert cut.decode(after) == base.decode(before)
    assert cut.vocabulary.index("<unk>") not in after


def test_what_the_cut_was_counted_on_is_mostly_tokenized_as_before(base, cuts):
    lines = [line for name in ("ko", "en") for t in texts_of(name) for line in t.splitlines()]
    renumbered = new_ids(base, cuts[5000])
    pairs = zip(base.encode(lines), cuts[5000].encode(lines), strict=True)
    assert np.mean([after == [renumbered.get(i) for i in before] for before, after in pairs]) > 0.9


def test_without_closure_kept_pieces_are_no_longer_reached(base):
    # The control: the most frequent pieces alone, as tools that know nothing of merges keep them.
    counts = count_pieces(base, texts_of("ko", "train"))
    fixed = rank_pieces(base, counts)[: fixed_pieces(base)]
    frequent = [i for i in np.argsort(-counts) if i not in set(fixed)][:800]
    open_cut = cut_vocabulary(base, [*fixed, *frequent], len(fixed) + 800)
    closed = cut_vocabulary(base, rank_pieces(base, counts), len(fixed) + 800)

    def lost(cut):
        kept = [piece for piece in cut.vocabulary if base.vocabulary.index(piece) in set(frequent)]
        return sum(len(ids) != 1 for ids in replaced_ids(cut, kept))

    assert lost(closed) == 0 < lost(open_cut)


@pytest.mark.parametrize("size", SIZES)
def test_every_kept_piece_can_be_reached(base, ranked, size, cuts):
    normal = ranked[fixed_pieces(base) : size]
    pieces = [base.vocabulary[i] for i in normal]
    assert all(len(ids) == 1 for ids in replaced_ids(cuts[size], pieces))


def test_special_tokens_bytes_and_line_breaks_always_stay(base, ranked):
    least = cut_vocabulary(base, ranked, fixed_pieces(base))
    special = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "\n"}
    assert set(least.vocabulary) == special | {f"<0x{byte:02X}>" for byte in range(256)}
    for attribute in ("bos_id", "eos_id", "pad_id"):
        assert getattr(least, attribute) == getattr(base, attribute)


def test_the_order_of_the_old_ids_is_kept(base, ranked, cuts):
    assert len(set(ranked)) == len(ranked)
    ids = [base.vocabulary.index(piece) for piece in cuts[2000].vocabulary]
    assert ids == sorted(ids)


def test_frequent_pieces_come_first_then_characters_then_the_rest(base):
    counts = count_pieces(base, ["비가 비가 비가 내렸다"])
    pieces = [base.vocabulary[i] for i in rank_pieces(base, counts)[fixed_pieces(base) :]]
    assert sorted(pieces[:3]) == sorted({"비", "가", "비가", "▁", "▁비", "▁비가"} & {*pieces[:3]})
    rest = [len(piece) for piece in pieces if not set(piece) & set("▁비가내렸다")]
    assert rest.index(2) == rest.count(1)


def test_a_cut_and_expanded_vocabulary_learns_only_what_it_lacks(base, ranked):
    cut = cut_vocabulary(base, ranked, 1000)
    korean = texts_of("ko", "train")[:100]
    exchanged = expand_vocabulary(cut, learn_pieces(korean, cut, 200))
    assert exchanged.vocabulary[:1000] == cut.vocabulary
    assert sum(map(len, exchanged.encode(korean))) < sum(map(len, cut.encode(korean)))
    assert [exchanged.decode(ids) for ids in exchanged.encode(korean)] == korean


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_size_that_cannot_be_is_refused(base, ranked, size):
    with pytest.raises(UserError, match=f"four can be cut to 263 pieces.*not to {size:,}"):
        cut_vocabulary(base, ranked, size)


def test_nano_can_be_cut():
    nano = load_tokenizer("nano")
    cut = cut_to_texts(nano, texts_of("en", "train"), 2048)
    english = texts_of("en", "held_out")
    before, after = (sum(map(len, t.encode(english))) for t in (nano, cut))
    assert before < after < 1.2 * before
