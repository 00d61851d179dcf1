"""Minutes of a lesson on a machine that was not at hand, counted from what it computes.

They are no measurement, and the tables of the notebooks say so. A lesson's count is a function in
`_WORK`; it follows the lesson's code cells and its profile's sizes. Tokens of texts and rows of
questions are those of the course's samples in Gemma 3's tokens, with the rest of a batch filled up.

Not counted: downloads, which the network decides.
"""

import dataclasses
import math

from gemma_ko_lib import profiles
from gemma_ko_lib.profiles import Profile

_PARAMETERS = 268_098_176  # of Gemma 3 270M, its embedding counted once
_VOCABULARY, _WIDTH = 262_144, 640
_BLOCKS = _PARAMETERS - _VOCABULARY * _WIDTH  # where no word is predicted
_BYTES = 4  # a weight in float32
SHARE = 0.3  # of a device's peak that a training reaches

# Peak operations and bytes a second of one device, from its maker's data sheet: a T4 in float32,
# for products in float16 are not timed there yet; a chip of TPU v5e in bfloat16.
PEAKS = {"gpu": (8.1e12, 320e9), "tpu": (197e12, 819e9)}

# What two CPU cores reach, in operations and bytes a second: fitted to the lessons that were run
# there (data_samples/lesson_times.json). A test compares all counts with these runs.
CPU = (150e9, 10e9)

# Models of some 100,000 parameters: operations a second of two cores (an update of lesson 03a's
# models, d 64, took 1.2e9 operations and 50 ms of processor time, of 48 0.5e9 and 20 ms); on
# an accelerator an update is some hundred short programs, which the CPU starts one by one.
_SMALL_CPU, _SMALL_UPDATE = 25e9, 0.01

# Seconds of two cores, whatever the accelerator: to read Gemma 3 270M as it is installed, to cut
# its vocabulary, to write a GGUF file of it, and to read one back (processor time on an AMD EPYC).
_LOAD, _CUT, _EXPORT, _READ_BACK = 8, 5, 4.5, 13
_SAVED = 420e6  # bytes a second of a model that is saved, measured likewise
# Lessons 01 and 02 compile a model's blocks one by one: of Gemma 3 270M 18 in place of nano's 4,
# in sections that take 3.5 and 25 s at `smoke` (01 §8; 02 §7 to §9 and exercises).
_MORE_BLOCKS = 18 / 4 - 1
# Tokens that llama.cpp writes in a second of one core, for one user and for eight (RESULTS.md).
_SERVED, _SERVED_8 = 19, 34
# Lesson 05 at `smoke` writes and cleans 9 copies of the samples in 1.4 s (lesson_times.json).
_A_COPY = 1.4 / 9

FULL, LORA = 6, 4  # operations a weight and token: LoRA needs no gradient of a frozen weight


@dataclasses.dataclass
class Work:
    """What a lesson computes.

    Attributes:
        operations: floating-point ones.
        bytes_read: of weights, while text is written.
        small_operations, small_updates: of models far smaller than nano.
        cpu_seconds: of two CPU cores, where no accelerator helps.
    """

    operations: float = 0.0
    bytes_read: float = 0.0
    small_operations: float = 0.0
    small_updates: int = 0
    cpu_seconds: float = 0.0

    def train(
        self, tokens: float, parameters: float = _PARAMETERS, operations: float = FULL
    ) -> None:
        """Count a training: 2 operations a weight and token forward, 4 backward."""
        self.operations += operations * parameters * tokens

    def train_small(self, updates: int, tokens: int, parameters: float) -> None:
        """Count a training of a small model; tokens are those of an update."""
        self.small_updates += updates
        self.small_operations += FULL * parameters * tokens * updates

    def read(self, tokens: float, parameters: float = _PARAMETERS) -> None:
        """Count a measurement, which goes forward alone."""
        self.operations += 2 * parameters * tokens

    def write(self, steps: float, parameters: float = _PARAMETERS) -> None:
        """Count steps of decoding; each reads all weights once, for all rows together."""
        self.bytes_read += _BYTES * parameters * steps

    def save(self, times: float, parameters: float, numbers: int = 3) -> None:
        """Count files of a run: a checkpoint has a weight and two moments, a model a weight."""
        self.cpu_seconds += times * numbers * _BYTES * parameters / _SAVED

    def seconds(self, profile: str) -> float:
        """Seconds on one device of a profile, or on two CPU cores."""
        if profile == "cpu":
            operations, bandwidth = CPU
            small = self.small_operations / _SMALL_CPU
        else:
            operations, bandwidth = (SHARE * peak for peak in PEAKS[profile])
            small = self.small_operations / operations + self.small_updates * _SMALL_UPDATE
        on_device = self.operations / operations + self.bytes_read / bandwidth
        return on_device + small + self.cpu_seconds


def _cut(pieces: int) -> int:
    """Parameters with a vocabulary of so many pieces."""
    return _BLOCKS + pieces * _WIDTH


def _filled(tokens: float, rows: int, length: int) -> int:
    """Tokens that are computed for so many: batches are always whole."""
    return math.ceil(tokens / (rows * length)) * rows * length


# The samples have 62 held-out documents in Korean and 44 in English. Packed into rows, a letter
# of a beginning takes 0.6 and 0.25 tokens.
_HELD_OUT = ((62, 0.6), (44, 0.25))


def _beginnings(documents: int, letters: int, rows: int, window: int) -> list[int]:
    """Tokens that are computed for the beginnings of documents, in Korean and in English."""
    return [
        _filled(share * letters * min(documents, there), rows, window) for there, share in _HELD_OUT
    ]


_DOCUMENTS_24 = 8192 + 12_288  # whole ones, Korean and English, in windows of 256


# --- The lessons -----------------------------------------------------------------------


def _start(profile: Profile) -> Work:
    work = Work(cpu_seconds=_LOAD)
    work.read(8192 + 6144 + 2 * 2048)  # 12 documents of each language, two sentences
    work.write(2 * 20)
    return work


def _architecture(profile: Profile) -> Work:
    work, sizes = Work(cpu_seconds=_LOAD + 3.5 * _MORE_BLOCKS), profile.head_sharing
    for _ in range(3 * 20 + 3):  # without a cache each token is a row of 64
        work.read(64)
        work.write(1)
    d, h = sizes.d_model, sizes.head_dim
    parameters = sizes.num_layers * (4 * d * h * sizes.num_heads + 3 * d * 4 * d)
    tokens = sizes.batch_rows * sizes.row_length
    # MHA, GQA, MQA and a control; an exercise.
    work.train_small((4 * sizes.seeds + 1) * sizes.steps, tokens, parameters + 32 * d)
    work.train_small(sizes.steps, tokens, parameters + 4096 * d)  # English, nano's pieces
    return work


def _attention(profile: Profile) -> Work:
    work, sizes = Work(cpu_seconds=_LOAD + 25 * _MORE_BLOCKS), profile.decoding
    work.write(2 * 24 + 4 * 24 + 4 * 12)  # texts, what is timed, an exercise
    work.write(2 * 24 + 4 * 24, _PARAMETERS / 4)  # in eight bits
    work.read(5 * 2 * 40)
    work.read(29 * 900 + sizes.prompt_tokens, _BLOCKS)  # needles are asked for; the cache
    work.read(15 * sizes.documents * sizes.text_tokens)  # windows, eight bits, BOS
    return work


def _recurrent(profile: Profile) -> Work:
    work, sizes = Work(), profile.family
    d, names = sizes.recall_width, sizes.recall_length // 2
    parameters = (8 * names + names + 8) * d + 20 * d**2
    updates = 4 * sizes.recall_seeds * sizes.recall_steps
    work.train_small(updates, 32 * sizes.recall_length, parameters)
    return work


def _paligemma(profile: Profile) -> Work:
    work, sizes = Work(), profile.family
    # 64 drawings of 16 patches and 6 tokens.
    work.train_small(sizes.reader_steps, 64 * 22, 28 * sizes.reader_width**2)
    return work


def _tokenization(profile: Profile) -> Work:
    work, sizes, evaluated = Work(cpu_seconds=_LOAD + 2 * _CUT), profile.tokens, profile.evaluation
    tokens = sizes.steps * max(2, profile.pretrain.batch_rows // 2) * profile.pretrain.row_length
    window = evaluated.window
    korean, english = _beginnings(evaluated.documents, window // 4, 8, window)
    added = sizes.new_pieces * _WIDTH
    whole, expanded = _PARAMETERS, _PARAMETERS + added
    # The four vocabularies, and the rates of an exercise.
    for parameters in (whole, expanded, expanded, _cut(sizes.kept_pieces) + added, whole, expanded):
        work.train(tokens, parameters)
        # Korean at the start and after each quarter, English at start and end.
        work.read(5 * korean + 2 * english, parameters)
    work.read(_filled(2048, 8, window))  # a cut's curve over four languages
    return work


def _corpus(profile: Profile) -> Work:
    copies = profile.corpus.plan_copies
    return Work(cpu_seconds=_A_COPY * (copies // 2 + copies))


def _pretraining(profile: Profile) -> Work:
    work, sizes, evaluated = Work(cpu_seconds=_LOAD + _CUT), profile.pretrain, profile.evaluation
    parameters = _cut(profile.tokens.kept_pieces)
    runs = 2 * sizes.seeds  # with English and without
    # One more is stopped and goes on; an exercise trains four times for a quarter of the updates.
    work.train((runs + 2) * sizes.steps * sizes.batch_rows * sizes.row_length, parameters)
    work.save((runs + 2) * sizes.steps / sizes.checkpoint_every, parameters)
    window = evaluated.window
    texts = _beginnings(evaluated.documents, window, evaluated.batch_rows, window)
    work.read((1 + 2 * runs + 4) * sum(texts), parameters)
    work.read(2 * texts[0] + 4 * 8 * window, parameters)  # of an exercise
    return work


def _methods(profile: Profile) -> Work:
    work, sizes = Work(cpu_seconds=_LOAD), profile.finetune
    tokens = sizes.steps * sizes.batch_rows * sizes.row_length // 2
    # Blocks are computed twice (2 more); LOMO goes back twice, first for the gradient's size.
    for operations in (FULL + 2, LORA + 2, 2 * (FULL + 2), FULL + 2):
        work.train(tokens, operations=operations)
    work.read(3 * 2048)  # as it is, in 8 bits and in 4
    return work


def _distillation(profile: Profile) -> Work:
    work, sizes = Work(cpu_seconds=_LOAD + _CUT), profile.distillation
    loop, pieces = sizes.training, sizes.pieces or _VOCABULARY
    layers, width, ffn, heads, head_dim = sizes.student
    a_layer = 2 * width * head_dim * (heads + 1) + 3 * width * ffn
    student, teacher = layers * a_layer + pieces * width, _cut(pieces)
    runs = 2 * sizes.seeds  # clean and damaged text
    tokens = loop.steps * loop.batch_rows * loop.row_length
    work.train(2 * runs * tokens, student)  # from the text, and from the teacher
    work.read(runs * tokens, teacher)
    texts, _ = _beginnings(62, profile.evaluation.window, 16, loop.row_length)
    work.read(2 * runs * 3 * texts, student)  # halfway, at the end, on damaged texts
    work.read(texts, teacher)
    return work


def _finetuning(profile: Profile) -> Work:
    work, sizes = Work(cpu_seconds=_LOAD + _CUT), profile.finetune
    parameters = _cut(profile.tokens.kept_pieces)
    short = max(12, sizes.task_steps // 3)
    tokens = sizes.task_rows * sizes.task_length
    work.train(2 * sizes.task_steps * tokens, parameters)  # answers alone, and everything
    work.train(2 * short * tokens, parameters, LORA)  # with the embedding and without
    work.train(sizes.steps * sizes.batch_rows * sizes.row_length, parameters, LORA)
    of_full, of_lora = (2 * (2 + steps // 25) for steps in (sizes.task_steps, short))
    work.save(2, parameters)
    work.save(of_full + 2, parameters, 1)  # the best so far; the start, and the end
    work.read(
        (of_full + of_lora + 6) * _filled(40 * sizes.task_tests, 8, sizes.task_length), parameters
    )
    work.read(6 * _filled(29 * 90, sizes.batch_rows, sizes.row_length), parameters)
    work.read(6 * 8 * 2 * sizes.row_length, parameters)  # with another's question
    # The task is asked six times; a prompt is 64 places long.
    work.read(6 * sizes.task_tests * (64 + 12), parameters)
    work.write(6 * 12 + sizes.answer_tokens, parameters)
    return work


# Rows of 512 tokens that lesson 10's questions fill, by how many of each kind are asked.
_QUESTION_ROWS = {10: 56, 20: 88, 40: 124}


def _evaluation(profile: Profile) -> Work:
    work, sizes, read = Work(cpu_seconds=_LOAD + _CUT), profile.evaluation, profile.pretrain
    cut = _cut(profile.tokens.kept_pieces)
    work.train(read.steps * read.batch_rows * read.row_length, cut)
    work.save(read.steps / read.checkpoint_every, cut)
    questions = 512 * _QUESTION_ROWS[sizes.per_group]
    texts = _beginnings(sizes.documents, sizes.window, sizes.batch_rows, sizes.window)
    for parameters in (_PARAMETERS, cut):
        # Two exercises ask four times; COPA, or a pair of sentences, is a batch, too.
        work.read(questions + sum(texts) + 5 * 4 * 512, parameters)
    # By hand a document is a row of its own; then by the library.
    work.read(min(sizes.documents, 62) * sizes.window + 8 * sizes.window)
    return work


def _serving(profile: Profile) -> Work:
    work, sizes = Work(), profile.serving
    tokens = sizes.steps * sizes.row_length
    work.train(tokens, operations=LORA)
    work.read(5 * 2 * sizes.row_length)
    work.read(2 * 8 * sizes.row_length + 3 * _DOCUMENTS_24)  # files read back; three formats
    work.read(4096, _BLOCKS)  # importance
    work.read(sizes.questions * (64 + sizes.answer_tokens))
    work.write(sizes.answer_tokens)
    # Four formats, the start, and three by importance; all but two of them are read back.
    work.cpu_seconds += _LOAD + 8 * _EXPORT + 8 * _READ_BACK
    # Two models answer on two cores, of which one has learnt short answers.
    work.cpu_seconds += sizes.questions * (20 + sizes.answer_tokens) / (2 * _SERVED)
    # Three formats on one core: three answers to one user, then two to each of eight.
    work.cpu_seconds += 3 * sizes.speed_tokens * (3 / _SERVED + 16 / _SERVED_8)
    return work


# Tokens of an item of each suite, in rows that share beginnings.
_ITEM_TOKENS = {"grammar": 13, "native": 18, "culture": 39, "knowledge": 39, "grammar_en": 9}


def _capstone(profile: Profile) -> Work:
    work, sizes = Work(), profile.road
    cut = _cut(32_768)
    work.read(8192)  # the vocabulary is measured whole, and cut to six sizes
    work.read(6 * 4096, cut)
    work.train(sizes.tokens, cut)
    updates = sizes.tokens // sizes.update_tokens
    work.read((1 + min(10, max(1, updates // 8))) * 8192, cut)
    work.save(min(20, updates), cut)
    work.train(sizes.answers, cut, LORA)
    work.save(3, cut, 1)  # after each step
    work.read(4 * _filled(29 * 90, 2, 256), cut)  # held-out answers
    questions = sum(_filled(n * sizes.items, 4, 512) for n in _ITEM_TOKENS.values())
    texts = 8192 + 16_384  # 24 held-out ones, 24 of "howto"
    work.read(texts + questions)
    work.read(3 * texts + questions, cut)
    # Five steps begin with the base; it and the end are exported, and answer three questions.
    work.cpu_seconds += 5 * _LOAD + _CUT + 2 * _EXPORT
    work.cpu_seconds += 2 * 3 * sizes.answer_tokens / (2 * _SERVED)
    return work


_WORK = {
    "00_start_here": _start,
    "01_gemma_architecture": _architecture,
    "02_gemma2_attention": _attention,
    "03a_recurrent_gemma": _recurrent,
    "03b_paligemma": _paligemma,
    "04_korean_tokenization": _tokenization,
    "05_korean_corpus": _corpus,
    "06_continued_pretraining": _pretraining,
    "07_training_in_less_memory": _methods,
    "08_knowledge_distillation": _distillation,
    "09_lora_sft": _finetuning,
    "10_evaluating_korean": _evaluation,
    "11_serving": _serving,
    "12_capstone": _capstone,
}


def counted_minutes(name: str, profile: str, start_seconds: float) -> float | None:
    """Minutes of a lesson: what it computes over what the machine reaches, and what all runs pay.

    Args:
        name: the notebook's, without .ipynb.
        profile: "cpu", for two cores; "gpu" or "tpu", for one device of it.
        start_seconds: of imports, compilation and drawings, as the run at `smoke` took for them.

    Returns:
        None for another profile, or a notebook that is not of the course.

    Example:
        >>> counted_minutes("06_continued_pretraining", "gpu", 60) > 1
        True
    """
    if name not in _WORK or profile not in {"cpu", *PEAKS}:
        return None
    return (start_seconds + _WORK[name](profiles.get(profile)).seconds(profile)) / 60
