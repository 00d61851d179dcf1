"""What a road would do: its steps, tokens, hours, and whether each training fits here."""

import shlex
import time
from pathlib import Path

from gemma_ko_lib.cli.options import count, seconds_text
from gemma_ko_lib.cli.road_file import RoadFile, parsers
from gemma_ko_lib.cli.road_steps import Road
from gemma_ko_lib.cli.training_commands import planned

# A token of Gemma 3 is about four bytes of Korean; with another vocabulary it is fewer.
_BYTES_A_TOKEN = 4
# A training keeps about so much of the speed of a large matrix product: measured on two cores,
# 270M with its whole vocabulary and with 32k pieces of it.
_SHARE_OF_PEAK = 0.4
_EPOCHS = {"pretrain": 1.0, "finetune": 3.0}  # where neither tokens nor epochs are given


def describe(file: RoadFile, road: Road, states: list[str]) -> str:
    """The plan as lines to read.

    Args:
        file: the road.yaml.
        road: its steps.
        states: of each step, what will become of it.
    """
    lines = [
        f"[{number}/{len(road.steps)}] {step.name}: {state}\n$ {step.command}"
        for number, (step, state) in enumerate(zip(road.steps, states, strict=True), 1)
    ]
    seconds = 0.0
    for name in ("pretrain", "finetune"):
        if name in road.stations:
            text, more = _training(file, name)
            lines.append(f"{name}: {text}")
            seconds += more
    if seconds:
        rate = file.hourly_rate
        cost = f", {seconds / 3600 * rate:.2f} {file.currency}" if rate else ""
        lines.append(f"The training takes about {seconds_text(seconds)} on this machine{cost}.")
    return "\n".join(lines)


def _training(file: RoadFile, name: str) -> tuple[str, float]:
    """Whether a training fits, in words, and its seconds."""
    section, shape, parser = file.sections[name], _shape(file), parsers()["plan"]
    known = {option.dest for option in parser._actions}
    options = section.options(but=tuple(section.typed.keys() - known))
    if name == "finetune" and "method" not in section.values:
        options += ["--method", "lora"]
    words = ["--model", shape, "--device", "here", *options]
    found = planned(parser.parse_args(words))
    text = f"{shape} takes about {found.need.total / 2**30:.1f} GiB here, and "
    text += "fits" if found.fits else f"does not fit. What does: gemma-ko plan {shlex.join(words)}"
    tokens = _tokens(file, name)
    if tokens is None:
        return f"{text}; as many tokens as the corpus has", 0.0
    return f"{text}; about {tokens:,} tokens", tokens * _seconds_a_token(shape)


def _shape(file: RoadFile) -> str:
    """The model that is trained: as it will be after the vocabulary's step, where that is known."""
    if Path("vocabulary/model.json").is_file():
        return "vocabulary"
    vocabulary = file.sections.get("vocabulary")
    if not vocabulary or "pieces" not in vocabulary.values:
        return file.model
    pieces = sum(
        count(vocabulary.values[key][0]) for key in ("pieces", "add") if key in vocabulary.values
    )
    return f"{file.model}:{pieces}"


def _tokens(file: RoadFile, name: str) -> int | None:
    values = file.sections[name].values
    if "tokens" in values:
        return count(values["tokens"][0])
    # What is learnt from; a section also names texts to measure on, or to leave out.
    section, key = ("clean", "inputs") if name == "pretrain" else (name, "data")
    words = map(Path, file.sections[section].values[key])
    files = [path for word in words for path in (word, *word.rglob("*"))]
    size = sum(path.stat().st_size for path in files if path.is_file())
    epochs = float(values["epochs"][0]) if "epochs" in values else _EPOCHS[name]
    return round(size / _BYTES_A_TOKEN * epochs) if size else None


def _seconds_a_token(shape: str) -> float:
    """By six operations a weight and token, and the speed of a matrix product measured here."""
    import jax
    import jax.numpy as jnp

    from gemma_ko_lib.models import parameter_count

    side = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((side, side), "float32" if side == 2048 else "bfloat16")
    product = jax.jit(jnp.matmul)
    product(matrix, matrix).block_until_ready()
    began = time.monotonic()
    product(matrix, matrix).block_until_ready()
    speed = 2 * side**3 / (time.monotonic() - began) * jax.device_count()
    return 6 * parameter_count(shape) / (_SHARE_OF_PEAK * speed)
