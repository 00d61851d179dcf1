"""What the endpoint answers, to clients that behave and to those that do not."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gemma_ko_lib import cli
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import server as endpoint
from gemma_ko_lib.serving.background import BackgroundServer

pytest.importorskip("xllamacpp")
SLOTS, CONTEXT, QUEUE = 2, 512, 4  # llama.cpp rounds up to 256
OPTIONS = ("--threads", "1", "--slots", str(SLOTS), "--context", str(CONTEXT))
OPTIONS += ("--queue", str(QUEUE))


@pytest.fixture(scope="module")
def server(tiny):
    with BackgroundServer([tiny / "base.gguf", tiny / "chat.gguf"], *OPTIONS) as started:
        yield started


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def _error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_both_models_are_listed_and_only_one_of_them_chats(client):
    found = {model["id"]: model for model in client.get("/models").json()["data"]}
    assert {name: model["chat"] for name, model in found.items()} == {"base": False, "chat": True}
    assert found["base"]["max_model_len"] == CONTEXT


def test_a_context_over_what_the_model_was_trained_on_is_cut_to_it(tiny):
    with BackgroundServer([tiny / "base.gguf"], "--context", "4096") as server:
        (found,) = httpx.get(f"{server.url}/models").json()["data"]
    assert found["max_model_len"] == 512


def test_completions_carry_text_logprobs_and_usage(client):
    request = {"model": "base", "prompt": "비가", "max_tokens": 4, "temperature": 0, "logprobs": 2}
    answer = client.post("/completions", json=request).json()
    (choice,) = answer["choices"]
    assert answer["usage"]["prompt_tokens"] == 1 + 1 + 3  # BOS, a piece, a syllable in bytes
    assert choice["logprobs"]["content"]
    for token in choice["logprobs"]["content"]:
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 2
    assert answer["model"] == "base"


def test_a_chat_is_read_in_gemmas_turns(client):
    turns = [{"role": "user", "content": "비"}]
    answer = client.post(
        "/chat/completions", json={"model": "chat", "messages": turns, "max_tokens": 2}
    ).json()
    assert answer["choices"][0]["message"]["role"] == "assistant"
    # BOS, turn, "user\n", 비, end of turn, "\n", turn, "model\n": the pieces are bytes.
    assert answer["usage"]["prompt_tokens"] == 1 + 1 + 5 + 1 + 1 + 1 + 1 + 6


def test_a_control_token_that_is_typed_stays_text(client):
    def tokens(content) -> int:
        turns = [{"role": "user", "content": content}]
        request = {"model": "chat", "messages": turns, "max_tokens": 1}
        return client.post("/chat/completions", json=request).json()["usage"]["prompt_tokens"]

    # The pieces are bytes: a spelling of 13 letters is one token only where it is taken for one.
    for content in ("<end_of_turn>", [{"type": "text", "text": "<end_of_turn>"}]):
        assert tokens(content) - tokens("비") >= 12


def test_an_untrained_model_says_that_it_does_not_chat(client):
    request = {"model": "base", "messages": [{"role": "user", "content": "비"}]}
    answer = client.post("/chat/completions", json=request)
    assert _error(answer) == (400, "not_a_chat_model")
    assert "/v1/completions" in answer.json()["error"]["message"]


def test_a_stream_ends_with_done(client):
    request = {"model": "base", "prompt": "비", "max_tokens": 3, "stream": True}
    with client.stream("POST", "/completions", json=request) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert answer.headers["content-type"] == "text/event-stream"
    assert lines[-1] == "data: [DONE]"
    assert all("choices" in json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_each_of_the_slots_has_the_whole_context(client):
    # llama.cpp divides its context by the slots: half of it would refuse this prompt.
    prompt = "비" * (CONTEXT - 10)

    def ask(_) -> int:
        request = {"model": "base", "prompt": prompt, "max_tokens": 4}
        return client.post("/completions", json=request).status_code

    with ThreadPoolExecutor(SLOTS) as pool:
        assert list(pool.map(ask, range(SLOTS))) == [200] * SLOTS


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"prompt": ', (400, "invalid_json")),
        (b"[1]", (400, "invalid_json")),
        (b"[" * 100_000, (400, "invalid_json")),
        (b"\xff\xfe\x00", (400, "invalid_json")),
        (b'{"prompt": "a", "model": "gpt"}', (404, "model_not_found")),
        (b'{"prompt": "a", "model": ["base"]}', (404, "model_not_found")),
        (b'{"prompt": "a", "n_probs": 5}', (400, "unknown_field")),
        (b'{"prompt": "a", "id_slot": 0}', (400, "unknown_field")),
        (b'{"prompt": "a", "logprobs": 262144}', (400, "out_of_range")),
        (b'{"prompt": ["a", "b", "c", "d", "e", "f", "g"]}', (400, "out_of_range")),
        (b'{"prompt": "a", "n": 100}', (400, "out_of_range")),
        (b"a" * 10_000_000, (413, "body_too_long")),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(client, content, error):
    assert _error(client.post("/completions", content=content)) == error
    assert client.get("/models").status_code == 200


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 980])
def test_a_nested_body_is_answered_at_any_depth(client, depth):
    nested = "[" * depth + "]" * depth
    for field in ("messages", "response_format"):
        body = f'{{"model": "chat", "{field}": {nested}}}'
        assert client.post("/chat/completions", content=body).status_code == 400
    assert client.get("/models").status_code == 200


def test_a_form_that_llama_cpp_would_compute_on_for_minutes_is_refused(client):
    schema = {"type": "string", "pattern": "|".join(["a{1,1000}"] * 6000)}
    request = {"model": "chat", "messages": [{"role": "user", "content": "비"}], "max_tokens": 1}
    for form in (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
    ):
        answer = client.post("/chat/completions", json={**request, **form})
        assert _error(answer) == (400, "out_of_range")
    schema["pattern"] = "가|나"
    assert client.post("/chat/completions", json={**request, **form}).status_code == 200


def test_a_body_without_a_length_is_bounded_too(client):
    chunks = (b"a" * 100_000 for _ in range(20))
    assert _error(client.post("/completions", content=chunks)) == (413, "body_too_long")


def test_a_prompt_over_the_context_is_refused_with_its_size(client):
    answer = client.post("/completions", json={"model": "base", "prompt": "비" * 700})
    assert answer.status_code == 400
    assert answer.json()["error"]["n_prompt_tokens"] == 701
    assert answer.json()["error"]["n_ctx"] == CONTEXT


@pytest.mark.parametrize(
    "path", ["/", "/props", "/slots", "/tokenize", "/v1/embeddings", "/lora-adapters", "/v1/x"]
)
def test_nothing_else_of_llama_cpp_is_shown(server, path):
    root = server.url.removesuffix("/v1")
    for answer in (httpx.get(root + path), httpx.post(root + path, json={})):
        assert _error(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://elsewhere.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Host": "elsewhere.example"}, "foreign_host"),
    ],
)
def test_a_foreign_page_gets_nothing(client, headers, code):
    request = {"model": "base", "prompt": "비", "max_tokens": 1}
    for answer in (
        client.get("/models", headers=headers),
        client.post("/completions", headers=headers, json=request),
    ):
        assert _error(answer) == (403, code)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_page_of_this_machine_is_answered_by_any_of_its_names(client):
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert client.get("/models", headers={"Host": name}).status_code == 200
        assert client.get("/models", headers={"Host": f"{name}:80"}).status_code == 200
    assert _error(client.get("/models", headers={"Host": "[2001:db8::1]"}))[0] == 403


def test_a_client_that_hangs_up_frees_its_slot(server, client):
    body = json.dumps({"model": "base", "prompt": "비", "max_tokens": 100, "stream": True})
    port = int(server.url.split(":")[2].split("/")[0])
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for _ in range(SLOTS + QUEUE + 1):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall((head + body).encode())
            line.recv(1)
    _wait_until(lambda: 'gemma_ko_requests_busy{model="base"} 0' in _metrics(server))
    assert client.post("/completions", json={"prompt": "비", "max_tokens": 1}).status_code == 200


def test_a_full_queue_is_refused_with_a_time_to_come_back(client):
    def ask(_) -> httpx.Response:
        request = {"model": "base", "prompt": "비", "max_tokens": 100}
        return client.post("/completions", json=request)

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(40)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert _error(refused) == (503, "queue_full")
    assert refused.headers["retry-after"] == "1"


def test_metrics_name_the_model_and_count_the_process(server):
    shown = _metrics(server)
    assert 'llamacpp:tokens_predicted_total{model="base"}' in shown
    assert "process_cpu_seconds_total" in shown


def test_a_key_is_wanted_where_one_is_set(tiny, monkeypatch):
    monkeypatch.setenv("GEMMA_KO_API_KEY", "sesame")
    with BackgroundServer([tiny / "base.gguf"], *OPTIONS) as server:
        root = server.url.removesuffix("/v1")
        for headers in (
            {},
            {"Authorization": "Bearer guess"},
            {"Authorization": "Bearer 비밀".encode()},
        ):
            for path in ("/v1/models", "/metrics"):
                assert _error(httpx.get(root + path, headers=headers)) == (401, "invalid_api_key")
            answer = httpx.post(f"{root}/v1/completions", headers=headers, json={"prompt": "a"})
            assert _error(answer) == (401, "invalid_api_key")
        right = {"Authorization": "Bearer sesame"}
        assert httpx.get(f"{root}/v1/models", headers=right).status_code == 200
        assert httpx.get(f"{root}/health").json() == {"status": "ok"}


def test_sigterm_ends_the_answer_that_has_begun(tiny):
    found = {}
    with BackgroundServer([tiny / "base.gguf"], *OPTIONS) as server:

        def ask() -> None:
            request = {"prompt": "비", "max_tokens": 120, "temperature": 0, "stream": True}
            with httpx.stream("POST", f"{server.url}/completions", json=request) as answer:
                found["lines"] = [line for line in answer.iter_lines() if line]

        asking = threading.Thread(target=ask)
        asking.start()
        _wait_until(lambda: 'busy{model="base"} 1' in _metrics(server) or not asking.is_alive())
    asking.join()
    assert server.process.returncode == 0
    assert found["lines"][-1] == "data: [DONE]"


def test_a_taken_port_gives_another(tiny):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        sockets, port = endpoint.bind("127.0.0.1", taken)
    for each in sockets:
        each.close()
    assert port not in (0, taken)


def test_a_port_that_needs_rights_is_refused_and_not_called_taken(monkeypatch):
    def refused(port, host):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tornado.netutil.bind_sockets", refused)
    with pytest.raises(UserError, match="Port 80 needs"):
        endpoint.bind("127.0.0.1", 80)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_other_machines_are_let_in_only_with_a_key(host):
    with pytest.raises(UserError, match="GEMMA_KO_API_KEY"):
        endpoint.check_exposure(host, "", ui=False)
    endpoint.check_exposure(host, "sesame", ui=False)


def test_a_key_of_blanks_is_none(monkeypatch, capsys):
    monkeypatch.setenv("GEMMA_KO_API_KEY", " ")
    assert cli.main(["serve", "none.gguf", "--host", "0.0.0.0"]) == 1
    assert "set GEMMA_KO_API_KEY" in capsys.readouterr().err


def test_a_file_that_is_no_model_ends_in_a_sentence(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x07" * 1000)
    with pytest.raises(UserError, match="cannot load"), BackgroundServer([broken], *OPTIONS):
        pass


def _metrics(server: BackgroundServer) -> str:
    return httpx.get(server.url.removesuffix("/v1") + "/metrics").text


def _wait_until(true, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "still not so"
        time.sleep(0.05)
