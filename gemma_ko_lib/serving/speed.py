"""How fast a served model answers, seen from its clients, and what that takes of the machine."""

import dataclasses
import itertools
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime import UserError

if TYPE_CHECKING:
    import httpx


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


def _client() -> "httpx.Client":
    import httpx

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
        UserError: the server refused a request, or left an answer without an end.
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
    made = sum(usage["completion_tokens"] for user in found for usage, _ in user)
    cpu = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    first = statistics.median(first for user in found for _, first in user)
    return Speed(made / seconds, made / cpu, first)


def _ask(
    http: "httpx.Client", url: str, model: str, prompt: str, tokens: int
) -> tuple[dict, float]:
    """Tokens of a prompt and its answer, as the server counts them, and seconds to the first."""
    body = {
        "model": model,
        "prompt": prompt,
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    start, first, usage, line = time.monotonic(), None, None, ""
    with http.stream("POST", f"{url}/completions", json=body) as answer:
        if answer.status_code != 200:
            raise UserError(f"The server refused a request: {answer.read().decode()}")
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                first = first or time.monotonic() - start
                usage = json.loads(line[6:]).get("usage") or usage
    if usage is None:
        raise UserError(f"The server did not end an answer: {line}")
    return usage, first


def count_tokens(url: str, model: str, texts: list[str]) -> int:
    """Tokens of texts in a served model's vocabulary, without a BOS.

    Args:
        url: the server's base address, ending in /v1.
        model: which of its models.
        texts: each shorter than the context.

    Raises:
        UserError: as `measure_speed`.
    """
    with _client() as http:
        return sum(_ask(http, url, model, text, 1)[0]["prompt_tokens"] - 1 for text in texts)
