"""OpenAI's own client gets what it expects: answers, streams, and errors of the right kind."""

import pytest

from gemma_ko_lib.serving.background import BackgroundServer

pytest.importorskip("xllamacpp")
openai = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def client(tiny):
    with BackgroundServer([tiny / "base.gguf", tiny / "chat.gguf"], "--threads", "1") as server:
        yield openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["base", "chat"]


def test_chat_with_logprobs(client):
    reply = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": "비"}],
        max_completion_tokens=3,
        temperature=0,  # a random model that draws the end first has no token to report on
        logprobs=True,
        top_logprobs=2,
    )
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert all(len(token.top_logprobs) == 2 for token in reply.choices[0].logprobs.content)


def test_a_stream_says_what_the_whole_answer_says(client):
    request = {"model": "base", "prompt": "비", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**request)
    parts = list(
        client.completions.create(**request, stream=True, stream_options={"include_usage": True})
    )
    text = "".join(part.choices[0].text for part in parts if part.choices)
    assert text == whole.choices[0].text
    assert parts[-1].usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"model": "gpt"}, openai.NotFoundError),
        ({"model": "base", "prompt": "비" * 3000}, openai.BadRequestError),
        ({"model": "base", "temperature": "hot"}, openai.BadRequestError),
        ({"model": "base", "extra_body": {"id_slot": 1}}, openai.BadRequestError),
    ],
)
def test_a_wrong_request_raises_the_error_of_its_kind(client, request_, error):
    with pytest.raises(error):
        client.completions.create(**{"prompt": "비", "max_tokens": 1} | request_)
