"""The Korean gap, against figures worked out by hand."""

import pytest
import tokenizers

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import TokenizerJson, gap_report


class ByHand:
    """A tokenizer whose every answer is written down."""

    name = "by hand"
    bos_id = eos_id = pad_id = 0
    vocabulary = ("<pad>", "<0xEB>", "<0x82>", "<0x98>", "가", "▁가", "a", "ab", "Ġ", "é", "<0x00>")
    answers = {"가 가나": [4, 5, 1, 2, 3], "ab": [7], "aab": [6, 7]}  # noqa: RUF012

    def encode(self, texts):
        return [self.answers[text] for text in texts]


def test_figures_worked_out_by_hand():
    # "가 가나": 5 tokens, 2 eojeol, 4 characters, 10 bytes; 나 falls to three bytes.
    (row,) = gap_report(["가 가나", "  "], [ByHand()], [("가 가나", "ab"), ("가 가나", "aab")])
    assert row.tokenizer == "by hand"
    assert row.vocabulary_size == 11
    assert row.tokens == 5
    assert row.tokens_per_eojeol == 2.5
    assert row.tokens_per_character == 1.25
    assert row.bytes_per_token == 2.0
    assert row.byte_fragment_fraction == 3 / 5  # "Ġ" in the vocabulary makes no byte-level BPE
    assert row.hangul_pieces == 2
    assert row.single_syllables == 1
    assert row.price_against_english == 10 / 3


def test_without_parallel_text_there_is_no_price():
    assert gap_report(["ab"], [ByHand()])[0].price_against_english is None


@pytest.mark.parametrize("texts", [[], ["", "\n "]])
def test_no_text_is_reported(texts):
    with pytest.raises(UserError, match="No text to tokenize"):
        gap_report(texts, [ByHand()])


def test_a_tokenizer_without_a_token_for_the_text_is_named():
    made = tokenizers.Tokenizer(tokenizers.models.BPE({"가": 0, "나": 1}, []))
    known = TokenizerJson(made.to_str().encode(), "Hangul only")
    (row,) = gap_report(["가나"], [known])
    assert row.tokens == 2
    for texts, pairs in ((["library"], ()), (["가나"], [("가", "library")])):
        with pytest.raises(UserError, match="'Hangul only' gives no token .*: 'library'"):
            gap_report(texts, [known], pairs)


@pytest.fixture
def byte_level():
    """A byte-level BPE in the style of Llama 3 and Qwen that knows 가 and nothing else."""
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=259, initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(["가 가 가 가"] * 10, trainer)
    return TokenizerJson(model.to_str().encode(), "byte-level")


def test_a_byte_level_vocabulary_is_read_through_its_alphabet(byte_level):
    # 256 bytes, two merges to 가, one to " 가": 나 falls to three bytes, EA B0 is no character.
    (row,) = gap_report(["가 가나"], [byte_level])
    assert row.vocabulary_size == 259
    assert row.tokens == 5
    assert row.byte_fragment_fraction == 3 / 5
    assert row.hangul_pieces == 2
    assert row.single_syllables == 1


def test_a_byte_level_text_comes_back(byte_level):
    text = "가 나다 ▁ 👍🏽\n\x00"
    assert byte_level.decode(byte_level.encode([text])[0]) == text


def test_korean_bytes_are_seen_in_an_english_sentencepiece_vocabulary(tiny_tokenizer):
    (row,) = gap_report(["가나"], [tiny_tokenizer])
    assert row.tokens == 6
    assert row.byte_fragment_fraction == 1.0
    assert row.hangul_pieces == row.single_syllables == 0
