"""What the endpoint before llama.cpp lets through, and how much of it.

llama.cpp answers chat and completions well, but shows its model's path and page to everybody,
echoes any origin, queues without end and serves one model. These handlers name the few paths and
fields that pass, check key, host and origin, bound the body and the queue, send a request to the
model that it names, hand the answer on as it comes, and drop a request whose client has gone.
"""

import asyncio
import contextlib
import dataclasses
import hmac
import ipaddress
import json
import resource
from collections import Counter

import httpx
from tornado import httputil, iostream, web

from gemma_ko_lib.runtime import peak_memory_bytes
from gemma_ko_lib.serving.engine import Engine, typed

LONGEST_BODY = 2**20
MOST_LOGPROBS = 20  # each is kept for each token of the answer; llama.cpp would list a vocabulary
# llama.cpp makes a grammar of the form that an answer should have: a pattern of 60 kB took 1.8 GB
# and 11 seconds, an object of 66 kB more than 20 seconds.
LONGEST_FORM = 2**13
CLIENT_SECONDS = 60  # a client that takes nothing for so long has gone

_SAMPLING = (
    "model max_tokens temperature top_p top_k min_p n seed stop stream stream_options logit_bias "
    "logprobs presence_penalty frequency_penalty repeat_penalty user"
)
FIELDS = {
    "/v1/completions": frozenset(f"{_SAMPLING} prompt".split()),
    "/v1/chat/completions": frozenset(
        f"{_SAMPLING} messages max_completion_tokens top_logprobs response_format tools "
        "tool_choice".split()
    ),
}


def _client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)


@dataclasses.dataclass
class State:
    """What the handlers share.

    Attributes:
        engines: by name.
        queue: requests that may wait for each engine.
        key: what a client must send; empty for none.
        loopback: bound to this machine alone.
        ui: hand llama.cpp's page on.
        http: the client that talks to the engines.
        busy: requests under way, by engine.
        answered: requests so far, by status.
        stopping: no new request is taken.
    """

    engines: dict[str, Engine]
    queue: int
    key: str
    loopback: bool
    ui: bool
    http: httpx.AsyncClient = dataclasses.field(default_factory=_client)
    busy: Counter = dataclasses.field(default_factory=Counter)
    answered: Counter = dataclasses.field(default_factory=Counter)
    stopping: bool = False


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class _Refused(web.HTTPError):
    def __init__(self, status: int, code: str, message: str):
        super().__init__(status)
        self.code, self.message = code, message


class _Handler(web.RequestHandler):
    """Checks who asks, and words errors as OpenAI does."""

    public = False

    def initialize(self, state: State) -> None:
        self.state = state

    def set_default_headers(self) -> None:
        self.set_header("Server", "gemma-ko")

    def prepare(self) -> None:
        host = httputil.split_host_and_port(self.request.host)[0].strip("[]")
        # A foreign page reaches a loopback address under its own host name (DNS rebinding).
        if self.state.loopback and not is_loopback(host):
            raise _Refused(403, "foreign_host", f"This server does not answer as '{host}'.")
        origin = self.request.headers.get("Origin")
        if origin and origin != f"{self.request.protocol}://{self.request.host}":
            raise _Refused(403, "foreign_origin", f"Pages of {origin} may not use this server.")
        if self.state.key and not self.public:
            sent = self.request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            if not hmac.compare_digest(sent.encode(), self.state.key.encode()):
                raise _Refused(401, "invalid_api_key", "The API key is missing or wrong.")

    def write_error(self, status_code: int, **kwargs) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = getattr(error, "message", None) or self._reason
        kind = "invalid_request_error" if status_code < 500 else "server_error"
        if status_code == 503:
            self.set_header("Retry-After", "1")
        code = getattr(error, "code", None)
        self.finish({"error": {"message": message, "type": kind, "code": code}})

    def on_finish(self) -> None:
        self.state.answered[self.get_status()] += 1


class Unknown(_Handler):
    """Any other path."""

    def prepare(self) -> None:
        super().prepare()
        raise _Refused(404, "not_found", f"There is nothing at {self.request.path}.")


class _Health(_Handler):
    public = True

    def get(self) -> None:
        self.set_status(503 if self.state.stopping else 200)
        self.finish({"status": "stopping" if self.state.stopping else "ok"})


class _Models(_Handler):
    def get(self) -> None:
        data = [
            {
                "id": engine.name,
                "object": "model",
                "created": int(engine.path.stat().st_mtime),
                "owned_by": "gemma-ko",
                "max_model_len": engine.context,
                "chat": engine.chat,
            }
            for engine in self.state.engines.values()
        ]
        self.finish({"object": "list", "data": data})


class _Metrics(_Handler):
    async def get(self) -> None:
        lines = _process_metrics(self.state)
        for engine in self.state.engines.values():
            found = await self.state.http.get(f"{engine.url}/metrics", headers=engine.headers)
            for line in found.text.splitlines():
                if line and not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    lines.append(f'{name}{{model="{engine.name}"}} {value}')
        self.set_header("Content-Type", "text/plain; version=0.0.4")
        self.finish("\n".join(sorted(lines)) + "\n")


def _process_metrics(state: State) -> list[str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return [
        f"process_cpu_seconds_total {used.ru_utime + used.ru_stime:.3f}",
        f"process_peak_memory_bytes {peak_memory_bytes()}",
        *(f'gemma_ko_requests_total{{status="{s}"}} {n}' for s, n in state.answered.items()),
        *(f'gemma_ko_requests_busy{{model="{name}"}} {state.busy[name]}' for name in state.engines),
        *(
            f'gemma_ko_load_seconds{{model="{e.name}"}} {e.load_seconds:.3f}'
            for e in state.engines.values()
        ),
    ]


@web.stream_request_body
class _Answers(_Handler):
    """Chat and completions."""

    def prepare(self) -> None:
        self.body, self.refused, self.relay = bytearray(), None, None
        # A refusal waits for the whole body: a client that is still sending would not read it.
        self.request.connection.set_max_body_size(2**30)
        try:
            super().prepare()
        except _Refused as refused:
            self.refused = refused

    def data_received(self, chunk: bytes) -> None:
        if len(self.body) <= LONGEST_BODY and not self.refused:
            self.body += chunk

    async def post(self) -> None:
        if self.refused:
            raise self.refused
        state, request = self.state, self._read()
        engine, content = self._engine(request), self._written(request)
        if self.request.path.startswith("/v1/chat/") and not engine.chat:
            raise _Refused(
                400,
                "not_a_chat_model",
                f"{engine.name} was not trained to chat (its GGUF file carries no turn template): "
                "let it continue a text at /v1/completions.",
            )
        size = _answers_wanted(request)
        if state.stopping:
            raise _Refused(503, "stopping", "The server is stopping.")
        room = engine.slots + state.queue
        if size > room:
            raise _Refused(400, "out_of_range", f"{size} answers in one request; at most {room}.")
        if state.busy[engine.name] + size > room:
            raise _Refused(
                503, "queue_full", f"{state.busy[engine.name]} requests wait already; try again."
            )
        state.busy[engine.name] += size
        self.relay = asyncio.create_task(self._hand_on(engine, content))
        try:
            await self.relay
        except (asyncio.CancelledError, TimeoutError, iostream.StreamClosedError):
            self.set_status(499)  # the client has gone: nobody reads this, it is counted
            self.request.connection.close()
        except httpx.HTTPError as error:
            if self._headers_written:
                raise
            raise _Refused(502, "engine", f"llama.cpp did not answer ({error!r}).") from None
        finally:
            state.busy[engine.name] -= size

    def on_connection_close(self) -> None:
        if self.relay:
            self.relay.cancel()

    def _read(self) -> dict:
        if len(self.body) > LONGEST_BODY:
            limit = f"A request has at most {LONGEST_BODY:,} bytes."
            raise _Refused(413, "body_too_long", limit)
        try:
            request = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise _Refused(400, "invalid_json", f"The body is not JSON ({error}).") from None
        if not isinstance(request, dict):
            raise _Refused(400, "invalid_json", "The body is not a JSON object.")
        unknown = sorted(set(request) - FIELDS[self.request.path])
        if unknown and not self.state.ui:
            raise _Refused(400, "unknown_field", f"Unknown field: {', '.join(unknown)[:200]}.")
        for field in ("logprobs", "top_logprobs", "n_probs"):
            value = request.get(field)
            if isinstance(value, int | float) and value > MOST_LOGPROBS:
                raise _Refused(400, "out_of_range", f"{field} is at most {MOST_LOGPROBS}.")
        return request

    def _written(self, request: dict) -> bytes:
        """The request as the engine gets it: as it was read here, and not as it was sent."""
        try:
            form = [request.get(field) for field in ("response_format", "tools")]
            if len(json.dumps(form, ensure_ascii=False)) > LONGEST_FORM:
                limit = f"response_format and tools have at most {LONGEST_FORM:,} characters."
                raise _Refused(400, "out_of_range", limit)
            if "messages" in request:
                request["messages"] = typed(request["messages"])
            return json.dumps(request).encode()
        except RecursionError:
            raise _Refused(400, "invalid_json", "The body is nested too deeply.") from None

    def _engine(self, request: dict) -> Engine:
        engines = self.state.engines
        name = request.setdefault("model", next(iter(engines)))
        if not isinstance(name, str) or name not in engines:
            raise _Refused(
                404,
                "model_not_found",
                f"No model {name!r:.80} here; there is {', '.join(engines)}.",
            )
        return engines[name]

    async def _hand_on(self, engine: Engine, content: bytes) -> None:
        # Leaving the block early closes the line, which ends llama.cpp's work on the request.
        url = engine.url + self.request.path
        headers = {**engine.headers, "Content-Type": "application/json"}
        async with self.state.http.stream("POST", url, content=content, headers=headers) as answer:
            self.set_status(answer.status_code)
            self.set_header("Content-Type", answer.headers["Content-Type"])
            self.set_header("Cache-Control", "no-store")
            async for chunk in answer.aiter_raw():
                self.write(chunk)
                await asyncio.wait_for(self.flush(), CLIENT_SECONDS)
        await self.finish()


def _answers_wanted(request: dict) -> int:
    """How many answers one request asks for: texts in `prompt`, times `n`."""
    prompt, n = request.get("prompt"), request.get("n")
    one = not isinstance(prompt, list) or all(isinstance(item, int) for item in prompt)
    return (1 if one else len(prompt)) * (n if isinstance(n, int) and n > 1 else 1)


class _Page(_Handler):
    """llama.cpp's page and what it asks for (`ui`)."""

    async def get(self) -> None:
        engine = next(iter(self.state.engines.values()))
        answer = await self.state.http.get(engine.url + self.request.uri, headers=engine.headers)
        self.set_status(answer.status_code)
        self.set_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.finish(answer.content)


def routes(state: State) -> list[tuple]:
    """Which handler answers which path; what none of them does, `Unknown` answers."""
    shared = {"state": state}
    return [
        (r"/health|/v1/health", _Health, shared),
        (r"/v1/models", _Models, shared),
        (r"/metrics", _Metrics, shared),
        *((path, _Answers, shared) for path in FIELDS),
        *([(r"/.*", _Page, shared)] if state.ui else []),
    ]
