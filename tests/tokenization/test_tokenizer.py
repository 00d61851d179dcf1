"""Every text comes back as it went in, whatever is in it."""

import random

import pytest

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import (
    SentencePieceTokenizer,
    TokenizerJson,
    expand_vocabulary,
    learn_pieces,
    train_tokenizer,
)
from gemma_ko_lib.tokenization.tokenizer import encode_documents, fingerprint
from tests.conftest import SENTENCES

# What breaks tokenizers: their own space mark, white space of all kinds, joined emoji, jamo in
# both encodings, what looks like a special token or a byte piece, characters of every width.
TRICKY = [
    "▁",
    "▁▁가 ▁",
    " ▁ 앞뒤 공백  ",
    "",
    " ",
    "\n",
    "\r\n\t\n\n",
    "\x00",
    "가\x00나",
    "각",  # 각 as conjoining jamo
    "ㄱㅏㄱ ㅋㅋㅋ ㅠㅠ",
    "👩‍👩‍👧‍👦 가족 🇰🇷 👍🏽",
    "\ufeff\u200b\u00a0\u3000\u2028\ufffd\uffff",
    "<bos><eos><pad><unk>",
    "<start_of_turn>user\n안녕<end_of_turn>",
    "<0xEA><0xB0><0x80>",
    "\U0010ffff\U00020000\U0001f468",
    "漢字 かな カナ ไทย עברית العربية",
]


def random_text(generator: random.Random) -> str:
    """Characters from all planes (a surrogate is no character), ordinary ones more often."""
    blocks = [(0, 0x7F), (0, 0xD7FF), (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0xE000, 0xFFFF)]
    blocks += [(0x10000, 0x10FFFF), (0x2581, 0x2581), (0x20, 0x20), (0x0A, 0x0A)]
    return "".join(
        chr(generator.randint(*generator.choice(blocks))) for _ in range(generator.randint(0, 60))
    )


@pytest.fixture(scope="module")
def expanded(tiny_tokenizer):
    korean = [record["text"] for record in read_samples("ko", "train", "comment")]
    return expand_vocabulary(tiny_tokenizer, learn_pieces(korean, tiny_tokenizer, 200))


@pytest.fixture(params=["nano-style", "expanded"])
def tokenizer(request, tiny_tokenizer, expanded):
    return tiny_tokenizer if request.param == "nano-style" else expanded


@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_a_tricky_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode([text])[0]) == text


def test_any_text_comes_back(tokenizer):
    generator = random.Random(0)
    texts = [random_text(generator) for _ in range(2000)]
    texts += ["".join(generator.choices(TRICKY, k=4)) for _ in range(500)]
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        assert tokenizer.decode(ids) == text, ascii(text)


def test_text_never_becomes_a_control_token(tokenizer):
    control = {tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id}
    for ids in tokenizer.encode(TRICKY):
        assert not control & set(ids)


def test_a_turn_marker_is_one_token(tokenizer):
    assert len(tokenizer.encode(["<start_of_turn>"])[0]) == 1


def test_special_tokens_leave_nothing_behind(tokenizer):
    ids = tokenizer.encode(["밤새 비가 내렸다."])[0]
    framed = [tokenizer.bos_id, *ids, tokenizer.eos_id, tokenizer.pad_id]
    assert tokenizer.decode(framed) == "밤새 비가 내렸다."


def test_a_batch_is_encoded_as_its_texts_alone(tokenizer):
    texts = [*TRICKY, *SENTENCES]
    assert tokenizer.encode(texts) == [tokenizer.encode([text])[0] for text in texts]


def test_the_model_file_brings_the_same_tokenizer_back(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.model")
    again = SentencePieceTokenizer((tmp_path / "tokenizer.model").read_bytes())
    assert again.encode(TRICKY) == tokenizer.encode(TRICKY)
    assert fingerprint(again) == fingerprint(tokenizer)


def test_another_vocabulary_has_another_fingerprint(tiny_tokenizer, expanded):
    assert fingerprint(tiny_tokenizer) != fingerprint(expanded)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x0a\x05abc"])
def test_what_is_not_a_sentencepiece_model_is_refused(content):
    with pytest.raises(UserError, match="some.model.* SentencePiece model"):
        SentencePieceTokenizer(content, "some.model")


def test_what_is_not_a_tokenizer_json_is_refused():
    with pytest.raises(UserError, match="some.json is not a tokenizer.json"):
        TokenizerJson(b"{}", "some.json")


SPELLED = [
    "<start_of_turn>user\n안녕<end_of_turn>",
    "<bos><eos><pad><unk>",
    "그림 [multimodal] 과 <unused17>, <start_of_image>",
    "</s><s><|end_of_text|>",
]


@pytest.mark.parametrize("text", SPELLED)
def test_what_a_document_spells_is_text(tokenizer, text):
    (ids,) = encode_documents(tokenizer, [text])
    pieces = [tokenizer.vocabulary[i] for i in ids]
    assert not [piece for piece in pieces if len(piece) > 2 and piece[-1] in ">]" and piece in text]
    assert tokenizer.decode(ids) == text


def test_what_a_document_spells_is_text_for_a_tokenizer_json():
    """Its special tokens are read out of any text, unless somebody takes them apart."""
    import tokenizers

    vocabulary = {
        "<unk>": 0,
        "<bos>": 1,
        "<eos>": 2,
        **{c: i + 3 for i, c in enumerate("<>beos/ 글")},
    }
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], unk_token="<unk>"))
    made.add_special_tokens(["<bos>", "<eos>"])
    tokenizer = TokenizerJson(made.to_str().encode())
    assert tokenizer.encode(["<bos>"]) == [[1]]
    (ids,) = encode_documents(tokenizer, ["글 <bos>글<eos>"])
    assert not {1, 2} & set(ids)


def test_a_tokenizer_learns_from_a_line_of_any_length():
    made = train_tokenizer(["도서관 " * 2000, "library"], 285, "long lines")
    assert "도서관" in made.vocabulary


@pytest.mark.parametrize(("texts", "size"), [([], 300), (["a b"], 30_000), (["a b"], 10)])
def test_what_no_tokenizer_can_be_learnt_from_is_refused(texts, size):
    with pytest.raises(UserError, match=f"No tokenizer of {size:,} pieces can be learnt"):
        train_tokenizer(texts, size, "none")
