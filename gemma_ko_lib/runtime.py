"""The machine: which platform, which accelerator, which number format, which credentials.

Every stage may import this module; it imports none of them.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import random
import resource
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

_LARGEST_JSON = 50_000_000  # bytes; a manifest of 100,000 files has 20 MB


class UserError(Exception):
    """Something the user can put right; the message names what and how.

    The command line prints it without a traceback and exits with 1.
    """


# --- Where are we? -------------------------------------------------------------------


def platform() -> str:
    """Name the notebook host: "colab", "kaggle" or "plain" (laptop, server, CI)."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    return "plain"


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """What JAX computes on.

    Attributes:
        kind: "cpu", "gpu" or "tpu".
        name: the device's own name, e.g. "Tesla T4", "TPU v5 lite".
        count: devices of the run, those of other hosts included.
        memory_bytes: memory of one device; of the machine for a CPU.
    """

    kind: str
    name: str
    count: int
    memory_bytes: int | None


def accelerator() -> Accelerator:
    """Ask JAX what it computes on (starts the JAX backend)."""
    import jax

    device = jax.local_devices()[0]  # another host's cannot be asked for its memory
    if device.platform == "cpu":
        return Accelerator("cpu", _cpu_name(), jax.device_count(), total_memory_bytes())
    stats = device.memory_stats() or {}
    kind = "gpu" if device.platform in ("gpu", "cuda", "rocm") else device.platform
    return Accelerator(kind, device.device_kind, jax.device_count(), stats.get("bytes_limit"))


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    return f"CPU ({os.cpu_count()} cores)"


def total_memory_bytes() -> int | None:
    """Bytes of main memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def peak_memory_bytes() -> int:
    """Largest resident size this process has had, in bytes.

    Linux keeps it as VmHWM; `ru_maxrss` there starts from the parent's figure.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclasses.dataclass(frozen=True)
class DtypeChoice:
    """A Keras dtype policy and why it was taken."""

    policy: str
    reason: str


def choose_dtype(device: Accelerator) -> DtypeChoice:
    """Pick the number format to train in: a Keras dtype policy, with the reason in words."""
    name = device.name.lower()
    if device.kind == "tpu":
        return DtypeChoice(
            "mixed_bfloat16", "TPUs multiply in bfloat16; master weights stay in float32"
        )
    if device.kind == "gpu":
        # Turing and older have no bfloat16 units; Gemma's residual stream passes
        # float16's 65,504, so half precision there would need clamps in every block.
        if any(old in name for old in ("t4", "p100", "v100", "k80", "rtx 20", "gtx")):
            return DtypeChoice(
                "float32",
                f"{device.name} has no bfloat16 units, and Gemma's activations overflow float16",
            )
        return DtypeChoice(
            "mixed_bfloat16",
            f"{device.name} has bfloat16 tensor cores; master weights stay in float32",
        )
    return DtypeChoice("float32", "CPUs gain nothing from bfloat16 here, and float32 is exact")


# --- Credentials ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Credential:
    """A secret and the place it came from. Printing it shows the place only."""

    source: str
    value: str = dataclasses.field(repr=False)


_CREDENTIAL_NAMES = {
    "kaggle": ("KAGGLE_USERNAME", "KAGGLE_KEY"),
    "huggingface": ("HF_TOKEN",),
}
_CREDENTIAL_FILES = {
    "kaggle": ("~/.kaggle/kaggle.json", "~/.config/kaggle/kaggle.json"),
    "huggingface": ("~/.cache/huggingface/token", "~/.huggingface/token"),
}


def find_credentials(service: str) -> dict[str, Credential]:
    """Look for a hub's credentials: Colab userdata, Kaggle secrets, environment, file.

    Args:
        service: "kaggle" or "huggingface".

    Returns:
        Every name the service needs, mapped to its credential; empty when one is missing.
    """
    names = _CREDENTIAL_NAMES[service]
    for source in (_from_colab, _from_kaggle_secrets, _from_environment):
        values = {name: source(name) for name in names}
        if all(values.values()):
            return {
                name: Credential(source.__name__.removeprefix("_from_").replace("_", " "), value)
                for name, value in values.items()
            }
    return _from_file(service, names)


def _from_colab(name: str) -> str | None:
    if platform() != "colab":
        return None
    try:
        from google.colab import userdata

        return userdata.get(name)
    except Exception as error:  # userdata raises its own types: secret absent or not granted
        if type(error).__name__ not in ("SecretNotFoundError", "NotebookAccessError"):
            print(f"Colab secret {name} could not be read: {type(error).__name__}", file=sys.stderr)
        return None


def _from_kaggle_secrets(name: str) -> str | None:
    if platform() != "kaggle":
        return None
    try:
        from kaggle_secrets import UserSecretsClient

        return UserSecretsClient().get_secret(name)
    except Exception as error:  # the client raises plain BackendError when a label is absent
        print(f"Kaggle secret {name}: not attached ({type(error).__name__})", file=sys.stderr)
        return None


def _from_environment(name: str) -> str | None:
    return os.environ.get(name) or None


def _from_file(service: str, names: tuple[str, ...]) -> dict[str, Credential]:
    for candidate in _CREDENTIAL_FILES[service]:
        path = Path(candidate).expanduser()
        if not path.is_file():
            continue
        text = path.read_text("utf-8").strip()
        if service == "huggingface":
            return {names[0]: Credential(candidate, text)} if text else {}
        try:
            stored = json.loads(text)
            values = (stored["username"], stored["key"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{candidate} is not a Kaggle key file: it should hold "
                '{"username": …, "key": …}. '
                "Download a new one from kaggle.com > Settings > API."
            ) from None
        return {
            name: Credential(candidate, value) for name, value in zip(names, values, strict=True)
        }
    return {}


def export_credentials(service: str) -> bool:
    """Put found credentials where the hub's client library looks: the environment.

    Returns:
        Whether the service's credentials were found.
    """
    found = find_credentials(service)
    for name, credential in found.items():
        os.environ[name] = credential.value
    return bool(found)


# --- Files, seeds, progress ----------------------------------------------------------


def cache_dir() -> Path:
    """Folder for converted weights and tokenizers: `GEMMA_KO_CACHE` or ~/.cache/gemma-ko."""
    return Path(os.environ.get("GEMMA_KO_CACHE") or "~/.cache/gemma-ko").expanduser()


def samples_dir() -> Path:
    """The course's own texts: beside the library in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    checkout = package.parent / "data_samples"
    return checkout if checkout.is_dir() else package / "data_samples"


@contextlib.contextmanager
def whole_file(path: str | Path, mode: str = "w"):
    """Open a file that appears under its name only once it is written to the end.

    A crash or a full disk leaves no half-written file behind that could be taken for whole.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        encoding = None if "b" in mode else "utf-8"
        with os.fdopen(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


@contextlib.contextmanager
def only_process(folder: str | Path):
    """Hold a folder for this process; a second one is refused, and a killed one lets go.

    The folder is made where it is not there, and taken away again where it was left empty.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    import fcntl

    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / ".lock"
    with contextlib.ExitStack() as opened:
        while True:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                file = opened.enter_context(open(lock, "a+", encoding="utf-8"))
            except OSError as error:
                raise disk_error(folder, error) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise UserError(
                    f"Another process is writing to {folder} now ({file.read() or 'just begun'}); "
                    "wait for it, or give another folder with -o."
                ) from None
            except OSError as error:
                print(
                    f"{folder} cannot be locked ({error.strerror}): see that no second process "
                    "writes to it.",
                    file=sys.stderr,
                )
            # The one before may have let go and taken the file away since it was opened here.
            if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                break
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty
                for path in made:
                    path.rmdir()


def read_json_object(path: str | Path) -> dict:
    """A JSON object out of a file that a program wrote; a hostile one costs little.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the path is no file, or it does not hold a JSON object; the message says what
            is wrong.
        OSError: it cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError("is not a file")
    with open(path, "rb") as file:
        content = file.read(_LARGEST_JSON + 1)
    if len(content) > _LARGEST_JSON:
        raise ValueError(f"is larger than {_LARGEST_JSON / 1e6:,.0f} MB")
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"holds {type(found).__name__}, not an object")
    return found


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers from 1.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Not splitlines, which also cuts at U+2028 and U+0085; a text may hold these.
    lines = path.read_text("utf-8-sig").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def disk_error(path: str | Path, error: OSError) -> UserError:
    """Say what a failed write means and what to do."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return UserError(
        f"Cannot write {path}: {error.strerror or error} ({free / 1e6:,.0f} MB free there). "
        "Free some space or give another folder with -o, then run the same command again."
    )


def seed_everything(seed: int) -> None:
    """Seed Python and NumPy (JAX keys are always passed explicitly).

    Keras draws the seeds of its initialisers from Python's generator. Its own
    `set_random_seed` would import TensorFlow.
    """
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)


class Progress:
    """Progress that suits where it is read: a live bar on a terminal, sparse lines in a log.

    Args:
        total: number of units to come, or None when unknown.
        label: what is being done.
        unit: what is counted.
        quiet: say nothing at all.
    """

    def __init__(self, total: int | None, label: str, unit: str = "it", quiet: bool = False):
        from tqdm import tqdm

        self._terminal = sys.stderr.isatty()
        self._total, self._label, self._unit, self._quiet = total, label, unit, quiet
        self._done, self._start, self._last_line = 0, time.monotonic(), time.monotonic()
        self._bar = tqdm(
            total=total, desc=label, unit=unit, disable=quiet or not self._terminal, leave=False
        )

    def update(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more units; `note` is shown beside them."""
        self._done += amount
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(amount)
        now = time.monotonic()
        if not self._terminal and not self._quiet and now - self._last_line > 10:
            self._last_line = now
            self._print_line(now, note)

    def _print_line(self, now: float, note: str) -> None:
        elapsed = now - self._start
        of_total, left = "", ""
        if self._total:
            of_total = f"/{self._total:,}"
            left = f", {elapsed / max(self._done, 1) * (self._total - self._done):,.0f} s left"
        print(
            f"{self._label}: {self._done:,}{of_total} {self._unit}, {elapsed:,.0f} s{left} {note}",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Finish the bar."""
        self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


# --- doctor --------------------------------------------------------------------------


def describe() -> dict:
    """Everything `gemma-ko doctor` prints: versions, device, dtype and why, credentials (names)."""
    from importlib import metadata

    device = accelerator()
    dtype = choose_dtype(device)
    versions = {}
    for package in "jax flax keras keras-hub tensorflow-text optax grain orbax-checkpoint".split():
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "platform": platform(),
        "python": sys.version.split()[0],
        "packages": versions,
        "accelerator": dataclasses.asdict(device),
        "dtype": dtype.policy,
        "dtype_reason": dtype.reason,
        "memory_bytes": total_memory_bytes(),
        "disk_free_bytes": shutil.disk_usage(os.getcwd()).free,
        "cache_dir": str(cache_dir()),
        "credentials": {
            service: {name: found.source for name, found in find_credentials(service).items()}
            for service in _CREDENTIAL_NAMES
        },
    }
