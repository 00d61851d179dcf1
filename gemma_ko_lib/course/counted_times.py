"""Minutes of a lesson on a machine that was not at hand, counted from what it computes.

They are no measurement, and the tables of the notebooks say so. Only lessons whose time goes into
training Gemma 3 270M are counted; where something else decides, nothing is claimed.
"""

import dataclasses

from gemma_ko_lib import profiles
from gemma_ko_lib.profiles import Profile

_PARAMETERS = 268_098_176  # of Gemma 3 270M, its embedding counted once
_VOCABULARY, _WIDTH = 262_144, 640
_STUDENT = 5_100_000  # of lesson 08 on a GPU or TPU, rounded
_BYTES = 4  # a weight in float32
SHARE = 0.3  # of a device's peak that a training reaches

# Peak operations and bytes a second of one device, from its maker's data sheet: a T4 in float32,
# for products in float16 are not timed there yet; a chip of TPU v5e in bfloat16.
PEAKS = {"gpu": (8.1e12, 320e9), "tpu": (197e12, 819e9)}


@dataclasses.dataclass
class Work:
    """What a lesson computes.

    Attributes:
        operations: floating-point ones.
        bytes_read: of weights, while text is written.
    """

    operations: float = 0.0
    bytes_read: float = 0.0

    def train(self, tokens: float, parameters: float = _PARAMETERS) -> None:
        """Count a training: 2 operations a weight and token forward, 4 backward."""
        self.operations += 6 * parameters * tokens

    def read(self, tokens: float, parameters: float = _PARAMETERS) -> None:
        """Count a measurement, which goes forward alone."""
        self.operations += 2 * parameters * tokens

    def write(self, steps: int, parameters: float = _PARAMETERS) -> None:
        """Count steps of decoding; each reads all weights once, for all rows together."""
        self.bytes_read += _BYTES * parameters * steps


def _cut(pieces: int) -> int:
    """Parameters with a vocabulary of so many pieces."""
    return _PARAMETERS - (_VOCABULARY - pieces) * _WIDTH


def _tokenization(profile: Profile) -> Work:
    work, sizes, evaluated = Work(), profile.tokens, profile.evaluation
    rows = max(2, profile.pretrain.batch_rows // 2)
    for _ in range(4 + 2):  # the vocabularies, and the rates of an exercise
        work.train(sizes.steps * rows * profile.pretrain.row_length)
        # Korean at the start and after each quarter, English at start and end.
        work.read(7 * evaluated.documents * evaluated.window // 4)
    return work


def _pretraining(profile: Profile) -> Work:
    work, sizes, evaluated = Work(), profile.pretrain, profile.evaluation
    parameters = _cut(profile.tokens.kept_pieces)
    runs = 2 * sizes.seeds  # with English and without
    # One more is stopped and goes on; an exercise tries two rates for a quarter of the updates.
    work.train((runs + 1 + 2 / 4) * sizes.steps * sizes.batch_rows * sizes.row_length, parameters)
    measured = 1 + 2 * runs + 2
    work.read(measured * 2 * evaluated.documents * evaluated.window, parameters)
    return work


def _methods(profile: Profile) -> Work:
    work, sizes = Work(), profile.finetune
    for _ in range(4):
        work.train(sizes.steps * sizes.batch_rows * sizes.row_length // 2)
    work.read(3 * 16 * 256)  # as it is, in 8 bits and in 4
    return work


def _distillation(profile: Profile) -> Work:
    work, sizes = Work(), profile.distillation
    teacher = _cut(sizes.pieces or _VOCABULARY)
    tokens = sizes.training.steps * sizes.training.batch_rows * sizes.training.row_length
    runs = 2 * sizes.seeds  # clean and damaged text
    work.train(2 * runs * tokens, _STUDENT)  # from the text, and from the teacher
    work.read(runs * tokens, teacher)
    return work


def _finetuning(profile: Profile) -> Work:
    work, sizes = Work(), profile.finetune
    updates = 2 * sizes.task_steps + 2 * (sizes.task_steps // 3)
    work.train(updates * sizes.task_rows * sizes.task_length)
    work.train(sizes.steps * sizes.batch_rows * sizes.row_length)
    work.write(6 * 12 + sizes.answer_tokens)  # the task is asked six times
    return work


_WORK = {
    "04_korean_tokenization": _tokenization,
    "06_continued_pretraining": _pretraining,
    "07_training_in_less_memory": _methods,
    "08_knowledge_distillation": _distillation,
    "09_lora_sft": _finetuning,
}


def counted_minutes(name: str, profile: str, start_seconds: float) -> float | None:
    """Minutes of a lesson: operations and bytes over `SHARE` of the peak, and what all runs pay.

    Args:
        name: the notebook's, without .ipynb.
        profile: "gpu" or "tpu"; one device of it.
        start_seconds: of imports, compilation and drawings, as the run at `smoke` took for them.

    Returns:
        None where the sizes do not tell, or the device has no peak here.

    Example:
        >>> counted_minutes("06_continued_pretraining", "gpu", 60) > 1
        True
    """
    if name not in _WORK or profile not in PEAKS:
        return None
    work = _WORK[name](profiles.get(profile))
    operations, bandwidth = PEAKS[profile]
    seconds = work.operations / operations + work.bytes_read / bandwidth
    return (start_seconds + seconds / SHARE) / 60
