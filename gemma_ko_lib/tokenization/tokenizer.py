"""One interface for every tokenizer of the course: SentencePiece models and tokenizer.json files.

`encode` never adds special tokens. The code that builds a row adds `bos_id` once per document,
so it cannot be there twice.
"""

import functools
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from gemma_ko_lib.runtime import UserError, write_whole

# SentencePiece writes a space as this character, and reads it back as a space; in a
# text it must therefore travel as its three bytes.
SPACE_MARK = "▁"
_LARGEST_ID = 10_000_000
_LONGEST_LINE = 1000  # characters, of at most four bytes each
_LARGEST = 100_000_000  # bytes; Gemma 3's tokenizer.json has 33 MB


class Tokenizer(Protocol):
    """What the course needs of a tokenizer.

    Attributes:
        name: the name or path that it was loaded by.
        vocabulary: every piece, in id order; a space is written "▁".
        bos_id, eos_id, pad_id: ids of the special tokens.
    """

    name: str
    bos_id: int
    eos_id: int
    pad_id: int

    @property
    def vocabulary(self) -> list[str]: ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some token ids; special tokens leave nothing behind."""


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 over the pieces in id order: equal for equal vocabularies, whatever the file."""
    return hashlib.sha256("\n".join(tokenizer.vocabulary).encode("utf-8")).hexdigest()


def read_proto(path: str | Path) -> bytes:
    """The bytes of a tokenizer file.

    Raises:
        UserError: it is no file, or larger than any tokenizer.
        OSError: it cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # of a pipe it would wait for ever
        raise UserError(f"{path} is not a file; copy it again.")
    size = path.stat().st_size
    if size > _LARGEST:
        raise UserError(
            f"{path} has {size / 1e6:,.0f} MB, more than a tokenizer ({_LARGEST / 1e6:,.0f} MB)."
        )
    return path.read_bytes()


# Between the bracket and the rest of what would be read as one control token. Pieces for tags
# of HTML are text.
_INSIDE_CONTROL = re.compile(
    r"(?<=[<\[])(?=(?:/?s|bos|eos|pad|unk|mask|cls|sep|unused[0-9]{1,5}|(?:start|end)_of_[a-z]{1,10}"
    r"|[a-z]{1,10}_soft_token|\|[a-z_0-9]{1,40}\|)>|(?:multimodal|@BOS@|CLS|SEP|PAD|UNK|MASK)\])"
)


def encode_plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of what somebody wrote: "<end_of_turn>" in it is letters, no control token."""
    parts = [part for part in _INSIDE_CONTROL.split(text) if part]
    return [i for ids in tokenizer.encode(parts) for i in ids]


def encode_documents(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of documents: whatever they spell is text.

    Control tokens come from who builds a row (BOS, EOS) and from the turn template alone.
    """
    encoded = tokenizer.encode(texts)
    for index, text in enumerate(texts):
        if _INSIDE_CONTROL.search(text):
            encoded[index] = encode_plain(tokenizer, text)
    return encoded


class SentencePieceTokenizer:
    """A SentencePiece model (Gemma's own format).

    Args:
        proto: the serialised model, the bytes of a tokenizer.model file.
        name: how to call it in reports.
    """

    def __init__(self, proto: bytes, name: str = "sentencepiece"):
        import sentencepiece

        self.name = name
        self.proto = proto
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
            # A damaged piece shows when it is read.
            self.vocabulary = self._processor.id_to_piece(list(range(len(self._processor))))
        except (RuntimeError, UnicodeDecodeError) as error:
            raise UserError(
                f"{name} is not a SentencePiece model ({error}); give a tokenizer.model file."
            ) from None
        if not self.vocabulary:  # an empty file is a valid, empty protobuf
            raise UserError(f"{name} is empty, not a SentencePiece model; copy it again.")
        self.bos_id = self._processor.bos_id()
        self.eos_id = self._processor.eos_id()
        self.pad_id = max(self._processor.pad_id(), 0)
        self.unk_id = self._processor.unk_id()

    def model_proto(self):
        """The model as a message of SentencePiece's own, a copy that may be changed."""
        from sentencepiece import sentencepiece_model_pb2

        return sentencepiece_model_pb2.ModelProto.FromString(self.proto)

    @functools.cached_property
    def _mark_bytes(self) -> list[int]:
        return [self._processor.piece_to_id(f"<0x{b:02X}>") for b in SPACE_MARK.encode()]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._processor.encode(list(texts), out_type=int)
        for index, text in enumerate(texts):
            if SPACE_MARK in text:
                encoded[index] = self._encode_with_marks(text)
        return encoded

    def _encode_with_marks(self, text: str) -> list[int]:
        ids: list[int] = []
        for index, part in enumerate(text.split(SPACE_MARK)):
            ids += self._mark_bytes if index else []
            ids += self._processor.encode(part, out_type=int) if part else []
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._processor.decode([int(i) for i in ids])

    def save(self, path: str | Path) -> None:
        """Write the model as a tokenizer.model file."""
        write_whole(path, self.proto)


class TokenizerJson:
    """A Hugging Face tokenizer.json, read by the `tokenizers` library.

    Args:
        content: the bytes of the file.
        name: how to call it in reports.
    """

    def __init__(self, content: bytes, name: str = "tokenizer.json"):
        import tokenizers

        self.name = name
        try:
            self._tokenizer = tokenizers.Tokenizer.from_buffer(content)
            self._tokenizer.encode("한글 and Latin")  # some faults show only here
            largest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        except Exception as error:  # the Rust side raises plain Exception for any bad file
            raise UserError(f"{name} is not a tokenizer.json file ({error!s:.200}).") from None
        if largest < 0:
            raise UserError(f"{name} has no pieces: it is no tokenizer of any text.")
        if largest > _LARGEST_ID:
            raise UserError(f"{name} has a piece with the id {largest:,}: no vocabulary has.")
        self.bos_id = self._special("<bos>", "<s>", "<|begin_of_text|>", "<|endoftext|>")
        self.eos_id = self._special("<eos>", "</s>", "<|end_of_text|>", "<|endoftext|>")
        self.pad_id = self._special("<pad>", "<unk>", default=0)

    def _special(self, *spellings: str, default: int = -1) -> int:
        ids = (self._tokenizer.token_to_id(spelling) for spelling in spellings)
        return next((i for i in ids if i is not None), default)

    @functools.cached_property
    def vocabulary(self) -> list[str]:
        by_piece = self._tokenizer.get_vocab(with_added_tokens=True)
        pieces = [""] * (max(by_piece.values()) + 1)
        for piece, index in by_piece.items():
            pieces[index] = piece
        return pieces

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        batch = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in batch]

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode([int(i) for i in ids], skip_special_tokens=True)


def train_tokenizer(texts: Sequence[str], size: int, name: str) -> SentencePieceTokenizer:
    """Train a BPE with byte fallback and Gemma's conventions.

    Args:
        texts: to learn the pieces from.
        size: pieces in all.
        name: of the tokenizer.

    Raises:
        UserError: the texts have not so many pieces in them, or more characters than pieces.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_short_lines(texts),
            model_writer=model,
            vocab_size=size,
            model_type="bpe",
            byte_fallback=True,
            split_digits=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            pad_id=0,
            eos_id=1,
            bos_id=2,
            unk_id=3,
            pad_piece="<pad>",
            eos_piece="<eos>",
            bos_piece="<bos>",
            user_defined_symbols=["<start_of_turn>", "<end_of_turn>", "\n"],
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(
            f"No tokenizer of {size:,} pieces can be learnt from these texts ({error!s:.200})."
        ) from None
    return SentencePieceTokenizer(model.getvalue(), name)


def _short_lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for line in text.splitlines():
            # SentencePiece passes over what has more than 4,192 bytes, without a word.
            yield from (line[i : i + _LONGEST_LINE] for i in range(0, len(line), _LONGEST_LINE))
