"""Remake data_samples/hardware.json and RESULTS.md's table: what fits where.

    python -m data_samples.makers.hardware              plans anew, table into RESULTS.md
    python -m data_samples.makers.hardware --compile    asks the TPU compiler for PROOFS first

Every cell is `training.plan.plan` with its default options: what `gemma-ko pretrain` would do
on that device. The compiler's answers are kept with their date and versions; one that is stored
is not asked for again, but the estimate beside it is made anew with the cells.
"""

import argparse
import dataclasses
import datetime
import json
import re
from importlib import metadata
from pathlib import Path

from gemma_ko_lib.models import CONFIGS
from gemma_ko_lib.runtime import Progress, UserError, samples_dir, write_whole
from gemma_ko_lib.training import plan, step_compiler
from gemma_ko_lib.training.memory import GIB
from gemma_ko_lib.training.method import Method

DATA = samples_dir() / "hardware.json"
RESULTS = Path(__file__).parents[2] / "RESULTS.md"
MODELS = tuple(name for name in CONFIGS if name not in ("nano", "vault_gemma_1b_en"))
DEVICES = "t4 t4x2 p100 l4 rtx4090 a100-40 a100-80 h100 v5e-1 v5e-8".split()
METHODS = ("full", "lora", "lomo")
BEGIN = "<!-- what fits where: made by python -m data_samples.makers.hardware -->"
END = "<!-- end of what fits where -->"

# (device, model, method) that the course speaks of, fitting or not.
PROOFS = (
    ("v5e-8", "gemma_7b_en", "lomo"),
    ("v5e-8", "gemma2_9b_en", "lomo"),
    ("v5e-8", "gemma2_27b_en", "lomo"),
    ("v5e-8", "gemma2_2b_en", "full"),
    ("v5e-8", "gemma2_9b_en", "lora"),
    ("v5e-1", "gemma3_270m", "full"),
    ("v5e-1", "gemma3_1b", "full"),
    ("v5e-1", "gemma2_2b_en", "lora"),
    ("v5e-1", "gemma3_4b_text", "lora"),
)


def load() -> dict:
    """The stored data: "compiled" and "cells"."""
    return json.loads(DATA.read_text("utf-8")) if DATA.is_file() else {"compiled": [], "cells": []}


def save(data: dict) -> None:
    """One answer or cell a line, so that a change can be read."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            lines = (json.dumps(entry, ensure_ascii=False) for entry in value)
            text = "[\n  " + ",\n  ".join(lines) + "\n ]"
        parts.append(f' "{key}": {text}')
    write_whole(DATA, "{\n" + ",\n".join(parts) + "\n}\n")


def stamp(*packages: str) -> dict:
    """Today's date, and the versions of packages."""
    versions = {package: metadata.version(package) for package in packages}
    return {"date": datetime.date.today().isoformat(), "versions": versions}


def planned(device: str, model: str, method: Method) -> plan.Plan:
    """The plan of a cell; where the default does not fit, the nearest with the same method."""
    found = plan.plan(model, device, method)
    # Where nothing fits, the compiler is to refuse it.
    return found.instead if found.instead and found.instead.method == method else found


def compile_proofs(data: dict) -> None:
    """Ask the TPU compiler for each proof that is not stored; every answer is stored at once."""
    for device, model, name in PROOFS:
        method = Method(name)
        found = planned(device, model, method)
        asked = {
            "device": device,
            "model": model,
            "method": name,
            "batching": dataclasses.asdict(found.batching),
        }
        if any(asked.items() <= answer.items() for answer in data["compiled"]):
            continue
        print(f"Compiling {model} by {method}, {found.batching}, for {device}", flush=True)
        step = step_compiler.Step(model, method, found.dtype, found.batching)
        said = step_compiler.compile_for_tpu(step, device)
        answer = {
            **asked,
            "dtype": found.dtype,
            "arguments": said.arguments,
            "temporaries": said.temporaries,
            "refusal": said.refusal,
            "estimate": found.need.total,
            "command": found.command,
            "seconds": round(said.seconds),
            **stamp("jax", "keras", "keras-hub", "libtpu"),
        }
        data["compiled"].append(answer)
        save(data)


def cell(device: str, model: str, name: str) -> dict:
    """What the plan says of a model, a method and a device, with the command."""
    key = {"device": device, "model": model, "method": name}
    found = planned(device, model, Method(name))
    if found.fits:
        batching = found.batching
        return {
            **key,
            "rows": batching.rows,
            "length": batching.length,
            "update_rows": batching.update_rows,
            "bytes": found.need.total,
            "command": found.command,
        }
    instead = found.instead.command if found.instead else None
    return {**key, "rows": None, "bytes": found.need.total, "command": instead}


def estimated_anew(answer: dict) -> dict:
    """A stored answer of the compiler, beside what the plan estimates today for that command."""
    found = planned(answer["device"], answer["model"], Method(answer["method"]))
    if dataclasses.asdict(found.batching) != answer["batching"]:
        return answer  # the plan gives another command now, of which only --compile can tell
    return {**answer, "estimate": found.need.total, "command": found.command}


def remake(data: dict) -> dict:
    """All cells anew, and the estimates beside the compiler's answers."""
    keys = [(d, model, name) for name in METHODS for model in MODELS for d in DEVICES]
    cells = []
    with Progress(len(keys), "What fits where", "cells") as progress:
        for key in keys:
            cells.append(cell(*key))
            progress.update()
    compiled = [estimated_anew(answer) for answer in data["compiled"]]
    return {**stamp("jax", "keras", "keras-hub"), "compiled": compiled, "cells": cells}


# --- as text ---


def markdown(data: dict) -> str:
    """The section of RESULTS.md."""
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    lines = [
        "Rows of 2,048 tokens that `gemma-ko pretrain` computes at once, over all devices: an",
        "update has 32 of them, or 8 with LOMO. Shorter rows or smaller updates where those do not",
        f"fit, – where nothing does ({data['date']}; {versions}).",
    ]
    cells = {(c["method"], c["model"], c["device"]): c for c in data["cells"]}
    for name in METHODS:
        lines += ["", _line([f"**{Method(name)}**", *DEVICES])]
        lines += [_line(["---", *["---:"] * len(DEVICES)])]
        for model in MODELS:
            lines.append(_line([model, *(_short(cells[name, model, d]) for d in DEVICES)]))
    lines += ["", "What the TPU compiler said of these commands, in GiB of a chip:", ""]
    head = ["on", "command", "arguments", "temporaries", "estimated in all"]
    lines += [_line(head), _line(["---", "---", "---:", "---:", "---:"])]
    lines += [_line(_proof(answer)) for answer in data["compiled"]]
    return "\n".join(lines)


def _short(cell: dict) -> str:
    if cell["rows"] is None:
        return "–"
    return f"{cell['rows']}" if cell["length"] == 2048 else f"{cell['rows']} × {cell['length']:,}"


def _line(parts: list[str]) -> str:
    return f"| {' | '.join(parts)} |"


def _proof(answer: dict) -> list[str]:
    temporaries = answer["refusal"] or f"{answer['temporaries'] / GIB:.2f}"
    arguments = f"{answer['arguments'] / GIB:.2f}"
    estimate = f"{answer['estimate'] / GIB:.2f}"
    return [answer["device"], f"`{answer['command']}`", arguments, temporaries, estimate]


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
    write_whole(readme, pattern.sub(lambda _: section, text))


def main() -> None:
    """Remake the data and the section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true", help="ask the TPU compiler first")
    arguments = parser.parse_args()
    data = load()
    if arguments.compile:
        compile_proofs(data)
    data = remake(data)
    save(data)
    write_into(RESULTS, data)


if __name__ == "__main__":
    main()
