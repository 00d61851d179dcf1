"""llama.cpp as an engine: which GGUF file a name stands for, and a model loaded from it.

The engine comes from the wheel `xllamacpp` (extra `serve`). It answers HTTP on a loopback port
behind a key that only this process knows; `server.py` stands before it and is what clients meet.
"""

import dataclasses
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from gemma_ko_lib.runtime import UserError, cache_dir, only_process

TURN = "<start_of_turn>"  # in the chat template of each Gemma from 1 to 3

_CONTROL = re.compile(r"<(?=(?:start_of_turn|end_of_turn|bos|eos|pad|unk)>)")


def typed(messages):
    """Messages in which what a person typed stays text.

    llama.cpp reads a whole rendered conversation for control tokens, so that whoever types
    `<end_of_turn>` could end the turn and go on as the model. A space takes the spelling apart.

    Args:
        messages: a request's; anything that is not as the protocol has it stays as it is.

    Example:
        >>> typed([{"role": "user", "content": "a<end_of_turn>b"}])
        [{'role': 'user', 'content': 'a< end_of_turn>b'}]
    """
    if isinstance(messages, str):
        return _CONTROL.sub("< ", messages)
    if isinstance(messages, list):
        return [typed(item) for item in messages]
    if isinstance(messages, dict):
        return {key: typed(value) for key, value in messages.items()}
    return messages


def free_cores() -> int:
    """Cores that nothing else is busy on: those this process may use less the load, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, round(cores - os.getloadavg()[0]))


def find_gguf(model: str) -> Path:
    """The GGUF file of a model: the file itself, the one in a folder, or a model exported to one.

    Args:
        model: a GGUF file, a folder with one, a run folder, or a name that `models.load` knows.

    Returns:
        The file. A run or a named model is written as Q8_0 into the cache once, by a process of
        its own, so that a server does not keep JAX in memory.

    Raises:
        UserError: there is no such file, a folder holds several, or the export failed.
    """
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"There is no file {path}.")
        return path
    if found := sorted(path.glob("*.gguf")):
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise UserError(f"{path} holds several GGUF files: {names}. Name one of them.")
        return found[0]
    return _exported(model, path)


def _exported(model: str, path: Path) -> Path:
    # One file, or the index of several, as a large model for transformers is stored.
    names = ("model.safetensors", "model.safetensors.index.json")
    weights = next((path / name for name in names if (path / name).is_file()), None)
    if path.is_dir() and not weights:
        raise UserError(f"{path} holds neither a GGUF file nor a finished model.safetensors.")
    # A run that went on has other weights under the same name.
    version = f"{path.resolve().name}-{weights.stat().st_mtime_ns}" if path.is_dir() else model
    # What is no folder may be a mistyped path, and "cache" / "/path" is that path.
    folder = cache_dir() / "serving" / version.replace("/", "-")
    if not (found := list(folder.glob("*.gguf"))):
        print(f"Writing {model} as a GGUF file, once, into {folder}", file=sys.stderr)
        command = [sys.executable, "-m", "gemma_ko_lib.cli", "export", model, "-o", str(folder)]
        with only_process(folder):
            done = subprocess.run([*command, "--format", "gguf"], capture_output=True, text=True)
        found = list(folder.glob("*.gguf"))
        if done.returncode or not found:
            raise UserError(done.stderr.strip().removeprefix("gemma-ko: ") or "The export failed.")
    return found[0]


def named(models: list[str]) -> dict[str, Path]:
    """The GGUF file of each model by what clients call it.

    That is the name of the model's file or folder, without the ending.

    Raises:
        UserError: two models would have one name; see `find_gguf`.
    """
    names = {}
    for model in models:
        path = Path(model).expanduser()
        name = path.stem if path.suffix == ".gguf" else path.resolve().name
        if name in names:
            raise UserError(
                f"{names[name]} and {model} would both be called '{name}': rename one of them."
            )
        names[name] = model
    return {name: find_gguf(model) for name, model in names.items()}


@dataclasses.dataclass(frozen=True)
class Engine:
    """A loaded model.

    Attributes:
        name: what clients call it.
        path: its GGUF file.
        slots: requests answered at a time.
        context: tokens of each request, prompt and answer together.
        server: xllamacpp's.
        url: where llama.cpp listens.
        headers: what a request there carries: the key that it wants to hear.
        load_seconds: how long it took to load.
        chat: its file carries Gemma's turn template, as that of a model trained to chat does.
    """

    name: str
    path: Path
    slots: int
    context: int
    server: object
    url: str
    headers: dict[str, str]
    load_seconds: float
    chat: bool


def llama_cpp(what_needs: str):
    """The module xllamacpp.

    Args:
        what_needs: the beginning of the sentence that is said where it is missing.

    Raises:
        UserError: it is missing.
    """
    # OpenMP's threads wait for each other by spinning. On a busy machine that takes the cores
    # from the thread that is waited for; libgomp reads the policy once, when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ImportError:
        raise UserError(
            f"{what_needs} llama.cpp: install it with pip install 'gemma-ko[serve]'."
        ) from None
    return xllamacpp


def load(
    name: str, path: Path, *, slots: int, context: int, threads: int, queue: int, ui: bool = False
) -> Engine:
    """Load a model.

    Args:
        name: what clients call it.
        path: its GGUF file.
        slots: requests answered at a time.
        context: tokens of each request.
        threads: cores to compute on.
        queue: requests that may wait, each of which holds a thread of llama.cpp's HTTP server.
        ui: with llama.cpp's page.

    Raises:
        UserError: xllamacpp is missing, or llama.cpp cannot read the file.
    """
    xllamacpp = llama_cpp("Serving needs")
    import httpx

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {name}
    params.n_parallel, params.n_ctx = slots, slots * context  # llama.cpp divides one by the other
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_threads_http = slots + queue + 2
    params.fit_params = False  # would shrink the context to what it thinks fits
    # Gigabytes of old prompts in main memory otherwise; one snapshot lets a chat go on.
    params.cache_ram_mib, params.n_ctx_checkpoints = 0, 1
    key = secrets.token_urlsafe()
    params.api_keys = [key]
    params.cors_origins, params.cors_credentials = "", False
    params.endpoint_metrics, params.endpoint_slots, params.ui = True, False, ui
    params.verbosity = 0
    started = time.monotonic()
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:  # it has no reason with it
        raise UserError(
            f"llama.cpp cannot load {path}. The file may be damaged, of another format, or larger "
            "than the memory that is free."
        ) from None
    seconds, url = time.monotonic() - started, server.listening_address
    headers = {"Authorization": f"Bearer {key}"}
    shown = httpx.get(f"{url}/props", headers=headers, trust_env=False).json()
    # Where a file has no template, llama.cpp takes one of another family of models.
    chat = TURN in shown["chat_template"]
    # Rounded up to 256, and never more than the model was trained on.
    context = shown["default_generation_settings"]["n_ctx"]
    return Engine(name, path, slots, context, server, url, headers, seconds, chat)
