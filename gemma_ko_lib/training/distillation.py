"""Online knowledge distillation: a live teacher, a student of any size, one tokenizer.

The student learns the teacher's distribution over the next token instead of the one token that
the text has. Gemma 2 2B and 9B were trained like this (arXiv 2408.00118, section 3.2). Logits of
teacher and student exist for one chunk of positions at a time.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import sharding
from gemma_ko_lib.models.decoder import Decoder, project
from gemma_ko_lib.models.embeddings import change_vocabulary
from gemma_ko_lib.models.model import Model, random_model
from gemma_ko_lib.models.sharding import EMBEDDING
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.shards import Shards
from gemma_ko_lib.tokenization.tokenizer import fingerprint
from gemma_ko_lib.training.loop import LoopConfig, LossSum
from gemma_ko_lib.training.loss import CHUNK_TOKENS, cross_entropy, weighted_sum
from gemma_ko_lib.training.run import train

_TEACHER = "teacher/"


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a student minimises at each position, given P_T and P_S of teacher and student.

    share · τ² · −Σ P_T log P_S + (1 − share) · −log P_S(next token of the text)

    In the first term both distributions are softmax(logits / τ). Its gradient shrinks like
    1/τ², which the factor undoes (Hinton and others 2015, arXiv 1503.02531). The second
    term has no temperature.

    Attributes:
        share: of the distillation in the loss; 1 is Gemma 2's, 0 plain pre-training.
        temperature: τ.
        top_k: the teacher's k likeliest words are told apart, and all others together are one
            word: −Σ_top P_T log P_S − (1 − Σ_top P_T) log (1 − Σ_top P_S). No mass is lost, and
            the student is free in how it spreads what is outside. None tells all apart.
    """

    share: float = 1.0
    temperature: float = 1.0
    top_k: int | None = None


def distillation_loss(
    student_hidden,
    student_embedding,
    teacher_hidden,
    teacher_embedding,
    targets,
    weights,
    objective: Objective = Objective(),
    *,
    student_soft_cap=None,
    teacher_soft_cap=None,
    chunk_tokens: int = CHUNK_TOKENS // 2,  # two models' logits
):
    """Weighted sum of `objective` over positions, in nats; the teacher gets no gradient.

    Args:
        student_hidden: final hidden states [batch, length, student's d_model].
        student_embedding: [vocabulary, student's d_model].
        teacher_hidden: [batch, length, teacher's d_model], of the same tokens.
        teacher_embedding: [vocabulary, teacher's d_model].
        targets: int [batch, length], the text's next tokens.
        weights: float [batch, length]; 0 leaves a position out, as padding must be.
        objective: see `Objective`.
        student_soft_cap: cap of the student's logits, or None.
        teacher_soft_cap: cap of the teacher's logits, or None.
        chunk_tokens: positions whose logits exist at the same time.

    Returns:
        float32 scalar. It does not fall to 0: the least that distillation can reach is the
        entropy of P_T times τ².
    """
    return weighted_sum(
        functools.partial(_score, objective, teacher_soft_cap),
        student_soft_cap,
        chunk_tokens,
        student_hidden,
        student_embedding,
        weights,
        (teacher_hidden, targets),
        (teacher_embedding.astype(teacher_hidden.dtype),),  # once, not in each chunk
    )


def _score(objective, teacher_cap, logits, teacher_hidden, target, teacher_embedding):
    """Loss of each position and its gradient by the student's logits."""
    teacher_logits = project(teacher_hidden, teacher_embedding, teacher_cap)
    tau, share = objective.temperature, objective.share
    log_teacher = jax.nn.log_softmax(teacher_logits / tau)
    log_student = jax.nn.log_softmax(logits / tau)
    wanted = jnp.exp(log_teacher)
    if objective.top_k is None:
        loss = -jnp.sum(wanted * log_student, axis=-1)
    else:
        # Equally likely words come in together.
        is_top = wanted >= _kth_largest(wanted, objective.top_k)
        log_rest = _log_sum(log_student, ~is_top)
        teacher_rest = jnp.exp(_log_sum(log_teacher, ~is_top))
        loss = -jnp.sum(jnp.where(is_top, wanted * log_student, 0), axis=-1)
        # Nothing may be left outside, and 0 · log 0 is 0.
        loss -= jnp.where(teacher_rest > 0, teacher_rest * log_rest, 0)[..., 0]
        # The gradient of the rest is that of a teacher who spreads it as the student does.
        wanted = jnp.where(is_top, wanted, teacher_rest * jnp.exp(log_student - log_rest))
    loss *= share * tau**2
    gradient = share * tau * (jnp.exp(log_student) - wanted)
    if share < 1:
        of_text, its_gradient = cross_entropy(logits, target)
        loss += (1 - share) * of_text
        gradient += (1 - share) * its_gradient
    return loss, gradient


def _kth_largest(p, k: int):
    """The k-th largest of each row of probabilities; 0 if there are fewer.

    Floats that are not negative have the order of their bits, so that 31 counts find it: an
    eighth of the time of sorting the vocabulary, and the same for any k.
    """
    bits = jax.lax.bitcast_convert_type(p, jnp.int32)

    def try_bit(i, found):
        candidate = found | (1 << (30 - i))
        enough = jnp.sum(bits >= candidate, axis=-1, keepdims=True) >= k
        return jnp.where(enough, candidate, found)

    found = jax.lax.fori_loop(0, 31, try_bit, jnp.zeros((*p.shape[:-1], 1), jnp.int32))
    return jax.lax.bitcast_convert_type(found, jnp.float32)


def _log_sum(log_p, where):
    return jax.nn.logsumexp(jnp.where(where, log_p, -jnp.inf), axis=-1, keepdims=True)


def distilled_loss(
    student: Decoder, teacher: Decoder, objective: Objective, rematerialise: bool = False
) -> LossSum:
    """The loss of distillation, as `run_loop` wants it: sums over a packed batch.

    Args:
        student: its forward pass.
        teacher: its forward pass; `frozen_teacher` gives the weights.
        objective: see `Objective`.
        rematerialise: recompute the student's blocks in the backward pass to save memory.
    """

    def loss_sum(params: dict, batch: dict):
        tokens, segments = batch["token_ids"], batch["segment_ids"]
        teacher_params = {
            name.removeprefix(_TEACHER): weight
            for name, weight in params.items()
            if name.startswith(_TEACHER)
        }
        loss = distillation_loss(
            student.hidden(params, tokens, segments, rematerialise=rematerialise),
            params[EMBEDDING],
            teacher.hidden(teacher_params, tokens, segments),
            teacher_params[EMBEDDING],
            batch["targets"],
            batch["loss_weights"],
            objective,
            student_soft_cap=student.soft_cap,
            teacher_soft_cap=teacher.soft_cap,
        )
        return loss, batch["loss_weights"].sum()

    return loss_sum


def frozen_teacher(teacher: Model, mesh=None) -> dict:
    """The teacher's weights under names of their own, for `run_loop`'s `frozen`."""
    placed = sharding.place(teacher.params, mesh)
    return {_TEACHER + name: weight for name, weight in placed.items()}


def distil(
    teacher: Model,
    student: Model,
    shards: Shards,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    objective: Objective = Objective(),
    mesh=None,
    rematerialise: bool = False,
    **options,
) -> Model:
    """Train a student on packed rows that the teacher reads along with it.

    Args:
        teacher: of any size; its weights take part as they are.
        student: start, with the teacher's tokenizer or a cut of it; its weights are left as they
            are.
        shards: packed with that tokenizer.
        config: see `LoopConfig`.
        run_dir: for metrics and the student's checkpoints.
        objective: see `Objective`.
        mesh: devices, or None for one.
        rematerialise: save memory by computing the student's blocks twice.
        options: `method` (not LOMO, which has a loss of its own), `resume`, `evaluate` and `quiet`,
            as for `train`.

    Returns:
        The trained student.

    Raises:
        UserError: teacher and student do not read the same tokens.
    """
    teacher = teacher_for(student, teacher)
    return train(
        student,
        shards,
        config,
        run_dir,
        loss=distilled_loss(student.decoder, teacher.decoder, objective, rematerialise),
        beside=frozen_teacher(teacher, mesh),
        mesh=mesh,
        **options,
    )


def teacher_for(student: Model, teacher: Model) -> Model:
    """A teacher of the student's tokens: token 17 must be the same piece for both.

    Where the student's vocabulary is cut from the teacher's, the teacher's rows are cut alike. Its
    logits of the pieces that stay are the same, so that its distribution is the whole one
    renormalised over the student's pieces.

    Raises:
        UserError: the student has pieces that the teacher lacks, or another number of embedding
            rows than pieces.
    """
    same = fingerprint(student.tokenizer) == fingerprint(teacher.tokenizer)
    if not same and set(student.tokenizer.vocabulary) <= set(teacher.tokenizer.vocabulary):
        teacher = change_vocabulary(teacher, student.tokenizer)
    pair = (teacher, student)
    pieces = [len(model.tokenizer.vocabulary) for model in pair]
    rows = [len(model.params[EMBEDDING]) for model in pair]
    if fingerprint(teacher.tokenizer) != fingerprint(student.tokenizer) or rows[0] != rows[1]:
        raise UserError(
            f"The teacher '{teacher.name}' and the student '{student.name}' have different "
            f"vocabularies: the tokenizers '{teacher.tokenizer.name}' ({pieces[0]:,} pieces, "
            f"{rows[0]:,} embedding rows) and '{student.tokenizer.name}' ({pieces[1]:,} pieces, "
            f"{rows[1]:,} rows). Choose two models of one tokenizer, for example of the same "
            "Gemma generation; a student's may be cut from the teacher's; after vocabulary "
            "expansion, expand both with the same pieces."
        )
    return teacher


def random_student(teacher: Model, changes: dict, seed: int) -> Model:
    """An untrained model of the teacher's kind and tokenizer, in another size.

    Args:
        teacher: gives the backbone class and all arguments that are not changed.
        changes: arguments of the student's backbone, e.g. {"num_layers": 2}.
        seed: of the initial weights, which are KerasHub's.
    """
    config = {**teacher.config, **changes}
    dtype = teacher.decoder.dtype_policy
    return random_model("student", teacher.kind, config, teacher.tokenizer, seed, dtype)
