"""A run's folder: one process at a time, one run, and the settings that it was started with.

Everything that can be refused is checked first and the folder claimed last, so that a mistyped
model or a run that does not fit leaves nothing behind. `config.json` holds the settings;
`model.json` appears when the run is finished.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from gemma_ko_lib.runtime import UserError, only_process, read_json_object, write_json
from gemma_ko_lib.training.hosts import on_first_host

CONFIG, MODEL = "config.json", "model.json"
_FORMAT = "gemma-ko run 1"
# A finished run goes on when one of these is another; the loop refuses fewer updates than are done.
_MORE = {"size.tokens", "size.epochs"}
_MAY_CHANGE = {*_MORE, "size.learning_rate", "sources"}  # "data" says whether the text changed


@contextlib.contextmanager
def claim_run(run_dir: str | Path, settings: dict, resume: bool = False) -> Iterator[bool]:
    """Hold a run folder for one run, until its end.

    Of several processes the first holds it for all. A new run that fails before it has written
    anything takes its folder away again.

    Args:
        run_dir: the run folder; made where it is not there.
        settings: what decides the run's result, as JSON values; data by content, not by path.
            A dictionary in it is compared entry by entry.
        resume: go on with the run that is there, or start one. It may have more or fewer tokens or
            epochs ("size.tokens", "size.epochs"): a finished run then goes on, and config.json has
            the new value once that is finished too. An unfinished one may have another
            "size.learning_rate", which a finished one keeps, or its model in another place.

    Yields:
        Whether the run is finished already.

    Raises:
        UserError: a run is there and `resume` is not given; it has other settings; another
            process holds it; the folder is something else; it cannot be written.

    Example:
        >>> with claim_run("run", {"model": "nano", "tokens": 20_000}) as finished:
        ...     finished
        False
    """
    run_dir = Path(run_dir)
    settings = json.loads(json.dumps({"format": _FORMAT, **settings}))
    with contextlib.ExitStack() as held:
        claim = _claimed(run_dir, settings, resume)
        yield on_first_host(lambda: held.enter_context(claim))


@contextlib.contextmanager
def _claimed(run_dir: Path, settings: dict, resume: bool) -> Iterator[bool]:
    _stored_settings(run_dir)  # refuses what is no run before anything is put into it
    with only_process(run_dir):
        stored, finished = _stored_settings(run_dir), False
        if stored is None:
            if resume:
                print(f"{run_dir} holds no run yet: starting one.", file=sys.stderr)
            write_json(run_dir / CONFIG, settings)
        elif not resume:
            raise UserError(
                f"{run_dir} holds a run already: add --resume to go on with it, or give another "
                "folder with -o."
            )
        else:
            changed = differences(stored, settings)
            finished = (run_dir / MODEL).is_file() and changed.keys().isdisjoint(_MORE)
            # A folder is known by what is in it; a preset has its name only.
            elsewhere = {"model"} if settings.get("model_sha256") else set()
            if changed.keys() - _MAY_CHANGE - elsewhere:
                raise UserError(
                    f"{run_dir} was started with other settings (was → is):{was_is(changed)}\n"
                    "Resume with the same ones, or start a new run in another folder."
                )
            if changed and not finished:
                print(f"{run_dir} goes on with (was → is):{was_is(changed)}", file=sys.stderr)
        try:
            yield finished
        except BaseException:
            if stored is None and _has_nothing_but_settings(run_dir):
                for path in _visible(run_dir):
                    path.rmdir() if path.is_dir() else path.unlink()
            raise
        if stored != settings and not finished:
            write_json(run_dir / CONFIG, settings)


def was_is(changed: dict[str, tuple]) -> str:
    """Differences for people, a line each."""

    def text(value) -> str:
        return "not set" if value is None else json.dumps(value, ensure_ascii=False)

    return "".join(f"\n  {name}: {text(was)} → {text(now)}" for name, (was, now) in changed.items())


def differences(was: dict, now: dict, prefix: str = "") -> dict[str, tuple]:
    """(was, is) of each setting that differs, by its dotted name."""
    found = {}
    for key in dict.fromkeys([*was, *now]):
        old, new = was.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found[prefix + key] = (old, new)
    return found


def _stored_settings(run_dir: Path) -> dict | None:
    """The settings of the run that is there, or None where there is room for one.

    Raises:
        UserError: the path is something else.
    """
    try:
        stored = read_json_object(run_dir / CONFIG)
    except FileNotFoundError:
        other = sorted(path.name for path in _visible(run_dir))
        if not other:
            return None
        raise UserError(
            f"{run_dir} is no run folder: it holds {', '.join(other[:3])}"
            f"{' …' if other[3:] else ''} and no {CONFIG}. Give a new folder with -o."
        ) from None
    except NotADirectoryError:
        raise UserError(f"{run_dir} is no folder. Give a new folder with -o.") from None
    except OSError as error:
        raise UserError(f"Cannot read {run_dir / CONFIG}: {error.strerror}.") from error
    except ValueError:
        stored = {}
    if stored.get("format") != _FORMAT:
        raise UserError(
            f"{run_dir / CONFIG} does not hold the settings of a run ({_FORMAT}). Give a new "
            "folder with -o."
        )
    return stored


def _visible(run_dir: Path) -> list[Path]:
    """What is in the folder, without the lock and what file managers and editors hide there."""
    if not run_dir.is_dir():
        return []
    return [path for path in run_dir.iterdir() if not path.name.startswith(".")]


def _has_nothing_but_settings(run_dir: Path) -> bool:
    return all(
        path.name == CONFIG or (path.is_dir() and not any(path.iterdir()))
        for path in _visible(run_dir)
    )
