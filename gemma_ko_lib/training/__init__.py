"""Stage 4, training: from token shards and a model to a run folder with a trained model."""

from gemma_ko_lib.training.answers import answer_loss, train_on_answers
from gemma_ko_lib.training.batches import Batches
from gemma_ko_lib.training.finetune import finetune, split_conversations
from gemma_ko_lib.training.loop import LoopConfig, make_update, run_loop
from gemma_ko_lib.training.loss import chunked_cross_entropy, next_token_loss, token_nll
from gemma_ko_lib.training.method import METHODS, Method
from gemma_ko_lib.training.pretrain import pretrain
from gemma_ko_lib.training.run import train
from gemma_ko_lib.training.size import RunSize
