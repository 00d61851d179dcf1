"""How fast a served model answers, seen from its clients, and what that takes of the machine."""

import dataclasses
import itertools
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from gemma_ko_lib.runtime import UserError


@dataclasses.dataclass(frozen=True)
class Speed:
    """Of answers to a number of users at the same time.

    Attributes:
        tokens_per_second: of all answers together.
        tokens_per_cpu_second: the same for each second of a core, reading the prompts included.
        first_token_seconds: median from a request to its first token.
    """

    tokens_per_second: float
    tokens_per_cpu_second: float
    first_token_seconds: float


def metrics(url: str) -> dict[str, float]:
    """The figures of `/metrics`, by name and label, as "name" or "name{model=…}".

    Args:
        url: the server's base address, with or without /v1.
    """
    with _client() as http:
        lines = http.get(f"{url.removesuffix('/v1')}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def _client() -> httpx.Client:
    return httpx.Client(timeout=600, trust_env=False)  # a proxy cannot reach a loopback address


def measure_speed(
    url: str, model: str, prompts: list[str], *, users: int, answers: int, tokens: int
) -> Speed:
    """Let users ask a server at the same time.

    Args:
        url: the server's base address, ending in /v1.
        model: which of its models.
        prompts: texts to continue, taken in turn; no two are the same, or the second comes out
            of the cache.
        users: how many ask at once.
        answers: of each user.
        tokens: of each answer, at most.

    Raises:
        UserError: the server refused a request.
    """
    waiting = itertools.cycle(prompts)
    asked = [[next(waiting) for _ in range(answers)] for _ in range(users)]
    before, start = metrics(url), time.monotonic()
    # One client for all: making one costs more than a request does.
    with _client() as http, ThreadPoolExecutor(users) as pool:
        found = list(
            pool.map(lambda texts: [_ask(http, url, model, t, tokens) for t in texts], asked)
        )
    seconds, after = time.monotonic() - start, metrics(url)
    made = sum(count for user in found for count, _ in user)
    cpu = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    first = statistics.median(first for user in found for _, first in user)
    return Speed(made / seconds, made / cpu, first)


def _ask(http: httpx.Client, url: str, model: str, prompt: str, tokens: int) -> tuple[int, float]:
    """Tokens of one answer, and seconds to its first."""
    body = {
        "model": model,
        "prompt": prompt,
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    start, first, made = time.monotonic(), None, 0
    with http.stream("POST", f"{url}/completions", json=body) as answer:
        if answer.status_code != 200:
            raise UserError(f"The server refused a request: {answer.read().decode()}")
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                first = first or time.monotonic() - start
                made = (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", made)
    return made, first


def count_tokens(url: str, model: str, texts: list[str]) -> int:
    """Tokens of texts in a served model's vocabulary, without a BOS.

    Args:
        url: the server's base address, ending in /v1.
        model: which of its models.
        texts: each shorter than the context.

    Raises:
        UserError: the server refused one.
    """
    tokens = 0
    with _client() as http:
        for text in texts:
            body = {"model": model, "prompt": text, "max_tokens": 1}
            answer = http.post(f"{url}/completions", json=body)
            if answer.status_code != 200:
                raise UserError(f"The server refused a request: {answer.text}")
            tokens += answer.json()["usage"]["prompt_tokens"] - 1
    return tokens
