"""A server under load: eight clients beside clients that misbehave, a kill, and its efficiency.

First eight clients ask for `--minutes`, half of it as chats where the model chats, while others
hang up, send too much, too long, broken or foreign requests; then 200 connections come at once.
Every answer is counted by its status, a broken line by its name, and the server's memory is read
after each round. Then SIGKILL, and a new server on the same file. Last, tokens per CPU-second of
one and of eight clients, in turns with llama.cpp's own defaults.
"""

import collections
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.serving.background import BackgroundServer
from gemma_ko_lib.serving.engine import find_gguf
from gemma_ko_lib.serving.speed import measure_speed

KEY = "key-of-the-benchmark"
CLIENTS = 8
ANSWER_TOKENS = 32

# llama.cpp's server as it comes: every core, spinning barriers, four slots in one cache.
_DEFAULTS = """
import json, sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_parallel = sys.argv[1], -1
params.verbosity = 0
server = xllamacpp.Server(params)
print(json.dumps({"url": server.listening_address + "/v1"}), flush=True)
sys.stdin.read()
"""


def measure(model: str | None, minutes: str | None):
    """Yield what was measured, and its figure."""
    path = find_gguf(model or "gemma3_270m")
    texts = [record["text"] for record in read_samples("ko")]
    prompts = [text[start : start + 80] for start in (0, 20, 40) for text in texts]
    yield from _under_load(path, prompts, float(minutes or 2))
    yield from _against_defaults(path, prompts)


def _under_load(path: Path, prompts: list[str], minutes: float):
    os.environ["GEMMA_KO_API_KEY"] = KEY
    options = ("--slots", str(CLIENTS), "--context", "1024")
    with BackgroundServer([str(path)], *options) as server:
        process = psutil.Process(server.process.pid)
        with _client(server) as http:
            (served,) = http.get("/models").json()["data"]
        ways = ["/completions", *(["/chat/completions"] if served["chat"] else [])]
        statuses = {f"eight clients, {way}": collections.Counter() for way in ways}
        ends, asked = time.monotonic() + minutes * 60, itertools.cycle(prompts)
        ways = itertools.cycle(ways)
        stop = threading.Event()

        def client() -> None:
            with _client(server) as http:
                while not stop.is_set():
                    way, body = next(ways), {"max_tokens": ANSWER_TOKENS}
                    body |= _asked(way, next(asked))
                    try:
                        status = http.post(way, json=body).status_code
                    except httpx.HTTPError as error:
                        status = type(error).__name__
                    statuses[f"eight clients, {way}"][status] += 1

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        memory = []
        while time.monotonic() < ends:
            for name, misbehave in _MISBEHAVING.items():
                counted = statuses.setdefault(name, collections.Counter())
                counted.update(misbehave(server))
                time.sleep(0.5)
            memory.append(process.memory_info().rss)
        stop.set()
        for thread in threads:
            thread.join()
        statuses["200 connections"] = collections.Counter(_crowd(server))
        memory.append(process.memory_info().rss)
        with _client(server) as http:
            answered = http.post("/completions", json={"prompt": "끝", "max_tokens": 4})
        for name, found in statuses.items():
            shown = ", ".join(f"{status}: {count}" for status, count in found.items())
            yield f"{name}: status: how many", shown
        yield "the server answers afterwards", answered.status_code
        yield f"resident MB after the first of {len(memory) - 1} rounds", f"{memory[0] / 2**20:.0f}"
        yield "resident MB half way", f"{memory[len(memory) // 2] / 2**20:.0f}"
        yield "resident MB after the last round", f"{memory[-2] / 2**20:.0f}"
        yield "resident MB after 200 connections", f"{memory[-1] / 2**20:.0f}"
        server.process.kill()
        server.process.wait()
    start = time.monotonic()
    with BackgroundServer([str(path)], *options) as server, _client(server) as http:
        seconds = time.monotonic() - start
        answered = http.post("/completions", json={"prompt": "다시", "max_tokens": 4})
        yield "after SIGKILL: seconds until it answers again", f"{seconds:.1f}"
        yield "after SIGKILL: status", answered.status_code
    del os.environ["GEMMA_KO_API_KEY"]


def _client(server: BackgroundServer, key: str = KEY) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=server.url, headers=headers, timeout=600)


def _asked(way: str, text: str) -> dict:
    """A text to continue, or to answer where a model chats."""
    if way == "/completions":
        return {"prompt": text}
    return {"messages": [{"role": "user", "content": text}]}


def _hang_up(server: BackgroundServer) -> list:
    body = {"prompt": "옛날 옛적에", "max_tokens": 900, "stream": True}
    with _client(server) as http, http.stream("POST", "/completions", json=body) as answer:
        next(answer.iter_lines())
        return [answer.status_code]


def _post(**request):
    def send(server: BackgroundServer) -> list:
        with _client(server) as http:
            return [http.post("/completions", **request).status_code]

    return send


def _get(key: str = KEY, **headers):
    def send(server: BackgroundServer) -> list:
        with _client(server, key) as http:
            return [http.get("/models", headers=headers).status_code]

    return send


def _crowd(server: BackgroundServer) -> list:
    def one(_) -> int:
        with _client(server) as http:
            return http.post("/completions", json={"prompt": "비", "max_tokens": 2}).status_code

    with ThreadPoolExecutor(200) as pool:
        return list(pool.map(one, range(200)))


_MISBEHAVING = {
    "hangs up": _hang_up,
    "10 MB": _post(content=b"a" * 10_000_000),
    "bad JSON": _post(content=b'{"prompt": '),
    "unknown model": _post(json={"prompt": "비", "model": "gpt"}),
    "prompt over the context": _post(json={"prompt": "비 " * 3000}),
    "no key": _get(""),
    "wrong key": _get("guess"),
    "foreign origin": _get(Origin="https://elsewhere.example"),
    "foreign host": _get(Host="elsewhere.example"),
}


def _against_defaults(path: Path, prompts: list[str]):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    with (
        BackgroundServer([str(path)]) as ours,
        subprocess.Popen(
            [sys.executable, "-c", _DEFAULTS, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as defaults,
    ):
        name, url = ours.models[0], json.loads(defaults.stdout.readline())["url"]
        process = psutil.Process(defaults.pid)
        found, asked = collections.defaultdict(list), itertools.cycle(prompts)
        for users, answers in ((1, 3), (8, 1)) * 2:
            turn = [next(asked) for _ in range(users * answers)]
            size = {"users": users, "answers": answers, "tokens": ANSWER_TOKENS}
            speed = measure_speed(ours.url, name, turn, **size)
            found["gemma-ko serve", users].append(
                (speed.tokens_per_second, speed.tokens_per_cpu_second)
            )
            found["llama.cpp's defaults", users].append(_defaults(url, process, turn, **size))
        defaults.stdin.close()
    for (who, users), turns in found.items():
        for what, figures in zip(("second", "CPU-second"), zip(*turns, strict=True), strict=True):
            shown = " ".join(f"{figure:.1f}" for figure in figures)
            yield f"{who}, {users} clients: tokens a {what}, in turns", shown


def _defaults(url: str, process: psutil.Process, prompts: list[str], **size):
    """Tokens a second, and a CPU-second, of a server without our metrics."""

    def cpu() -> float:
        times = process.cpu_times()
        return times.user + times.system

    before, start = cpu(), time.monotonic()
    body = {"max_tokens": size["tokens"], "temperature": 0}
    with ThreadPoolExecutor(size["users"]) as pool:
        answers = list(
            pool.map(
                lambda prompt: httpx.post(
                    f"{url}/completions", json={**body, "prompt": prompt}, timeout=600
                ).json(),
                prompts,
            )
        )
    seconds, used = time.monotonic() - start, cpu() - before
    made = sum(answer["usage"]["completion_tokens"] for answer in answers)
    return made / seconds, made / used
