"""What fits where: the course's models × training methods × the machines people have, as data.

    python -m gemma_ko_lib.training.hardware              estimates anew, table into the README
    python -m gemma_ko_lib.training.hardware --compile    asks the TPU compiler first (hours)

`hardware.json` beside this file keeps every answer of the compiler with its date and versions,
and a cell for each model, method and device that says how it was obtained. A run that was
stopped goes on where it was.
"""

import argparse
import dataclasses
import datetime
import functools
import json
import re
from importlib import metadata
from pathlib import Path

from gemma_ko_lib.models import CONFIGS
from gemma_ko_lib.runtime import Progress, UserError, whole_file
from gemma_ko_lib.training import memory, step_compiler
from gemma_ko_lib.training.memory import DEVICES, GIB, ROW_LENGTH
from gemma_ko_lib.training.methods import Setting, title
from gemma_ko_lib.training.step_compiler import Step

DATA = Path(__file__).with_name("hardware.json")
MODELS = tuple(name for name in CONFIGS if name != "nano")
METHODS = ("full", "lora", "lomo")
BEGIN = "<!-- what fits where: made by python -m gemma_ko_lib.training.hardware -->"
END = "<!-- end of what fits where -->"

# (device, model, method, rows, length) that the course speaks of, fitting or not.
PROOFS = (
    ("v5e-8", "gemma2_2b_en", "full", 8, 2048),
    ("v5e-8", "gemma2_9b_en", "lomo", 8, 2048),
    ("v5e-8", "gemma2_9b_en", "adalomo", 8, 2048),
    ("v5e-8", "gemma2_9b_en", "lora", 8, 2048),
    ("v5e-8", "gemma_7b_en", "lomo", 8, 2048),
    ("v5e-8", "gemma_7b_en", "adalomo", 8, 2048),
    ("v5e-8", "gemma2_27b_en", "lomo", 8, 2048),
    ("v5e-8", "gemma2_27b_en", "adalomo", 8, 2048),
    ("v5e-1", "gemma2_2b_en", "lora", 1, 2048),
    ("v5e-1", "gemma3_270m", "full", 1, 2048),
    ("v5e-1", "gemma3_1b", "full", 1, 2048),
)


def load() -> dict:
    """The stored data: "compiled", a list of answers, and "cells"."""
    return json.loads(DATA.read_text("utf-8"))


def _save(data: dict) -> None:
    """One answer or cell a line, so that a change can be read."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            lines = (json.dumps(entry, ensure_ascii=False) for entry in value)
            text = "[\n  " + ",\n  ".join(lines) + "\n ]"
        parts.append(f' "{key}": {text}')
    with whole_file(DATA) as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


def _stamp(*packages: str) -> dict:
    versions = {package: metadata.version(package) for package in packages}
    return {"date": datetime.date.today().isoformat(), "versions": versions}


# --- compiled ---


def compile_missing(data: dict) -> None:
    """Ask the TPU compiler for all that is not in the data, and store each answer at once."""
    for device, model, method, rows, length in PROOFS:
        _compile(data, device, model, Setting(method, rows, length))
    for device in step_compiler.TPU_TOPOLOGIES:
        for model in MODELS:
            for method in METHODS:
                _compile_largest(data, device, model, method)


def _compile_largest(data: dict, device: str, model: str, method: str) -> None:
    """From the largest estimated setting down to the first that the compiler takes."""
    machine, shape = DEVICES[device], CONFIGS[model]
    setting = memory.largest(_estimate(device, model, method), machine)
    while setting and _compile(data, device, model, setting)["refusal"]:
        setting = _smaller(shape, setting, machine)


def _smaller(shape, setting: Setting, machine) -> Setting | None:
    found = memory.nearest(shape, setting, machine)
    return found if found and found.method == setting.method else None


def _compile(data: dict, device: str, model: str, setting: Setting) -> dict:
    size = {"rows": setting.rows, "length": setting.length}
    asked = {"device": device, "model": model, "method": setting.method, **size}
    for answer in data["compiled"]:
        if asked.items() <= answer.items():
            return answer
    print(f"Compiling {model} by {setting} for {device}", flush=True)
    dtype = memory.dtype_policy(setting.method, DEVICES[device])
    step = Step(model, setting.method, dtype, setting.rows, setting.length)
    said = dataclasses.asdict(step_compiler.compile_for_tpu(step, device))
    answer = {
        **asked,
        "dtype": dtype,
        **{key: said[key] for key in ("arguments", "temporaries", "refusal")},
        "seconds": round(said["seconds"]),
        **_stamp("jax", "keras", "keras-hub", "libtpu"),
    }
    data["compiled"].append(answer)
    _save(data)
    return answer


# --- cells ---


@functools.cache
def _decoder(model: str, dtype: str):
    return memory.abstract_decoder(CONFIGS[model], dtype)


def _estimate(device: str, model: str, method: str) -> memory.Estimate:
    machine = DEVICES[device]
    decoder = _decoder(model, memory.dtype_policy(method, machine))
    return memory.Estimate(decoder, method, memory.mesh_of(machine))


def cell(data: dict, device: str, model: str, method: str) -> dict:
    """The largest setting that fits and how that is known, or why none does.

    Args:
        data: with the compiler's answers.
        device: a name of `memory.DEVICES`.
        model: a name of `models.CONFIGS`.
        method: one of `methods.METHODS`.
    """
    machine = DEVICES[device]
    key = {"device": device, "model": model, "method": method}
    answers = [answer for answer in data["compiled"] if key.items() <= answer.items()]
    if taken := [answer for answer in answers if not answer["refusal"]]:
        best = max(taken, key=lambda answer: (answer["length"] >= ROW_LENGTH, answer["rows"]))
        size = best["arguments"] + best["temporaries"]
        return {
            **key,
            "rows": best["rows"],
            "length": best["length"],
            "bytes": size,
            "how": "compiled",
            "why": None,
        }
    estimate = _estimate(device, model, method)
    setting = memory.largest(estimate, machine)
    refused = [answer["rows"] * answer["length"] for answer in answers]
    while setting and refused and setting.rows * setting.length >= min(refused):
        setting = _smaller(CONFIGS[model], setting, machine)
    if setting:
        size = estimate.need(setting).total
        found = {"rows": setting.rows, "length": setting.length, "bytes": size}
        return {**key, **found, "how": "estimated", "why": None}
    least = estimate.need(Setting(method, machine.count, memory.SHORTEST_ROW))
    no = {**key, "rows": None, "length": None, "bytes": least.total}
    if answers:
        return {**no, "how": "compiled", "why": answers[-1]["refusal"]}
    state = least.kept["weights"] + least.kept["optimizer"]
    if state > machine.memory_bytes:
        return {
            **no,
            "how": "estimated",
            "why": f"weights and optimizer alone take {state / GIB:.1f} GiB of each device",
        }
    return {
        **no,
        "how": "estimated",
        "why": f"{least.total / GIB:.1f} GiB a device with rows of {memory.SHORTEST_ROW} tokens",
    }


def remake(data: dict) -> dict:
    """All cells anew from the estimates and the compiler's answers; stored."""
    keys = [(d, model, method) for method in METHODS for model in MODELS for d in DEVICES]
    cells = []
    with Progress(len(keys), "What fits where", "cells") as progress:
        for key in keys:
            cells.append(cell(data, *key))
            progress.update()
    data = {**_stamp("jax", "keras", "keras-hub"), "compiled": data["compiled"], "cells": cells}
    _save(data)
    return data


# --- as text ---


def table(data: dict, method: str) -> list[list[str]]:
    """Rows of text, models × devices: "8c" is 8 rows of 2,048 tokens, compiled; "–" is no."""
    cells = {(c["model"], c["device"]): c for c in data["cells"] if c["method"] == method}
    return [
        ["", *DEVICES],
        *([model, *(_short(cells[model, name]) for name in DEVICES)] for model in MODELS),
    ]


def _short(cell: dict) -> str:
    if cell["rows"] is None:
        return "–"
    length = "" if cell["length"] == ROW_LENGTH else f" × {cell['length']:,}"
    mark = "ᶜ" if cell["how"] == "compiled" else ""
    return f"{cell['rows']}{length}{mark}"


def markdown(data: dict) -> str:
    """The section of the README."""
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    lines = [
        f"The most rows of {ROW_LENGTH:,} tokens in an update (over all devices, blocks",
        "rematerialised), shorter rows where not one of those fits, – where nothing does. ᶜ: at",
        "least so many, by the TPU compiler's word; the others are estimated",
        f"({data['date']}; {versions}).",
    ]
    for method in METHODS:
        head, *rows = table(data, method)
        head = [f"**{title(method)}**", *head[1:]]
        lines += ["", _line(head), _line(["---", *["---:"] * (len(head) - 1)]), *map(_line, rows)]
    lines += ["", "What the TPU compiler said, in GiB of a chip's 15.75:", ""]
    head = ["model", "training", "on", "arguments", "temporaries"]
    lines += [_line(head), _line(["---", "---", "---", "---:", "---:"])]
    lines += [_line(_proof(answer)) for answer in data["compiled"]]
    return "\n".join(lines)


def _line(parts: list[str]) -> str:
    return f"| {' | '.join(parts)} |"


def _proof(answer: dict) -> list[str]:
    setting = Setting(answer["method"], answer["rows"], answer["length"])
    temporaries = answer["refusal"] or f"{answer['temporaries'] / GIB:.2f}"
    arguments = f"{answer['arguments'] / GIB:.2f}"
    return [answer["model"], str(setting), answer["device"], arguments, temporaries]


def write_into(readme: Path, data: dict) -> None:
    """Put the section between its two marks.

    Raises:
        UserError: the marks are not there.
    """
    text = readme.read_text("utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise UserError(f"{readme} has no line '{BEGIN}' with '{END}' after it.")
    section = f"{BEGIN}\n\n{markdown(data)}\n\n{END}"
    with whole_file(readme) as file:
        file.write(pattern.sub(lambda _: section, text))


def main() -> None:
    """Remake the data and the README's section."""
    parser = argparse.ArgumentParser(prog="python -m gemma_ko_lib.training.hardware")
    parser.add_argument("--compile", action="store_true", help="ask the TPU compiler first")
    arguments = parser.parse_args()
    data = load() if DATA.is_file() else {"compiled": []}
    if arguments.compile:
        compile_missing(data)
    write_into(Path(__file__).parents[2] / "README.md", remake(data))


if __name__ == "__main__":
    main()
