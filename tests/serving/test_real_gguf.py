"""The real Gemma 3 270M in llama.cpp: our GGUF files compute what we do (`make test-real`)."""

import math

import httpx
import numpy as np
import pytest

from gemma_ko_lib import evaluation, models, serving
from gemma_ko_lib.tokenization import expand_vocabulary, learn_pieces
from tests.conftest import texts_of

pytestmark = pytest.mark.real

PROMPTS = [
    "The capital of France is",
    "Water boils at a temperature of",
    "In the morning she opened the window and",
    "The first president of the United States was",
    "To make a cup of tea, you need",
    "대한민국의 수도는",
    "한글은 세종대왕이",
    "아침에 일어나서 창문을 열었더니",
    "봄이 오면 산에 들에",
    "컴퓨터는 계산을",
]
DOCUMENTS = 500


@pytest.fixture(scope="module")
def model():
    return models.load("gemma3_270m", "float32")


@pytest.fixture(scope="module")
def documents():
    """Texts of four languages, each language's evenly over its registers."""
    texts = {language: texts_of(language) for language in ("ko", "en", "zh", "ja")}
    share = DOCUMENTS / sum(map(len, texts.values()))
    chosen = [text for its in texts.values() for text in its[:: math.floor(1 / share)]]
    assert len(chosen) >= DOCUMENTS
    return chosen[:DOCUMENTS]


def engine(path):
    """llama.cpp with a float32 cache, as ours is; its own is float16."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx, settings.n_parallel, settings.warmup = 1024, 1, False
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.verbosity = 0
    return xllamacpp.Server(settings)


def generated(server, ids, tokens, **options):
    """Ids and log-probabilities that llama.cpp goes on with."""
    asked = {"prompt": ids, "n_predict": tokens, "temperature": 0, "logprobs": 1, **options}
    (choice,) = server.handle_completions({**asked, "ignore_eos": True})["choices"]
    content = choice["logprobs"]["content"]
    return [token["id"] for token in content], [token["logprob"] for token in content]


def its_ids(server, texts):
    answers = [
        httpx.post(
            f"{server.listening_address}/tokenize",
            json={"content": text, "add_special": False},
            trust_env=False,
            timeout=60,
        )
        for text in texts
    ]
    return [answer.json()["tokens"] for answer in answers]


def prompt_ids(model, text):
    return [model.tokenizer.bos_id, *map(int, model.tokenizer.encode([text])[0])]


@pytest.mark.optimised
def test_float32_goes_on_as_ours_does_and_reads_the_same_ids(model, documents, tmp_path):
    server = engine(serving.export_gguf(model, tmp_path / "f32.gguf", "f32"))
    prompts = [prompt_ids(model, text) for text in PROMPTS]
    ours = evaluation.generate(model, prompts, 8)
    for text, ids, expected in zip(PROMPTS, prompts, ours, strict=True):
        assert generated(server, ids, 8)[0] == expected, text
    ours = [list(map(int, ids)) for ids in model.tokenizer.encode(documents)]
    assert its_ids(server, documents) == ours


@pytest.mark.optimised
def test_q8_0_costs_less_than_a_hundredth_of_the_bits(model, tmp_path):
    """In llama.cpp itself: each next token is forced, and its probability before that read."""
    server = engine(serving.export_gguf(model, tmp_path / "q8_0.gguf", "q8_0"))
    for language in ("ko", "en"):
        texts = sorted(texts_of(language, "held_out"), key=len)[-3:]
        texts = [text[: 240 if language == "ko" else 480] for text in texts]
        # llama.cpp says nothing of a token that is part of a letter only.
        pieces = {model.tokenizer.vocabulary[i] for text in texts for i in prompt_ids(model, text)}
        assert not any(piece.startswith("<0x") for piece in pieces)
        ours, nats = evaluation.bits_per_byte(model, texts), 0.0
        for text in texts:
            ids = prompt_ids(model, text)
            for end in range(1, len(ids)):
                forced = {"logit_bias": [[ids[end], 1000.0]]}
                (found,), (log_p,) = generated(server, ids[:end], 1, **forced)
                assert found == ids[end]
                nats -= log_p
        theirs = nats / math.log(2) / ours.bytes
        print(f"\n{language}: {ours.micro:.4f} in float32, {theirs:.4f} in Q8_0", end=" ")
        print(f"({theirs / ours.micro - 1:+.2%}, {ours.tokens} tokens)")
        assert theirs == pytest.approx(ours.micro, rel=0.01)


@pytest.mark.optimised
def test_new_pieces_are_read_and_computed_alike(model, documents, tmp_path):
    pieces = learn_pieces(texts_of("ko", "train"), model.tokenizer, 64)
    more = models.change_vocabulary(model, expand_vocabulary(model.tokenizer, pieces))
    server = engine(serving.export_gguf(more, tmp_path / "more.gguf", "f32"))
    ours = [list(map(int, ids)) for ids in more.tokenizer.encode(documents)]
    assert its_ids(server, documents) == ours
    old = len(model.tokenizer.vocabulary)
    new = np.concatenate(ours) >= old
    print(f"\n{new.sum():,} of {len(new):,} tokens are new pieces")
    assert len(pieces) == 64 and new.sum() > 100
    prompts = [ids[:12] for ids in ours if max(ids[:12]) >= old][:2]
    prompts = [[model.tokenizer.bos_id, *ids] for ids in prompts]
    for ids, expected in zip(prompts, evaluation.generate(more, prompts, 8), strict=True):
        assert generated(server, ids, 8)[0] == expected
