"""The report of a run: what every step took in, let out, changed and dropped.

The counters come from the stats files that datatrove writes for each task, so they are
complete whichever executor ran the tasks, and in whatever order.
"""

import json
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

from gemma_ko_lib.runtime import UserError

FORMAT = "gemma-ko clean documents 1"
_FIRST_REJECTS = 20


def collect_rejects(partial: Path, target: Path, tasks: int) -> None:
    """Join the tasks' rejects in order; a file without rejects is written, too."""
    with open(target, "w", encoding="utf-8") as joined:
        for rank in range(tasks):
            with open(partial / f"rejects-{rank:05d}.jsonl", encoding="utf-8") as part:
                joined.writelines(part)


def build_report(
    partial: Path, rejects: Path, tasks: int, hold_out: float, hold_out_by: str | None
) -> dict:
    """Add the tasks' counters up.

    Raises:
        UserError: no document is left, or none has the field to hold out by.
    """
    read, clean, write = _merged_counters(partial / "logs" / "stats", tasks)
    registers, changed, dropped = _by_register(clean)
    first, reasons = _summarise_rejects(rejects)
    if not write["in"]:
        raise UserError(_nothing_left(read, dropped, reasons, first, rejects))
    if hold_out and hold_out_by and write["without_key"] == write["in"]:
        raise UserError(
            f"No document has the field '{hold_out_by}' to hold out by; give one that is there."
        )
    examples = _examples(partial, tasks)
    return {
        "format": FORMAT,
        "documents": {
            "in": read["in"],
            "rejected": read["rejects"],
            "dropped": clean["in"] - clean["out"],
            "kept": write["kept"],
            "held_out": write["held_out"],
        },
        "text_bytes": {"in": read["text_bytes"], "out": write["text_bytes"]},
        "steps": [
            {
                "name": "read",
                "in": read["in"],
                "out": read["out"],
                "rejected": read["rejects"],
                "decoded_from_cp949": read["decoded"],
            },
            {
                "name": "clean",
                "in": clean["in"],
                "out": clean["out"],
                "changed": clean["changed"],
                "changed_by": dict(changed.most_common()),
                "dropped_by": {
                    rule: {"count": count, "example": examples[rule]}
                    for rule, count in dropped.most_common()
                },
            },
            {
                "name": "write",
                "in": write["in"],
                "out": write["kept"] + write["held_out"],
                "hold_out": hold_out,
                "hold_out_by": hold_out_by,
                "without_hold_out_key": write["without_key"],
            },
        ],
        "registers": registers,
        "rejects": {"count": read["rejects"], "reasons": reasons, "first": first},
    }


def _merged_counters(folder: Path, tasks: int) -> list[Counter]:
    merged = [Counter(), Counter(), Counter()]
    for rank in range(tasks):
        blocks = json.loads((folder / f"{rank:05d}.json").read_text("utf-8"))
        for total, block in zip(merged, blocks, strict=True):
            for label, value in block["stats"].items():
                total[label] += value["total"] if isinstance(value, dict) else value
    return merged


def _by_register(clean: Counter) -> tuple[dict, Counter, Counter]:
    registers = defaultdict(lambda: {"changed_by": {}, "dropped_by": {}})
    totals = {"changed": Counter(), "dropped": Counter()}
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
    return dict(registers), totals["changed"], totals["dropped"]


def _summarise_rejects(path: Path) -> tuple[list[dict], dict[str, int]]:
    reasons = Counter()
    with open(path, encoding="utf-8") as file:
        first = [json.loads(line) for line in islice(file, _FIRST_REJECTS)]
        file.seek(0)
        for line in file:
            # What stands in brackets differs from line to line.
            reasons[json.loads(line)["reason"].split(" (")[0]] += 1
    return first, dict(reasons.most_common())


def _examples(partial: Path, tasks: int) -> dict[str, dict]:
    examples: dict[str, dict] = {}
    for rank in range(tasks):
        path = partial / f"examples-{rank:05d}.json"
        for rule, example in json.loads(path.read_text("utf-8")).items():
            examples.setdefault(rule, example)
    return examples


def _nothing_left(
    read: Counter, dropped: Counter, reasons: dict, first: list[dict], rejects: Path
) -> str:
    why = [f"{count:,} × {rule}" for rule, count in dropped.most_common(3)]
    why += [f"{count:,} × {reason}" for reason, count in list(reasons.items())[:3]]
    said = f"No document is left of {read['in']:,}: {'; '.join(why)}."
    if first:
        line = f" line {first[0]['line']}" if first[0]["line"] else ""
        said += f" The first is {first[0]['file']}{line}; all are listed in {rejects}."
    return f"{said} Each input needs UTF-8 text: JSON lines with a text field, or a .txt file."


def format_report(report: dict) -> str:
    """Write a report as a few lines to read on a terminal."""
    documents, text = report["documents"], report["text_bytes"]
    read, cleaned, _ = report["steps"]
    lines = [
        f"{documents['in']:,} records from {report['input_files']:,} files: "
        f"{documents['kept']:,} kept, {documents['held_out']:,} held out, "
        f"{documents['dropped']:,} dropped, {documents['rejected']:,} rejected",
        f"text: {text['in'] / 1e6:,.2f} MB in, {text['out'] / 1e6:,.2f} MB out; "
        f"{report['seconds']:,.1f} s, {report['mb_per_second']:,.2f} MB/s",
    ]
    if read["decoded_from_cp949"]:
        lines.append(f"decoded from cp949: {read['decoded_from_cp949']:,}")
    for rule, count in cleaned["changed_by"].items():
        lines.append(f"changed by {rule}: {count:,}")
    for rule, dropped in cleaned["dropped_by"].items():
        example = dropped["example"]["text"][:40].replace("\n", " ")
        lines.append(f"dropped by {rule}: {dropped['count']:,}, e.g. {example!r}")
    for reason, count in report["rejects"]["reasons"].items():
        lines.append(f"rejected: {count:,} × {reason}")
    for reject in report["rejects"]["first"][:3]:
        place = reject["file"] if reject["line"] is None else f"{reject['file']}:{reject['line']}"
        lines.append(f"  {place}: {reject['reason']}")
    return "\n".join(lines)
