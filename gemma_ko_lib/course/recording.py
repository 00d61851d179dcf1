"""Passes figures on from a notebook: `record` shows one and stores it in the cell's outputs.

The runner finds them in the executed notebook by their MIME type, so nothing but the notebook
itself is needed. `read_recorded` is the other way: a long run that was made before, for a notebook
to show beside its own.
"""

import json
import math
import re
import warnings

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import UserError

_FOR_PEOPLE = [
    (r"(vault_|recurrent_)?gemma(\d?)_(\d+[bm])(?:_en|_text)?", lambda found: _preset(found)),
    *[("ko_en_zh_ja", "ko/en/zh/ja"), ("ko(?=_|$)", "Korean"), ("en(?=_|$)", "English")],
    *[("bpb", "bits per byte"), ("pii", "personal data"), ("mling", "mixture")],
    *[("held_out", "held-out"), ("pre_training", "pre-training"), ("fine_tuning", "fine-tuning")],
    *[(word.lower(), word) for word in "LoRA OLoRA LOMO AdaLomo AdamW BOS CPT GiB MiB".split()],
    *[("recurrent_gemma", "RecurrentGemma"), ("paligemma", "PaliGemma"), ("gb", "GB")],
    *[("korean", "Korean"), ("english", "English"), ("v5e8", "v5e-8")],
]
METRIC_MIME = "application/vnd.gemma-ko.metric+json"


def record(name: str, value: float, unit: str = "", note: str = "", *, shown: bool = True) -> None:
    """Pass a figure on from a notebook: shown under its cell, collected in metrics.json.

    Args:
        name: what was measured, unique in the notebook, e.g. "held_out_bits_per_byte".
        value: a finite number; NumPy and JAX scalars will do.
        unit: e.g. "bits/byte", "tokens/s", "bytes".
        note: how or on what it was measured.
        shown: False where a table or a plot of the cell says it already.

    Raises:
        ValueError: the value is not a finite number, or the name is empty.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"record() needs a name for the figure, not {name!r}.")
    number = _finite_number(name, value)
    # One line for every reader of the notebook, the whole record for the runner.
    text = f"{name} = {format_number(number)} {unit}".rstrip() + (f"  ({note})" if note else "")
    figure = {"name": name, "value": number, "unit": unit, "note": note}
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        # Of a form that no front end knows Jupyter would say so; empty HTML takes no room.
        said = {"text/plain": text} if shown else {"text/html": ""}
        display({METRIC_MIME: figure, **said}, raw=True)
    elif shown:
        print(text)


def read_recorded(name: str) -> dict:
    """Read a recorded run of the real model, data_samples/recorded/NAME.json.

    Returns:
        `what` was run, `commands`, `date`, `machine`, `versions`, `minutes`, and its figures; one
        with an interval is [value, low, high].

    Raises:
        UserError: there is no such run.

    Example:
        >>> read_recorded("film_reviews")["bits_per_byte"]["Korean reviews"]["after"][0]
        1.59
    """
    folder = runtime.samples_dir() / "recorded"
    path = folder / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in folder.glob("*.json")))
        raise UserError(f"No recorded run '{name}'; there are: {there}.")
    return json.loads(path.read_text("utf-8"))


def _finite_number(name: str, value) -> float:
    scalar = value
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        scalar = value.item()
    if isinstance(scalar, bool) or not isinstance(scalar, int | float):
        raise ValueError(
            f"record({name!r}): the value must be one number, not {type(value).__name__} {value!r}."
        )
    if not math.isfinite(scalar):
        raise ValueError(
            f"record({name!r}): the value is {scalar}; a figure that was not reached is not "
            "recorded. Check the cell that computed it."
        )
    return scalar


def format_number(value: float) -> str:
    """Format a figure for a reader, e.g. 1,234,567 or 1.235."""
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"


def readable_name(name: str) -> str:
    """A figure's name for people.

    Example:
        >>> readable_name("korean_bpb_pre_training"), readable_name("cache_8k_gemma2_9b_en")
        ('Korean bits per byte pre-training', 'Cache 8k Gemma 2 9B')
    """
    for pattern, text in _FOR_PEOPLE:
        name = re.sub(rf"(?<![a-z0-9]){pattern}(?![a-z0-9])", text, name, flags=re.IGNORECASE)
    name = " ".join(name.replace("_", " ").split())
    return name[0].upper() + name[1:]


def _preset(found: re.Match) -> str:
    family = {"vault_": "VaultGemma", "recurrent_": "RecurrentGemma"}.get(found[1] or "", "Gemma")
    return " ".join(filter(None, [family, found[2], found[3].upper()]))


def recorded_metrics(notebook) -> dict[str, dict]:
    """Collect the recorded figures of an executed notebook: name to value, unit, note.

    A figure recorded twice keeps its last value, with a warning.
    """
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            figure = dict(output.get("data", {}).get(METRIC_MIME, {}))
            if not figure:
                continue
            name = figure.pop("name")
            if name in found:
                warnings.warn(f"{name!r} was recorded twice; its last value stands", stacklevel=2)
            found[name] = figure
    return found
