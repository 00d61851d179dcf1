"""Google's real Gemma 3 270M: converted weights are right (`make test-real`).

The independent runtime is llama.cpp. On the quantised file it multiplies with 8-bit activations,
which alone moves log-probabilities by 0.1; so it is given the same weights dequantised.
"""

import json

import gguf
import jax
import numpy as np
import pytest

from gemma_ko_lib import evaluation, models, runtime
from gemma_ko_lib.models.gguf_weights import assemble_package

pytestmark = pytest.mark.real

ENGLISH = "The capital of France is Paris, and the city is known for its museums and its food."
KOREAN = "대한민국의 수도는 서울이며, 서울은 한강을 끼고 있는 큰 도시이다."
PROMPTS = [
    "The capital of France is",
    "Water boils at a temperature of",
    "In the morning she opened the window and",
    "대한민국의 수도는",
    "한글은 세종대왕이",
    "아침에 일어나서 창문을 열었더니",
]


@pytest.fixture(scope="module")
def real_model(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMMA_KO_CACHE", str(tmp_path_factory.mktemp("cache")))
        model = models.load("gemma3_270m", dtype="float32")
        folder = runtime.cache_dir() / "models" / "gemma3_270m"
        assert (folder / "GEMMA_TERMS.html").stat().st_size > 10_000
        assert "Gemma Terms of Use" in (folder / "NOTICE").read_text()
        again = models.load("gemma3_270m", dtype="float32")
    for name, value in model.params.items():
        np.testing.assert_array_equal(again.params[name], value)
    return model


@pytest.mark.parametrize("text, expected", [(ENGLISH, 0.792), (KOREAN, 1.003)])
def test_bits_per_byte_on_fixed_sentences(real_model, text, expected):
    found = evaluation.bits_per_byte(real_model, [text], window=64, batch_rows=1)
    assert found.micro == pytest.approx(expected, abs=0.002)


def test_log_probabilities_agree_with_llama_cpp(real_model, tmp_path):
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(_as_float32(assemble_package(tmp_path), tmp_path / "float32.gguf"))
    settings.n_ctx, settings.n_parallel, settings.warmup = 256, 1, False
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(settings)
    logits = jax.jit(real_model.decoder.logits)
    differences = []
    for prompt in PROMPTS:
        ids = [real_model.tokenizer.bos_id, *real_model.tokenizer.encode([prompt])[0]]
        request = {"prompt": ids, "n_predict": 1, "temperature": 0.0, "n_probs": 10}
        answer = server.handle_completions(request)
        answer = json.loads(answer) if isinstance(answer, str) else answer
        theirs = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        tokens = np.array([ids])
        ours = jax.nn.log_softmax(logits(real_model.params, tokens, np.ones_like(tokens))[0, -1])
        assert int(ours.argmax()) == theirs[0]["id"], prompt
        differences += [abs(float(ours[t["id"]]) - t["logprob"]) for t in theirs]
    print(f"log p: mean |difference| {np.mean(differences):.5f}, largest {max(differences):.5f}")
    assert max(differences) < 0.01


def _as_float32(source, target):
    """The same GGUF with every tensor dequantised: llama.cpp then multiplies in float32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "gemma3")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        is_array = field.types[0] == gguf.GGUFValueType.ARRAY
        value = int(gguf.LlamaFileType.ALL_F32) if name == "general.file_type" else field.contents()
        writer.add_key_value(
            name, value, field.types[0], sub_type=field.types[-1] if is_array else None
        )
    for tensor in reader.tensors:
        array = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
