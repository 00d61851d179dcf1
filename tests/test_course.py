"""The course as a runner: what a learner, a reviewer and CI rely on."""

import base64
import contextlib
import io
import json
import math
import os
import re
import shutil
import sys
import threading

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from data_samples.makers.notebooks import counted_times, heads, stored_outputs, teaching_times
from data_samples.makers.notebooks.stored_outputs import check_stored_outputs, store_outputs
from gemma_ko_lib import __version__, cli, course, profiles, runtime
from gemma_ko_lib.course import execution, notebook_files, watch
from gemma_ko_lib.runtime import Progress, UserError

PARAMETERS = 'PROFILE = "auto"\nSEED = 1\nOUTPUT_DIR = "nowhere"'
RECORD = "from gemma_ko_lib.course import record\n"
PLOT = """\
from gemma_ko_lib import plotting
plotting.use_korean_font()
plotting.bar_table({"ko": 1}, "bytes", "Cost (비용)");"""
ALT = "Cost (비용). Axes: bytes."


def write_notebook(path, *cells):
    """A notebook with a `parameters` cell; a str is code, a cell is taken as it is."""
    parameters = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), parameters, *cells]), path)
    return path


def edit(path, change):
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three notebooks, the second of which fails: (result, notebooks, stderr)."""
    root = tmp_path_factory.mktemp("course")
    notebooks = root / "notebooks"
    write_notebook(
        notebooks / "01_first.ipynb",
        new_markdown_cell("## 손실 곡선\n\n```python\n# not a heading\n```"),
        PLOT,
        RECORD + 'record("loss", 9.0)\nrecord("loss", 1.5, "bits/byte", "검증 문서")',
        "import sys\nprint('careful', file=sys.stderr)\nprint(OUTPUT_DIR)\nOUTPUT_DIR",
        "from pathlib import Path\nPath(OUTPUT_DIR, 'handed_on.txt').write_text(PROFILE)",
    )
    write_notebook(
        notebooks / "02_broken.ipynb",
        "print('before')",
        "fertility = 2.1\nraise ValueError('조사 is missing')",
        "print('never')",
    )
    write_notebook(
        notebooks / "03_last.ipynb",
        "from pathlib import Path\ntext = Path(OUTPUT_DIR, 'handed_on.txt').read_text()",
        RECORD + "import numpy as np\nrecord('length', np.int64(len(text)))\nrecord('seed', SEED)",
        "ballast = b'x' * 200_000_000",
    )
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), pytest.warns(UserWarning, match="recorded twice"):
        result = course.run_course(output_dir=root / "out", folder=notebooks)
    return result, notebooks, stderr.getvalue()


@pytest.fixture
def stored(finished, tmp_path):
    """Copies of the run's notebooks and of its executed ones, free to be changed."""
    result, notebooks, _ = finished
    shutil.copytree(notebooks, tmp_path / "notebooks")
    shutil.copytree(result.output_dir, tmp_path / "out")
    (tmp_path / "out" / "02_broken.ipynb").unlink()
    return tmp_path / "out", tmp_path / "notebooks"


# --- Finding notebooks ---------------------------------------------------------------


def test_notebooks_are_found_by_number_and_name_in_course_order(tmp_path):
    for name in ("00_start_here", "05_korean_corpus", "10_evaluating_korean"):
        write_notebook(tmp_path / f"{name}.ipynb")
    (tmp_path / "scratch.ipynb").write_text("{}")

    def names(only):
        return [path.stem[:2] for path in course.find_notebooks(only, tmp_path)]

    assert names(None) == names([]) == ["00", "05", "10"]
    assert names(["10_evaluating_korean.ipynb", "5"]) == ["05", "10"]
    assert names(["05", "05_korean_corpus"]) == ["05"]
    for name in ("03a_recurrent_gemma", "03b_paligemma", "learner/05_korean_corpus"):
        write_notebook(tmp_path / f"{name}.ipynb")
    assert [path.stem[:3] for path in course.find_notebooks(["3"], tmp_path)] == ["03a", "03b"]
    assert [path.stem[:3] for path in course.find_notebooks(["3b"], tmp_path)] == ["03b"]
    with pytest.raises(UserError, match=r"no notebook '7'.*05_korean_corpus, 10_eval"):
        course.find_notebooks(["7"], tmp_path)


def test_the_notebooks_own_folder_is_never_written_to(tmp_path):
    path = write_notebook(tmp_path / "01_first.ipynb")
    before = path.read_bytes()
    with pytest.raises(UserError, match="notebooks themselves"):
        course.run_course(output_dir=tmp_path, folder=tmp_path)
    assert path.read_bytes() == before


def test_a_second_run_does_not_write_into_the_folder_of_the_first(tmp_path):
    write_notebook(tmp_path / "nb/01_first.ipynb", "1")
    with runtime.only_process(tmp_path / "out"), pytest.raises(UserError, match="Another process"):
        course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")


def test_notebooks_of_somebody_are_not_replaced(tmp_path):
    """As those of a learner in notebooks/learner, or the English ones by the Korean edition."""
    write_notebook(tmp_path / "ko" / "01_first.ipynb")
    mine = write_notebook(tmp_path / "01_first.ipynb", "answer = 42")
    before = mine.read_bytes()
    with pytest.raises(UserError, match=r"holds a 01_first\.ipynb that is from no run"):
        course.run_course(output_dir=tmp_path, folder=tmp_path / "ko")
    assert mine.read_bytes() == before and not (tmp_path / "metrics.json").exists()


# --- Recording -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, "3", None, True, np.zeros(2), np.nan])
def test_only_finite_numbers_are_recorded(value):
    with pytest.raises(ValueError, match=r"record\('loss'\)"):
        course.record("loss", value)


def test_outside_a_notebook_a_figure_is_printed(capsys):
    course.record("tokens", np.int64(1234567), "tokens", "smoke")
    assert capsys.readouterr().out == "tokens = 1,234,567 tokens  (smoke)\n"


def test_a_figure_that_a_table_shows_is_passed_on_without_a_line(capsys):
    course.record("tokens", 3, shown=False)
    assert capsys.readouterr().out == ""


def test_recorded_figures_reach_metrics_json(finished):
    result, _, _ = finished
    metrics = json.loads(result.metrics_path.read_text("utf-8"))
    assert metrics["profile"] == "smoke"
    assert metrics["versions"]["papermill"]
    assert list(metrics["notebooks"]) == ["01_first", "02_broken", "03_last"]
    # The second of two records of one name stands.
    assert metrics["notebooks"]["01_first"]["metrics"] == {
        "loss": {"value": 1.5, "unit": "bits/byte", "note": "검증 문서"}
    }
    last = metrics["notebooks"]["03_last"]
    assert last["status"] == "ok"
    assert last["metrics"]["length"]["value"] == len("smoke")
    assert last["metrics"]["seed"]["value"] == 0
    assert metrics["notebooks"]["02_broken"]["status"] == "failed"


# --- Running -------------------------------------------------------------------------


def test_a_failing_cell_is_shown_on_one_screen_and_the_rest_still_runs(finished, monkeypatch):
    result, _, stderr = finished
    assert [notebook.status for notebook in result.notebooks] == ["ok", "failed", "ok"]
    monkeypatch.setattr(course, "run_course", lambda **_: result)
    assert (result.ok, cli.main(["course"])) == (False, 1)
    screen = course.describe_failure(result.notebooks[1], cells=5, limit=300)
    assert screen in stderr
    assert len(screen.splitlines()) <= 24
    assert "02_broken, cell 4 of 5" in screen
    assert "fertility = 2.1" in screen
    assert "ValueError: 조사 is missing" in screen
    assert "\x1b" not in screen


def test_a_failed_notebook_is_written_with_what_it_did(finished):
    result, _, _ = finished
    executed = nbformat.read(result.output_dir / "02_broken.ipynb", as_version=4)
    kinds = [out.output_type for cell in executed.cells for out in cell.get("outputs", [])]
    assert kinds == ["stream", "error"]


def test_peak_memory_is_that_of_each_notebooks_own_kernel(finished):
    result, _, _ = finished
    light, _, heavy = (notebook.peak_memory_bytes for notebook in result.notebooks)
    assert heavy - light > 50e6  # 200 MB of ballast against matplotlib's import
    assert light > 10e6


def test_the_memory_of_processes_that_a_notebook_starts_counts(tmp_path):
    ballast = "import time; kept = b'x' * 150_000_000; time.sleep(4)"
    cell = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {ballast!r}])"
    write_notebook(tmp_path / "nb/01_x.ipynb", cell)
    result = course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    if sys.platform == "linux":
        assert result.notebooks[0].peak_memory_bytes > 150e6


@pytest.mark.parametrize("first", ["gemma_ko_lib.corpus.cleaning.quality", "kagglehub"])
def test_no_notebook_asks_for_a_package_that_nothing_here_uses(first, tmp_path):
    cell = f"""import sys
sys.modules["ipywidgets"] = None  # as where it is not installed
import gemma_ko_lib, {first}
assert "tqdm.autonotebook" in sys.modules, "what would ask for it"
"""
    write_notebook(tmp_path / "nb/01_x.ipynb", cell)
    result = course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    assert result.ok, result.notebooks[0].error
    outputs = nbformat.read(tmp_path / "out/01_x.ipynb", as_version=4).cells[-1].outputs
    assert not outputs, outputs


def test_progress_is_plain_lines_in_a_log(finished):
    _, _, stderr = finished
    lines = [line for line in stderr.splitlines() if line.startswith("[")]
    # On a slow machine there are signs of life between: "3/6 cells, 10 s, …".
    ends = [line.split(",")[0] for line in lines if " cells," not in line]
    assert ends == [
        "[1/3] 01_first: ok",
        "[2/3] 02_broken: failed",
        "[3/3] 03_last: ok",
    ]


def test_the_time_limit_stops_one_notebook_and_side_by_side_artefacts_stay_apart(
    tmp_path, monkeypatch
):
    # Without /proc (macOS) the kernel is asked, which one stuck in a cell cannot answer.
    monkeypatch.setattr(watch, "high_water_mark", lambda pid: None)
    keep = "from pathlib import Path\nPath(OUTPUT_DIR, 'mine').touch()"
    write_notebook(tmp_path / "nb/01_quick.ipynb", keep)
    write_notebook(
        tmp_path / "nb/02_endless.ipynb", keep, "while True:\n    pass", "print('never')"
    )
    result = course.run_course(
        jobs=2, timeout_s=4, output_dir=tmp_path / "out", folder=tmp_path / "nb"
    )
    quick, endless = result.notebooks
    assert (quick.status, endless.status) == ("ok", "timeout")
    assert quick.peak_memory_bytes > 10e6
    assert endless.peak_memory_bytes is None
    assert endless.failing_source.startswith("while True")
    assert (tmp_path / "out/artefacts/01_quick/mine").exists()
    assert (tmp_path / "out/artefacts/02_endless/mine").exists()
    executed = nbformat.read(endless.executed_path, as_version=4)
    assert executed.metadata.papermill.exception
    with pytest.raises(UserError, match=r"02_endless.*its run failed"):
        store_outputs(tmp_path / "out", tmp_path / "nb")


def test_endless_output_neither_passes_the_time_limit_nor_fills_the_disk(tmp_path):
    write_notebook(tmp_path / "nb/01_flood.ipynb", "while True:\n    print('a' * 1_000_000)")
    result = course.run_course(timeout_s=3, output_dir=tmp_path / "out", folder=tmp_path / "nb")
    (flood,) = result.notebooks
    assert flood.status == "timeout"
    assert flood.executed_path.stat().st_size < 2 * execution._MOST_PRINTED


def test_one_long_line_is_kept_and_what_was_overwritten_is_not(tmp_path):
    write_notebook(
        tmp_path / "nb/01_x.ipynb",
        "print('a' * 2_000_000)",
        "import sys\nprint('half', end='\\r')\nsys.stdout.flush()\nprint('whole\\r\\nend')",
    )
    # At a quadratic cost the first cell would take most of an hour.
    result = course.run_course(timeout_s=100, output_dir=tmp_path / "out", folder=tmp_path / "nb")
    *_, long, overwritten = nbformat.read(result.notebooks[0].executed_path, as_version=4).cells
    assert long.outputs[0].text == "a" * 2_000_000 + "\n"
    assert [output.text for output in overwritten.outputs] == ["whole\nend\n"]


def test_a_slow_cell_is_reported_and_not_stopped(capsys):
    slow = watch.Watch(None)
    slow.cell_started("import time")
    with Progress(5, "06") as bar:
        course._tell_waiting(bar, slow, 601, long=True)
    assert "cell 1 has run for 601 s. It may take as long" in capsys.readouterr().err
    slow.timeout_s = 900
    with Progress(5, "06") as bar:
        course._tell_waiting(bar, slow, 601, long=True)
    assert "is stopped after 900 s (--timeout)" in capsys.readouterr().err


def test_a_cells_error_moves_no_cursor_and_sets_no_title(tmp_path, capsys):
    write_notebook(tmp_path / "nb/01_x.ipynb", "raise ValueError('\x1b]0;title\x07\x1b[2J')")
    course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    shown = capsys.readouterr().err
    assert r"\x1b]0;title\x07\x1b[2J" in shown
    assert "\x1b" not in shown and "\x07" not in shown


def test_ctrl_c_leaves_no_kernel_behind(tmp_path, monkeypatch):
    started = "import os\nfrom pathlib import Path\n"
    started += "Path('pid.part').write_text(str(os.getpid()))\nos.rename('pid.part', 'pid')"
    write_notebook(tmp_path / "nb/01_endless.ipynb", started, "while True:\n    pass")

    def interrupt(futures):
        while not (tmp_path / "out/pid").exists():
            threading.Event().wait(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(course.concurrent.futures, "as_completed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "out/pid").read_text()), 0)


def test_a_kernel_that_dies_is_told_from_a_cell_that_fails(tmp_path):
    write_notebook(tmp_path / "nb/01_dies.ipynb", "import os\nos.kill(os.getpid(), 9)")
    result = course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    (dead,) = result.notebooks
    assert dead.status == "failed"
    assert dead.failing_source.endswith("os.kill(os.getpid(), 9)")
    assert "kernel died" in dead.error
    assert dead.peak_memory_bytes is None
    assert nbformat.read(dead.executed_path, as_version=4).metadata.papermill.exception


def test_an_unreadable_notebook_is_a_failure_of_its_own(tmp_path, capsys):
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb/01_cut.ipynb").write_text('{"cells": [')
    result = course.run_course(output_dir=tmp_path / "out", folder=tmp_path / "nb")
    assert [notebook.status for notebook in result.notebooks] == ["failed"]
    assert "01_cut, before any cell" in capsys.readouterr().err
    assert "01_cut" in result.report_path.read_text("utf-8")


# --- The report ----------------------------------------------------------------------


def test_the_report_is_one_file_with_figures_plots_and_errors(finished):
    result, _, _ = finished
    page = result.report_path.read_text("utf-8")
    assert '<meta charset="utf-8">' in page
    opening = page[: page.index("<table>")]
    assert "1 of 3 notebooks did not run to" in opening
    assert f"gemma-ko {__version__} · profile <b>smoke</b>" in opening
    assert result.machine["processor"] in opening
    assert f"{int(result.started[8:10])} " in opening and result.started[:4] in opening
    (target,) = re.findall(r'<a href="#(02_broken-cell-\d+)">', opening)
    assert target == f"02_broken-cell-{result.notebooks[1].failing_cell}"
    assert f'id="{target}"' in page
    assert '<td title="loss">Loss</td>' in page
    assert 'href="02_broken.ipynb"' in page
    assert page.count('src="data:image/png;base64,') == page.count(f'alt="{ALT}"') == 1
    assert "<figcaption>손실 곡선</figcaption>" in page
    assert "bits/byte" in page
    assert "검증 문서" in page
    assert "ValueError: 조사 is missing" in page
    assert "fertility = 2.1" in page
    for outside in ('src="http', 'href="http', "url(", "<script"):
        assert outside not in page


# --- Recorded times ------------------------------------------------------------------


def test_the_table_of_times_holds_what_ran_and_says_what_did_not(finished, tmp_path, monkeypatch):
    result, _, _ = finished
    monkeypatch.setattr(notebook_files, "samples_dir", lambda: tmp_path)
    (tmp_path / "lesson_times.json").write_text("[]")
    heads.take_times(result.metrics_path)
    heads.take_times(result.metrics_path)  # the same machine again: no second row
    table = heads.times_table("01_first")
    smoke, *others = table.splitlines()[2:]
    assert result.started[:10] in smoke and result.machine["processor"] in smoke
    assert len(others) == 3 and all("not run yet" in row for row in others)
    assert "| `smoke` | not run yet" in heads.times_table("02_broken")  # it failed


def test_a_machine_that_was_not_there_has_counted_minutes_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_files, "samples_dir", lambda: tmp_path)
    run = {"notebook": "06_continued_pretraining", "machine": "A", "date": "2026-11-28"}
    run |= {"seconds": 120, "peak_memory_bytes": 2e9}
    (tmp_path / "lesson_times.json").write_text(json.dumps([run | {"profile": "smoke"}]))
    _, cpu, gpu, tpu = heads.times_table(run["notebook"]).splitlines()[2:]
    assert re.search(r"about \d+ \| \| 2 CPU cores; counted, not run", cpu)
    assert re.search(r"about \d+ \| \| a T4; counted, not run", gpu)
    # A chip of TPU v5e is so fast that what all runs pay, two minutes here, is most of it.
    assert "about 3 " in tpu
    (tmp_path / "lesson_times.json").write_text(json.dumps([run | {"profile": "gpu"}]))
    assert "2.0 | 2.0 GB | A, 2026-11-28" in heads.times_table(run["notebook"]).splitlines()[4]
    # In the README's map a tilde marks what was counted; no more is known of `smoke`.
    assert re.fullmatch(r"– / ~\d+", heads._minutes("04_korean_tokenization", []))
    # What the word means is said only where a row says it.
    assert "was not run" in heads.setup_text(run["notebook"])
    every = [run | {"profile": name} for name in profiles.names()]
    (tmp_path / "lesson_times.json").write_text(json.dumps(every))
    assert "counted" not in heads.setup_text(run["notebook"])


def test_operations_are_counted_as_the_scaling_laws_do():
    work = counted_times.Work()
    work.train(1000, 50)
    work.read(1000, 50)
    work.write(10, 50)
    assert (work.operations, work.bytes_read) == (8 * 50 * 1000, 4 * 50 * 10)
    # Lesson 06: the updates of two runs are only a part, all of it no more than a lesson may take.
    sizes = profiles.get("gpu").pretrain
    operations = 6 * 116e6 * 2 * sizes.steps * sizes.batch_rows * sizes.row_length
    least = operations / (0.3 * 8.1e12) / 60
    assert least < counted_times.counted_minutes("06_continued_pretraining", "gpu", 0) < 15


def test_a_small_model_and_the_platforms_own_cpu_take_their_time_beside_any_accelerator():
    work = counted_times.Work(cpu_seconds=3)
    work.train_small(100, 10, 1000)
    assert work.seconds("gpu") == pytest.approx(3 + 100 * 0.01, rel=0.01)
    # Two cores are slower at the operations, and pay for nothing else.
    assert work.seconds("cpu") == pytest.approx(3 + 100 * 10 * 6 * 1000 / 25e9)


def test_every_lesson_is_counted_for_every_machine():
    names = [path.stem for path in course.find_notebooks()]
    for profile in ("cpu", "gpu", "tpu"):
        minutes = {name: counted_times.counted_minutes(name, profile, 30) for name in names}
        assert all(0.5 < of_lesson < 60 for of_lesson in minutes.values()), minutes
    assert counted_times.counted_minutes(names[0], "smoke", 30) is None


def test_counts_miss_the_runs_on_two_cores_by_less_than_a_factor_of_two():
    runs = notebook_files.recorded_runs()
    start = {run["notebook"]: run["seconds"] for run in runs if run["profile"] == "smoke"}
    of_cpu = [run for run in runs if run["profile"] == "cpu"]
    off = {}
    for name, seconds in ((run["notebook"], run["seconds"]) for run in of_cpu):
        off[name] = 60 * counted_times.counted_minutes(name, "cpu", start[name]) / seconds
    # The heads say so; when it fails, find what the count forgets.
    assert len(off) >= 7 and all(0.5 < ratio < 2 for ratio in off.values()), off


# --- Stored outputs ------------------------------------------------------------------


def test_stored_outputs_hold_what_a_learner_should_see_and_nothing_of_this_machine(stored):
    executed, notebooks = stored
    written = store_outputs(executed, notebooks)
    assert [path.stem for path in written] == ["01_first", "03_last"]
    for path in written:
        assert check_stored_outputs(path) == []
    notebook = nbformat.read(notebooks / "01_first.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source == PARAMETERS  # and the injected cell is gone
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert "image/png" in code[1].outputs[0].data
    assert code[1].outputs[0].metadata["image/png"]["alt"] == ALT
    printed, value = code[3].outputs  # without stderr
    assert printed.text == "course-output/artefacts\n"
    assert value.data["text/plain"] == "'course-output/artefacts'"
    assert "papermill" not in json.dumps(notebook.metadata)


def test_a_picture_is_stored_with_a_palette_unless_it_is_transparent():
    def picture(alpha: int) -> str:
        pixels = np.full((90, 200, 4), alpha, "uint8")
        pixels[..., :3] = np.random.default_rng(0).integers(0, 200, (90, 200, 1))  # 200 colours
        saved = io.BytesIO()
        Image.fromarray(pixels).save(saved, "png", compress_level=1)
        return base64.b64encode(saved.getvalue()).decode()

    def colours(png: str):
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))

    opaque, transparent = picture(255), picture(100)
    small = stored_outputs._with_palette(opaque)
    assert len(small) < len(opaque)
    np.testing.assert_array_equal(colours(small), colours(opaque))
    assert stored_outputs._with_palette(transparent) == transparent


def test_storing_twice_changes_nothing(stored):
    executed, notebooks = stored
    store_outputs(executed, notebooks)
    before = (notebooks / "01_first.ipynb").read_bytes()
    store_outputs(executed, notebooks)
    assert (notebooks / "01_first.ipynb").read_bytes() == before


def test_an_edited_added_moved_or_removed_cell_is_detected(stored):
    executed, notebooks = stored
    store_outputs(executed, notebooks)
    path = notebooks / "01_first.ipynb"
    whole = path.read_bytes()

    def problems_after(change):
        path.write_bytes(whole)
        edit(path, change)
        return " | ".join(check_stored_outputs(path))

    assert "edited" in problems_after(lambda nb: nb.cells[3].update(source="plt.plot([1], [9])"))
    assert "source_sha256" in problems_after(lambda nb: nb.cells.append(new_code_cell("1")))
    assert "execution count" in problems_after(lambda nb: nb.cells.insert(3, nb.cells.pop(4)))
    assert "execution count" in problems_after(lambda nb: nb.cells.pop(4))
    assert problems_after(lambda nb: nb.cells[0].update(source="# New prose")) == ""


def test_a_run_of_older_code_is_not_stored_and_sound_notebooks_still_are(stored):
    executed, notebooks = stored
    edit(notebooks / "01_first.ipynb", lambda nb: nb.cells[3].update(source="x = 1"))
    with pytest.raises(UserError, match=r"01_first.*its code has changed"):
        store_outputs(executed, notebooks)
    assert check_stored_outputs(notebooks / "03_last.ipynb") == []


def print_in_last_cell(text):
    def change(notebook):
        notebook.cells[-1].outputs = [new_output("stream", name="stdout", text=text)]

    return change


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("saved in /opt/someone/corpus.txt", "local path /opt/someone/corpus.txt"),
        (r"saved in C:\Users\someone\corpus.txt", r"local path C:\\Users\\someone"),
        ("가" * 300_000, "bytes; at most 900,000"),
    ],
)
def test_local_paths_and_large_outputs_are_rejected_by_name(stored, text, problem):
    executed, notebooks = stored
    before = (notebooks / "03_last.ipynb").read_bytes()
    edit(executed / "03_last.ipynb", print_in_last_cell(text))
    with pytest.raises(UserError, match=rf"03_last.ipynb: .*{problem}"):
        store_outputs(executed, notebooks)
    assert (notebooks / "03_last.ipynb").read_bytes() == before


def test_routes_addresses_and_hosted_folders_are_no_local_paths(stored):
    executed, notebooks = stored
    text = "POST /v1/chat/completions, https://example.org/home/x, /kaggle/working, 1/2, ~/tmp/x"
    edit(executed / "03_last.ipynb", print_in_last_cell(text))
    store_outputs(executed, notebooks)
    stored_cells = nbformat.read(notebooks / "03_last.ipynb", as_version=4).cells
    assert stored_cells[-1].outputs[0].text == text


def test_errors_stderr_and_widgets_may_not_be_stored(tmp_path):
    widget = {stored_outputs._WIDGET_MIME: {"model_id": "1"}, "text/plain": "bar"}
    outputs = [
        new_output("error", ename="KeyError", evalue="'조사'", traceback=[]),
        new_output("stream", name="stderr", text="warning"),
        new_output("display_data", widget),
    ]
    path = write_notebook(tmp_path / "01_x.ipynb", new_code_cell("x", outputs=outputs))
    problems = " | ".join(check_stored_outputs(path))
    for expected in ("holds the error KeyError", "holds stderr", "holds a widget"):
        assert expected in problems


def test_minutes_of_a_section_are_read_by_its_length_and_computed_as_measured(
    finished, tmp_path, monkeypatch
):
    result, notebooks, _ = finished
    monkeypatch.setattr(notebook_files, "samples_dir", lambda: tmp_path)
    (tmp_path / "lesson_times.json").write_text("[]")
    heads.take_times(result.metrics_path)
    runs = [run for run in notebook_files.recorded_runs() if run["notebook"] == "01_first"]
    table = teaching_times.minutes_table(notebooks / "01_first.ipynb", runs).splitlines()
    assert table[0] == "| section | read | `smoke` |"
    opening, section, total = (row.split(" | ") for row in table[2:])
    assert opening[0] == "| Opening" and section[0] == "| 손실 곡선"
    assert float(section[2].strip("| ")) >= 0 and total[0] == "| **all**"
    assert runs[0]["sections"]["손실 곡선"] > 0
    text = "\n".join(["## A", *["word " * teaching_times.WORDS_A_MINUTE] * 3])
    write_notebook(tmp_path / "02_long.ipynb", new_markdown_cell(text))
    long = teaching_times.minutes_table(tmp_path / "02_long.ipynb", [])
    assert "| A | 3 |" in long and "smoke" not in long
