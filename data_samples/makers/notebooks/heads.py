"""What every notebook begins with, and the README's map: addresses, times, installation.

The address of the repository stands in pyproject.toml alone, the minutes and memory of each
lesson in data_samples/lesson_times.json.
"""

import json
import re
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from data_samples.makers.notebooks.counted_times import counted_minutes
from data_samples.makers.notebooks.teaching_times import (
    exercises_table,
    minutes_table,
    section_seconds,
)
from gemma_ko_lib import profiles
from gemma_ko_lib.course.notebook_files import find_notebooks, recorded_runs, times_file
from gemma_ko_lib.runtime import UserError, read_json_object, write_whole

ROOT = Path(__file__).parents[3]
_WITHOUT_ACCELERATOR = ("05_korean_corpus",)  # it computes on the CPU on every machine
_USUAL_MACHINE = {"smoke": "2 CPU cores", "cpu": "2 CPU cores", "gpu": "a T4", "tpu": "TPU v5e-8"}
_INSTALL = """\
import importlib.util

if importlib.util.find_spec("gemma_ko_lib") is None:
    %pip install "gemma-ko[real] @ git+{address}"

from gemma_ko_lib import runtime

runtime.check_machine()"""
SETUP = """\
**Time and memory.** `PROFILE = "auto"` takes `gpu` or `tpu` where JAX has one, and `cpu`
elsewhere; these run Google's Gemma 3 270M. `smoke` runs nano, a toy that comes with the course,
and is what `auto` takes where Gemma's weights are not installed.

{table}
{counted}
The next cell installs the course where it is missing, as on Colab and Kaggle: about 130 MB, in
one to two minutes, and 250 MB more for the weights of Gemma 3 270M. It prints what it does,
leaves the platform's JAX as it is, and needs no restart. Its last line says what keeps this
machine from its GPU or TPU, if anything does."""
COUNTED = """
A row that says "counted" was not run. Its minutes are those of `smoke` plus the time of what the
lesson computes: at 30% of the peak of a T4 in float32 or of one chip of a TPU v5e, and on two CPU
cores at the speed of the lessons that were run on them. For those lessons such a count is wrong by
less than a factor of two. Downloads are not counted.
"""


def repository() -> str:
    """The address of the repository, as pyproject.toml has it.

    Raises:
        UserError: this is not a checkout.
    """
    path = ROOT / "pyproject.toml"
    if not path.is_file():
        raise UserError(f"{path} is not there; run this in a checkout of the course.")
    return tomllib.loads(path.read_text("utf-8"))["project"]["urls"]["Repository"]


def install_source() -> str:
    """The source of the cell that installs the course, the same in every notebook."""
    return _INSTALL.format(address=repository())


def badges(name: str, folder: str = "notebooks/learner") -> str:
    """Markdown for two badges that open a lesson, in the learner's edition, on Colab and Kaggle."""
    notebook = f"{repository()}/blob/main/{folder}/{name}.ipynb"
    colab = notebook.replace("https://github.com", "https://colab.research.google.com/github")
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab})\n"
        "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"(https://kaggle.com/kernels/welcome?src={notebook})"
    )


def written_notebook(path: Path) -> NotebookNode:
    """Read a notebook and give it its head: badges, setup, installation, metadata."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = _with_address(cell.source)
    setup = setup_text(path.stem)
    _put(notebook, 0, new_markdown_cell(badges(path.stem), id="badges"))
    _put(notebook, 2, new_markdown_cell(setup, id="setup"))
    _put(notebook, 3, new_code_cell(install_source(), id="install"))
    gpu = path.stem not in _WITHOUT_ACCELERATOR
    notebook.metadata.update(
        colab={"provenance": [], **({"gpuType": "T4"} if gpu else {})},
        kaggle={
            "accelerator": "nvidiaTeslaT4" if gpu else "none",
            "isGpuEnabled": gpu,
            "isInternetEnabled": True,
        },
        **({"accelerator": "GPU"} if gpu else {}),
    )
    return notebook


def setup_text(name: str, setup: str = SETUP, counted: str = COUNTED) -> str:
    """A lesson's text on time and memory; what "counted" means where a row of its table says it."""
    table = times_table(name)
    return setup.format(table=table, counted=counted if "counted" in table else "")


def _put(notebook: NotebookNode, place: int, cell: NotebookNode) -> None:
    """Put a made cell's source into the cell of its id, or the cell into its place."""
    for there in notebook.cells:
        if there.get("id") == cell.id:
            there.source = cell.source
            return
    notebook.cells.insert(place, cell)


# --- Minutes and memory --------------------------------------------------------------


def times_table(name: str) -> str:
    """Markdown table of a notebook's recorded runs.

    A profile without one has its minutes counted where that is possible, which its row says; else
    it says that there was none.
    """
    rows = ["| `PROFILE` | minutes | peak memory | on |", "|---|---:|---:|---|"]
    runs = [run for run in recorded_runs() if run["notebook"] == name]
    for profile in profiles.names():
        of_profile = [run for run in runs if run["profile"] == profile]
        for run in of_profile:
            minutes, gigabytes = run["seconds"] / 60, run["peak_memory_bytes"] / 1e9
            rows.append(
                f"| `{profile}` | {minutes:.{1 if minutes < 10 else 0}f} | {gigabytes:.1f} GB "
                f"| {run['machine']}, {run['date']} |"
            )
        if not of_profile:
            start = max((run["seconds"] for run in runs if run["profile"] == "smoke"), default=0)
            counted = counted_minutes(name, profile, start)
            minutes, machine = "not run yet", _USUAL_MACHINE[profile]
            if counted is not None:
                minutes, machine = f"about {max(counted, 1):.0f}", f"{machine}; counted, not run"
            rows.append(f"| `{profile}` | {minutes} | | {machine} |")
    return "\n".join(rows)


def take_times(metrics: Path) -> None:
    """Take the times of a run into the record; they replace older ones of the same machine."""
    run = read_json_object(metrics)
    taken = {}
    for name, result in run["notebooks"].items():
        if result["status"] != "ok":
            continue
        device = result["device"] or {"kind": "cpu"}
        machine = run["machine"]["processor"]
        if device["kind"] != "cpu":
            machine = f"{device['count']} × {device['name']}"
        if run["jobs"] > 1:
            machine += f", {run['jobs']} lessons at once"
        taken[name, run["profile"], machine] = {
            "notebook": name,
            "profile": run["profile"],
            "machine": machine,
            "date": run["started"][:10],
            "seconds": result["seconds"],
            "peak_memory_bytes": result["peak_memory_bytes"],
        }
        executed = metrics.parent / f"{name}.ipynb"
        if executed.is_file():
            taken[name, run["profile"], machine]["sections"] = section_seconds(executed)
    for old in recorded_runs():
        taken.setdefault((old["notebook"], old["profile"], old["machine"]), old)
    lines = (json.dumps(taken[key], ensure_ascii=False) for key in sorted(taken))
    write_whole(times_file(), "[\n" + ",\n".join(lines) + "\n]\n")


# --- The README ----------------------------------------------------------------------


def written_readme(text: str, edition: str = "notebooks") -> str:
    """Put the address, links to the learner's notebooks and their minutes into a README.

    Args:
        text: the README.
        edition: the folder whose notebooks it links; the English ones where that has none.
    """
    runs = recorded_runs()

    def row(found: re.Match) -> str:
        there = (ROOT / edition / f"{found['name']}.ipynb").is_file()
        folder = f"{edition if there else 'notebooks'}/learner"
        opened = badges(found["name"], folder).replace("\n", " ")
        link = f"[{found['title']}]({folder}/{found['name']}.ipynb)"
        return f"| {link} | {found['text']} | {_minutes(found['name'], runs)} | {opened} |"

    link = (
        r"\[(?P<title>\d\d[a-z]? [^\]]*)\]\(notebooks/(?:ko/)?(?:learner/)?(?P<name>\w+)\.ipynb\)"
    )
    row_of = rf"^\| {link} \| (?P<text>[^|\n]*?) \|.*$"
    return re.sub(row_of, row, _with_address(text), flags=re.M)


def _minutes(name: str, runs: list[dict]) -> str:
    """Minutes of a lesson at `smoke` and at `cpu`, as recorded last; ~ before a counted number."""
    took = {run["profile"]: run["seconds"] for run in runs if run["notebook"] == name}
    shown = []
    for profile in ("smoke", "cpu"):
        minutes, mark = took.get(profile, 0) / 60, ""
        if profile not in took:
            minutes, mark = counted_minutes(name, profile, took.get("smoke", 0)), "~"
        shown.append("–" if minutes is None else f"{mark}{max(minutes, 1):.0f}")
    return " / ".join(shown)


def written_guide(text: str) -> str:
    """Put the table of exercises and each lesson's minutes into the text of the teacher's guide."""
    tables, runs = [], recorded_runs()
    for path in find_notebooks():
        own = [run for run in runs if run["notebook"] == path.stem]
        tables += ["", f"**{path.stem}**", "", minutes_table(path, own)]
    asked = ["", exercises_table(find_notebooks())]
    for name, lines in (("exercises", asked), ("minutes", tables)):
        by = f"<!-- {name}: made by python -m data_samples.makers.notebooks -->"
        made = "\n".join([by, *lines, "", ""])
        text = re.sub(
            rf"<!-- {name}.*?(?=<!-- end -->)", lambda _, made=made: made, text, flags=re.S
        )
    return text


def _with_address(text: str) -> str:
    text = re.sub(r"(git\+|git clone )https://[^\s\"'`]+", rf"\1{repository()}", text)
    name = repository().rpartition("/")[2]
    return re.sub(rf"https://github\.com/[\w-]+/{name}(?=/(?:blob|tree)/)", repository(), text)


def written_files() -> dict[Path, str]:
    """Every file that has a head or an address, with the text that belongs into it."""
    files = {path: nbformat.writes(written_notebook(path)) + "\n" for path in find_notebooks()}
    for name, edition in (("README.md", "notebooks"), ("README.ko.md", "notebooks/ko")):
        files[ROOT / name] = written_readme((ROOT / name).read_text("utf-8"), edition)
    guide = ROOT / "notebooks" / "README.md"
    return {**files, guide: written_guide(guide.read_text("utf-8"))}
