"""Stage 2, tokenization: documents in, token rows out, and what a tokenizer costs in Korean.

`load_tokenizer` reads any tokenizer of the course by name or file; `gap_report` measures
it; `expand_vocabulary` adds Korean pieces to it; `pack_documents` and `write_shards` turn
documents into the rows that training reads; `pack_mixture` does so with a chosen share of
each language and register.
"""

from gemma_ko_lib.tokenization.gap import gap_report
from gemma_ko_lib.tokenization.mixed_shards import format_mixture, pack_mixture, read_sources
from gemma_ko_lib.tokenization.mixture import Mixture, mix_documents, parse_weights
from gemma_ko_lib.tokenization.packing import PackedRows, pack_documents
from gemma_ko_lib.tokenization.shards import open_shards, write_shards
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer, Tokenizer, TokenizerJson
from gemma_ko_lib.tokenization.tokenizer_files import load_tokenizer
from gemma_ko_lib.tokenization.vocabulary import expand_vocabulary, learn_pieces

__all__ = [
    "Mixture",
    "PackedRows",
    "SentencePieceTokenizer",
    "Tokenizer",
    "TokenizerJson",
    "expand_vocabulary",
    "format_mixture",
    "gap_report",
    "learn_pieces",
    "load_tokenizer",
    "mix_documents",
    "open_shards",
    "pack_documents",
    "pack_mixture",
    "parse_weights",
    "read_sources",
    "write_shards",
]
