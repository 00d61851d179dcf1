"""The frontier of what can be served: what each variant of a model costs, and what it is worth.

Every variant is served alone, by the same command as for users, and asked by one user and by
eight. Its quality is measured on the weights read back from the very file that was served.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving.background import BackgroundServer
from gemma_ko_lib.serving.engine import named
from gemma_ko_lib.serving.speed import count_tokens, measure_speed, metrics

if TYPE_CHECKING:
    from gemma_ko_lib.evaluation import Suite

EQUAL = 0.01  # variants within 1% of the best bits per byte count as equally good
_PROMPT_LETTERS, _READ_LETTERS = 80, 120


@dataclasses.dataclass(frozen=True)
class Variant:
    """A served model's figures.

    Attributes:
        name: what it is called.
        file_bytes: of its GGUF file.
        load_seconds: until it could answer.
        peak_memory_bytes: of the server's process, all measurements included.
        first_token_seconds: with one user, median.
        tokens_per_second: with one user.
        tokens_per_second_of_8: with eight, together.
        tokens_per_cpu_second, tokens_per_cpu_second_of_8: the same for each second of a core.
        letters_per_token: of Korean text, in its vocabulary.
        bits_per_byte: by language, each with its 95% interval; None where not measured.
        accuracy: by suite of questions, each with its 95% interval.
    """

    name: str
    file_bytes: int
    load_seconds: float
    peak_memory_bytes: int
    first_token_seconds: float
    tokens_per_second: float
    tokens_per_second_of_8: float
    tokens_per_cpu_second: float
    tokens_per_cpu_second_of_8: float
    letters_per_token: float
    bits_per_byte: dict[str, tuple[float, float, float]] | None = None
    accuracy: dict[str, tuple[float, float, float]] = dataclasses.field(default_factory=dict)

    @property
    def letters_per_second(self) -> float:
        """Korean letters a second for one user: speed that a longer piece does not flatter."""
        return self.tokens_per_second * self.letters_per_token

    @property
    def letters_per_cpu_second(self) -> float:
        """Korean letters that a core writes in a second, for eight users."""
        return self.tokens_per_cpu_second_of_8 * self.letters_per_token

    def as_dict(self) -> dict:
        """All figures, for JSON."""
        return {
            **dataclasses.asdict(self),
            "letters_per_second": self.letters_per_second,
            "letters_per_cpu_second": self.letters_per_cpu_second,
        }


def measure(
    models: Sequence[str],
    *,
    threads: int,
    documents: int = 24,
    tokens: int = 32,
    quality: bool = True,
    suites: Sequence["Suite"] = (),
) -> list[Variant]:
    """Serve each model, one after another, and measure it.

    Args:
        models: GGUF files, run folders or names, as `gemma-ko serve` takes them.
        threads: cores of the server.
        documents: of each language, to measure bits per byte on.
        tokens: of each answer.
        quality: measure bits per byte, which loads the weights into JAX.
        suites: questions to ask besides, from `evaluation.load_suites`.

    Raises:
        UserError: a model cannot be served.
    """
    files = named(models)
    speeds = {name: _served(name, path, threads, tokens) for name, path in files.items()}
    if not quality:
        return list(speeds.values())
    return [
        dataclasses.replace(variant, **_quality(files[name], documents, suites))
        for name, variant in speeds.items()
    ]


def _served(name: str, path: Path, threads: int, tokens: int) -> Variant:
    texts = [record["text"] for record in read_samples("ko")]
    # Another text for each request, or the answer would come out of the prompt's cache.
    prompts = [text[:_PROMPT_LETTERS] for text in texts]
    options = ("--threads", str(threads), "--slots", "8", "--context", "1024")
    with BackgroundServer([str(path)], *options) as server:
        model = server.models[0]
        measure_speed(server.url, model, prompts[:1], users=1, answers=1, tokens=4)  # warms up
        one = measure_speed(server.url, model, prompts[1:4], users=1, answers=3, tokens=tokens)
        eight = measure_speed(server.url, model, prompts[5:21], users=8, answers=2, tokens=tokens)
        # Evenly over all registers.
        read = [text[:_READ_LETTERS] for text in texts[:: max(1, len(texts) // 24)]]
        letters = sum(map(len, read)) / count_tokens(server.url, model, read)
        found = metrics(server.url)
        return Variant(
            name,
            path.stat().st_size,
            found[f'gemma_ko_load_seconds{{model="{model}"}}'],
            int(found["process_peak_memory_bytes"]),
            one.first_token_seconds,
            one.tokens_per_second,
            eight.tokens_per_second,
            one.tokens_per_cpu_second,
            eight.tokens_per_cpu_second,
            letters,
        )


def _quality(path: Path, documents: int, suites: Sequence["Suite"]) -> dict:
    from gemma_ko_lib import evaluation, models

    model = models.load(str(path))
    model.params = models.place(model.params)
    bits, accuracy = {}, {}
    for language in ("ko", "en"):
        records = read_samples(language)
        chosen = records[:: max(1, len(records) // documents)][:documents]
        value = evaluation.bits_per_byte(model, [record["text"] for record in chosen], window=256)
        bits[language] = (value.micro, *value.interval)
    for suite in suites:
        result = evaluation.evaluate_suite(model, suite)
        accuracy[suite.name] = (result.micro, *result.interval)
    return {"bits_per_byte": bits, "accuracy": accuracy}


# --- the choice ---


@dataclasses.dataclass(frozen=True)
class Choice:
    """The variant to serve.

    Attributes:
        name: of the variant.
        reasons: why this one and none of the others, a sentence each.
    """

    name: str
    reasons: list[str]


def choose(
    variants: Sequence[Variant], memory: float | None = None, latency: float | None = None
) -> Choice:
    """The most efficient of the best variants that fit.

    A variant fits with its peak memory and its seconds to the first token. Of those that fit,
    the ones within 1% of the best Korean bits per byte count as equally good, and the one of them
    that writes most Korean letters a CPU-second is taken.

    Args:
        variants: as from `measure`.
        memory: bytes that the server may take; no limit when None.
        latency: seconds to the first token; no limit when None.

    Raises:
        UserError: none fits.

    Example:
        >>> figures = dict(load_seconds=1, first_token_seconds=0.5, tokens_per_second=20,
        ...     tokens_per_second_of_8=30, tokens_per_cpu_second=20, letters_per_token=2)
        >>> full = Variant("full", 10**9, peak_memory_bytes=10**9, tokens_per_cpu_second_of_8=10,
        ...     bits_per_byte={"ko": (1.50, 1.4, 1.6)}, **figures)
        >>> small = Variant("small", 10**8, peak_memory_bytes=10**8, tokens_per_cpu_second_of_8=30,
        ...     bits_per_byte={"ko": (1.51, 1.4, 1.6)}, **figures)
        >>> choose([full, small]).name
        'small'
        >>> choose([full, small], memory=5e8).reasons[0]
        'full is out: it takes 1,000.00 MB of memory, more than 500.00 MB.'
    """
    reasons, fitting, good = [], [], []

    def leave_out(variant: Variant, why: str) -> None:
        reasons.append(f"{variant.name} is out: {why}.")

    for variant in variants:
        taken, first = variant.peak_memory_bytes, variant.first_token_seconds
        if memory and taken > memory:
            limit = f"more than {memory / 1e6:,.2f} MB"
            leave_out(variant, f"it takes {taken / 1e6:,.2f} MB of memory, {limit}")
        elif latency and first > latency:
            leave_out(variant, f"its first token takes {first:.2f} s, more than {latency:g} s")
        else:
            fitting.append(variant)
    if not fitting:
        raise UserError(f"No variant fits. {' '.join(reasons)}")
    if any(variant.bits_per_byte is None for variant in fitting):
        raise UserError("A choice needs the quality of each variant: measure bits per byte too.")
    best = min(variant.bits_per_byte["ko"][0] for variant in fitting)
    for variant in fitting:
        worse = variant.bits_per_byte["ko"][0] / best - 1
        if worse > EQUAL:
            leave_out(variant, f"its Korean bits per byte are {worse:.1%} above the best")
        else:
            good.append(variant)
    chosen = max(good, key=lambda variant: variant.letters_per_cpu_second)
    why = f"{chosen.name} writes {chosen.letters_per_cpu_second:.1f} Korean letters a CPU-second"
    if others := [variant.name for variant in good if variant is not chosen]:
        are = "is" if len(others) == 1 else "are"
        why += f", more than {', '.join(others)}, which {are} as good."
    else:
        why += " and is the only one left."
    return Choice(chosen.name, [*reasons, why])


_COLUMNS = {
    "MB": lambda v: f"{v.file_bytes / 1e6:,.0f}",
    "load s": lambda v: f"{v.load_seconds:.1f}",
    "peak MB": lambda v: f"{v.peak_memory_bytes / 1e6:,.0f}",
    "first s": lambda v: f"{v.first_token_seconds:.2f}",
    "tok/s 1": lambda v: f"{v.tokens_per_second:.1f}",
    "tok/s 8": lambda v: f"{v.tokens_per_second_of_8:.1f}",
    "tok/CPU-s 1": lambda v: f"{v.tokens_per_cpu_second:.1f}",
    "tok/CPU-s 8": lambda v: f"{v.tokens_per_cpu_second_of_8:.1f}",
    "글자/s": lambda v: f"{v.letters_per_second:.1f}",
}


def table(variants: Sequence[Variant]) -> list[list[str]]:
    """The figures as rows of text, the heading first."""
    columns = dict(_COLUMNS)
    if all(variant.bits_per_byte for variant in variants):
        for language in ("ko", "en"):
            columns[f"{language} bits/B (95%)"] = lambda v, language=language: (
                "{:.3f} ({:.3f}–{:.3f})".format(*v.bits_per_byte[language])
            )
    for suite in variants[0].accuracy:
        columns[f"{suite} (95%)"] = lambda v, suite=suite: "{:.1%} ({:.1%}–{:.1%})".format(
            *v.accuracy[suite]
        )
    rows = [[v.name, *(show(v) for show in columns.values())] for v in variants]
    return [["variant", *columns], *rows]
