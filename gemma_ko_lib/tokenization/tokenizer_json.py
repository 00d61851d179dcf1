"""Writes a SentencePiece BPE as a Hugging Face tokenizer.json that gives the same ids.

The two store a BPE in different ways: SentencePiece ranks pieces, and any two neighbours that make
a piece may join; tokenizer.json ranks the pairs themselves.
"""

from pathlib import Path

from gemma_ko_lib.runtime import write_whole
from gemma_ko_lib.tokenization.tokenizer import SPACE_MARK, SentencePieceTokenizer


def write_tokenizer_json(tokenizer: SentencePieceTokenizer, path: str | Path) -> None:
    """Write a tokenizer.json for transformers, vLLM and the `tokenizers` library.

    It puts BOS before a text when asked for special tokens. What differs on purpose: it reads
    "<bos>" and its like in a text as control tokens, and the letter "▁" as a space.

    Args:
        tokenizer: to write: Gemma's, or one that was cut or expanded.
        path: of the file.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    pieces = tokenizer.model_proto().pieces
    vocabulary = {piece.piece: i for i, piece in enumerate(pieces)}
    ranked = sorted((p for p in pieces if p.type == p.NORMAL), key=lambda p: -p.score)
    merges = [
        (piece.piece[:i], piece.piece[i:])
        for piece in ranked
        for i in range(1, len(piece.piece))
        if piece.piece[:i] in vocabulary and piece.piece[i:] in vocabulary
    ]
    unknown = pieces[tokenizer.unk_id].piece
    bos = pieces[tokenizer.bos_id].piece
    written = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    # A run of spaces is to be found where spaces are written as marks already.
    added = [
        AddedToken(p.piece, normalized=SPACE_MARK in p.piece, special=p.type != p.USER_DEFINED)
        for p in pieces
        if p.type in (p.CONTROL, p.UNKNOWN, p.USER_DEFINED)
    ]
    written.add_tokens(added)
    written.normalizer = normalizers.Replace(" ", SPACE_MARK)
    written.decoder = decoders.Sequence(
        [decoders.Replace(SPACE_MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    written.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos}:1 $B:1",
        special_tokens=[(bos, tokenizer.bos_id)],
    )
    write_whole(path, written.to_str())
