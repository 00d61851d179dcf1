"""Stage 4, training: token shards and a model in, a run folder with a trained model out."""

from gemma_ko_lib.tokenization.mixture import mix_documents
from gemma_ko_lib.training.answers import answer_loss, train_on_answers
from gemma_ko_lib.training.batches import batch_iterator
from gemma_ko_lib.training.finetune import finetune, split_conversations
from gemma_ko_lib.training.loop import LoopConfig, make_update, run_loop
from gemma_ko_lib.training.loss import chunked_cross_entropy, next_token_loss, token_nll
from gemma_ko_lib.training.pretrain import pretrain, train_on_shards

__all__ = [
    "LoopConfig",
    "answer_loss",
    "batch_iterator",
    "chunked_cross_entropy",
    "finetune",
    "make_update",
    "mix_documents",
    "next_token_loss",
    "pretrain",
    "run_loop",
    "split_conversations",
    "token_nll",
    "train_on_answers",
    "train_on_shards",
]
