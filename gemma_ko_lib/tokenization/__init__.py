"""Stage 2, tokenization: turns documents into the token rows that training reads.

`load_tokenizer` reads any tokenizer of the course by name or file; `gap_report` measures what
it costs in Korean; `cut_vocabulary` keeps the pieces that some texts use, `expand_vocabulary` adds
Korean ones; `pack_documents` and `write_shards` make rows of documents; `pack_mixture` does so with
a chosen share of each language and register.
"""

from gemma_ko_lib.tokenization.cutting import (
    count_pieces,
    cut_to_texts,
    cut_vocabulary,
    rank_pieces,
)
from gemma_ko_lib.tokenization.gap import gap_report
from gemma_ko_lib.tokenization.mixed_shards import format_mixture, pack_mixture, read_sources
from gemma_ko_lib.tokenization.mixture import Mixture, parse_weights
from gemma_ko_lib.tokenization.packing import PackedRows, pack_documents
from gemma_ko_lib.tokenization.shards import open_shards, write_shards
from gemma_ko_lib.tokenization.tokenizer import (
    SentencePieceTokenizer,
    Tokenizer,
    TokenizerJson,
    train_tokenizer,
)
from gemma_ko_lib.tokenization.tokenizer_files import load_tokenizer
from gemma_ko_lib.tokenization.tokenizer_json import write_tokenizer_json
from gemma_ko_lib.tokenization.vocabulary import expand_vocabulary, learn_pieces
