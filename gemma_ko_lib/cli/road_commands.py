"""`gemma-ko road`: the whole road from one file, in steps that are commands of their own.

    DIR/clean, vocabulary, pretrain, finetune    what these commands write
    DIR/evaluate, DIR/serve                      figures, GGUF files and answers
    DIR/steps/NAME.json                          of each step what decided its result, its exit
                                                 code and its time
    DIR/report.html, report.json                 written last

A step that is done is passed over as long as nothing that decides its result has changed: its
options, the files that it reads, the steps before it. What it replaces is kept in DIR/replaced.
"""

import contextlib
import gc
import hashlib
import io
import itertools
import json
import shutil
import sys
import time
from pathlib import Path

from gemma_ko_lib.cli.options import PARTIAL, command, seconds_text
from gemma_ko_lib.runtime import UserError, only_process, read_json_object, write_json, write_whole

_REPLACED = "replaced"


def add(commands) -> None:
    """Register the command."""
    parser = command(commands, _road)
    parser.add_argument("file", metavar="ROAD.YAML", help="an example: data_samples/road.yaml")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for all (the file's name)")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done and whether it fits, and stop"
    )


def _road(arguments) -> int | None:
    """Run the whole road from one file: raw texts to a served model."""
    from gemma_ko_lib.cli.road_file import parsers, read_road
    from gemma_ko_lib.cli.road_steps import road_of

    source = Path(arguments.file)
    folder = Path(arguments.output or source.stem).expanduser().absolute()
    file = read_road(source, folder)
    road = road_of(file)
    if arguments.plan:
        from gemma_ko_lib.cli.road_plan import describe

        # Paths are as seen from the folder; one made for the plan is gone again after it.
        held = contextlib.nullcontext() if folder.is_dir() else only_process(folder)
        with held, contextlib.chdir(folder):
            return print(describe(file, road, [_state(s, *x) for s, *x in _looked_at(road.steps)]))
    from gemma_ko_lib import course
    from gemma_ko_lib.cli.road_figures import collect

    with course.needing_extra("The report"):
        from gemma_ko_lib.course import road_report
    with only_process(folder), contextlib.chdir(folder):
        print(f"$ cd {folder}", flush=True)
        _run_all(road.steps, parsers())
        records = {step.name: _record(step) for step in road.steps}
        report = collect(file, road, {name: record["seconds"] for name, record in records.items()})
        road_report.write(report, folder)
    partial = [name for name, record in records.items() if record.get("code") == PARTIAL]
    if partial:
        print(f"Some of the input was rejected in: {'; '.join(partial)}")
    print(f"The report, to open in a browser: {folder / 'report.html'}")
    return PARTIAL if partial else 0


# --- What is there -------------------------------------------------------------------

_NOTED = {"settings", "seconds", "finished", "started"}


def _record_path(step) -> Path:
    return Path("steps") / (step.output.removesuffix(".json").replace("/", "-") + ".json")


def _record(step) -> dict:
    """What a step has noted: its settings, seconds, whether it is finished; or nothing.

    Raises:
        UserError: the note is damaged.
    """
    path = _record_path(step)
    try:
        record = read_json_object(path)
        if missing := _NOTED - record.keys():
            raise ValueError(f"has no {', '.join(sorted(missing))}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path.absolute()}, the road's note on {step.name}, cannot be read: it {error}. "
            f"Delete it and move {step.output} away; the step then runs anew."
        ) from None
    return record


def _looked_at(steps):
    """Each step with its settings as they are now, and what it has noted."""
    identities = {}
    for step in steps:
        settings = step.settings(identities)
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        identities[step.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
        yield step, settings, _record(step)


def _is_done(step, settings: dict, record: dict) -> bool:
    done = record.get("finished") and record["settings"] == settings
    return bool(done) and Path(step.output).exists()


def _changes(settings: dict, record: dict) -> list[str]:
    """What is no longer as it was, a line each."""
    from gemma_ko_lib.training.run_folder import differences

    def shown(value) -> str:
        return "not there" if value is None else str(value) or "on"

    lines = []
    for name, (was, now) in differences(record["settings"], settings).items():
        part, _, key = name.partition(".")
        if part == "options":
            lines.append(f"{key.lstrip('-')}: {shown(was)} → {shown(now)}")
        elif part == "files":
            was, now = was and "read", now and "read, with other contents"
            lines.append(f"{key}: {shown(was)} → {shown(now)}")
        else:
            lines.append(f"{key}: done → done anew")
    return lines


def _state(step, settings: dict, record: dict) -> str:
    """What will become of a step, for people."""
    if not record:
        return "to do"
    if _is_done(step, settings, record):
        return f"done in {seconds_text(record['seconds'])}"
    if changes := _changes(settings, record):
        return "to do again: " + "; ".join(changes)
    return "to do again: its result is gone" if record["finished"] else "goes on"


# --- Running -------------------------------------------------------------------------


def _run_all(steps, parsers) -> None:
    began = time.monotonic()
    _put_aside_others(steps)
    for number, (step, settings, record) in enumerate(_looked_at(steps), 1):
        label = f"[{number}/{len(steps)}] {step.name}"
        if _is_done(step, settings, record):
            print(f"{label}: done before, in {seconds_text(record['seconds'])}", flush=True)
            continue
        goes_on = bool(record) and not record["finished"] and record["settings"] == settings
        for line in _changes(settings, record) if record else ():
            print(f"{label}: {line}", flush=True)
        before = record["seconds"] + _worked(step, record["started"]) if goes_on else 0.0
        _make_room(step, record, goes_on)
        print(f"{label}{', goes on' if goes_on else ''}", flush=True)
        seconds = before + _run(step, settings, before, parsers, goes_on and step.resumes)
        so_far = seconds_text(time.monotonic() - began)
        print(f"{label}: done in {seconds_text(seconds)}; {so_far} so far", flush=True)


def _worked(step, started: float) -> float:
    """Seconds from the start of a step that was killed to the last file that it wrote."""
    files = [path for path in Path(step.output).rglob("*") if path.is_file()]
    return max([0.0, *(path.stat().st_mtime - started for path in files)])


def _make_room(step, record: dict, goes_on: bool) -> None:
    """Put aside what a step will replace; take away what a stopped one cannot go on from."""
    output = Path(step.output)
    if not output.exists():
        return
    if not record:
        raise UserError(
            f"{output.absolute()} is there and not from this road. Move it away, or give another "
            "folder with -o."
        )
    if goes_on:
        if not step.resumes:
            shutil.rmtree(output) if output.is_dir() else output.unlink()
        return
    _put_aside(output, _record_path(step).stem)


def _put_aside(output: Path, name: str) -> None:
    Path(_REPLACED).mkdir(exist_ok=True)
    places = (Path(_REPLACED) / f"{name}-{n}{output.suffix}" for n in itertools.count(1))
    target = next(place for place in places if not place.exists())
    output.rename(target)
    print(f"What was in {output} is now in {target}", flush=True)


def _put_aside_others(steps) -> None:
    """Figures that the road no longer makes, of other weights maybe: cards tell all they find."""
    outputs = {step.output for step in steps}
    for path in sorted(Path("evaluate").glob("*.json")):
        noted = Path("steps") / f"evaluate-{path.name}"  # what is not the road's stays
        if path.as_posix() not in outputs and noted.is_file():
            _put_aside(path, noted.stem)


def _run(step, settings: dict, before: float, parsers, resume: bool) -> float:
    """Run a step; seconds that it took."""
    note = {"settings": settings, "seconds": before, "finished": False, "started": time.time()}
    write_json(_record_path(step), note)
    words = [*step.words, *["--resume"] * (resume and step.name != "clean")]
    print(f"$ {step.command}{' --resume' * (words != step.words)}", flush=True)
    started, printed = time.monotonic(), io.StringIO()
    arguments = parsers[words[0]].parse_args(words[1:])
    try:
        with contextlib.redirect_stdout(printed) if step.prints else contextlib.nullcontext():
            code = arguments.run(arguments) or 0
        if code not in (0, PARTIAL):
            raise UserError(f"{step.name} ended with code {code}; run the road again to go on.")
        if step.prints:
            write_whole(step.output, printed.getvalue())
        note |= {"finished": True, "code": code}
    finally:
        # What a kill cuts off is counted from the last note on.
        note |= {"seconds": before + time.monotonic() - started, "started": time.time()}
        write_json(_record_path(step), note)
        if words[0] != "evaluate":  # stations of one shape are measured by one program
            _forget_programs()
    return time.monotonic() - started


def _forget_programs() -> None:
    """Compiled programs of a step, and the weights that they hold, would stay in memory."""
    gc.collect()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
