"""The figures of a road: what its steps have written, as the one object of report.json."""

import datetime
from pathlib import Path

from gemma_ko_lib.cli.road_file import RoadFile
from gemma_ko_lib.cli.road_steps import BASE, Road, chat_file, suites_file, text_file
from gemma_ko_lib.runtime import read_json_object


def collect(file: RoadFile, road: Road, seconds: dict[str, float]) -> dict:
    """Collect the report of a finished road, from its folder.

    Args:
        file: its road.yaml.
        road: its steps.
        seconds: that each step took.

    Returns:
        JSON values; a figure with its 95% interval is [value, low, high], with None where there
        is no interval.
    """
    hours = sum(seconds.values()) / 3600
    # Of a section that was taken out, files of an earlier run may still be there.
    outputs = {step.output for step in road.steps}
    return {
        "road": file.text,
        "model": Path(file.model).name,
        "date": datetime.date.today().isoformat(),
        "stations": list(road.stations),
        "steps": [
            {"name": step.name, "command": step.command, "seconds": round(seconds[step.name], 1)}
            for step in road.steps
        ],
        "tokens": _tokens(road),
        "hours": hours,
        "cost": None if file.hourly_rate is None else hours * file.hourly_rate,
        "hourly_rate": file.hourly_rate,
        "currency": file.currency,
        "bits_per_byte": {text: _bits_per_byte(road, text) for text in road.texts},
        "questions": _questions(road) if suites_file(BASE) in outputs else {},
        "harness": _harness(road) if suites_file(BASE) in outputs else {},
        "chats": _chats(road) if chat_file(BASE) in outputs else [],
        "card": _card(road) if f"serve/{road.last}" in outputs else "",
    }


def _tokens(road: Road) -> dict[str, int]:
    """Tokens that each training has learnt from; of the fine-tuning those of the answers."""
    from gemma_ko_lib.training.run_log import read_log

    return {
        name: round(sum(update.get("tokens", 0) for update in read_log(name)))
        for name in ("pretrain", "finetune")
        if name in road.stations
    }


def _with_interval(value: float, interval) -> list:
    return [value, *(interval or (None, None))]


def _bits_per_byte(road: Road, text: str) -> dict:
    """Of one text: at each station, and from the base to the end over the same documents."""
    from gemma_ko_lib.evaluation.statistics import interval

    found = {station: read_json_object(text_file(text, station)) for station in road.stations}
    before, after = (found[station]["by_document"] for station in (BASE, road.last))
    changes = [b[0] - a[0] for a, b in zip(before, after, strict=True)]
    sizes = [size for _, size in before]
    span = interval(changes, sizes) if len(sizes) > 1 else None
    return {
        "documents": len(sizes),
        "bytes": sum(sizes),
        "stations": {
            station: _with_interval(figures["bits_per_byte"], figures["interval"])
            for station, figures in found.items()
        },
        "change": _with_interval(sum(changes) / sum(sizes), span),
    }


def _questions(road: Road) -> dict:
    """Of each suite: before, after and the change over the same items."""
    from gemma_ko_lib.evaluation.statistics import paired_difference

    before, after = (
        {suite["suite"]: suite for suite in read_json_object(suites_file(station))["suites"]}
        for station in (BASE, road.last)
    )
    found = {}
    for name, was in before.items():
        now = after[name]
        clusters, right = zip(*was["by_item"], strict=True)
        change = paired_difference(right, [share for _, share in now["by_item"]], clusters)
        found[name] = {
            "items": was["items"],
            "before": _with_interval(was["accuracy"], was["interval"]),
            "after": _with_interval(now["accuracy"], now["interval"]),
            "change": _with_interval(*change),
            "without_the_skill": was["null_models"]["by_group"].get(""),
        }
    return found


def _harness(road: Road) -> dict[str, dict[str, list[float]]]:
    """Of each task of lm-evaluation-harness its measures, before and after."""
    before, after = (read_json_object(suites_file(s))["lm_eval"] for s in (BASE, road.last))
    return {
        task: {
            measure.partition(",")[0]: [was, after[task][measure]]
            for measure, was in figures.items()
            if "stderr" not in measure and measure in after[task]
        }
        for task, figures in before.items()
    }


def _chats(road: Road) -> list[dict]:
    before, after = (read_json_object(chat_file(station)) for station in (BASE, road.last))
    return [
        {"question": was["question"], "before": was["answer"], "after": now["answer"]}
        for was, now in zip(before["talks"], after["talks"], strict=True)
    ]


def _card(road: Road) -> str:
    path = Path("serve") / road.last / "README.md"
    return path.read_text("utf-8") if path.is_file() else ""
