"""Writes a SentencePiece BPE as a Hugging Face tokenizer.json that gives the same ids.

The two store a BPE in different ways: SentencePiece ranks pieces, and any two neighbours that make
a piece may join; tokenizer.json ranks the pairs themselves.
"""

import json
from pathlib import Path

from gemma_ko_lib.runtime import whole_file
from gemma_ko_lib.tokenization.tokenizer import SPACE_MARK, SentencePieceTokenizer


def write_tokenizer_json(tokenizer: SentencePieceTokenizer, path: str | Path) -> None:
    """Write a tokenizer.json for transformers, vLLM and the `tokenizers` library.

    It puts BOS before a text when asked for special tokens. What differs on purpose: it reads
    "<bos>" and its like in a text as control tokens, and the letter "▁" as a space.

    Args:
        tokenizer: to write: Gemma's, or one that was cut or expanded.
        path: of the file.
    """
    pieces = tokenizer.model_proto().pieces
    vocabulary = {piece.piece: i for i, piece in enumerate(pieces)}
    bos = pieces[tokenizer.bos_id].piece
    added = [
        {
            "id": i,
            "content": piece.piece,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            # A run of spaces is to be found where spaces are written as marks already.
            "normalized": SPACE_MARK in piece.piece,
            "special": piece.type != piece.USER_DEFINED,
        }
        for i, piece in enumerate(pieces)
        if piece.type in (piece.CONTROL, piece.UNKNOWN, piece.USER_DEFINED)
    ]
    ranked = sorted((p for p in pieces if p.type == p.NORMAL), key=lambda p: -p.score)
    merges = [
        (piece.piece[:i], piece.piece[i:])
        for piece in ranked
        for i in range(1, len(piece.piece))
        if piece.piece[:i] in vocabulary and piece.piece[i:] in vocabulary
    ]
    space = {"String": " "}
    start = {"SpecialToken": {"id": bos, "type_id": 0}}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": space, "content": SPACE_MARK},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                start,
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": bos, "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {bos: {"id": bos, "ids": [tokenizer.bos_id], "tokens": [bos]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": next(piece.piece for piece in pieces if piece.type == piece.UNKNOWN),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    with whole_file(path) as file:
        json.dump(content, file, ensure_ascii=False)
