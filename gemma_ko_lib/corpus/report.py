"""The report of a run: what every step took in, let out, changed and dropped.

The counters come from the stats files that datatrove writes for each task, so they are
complete whichever executor ran the tasks, and in whatever order.
"""

import json
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime import UserError

if TYPE_CHECKING:
    from gemma_ko_lib.corpus.pipeline import CleanSettings

FORMAT = "gemma-ko clean documents 2"
_FIRST_OF_LIST = 20


def build_report(partial: Path, output_dir: Path, tasks: int, settings: "CleanSettings") -> dict:
    """Add the tasks' counters up.

    Args:
        partial: the folder that the stages worked in.
        output_dir: where the joined lists (rejects.jsonl …) are.
        tasks: of the stages that handle documents.
        settings: of the run.

    Raises:
        UserError: no document is left, or none has the field to hold out by.
    """
    counts = _merged_counters(partial / "logs")
    rejects = output_dir / "rejects.jsonl"
    first, reasons = _summarise_rejects(rejects)
    read, clean, write = counts["read"], counts["clean"], counts["write"]
    registers, changed, lost, dropped = _by_register(clean)
    if not write["in"]:
        raise UserError(_nothing_left(read, dropped, reasons, first, rejects))
    if settings.hold_out_by and settings.hold_out and write["without_key"] == write["in"]:
        raise UserError(
            f"No document has the field '{settings.hold_out_by}' to hold out by; give one that "
            "is there."
        )
    shown = _examples(partial, "clean", tasks, settings.show)
    steps = [
        {
            "name": "read",
            "in": read["in"],
            "out": read["out"],
            "rejected": read["rejects"],
            "decoded_from_cp949": read["decoded"],
            "unread_fields": dict(_labelled(read, "unread").most_common(_FIRST_OF_LIST)),
        },
        {
            "name": "clean",
            "in": clean["in"],
            "out": clean["out"],
            "changed": clean["changed"],
            "changed_by": _with_examples(changed, shown, lost),
            "dropped_by": _with_examples(dropped, shown),
        },
    ]
    if settings.pii != "keep":
        steps.append(_mask_step(counts["mask"], partial, tasks, settings))
    if settings.decontaminate:
        steps.append(_decontamination_step(counts["decontaminate"], partial, output_dir))
    if settings.duplicates != "keep":
        steps.append(_duplicates_step(counts, output_dir))
    steps.append(
        {
            "name": "write",
            "in": write["in"],
            "out": write["kept"] + write["held_out"],
            "hold_out": settings.hold_out,
            "hold_out_by": settings.hold_out_by,
            "without_hold_out_key": write["without_key"],
        }
    )
    return {
        "format": FORMAT,
        "documents": {
            "in": read["in"],
            "rejected": read["rejects"],
            "dropped": read["out"] - write["in"],
            "kept": write["kept"],
            "held_out": write["held_out"],
        },
        "text_bytes": {"in": read["text_bytes"], "out": write["text_bytes"]},
        "steps": steps,
        "registers": registers,
        "rejects": {"count": read["rejects"], "reasons": reasons, "first": first},
    }


# --- Counters -----------------------------------------------------------------------------


def _merged_counters(logs: Path) -> defaultdict[str, Counter]:
    """What the blocks of all stages counted, by the name of the block."""
    merged: defaultdict[str, Counter] = defaultdict(Counter)
    for path in sorted(logs.glob("*/stats/*.json")):
        for block in json.loads(path.read_text("utf-8")):
            total = merged[block["name"].split(": ")[-1]]
            for label, value in block["stats"].items():
                total[label] += value["total"] if isinstance(value, dict) else value
    return merged


def _by_register(clean: Counter) -> tuple[dict, Counter, Counter, Counter]:
    registers = defaultdict(lambda: {"changed_by": {}, "lost_by": {}, "dropped_by": {}})
    totals = {"changed": Counter(), "lost": Counter(), "dropped": Counter()}
    for label, value in sorted(clean.items()):
        register, *kind = label.split("|")
        if len(kind) == 1:
            registers[register][kind[0]] = value
        elif kind:
            registers[register][f"{kind[0]}_by"][kind[1]] = value
            totals[kind[0]][kind[1]] += value
    for counts in registers.values():
        for label in ("out", "chars_out"):
            counts.setdefault(label, 0)
    return dict(registers), totals["changed"], totals["lost"], totals["dropped"]


def _labelled(counts: Counter, label: str) -> Counter:
    """The counters "label|name", by their names."""
    start = f"{label}|"
    named = {key.removeprefix(start): n for key, n in counts.items() if key.startswith(start)}
    return Counter(named)


# --- Steps --------------------------------------------------------------------------------


def _with_examples(
    counts: Counter, examples: dict[str, list[dict]], lost: Counter | None = None
) -> dict[str, dict]:
    """For each rule its count, the characters that it took away, and examples."""
    return {
        rule: {
            "count": count,
            **({} if lost is None else {"characters_lost": lost[rule]}),
            "examples": examples.get(rule, []),
        }
        for rule, count in counts.most_common()
    }


def _examples(partial: Path, block: str, tasks: int, most: int) -> dict[str, list[dict]]:
    """The first examples of each rule, each with id, before and after (None if dropped)."""
    from gemma_ko_lib.corpus.spool import read_lines, task_lines

    examples: defaultdict[str, list[dict]] = defaultdict(list)
    for rank in range(tasks):
        for example in read_lines(task_lines(partial, f"examples-{block}", rank)):
            of_rule = examples[example.pop("rule")]
            if len(of_rule) < most:
                of_rule.append(example)
    return examples


def _mask_step(mask: Counter, partial: Path, tasks: int, settings: "CleanSettings") -> dict:
    kinds = _labelled(mask, "masked")
    return {
        "name": "mask",
        "in": mask["in"],
        "out": mask["out"],
        "changed": mask["changed"],
        "urls": settings.urls,
        "names": settings.names,
        "masked": _with_examples(kinds, _examples(partial, "mask", tasks, settings.show)),
    }


def _decontamination_step(counts: Counter, partial: Path, output_dir: Path) -> dict:
    index = json.loads((partial / "evaluation" / "counts.json").read_text("utf-8"))
    return {
        "name": "decontaminate",
        "in": counts["in"],
        "out": counts["out"],
        "evaluation_sets": index,
        "first": _first(output_dir / "contaminated.jsonl"),
    }


def _duplicates_step(counts: dict[str, Counter], output_dir: Path) -> dict:
    duplicates, match = counts["duplicates"], counts["match"]
    return {
        "name": "duplicates",
        "in": duplicates["in"],
        "out": duplicates["out"],
        "exact": duplicates["exact"],
        "near": duplicates["near"],
        "pairs_proposed": match["proposed"],
        "pairs_confirmed": match["confirmed"],
        "first": _first(output_dir / "duplicates.jsonl"),
    }


def _first(path: Path) -> list[dict]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, _FIRST_OF_LIST)]


def _summarise_rejects(path: Path) -> tuple[list[dict], dict[str, int]]:
    reasons = Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            # What stands in brackets differs from line to line.
            reasons[json.loads(line)["reason"].split(" (")[0]] += 1
    return _first(path), dict(reasons.most_common())


def _nothing_left(
    read: Counter, dropped: Counter, reasons: dict, first: list[dict], rejects: Path
) -> str:
    why = [f"{count:,} × {rule}" for rule, count in dropped.most_common(3)]
    why += [f"{count:,} × {reason}" for reason, count in list(reasons.items())[:3]]
    said = f"No document is left of {read['in']:,}: {'; '.join(why)}."
    if first:
        line = f" line {first[0]['line']}" if first[0]["line"] else ""
        said += f" The first is {first[0]['file']}{line}; all are listed in {rejects}."
    return (
        f"{said} Each input needs text in UTF-8: plain text, JSON lines with a text field, or a "
        "format that lesson 05 lists."
    )


# --- On a terminal --------------------------------------------------------------------------


def format_report(report: dict, show: int = 0) -> str:
    """Write a report as a few lines to read on a terminal.

    Args:
        report: as `build_report` made it.
        show: how many examples of each rule to print, as before and after.
    """
    documents, text = report["documents"], report["text_bytes"]
    steps = {step["name"]: step for step in report["steps"]}
    lines = [
        f"{documents['in']:,} records from {report['input_files']:,} files: "
        f"{documents['kept']:,} kept, {documents['held_out']:,} held out, "
        f"{documents['dropped']:,} dropped, {documents['rejected']:,} rejected",
        f"text: {text['in'] / 1e6:,.2f} MB in, {text['out'] / 1e6:,.2f} MB out; "
        f"{report['seconds']:,.1f} s, {report['mb_per_second']:,.2f} MB/s",
    ]
    if decoded := steps["read"]["decoded_from_cp949"]:
        lines.append(f"decoded from cp949: {decoded:,}")
    for field, count in steps["read"]["unread_fields"].items():
        lines.append(f"not read: {count:,} records have text in the list or object {field!r}")
    for rule, changed in steps["clean"]["changed_by"].items():
        lost = f"{changed['characters_lost']:,} characters less"
        lines.append(f"changed by {rule}: {changed['count']:,}, {lost}")
        lines += _shown(changed["examples"][:show])
    for rule, dropped in steps["clean"]["dropped_by"].items():
        first = [f", e.g. {_one_line(example)!r}" for example in dropped["examples"][:1]]
        lines.append(f"dropped by {rule}: {dropped['count']:,}{''.join(first)}")
        lines += _shown(dropped["examples"][:show])
    if mask := steps.get("mask"):
        names = "found" if mask["names"] else "not looked for"
        lines.append(f"personal data: URLs {mask['urls']}, names of persons {names}")
        for kind, masked in mask["masked"].items():
            lines.append(f"masked {kind}: {masked['count']:,}")
            lines += _shown(masked["examples"][:show])
    if found := steps.get("decontaminate"):
        lines.append(f"held a piece of an evaluation set: {found['in'] - found['out']:,}")
    if found := steps.get("duplicates"):
        lines.append(f"duplicates: {found['exact']:,} exact, {found['near']:,} near")
    lines += [
        f"left out: {note['files']:,} files of {note['name']}: {note['reason']}"
        for note in report["left_out"]
    ]
    for reason, count in report["rejects"]["reasons"].items():
        lines.append(f"rejected: {count:,} × {reason}")
    for reject in report["rejects"]["first"][:3]:
        place = reject["file"] if reject["line"] is None else f"{reject['file']}:{reject['line']}"
        lines.append(f"  {place}: {reject['reason']}")
    return "\n".join(lines)


def _one_line(example: dict) -> str:
    return example["before"][:40].replace("\n", " ")


def _shown(examples: list[dict]) -> list[str]:
    """Two lines for each example; `repr` keeps a text from steering the terminal."""
    lines = []
    for example in examples:
        lines.append(f"  {example['id']!r}")
        if example["after"] is None:
            lines.append(f"  - {example['before']!r}")
        else:
            lines += [f"  - {example['before']!r}", f"  + {example['after']!r}"]
    return lines
