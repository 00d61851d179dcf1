"""Distillation is the full computation in chunks, and padding and teacher stay out of it."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib.models import change_vocabulary, project
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import (
    cut_to_texts,
    expand_vocabulary,
    open_shards,
    train_tokenizer,
    write_shards,
)
from gemma_ko_lib.training import LoopConfig, chunked_cross_entropy
from gemma_ko_lib.training.distillation import (
    Objective,
    distil,
    distillation_loss,
    random_student,
    teacher_for,
)
from tests.conftest import SENTENCES

BATCH, LENGTH, VOCABULARY = 2, 11, 40
CAPS = {"student_soft_cap": 3.0, "teacher_soft_cap": 2.0}


@pytest.fixture
def inputs():
    keys = jax.random.split(jax.random.key(0), 6)
    return {
        "student_hidden": jax.random.normal(keys[0], (BATCH, LENGTH, 8)),
        "student_embedding": jax.random.normal(keys[1], (VOCABULARY, 8)),
        "teacher_hidden": jax.random.normal(keys[2], (BATCH, LENGTH, 12)),
        "teacher_embedding": jax.random.normal(keys[3], (VOCABULARY, 12)),
        "targets": jax.random.randint(keys[4], (BATCH, LENGTH), 0, VOCABULARY),
        "weights": (jax.random.uniform(keys[5], (BATCH, LENGTH)) > 0.3).astype("float32"),
    }


def _naive(inputs, objective):
    """All logits at once, buckets by sorting; autodiff makes the gradient."""
    student = project(inputs["student_hidden"], inputs["student_embedding"], 3.0)
    teacher = project(inputs["teacher_hidden"], inputs["teacher_embedding"], 2.0)
    tau = objective.temperature
    p, q = jax.nn.softmax(teacher / tau), jax.nn.softmax(student / tau)
    if objective.top_k is not None:
        order = jnp.argsort(-p, axis=-1)
        p, q = (jnp.take_along_axis(x, order, -1) for x in (p, q))
        k = objective.top_k
        p, q = (
            jnp.concatenate([x[..., :k], x[..., k:].sum(-1, keepdims=True)], -1) for x in (p, q)
        )
    distilled = -jnp.sum(p * jnp.log(q), -1)
    log_p = jax.nn.log_softmax(student)
    text = -jnp.take_along_axis(log_p, inputs["targets"][..., None], -1)[..., 0]
    share = objective.share
    return jnp.sum((share * tau**2 * distilled + (1 - share) * text) * inputs["weights"])


def _with_gradients(loss, inputs):
    def of_student(hidden, embedding):
        return 0.7 * loss({**inputs, "student_hidden": hidden, "student_embedding": embedding})

    arguments = inputs["student_hidden"], inputs["student_embedding"]
    return jax.jit(jax.value_and_grad(of_student, (0, 1)))(*arguments)


def _assert_close(ours, theirs):
    for our, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        scale = np.abs(their).max()
        np.testing.assert_allclose(our / scale, their / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("objective", "chunk_tokens"),
    [
        (Objective(), 6),
        (Objective(), 4096),
        (Objective(share=0.3, temperature=2.5), 7),
        (Objective(share=0.6, temperature=0.5, top_k=5), 1),
    ],
)
def test_value_and_gradient_equal_the_full_computation(inputs, objective, chunk_tokens):
    def ours(inputs):
        return distillation_loss(**inputs, objective=objective, chunk_tokens=chunk_tokens, **CAPS)

    expected = _with_gradients(lambda inputs: _naive(inputs, objective), inputs)
    _assert_close(_with_gradients(ours, inputs), expected)
    np.testing.assert_allclose(0.7 * ours(inputs), expected[0], rtol=1e-5)


@pytest.mark.parametrize("top_k", [VOCABULARY - 1, VOCABULARY, 2 * VOCABULARY])
def test_top_k_of_the_whole_vocabulary_is_exact(inputs, top_k):
    # With one word left outside, "all others together" is that word.
    some, exact = (
        _with_gradients(lambda i, o=o: distillation_loss(**i, objective=o), inputs)
        for o in (Objective(top_k=top_k), Objective())
    )
    _assert_close(some, exact)


def test_without_share_it_is_the_text_loss(inputs):
    ours = distillation_loss(**inputs, objective=Objective(share=0), student_soft_cap=3.0)
    text = chunked_cross_entropy(
        inputs["student_hidden"],
        inputs["student_embedding"],
        inputs["targets"],
        inputs["weights"],
        soft_cap=3.0,
    )
    np.testing.assert_allclose(ours, text, rtol=1e-6)


def test_padding_is_not_distilled(inputs):
    # keras.distillation and Tunix count it as if it were text.
    padding = np.asarray(inputs["weights"]) == 0
    garbage = jnp.where(padding[..., None], 100.0, inputs["teacher_hidden"])

    def loss(inputs):
        return distillation_loss(**inputs, objective=Objective(share=0.5))

    clean = _with_gradients(loss, inputs)
    dirty = _with_gradients(loss, {**inputs, "teacher_hidden": garbage})
    assert np.abs(np.asarray(clean[1][0])[padding]).max() == 0
    _assert_close(dirty, clean)


def test_the_teacher_gets_no_gradient(inputs):
    def loss(hidden, embedding):
        return distillation_loss(
            **{**inputs, "teacher_hidden": hidden, "teacher_embedding": embedding}
        )

    gradients = jax.grad(loss, (0, 1))(inputs["teacher_hidden"], inputs["teacher_embedding"])
    assert all(np.abs(gradient).max() == 0 for gradient in gradients)


@pytest.mark.parametrize("objective", [Objective(temperature=3.0), Objective(top_k=4)])
def test_a_student_that_equals_its_teacher_stays(inputs, objective):
    same = {
        **inputs,
        "teacher_hidden": inputs["student_hidden"],
        "teacher_embedding": inputs["student_embedding"],
    }
    _, gradients = _with_gradients(lambda i: distillation_loss(**i, objective=objective), same)
    assert max(np.abs(gradient).max() for gradient in gradients) < 1e-5


def test_rare_words_keep_their_mass():
    # Keras clips probabilities at 1e-7: of 256,000 words that is 2.6% of the mass. Here all words
    # but one lie below, and a student with its teacher's distribution has nothing to learn.
    logits = jnp.full(256_000, np.log(5e-8)).at[0].set(0)
    teacher = jax.nn.softmax(logits)
    one = jnp.ones((1, 1, 1))

    def exact(embedding):
        return distillation_loss(
            one, embedding, one, logits[:, None], jnp.zeros((1, 1), int), one[0]
        )

    def clipped(embedding):
        return -jnp.sum(teacher * jnp.log(jnp.clip(jax.nn.softmax(embedding[:, 0]), 1e-7, 1)))

    wrong, right = (np.abs(jax.grad(loss)(logits[:, None])).max() for loss in (clipped, exact))
    assert right < 1e-6 and wrong > 0.01


def test_a_smaller_student_learns_from_its_teacher(tmp_path, tiny_model):
    student = random_student(tiny_model, {"num_layers": 2, "hidden_dim": 8}, seed=1)
    write_shards(SENTENCES * 4, tiny_model.tokenizer, tmp_path / "shards", 32)
    shards = open_shards(tmp_path / "shards", tiny_model.tokenizer)
    config = LoopConfig(steps=6, batch_rows=2, learning_rate=0.02, warmup_steps=1)
    before = {name: np.array(value) for name, value in tiny_model.params.items()}
    trained = distil(tiny_model, student, shards, config, tmp_path / "run", quiet=True)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run/metrics.jsonl").open()]
    assert losses[-1] < losses[0]
    assert set(trained.params) == set(student.params)  # none of the teacher's
    for name, value in tiny_model.params.items():
        np.testing.assert_array_equal(value, before[name])


def test_another_tokenizer_is_refused(tiny_model):
    other = train_tokenizer([s.upper() for s in SENTENCES if s.isascii()] * 4, 320, "tiny")
    student = dataclasses.replace(tiny_model, name="small", tokenizer=other)
    with pytest.raises(UserError, match=r"'gemma2' and the student 'small' .* vocabularies"):
        teacher_for(student, tiny_model)


def test_a_whole_teacher_is_renormalised_over_the_pieces_of_a_cut_student(tiny_model):
    whole = tiny_model.tokenizer
    cut = cut_to_texts(whole, SENTENCES[:1], 290)
    student = change_vocabulary(tiny_model, cut)
    kept = np.array([whole.vocabulary.index(piece) for piece in cut.vocabulary])
    ids = np.array(cut.encode(SENTENCES[:1]), "int32")
    segments = np.ones_like(ids)
    teacher = teacher_for(student, tiny_model)
    found = jax.nn.softmax(jax.jit(teacher.decoder.logits)(teacher.params, ids, segments))
    p = jax.nn.softmax(jax.jit(tiny_model.decoder.logits)(tiny_model.params, kept[ids], segments))
    wanted = p[..., kept] / p[..., kept].sum(-1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_student_with_pieces_that_the_teacher_lacks_is_refused(tiny_model):
    whole = tiny_model.tokenizer
    exchanged = expand_vocabulary(cut_to_texts(whole, SENTENCES, 300), ["한국어"])
    student = change_vocabulary(tiny_model, exchanged)
    with pytest.raises(UserError, match="expand both with the same pieces"):
        teacher_for(student, tiny_model)
    assert teacher_for(student, student) is student
