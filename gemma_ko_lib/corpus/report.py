"""The report of a run: what every step took in, let out, changed and dropped.

The counters come from the stats files that datatrove writes for each task, so they are
complete whichever executor ran the tasks, and in whatever order.
"""

import json
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.result_folder import OUT, read_joined, read_lines
from gemma_ko_lib.runtime import UserError

FORMAT = "gemma-ko clean documents 2"
_FIRST_OF_LIST = 20


def build_report(partial: Path, tasks: int, settings: CleanSettings, left_out: list[dict]) -> dict:
    """Add the tasks' counters up.

    Args:
        partial: the folder that the stages worked in; the joined lists (rejects.jsonl …) are in
            its out/.
        tasks: of the stages that handle documents.
        settings: of the run.
        left_out: notes on files that were not read.

    Raises:
        UserError: no document has the field to hold out by.
    """
    counts = _merged_counters(partial / "logs")
    out = partial / OUT
    rejects = _summarise_rejects(out / "rejects.jsonl")
    notes = list(read_joined(partial, "notes", tasks))
    read, clean, write = counts["read"], counts["clean"], counts["write"]
    registers, changed, lost, dropped = _by_register(clean)
    # Keys are only asked for where something is held out by a field.
    if write["in"] and write["without_key"] == write["in"]:
        raise UserError(
            f"No document has the field '{settings.hold_out_by}' to hold out by; give one that "
            "is there."
        )
    shown = _examples(partial, "clean", tasks, settings.show)
    steps = [
        _step(
            "read",
            read,
            rejected=read["rejects"],
            decoded_from=_labelled(read, "decoded|"),
            unread_fields=dict(islice(_labelled(read, "unread|").items(), _FIRST_OF_LIST)),
        ),
        _step(
            "clean",
            clean,
            changed=clean["changed"],
            changed_by=_with_examples(changed, shown, lost),
            dropped_by=_with_examples(dropped, shown),
        ),
    ]
    if settings.pii != "keep":
        steps.append(_mask_step(counts["mask"], partial, tasks, settings))
    if settings.decontaminate:
        steps.append(_decontamination_step(counts["decontaminate"], partial, out))
    if settings.duplicates != "keep":
        steps.append(_duplicates_step(counts, out))
    steps.append(
        _step(
            "write",
            write,
            hold_out=settings.hold_out,
            hold_out_by=settings.hold_out_by,
            without_hold_out_key=write["without_key"],
        )
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
        "rejects": {"count": read["rejects"], **rejects},
        "left_out": left_out + [note for note in notes if note["kind"] != "read"],
        "read_as": _ways_of_reading(notes),
        "nothing_left": None if write["in"] else _nothing_left(counts, dropped, rejects),
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


def _labelled(counts: Counter, prefix: str) -> dict[str, int]:
    """The counters whose labels begin so, by what follows."""
    return {k.removeprefix(prefix): n for k, n in counts.most_common() if k.startswith(prefix)}


def _by_register(clean: Counter) -> tuple[dict, Counter, Counter, Counter]:
    sizes = dict.fromkeys(("chars_in", "chars_out", "in", "out"), 0)
    registers = defaultdict(lambda: {"changed_by": {}, "lost_by": {}, "dropped_by": {}, **sizes})
    totals = {"changed": Counter(), "lost": Counter(), "dropped": Counter()}
    for label, value in sorted(clean.items()):
        register, *kind = label.split("|")
        if len(kind) == 1:
            registers[register][kind[0]] = value
        elif kind:
            registers[register][f"{kind[0]}_by"][kind[1]] = value
            totals[kind[0]][kind[1]] += value
    return dict(registers), totals["changed"], totals["lost"], totals["dropped"]


# --- Steps --------------------------------------------------------------------------------


def _step(name: str, counts: Counter, **more) -> dict:
    return {"name": name, "in": counts["in"], "out": counts["out"], **more}


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
    examples: defaultdict[str, list[dict]] = defaultdict(list)
    for example in read_joined(partial, f"examples-{block}", tasks):
        of_rule = examples[example.pop("rule")]
        if len(of_rule) < most:
            of_rule.append(example)
    return examples


def _mask_step(mask: Counter, partial: Path, tasks: int, settings: CleanSettings) -> dict:
    kinds = Counter(_labelled(mask, "masked|"))
    return _step(
        "mask",
        mask,
        changed=mask["changed"],
        urls=settings.urls,
        names=settings.names,
        masked=_with_examples(kinds, _examples(partial, "mask", tasks, settings.show)),
    )


def _decontamination_step(counts: Counter, partial: Path, output_dir: Path) -> dict:
    index = json.loads((partial / "evaluation" / "counts.json").read_text("utf-8"))
    first = _first(output_dir / "contaminated.jsonl")
    return _step("decontaminate", counts, evaluation_sets=index, first=first)


def _duplicates_step(counts: dict[str, Counter], output_dir: Path) -> dict:
    duplicates, match = counts["duplicates"], counts["match"]
    return _step(
        "duplicates",
        duplicates,
        exact=duplicates["exact"],
        near=duplicates["near"],
        pairs_proposed=match["proposed"],
        pairs_confirmed=match["confirmed"],
        first=_first(output_dir / "duplicates.jsonl"),
    )


def _first(path: Path) -> list[dict]:
    return list(islice(read_lines(path), _FIRST_OF_LIST))


def _summarise_rejects(path: Path) -> dict:
    """Reasons with their counts, the first rejects, and files: of each its first and how many."""
    reasons: Counter[str] = Counter()
    files: dict[str, dict] = {}
    for reject in read_lines(path):
        # What stands in brackets differs from line to line.
        reasons[reject["reason"].split(" (")[0]] += 1
        files.setdefault(reject["file"], {**reject, "count": 0})["count"] += 1
    return {
        "reasons": dict(reasons.most_common()),
        "first": _first(path),
        "files": list(files.values())[:_FIRST_OF_LIST],
        "file_count": len(files),
    }


def _ways_of_reading(notes: list[dict]) -> list[dict]:
    """Each way of taking a text for several documents or for one, its files, and the first."""
    ways: dict[str, dict] = {}
    for note in notes:
        if note["kind"] == "read":
            way = {"how": note["reason"], "files": 0, "first": note["name"]}
            ways.setdefault(note["reason"], way)["files"] += 1
    return list(ways.values())


def _nothing_left(counts: dict[str, Counter], dropped: Counter, rejects: dict) -> str:
    read, leaks = counts["read"], counts["decontaminate"]
    why = [f"{count:,} × {rule}" for rule, count in dropped.most_common(3)]
    if held := leaks["in"] - leaks["out"]:
        why.append(f"{held:,} × a piece of an evaluation set")
    why += [f"{count:,} × {reason}" for reason, count in list(rejects["reasons"].items())[:3]]
    said = f"No document is left of {read['in']:,}: {'; '.join(why)}."
    if rejects["first"]:
        said += f" The first is {_place(rejects['first'][0])}; rejects.jsonl lists all."
    return (
        f"{said} Each input needs text in UTF-8: plain text, JSON lines with a text field, or a "
        "format that `gemma-ko clean --formats` lists."
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
    for source in report["sources"]:
        size = sum(file["bytes"] for file in source["files"]) / 1e6
        said = f"{source['corpus']}, licence: {source['licence']}, {source['source']}"
        lines.append(f"source: {said}: {size:,.2f} MB")
    for encoding, decoded in steps["read"]["decoded_from"].items():
        lines.append(f"decoded from {encoding}: {decoded:,}")
    for way in report["read_as"]:
        files = f"{way['files']:,} files, the first " if way["files"] > 1 else ""
        lines.append(f"read as {way['how']}: {files}{way['first']}")
    for field, count in steps["read"]["unread_fields"].items():
        lines.append(f"not read: {count:,} records have text in {field!r}")
    for rule, changed in steps["clean"]["changed_by"].items():
        lost = f"{changed['characters_lost']:,} characters less"
        lines.append(f"changed by {rule}: {changed['count']:,}, {lost}")
        lines += _shown(changed["examples"][:show])
    for rule, dropped in steps["clean"]["dropped_by"].items():
        said = f"dropped by {rule}: {dropped['count']:,}"
        if dropped["examples"]:
            first = dropped["examples"][0]["before"][:40].replace("\n", " ")
            said += f", e.g. {first!r}"
        lines.append(said)
        lines += _shown(dropped["examples"][:show])
    if mask := steps.get("mask"):
        names = "found" if mask["names"] else "not looked for"
        lines.append(f"personal data: URLs {mask['urls']}, names of persons {names}")
        for kind, masked in mask["masked"].items():
            lines.append(f"masked {kind}: {masked['count']:,}")
            lines += _shown(masked["examples"][:show])
    if found := steps.get("decontaminate"):
        lines.append(f"held a piece of an evaluation set: {found['in'] - found['out']:,}")
        for file in found["evaluation_sets"]["planted"]:
            share = f"{file['found']:,} of {file['items']:,}"
            lines.append(f"  of {file['file']}, {share} items would be found word for word")
    if found := steps.get("duplicates"):
        lines.append(f"duplicates: {found['exact']:,} exact, {found['near']:,} near")
    left_out = [
        f"left out: {n['files']:,} of {n['name']}: {n['reason']}" for n in report["left_out"]
    ]
    lines += _named(left_out, len(left_out), "left out")
    for reason, count in report["rejects"]["reasons"].items():
        lines.append(f"rejected: {count:,} × {reason}")
    rejected = [
        f"  {_place(file)}: {file['reason']}"
        + (f"; and {file['count'] - 1:,} more in this file" if file["count"] > 1 else "")
        for file in report["rejects"]["files"]
    ]
    lines += _named(rejected, report["rejects"]["file_count"], "  files with rejects")
    return "\n".join(lines)


def _named(lines: list[str], count: int, what: str) -> list[str]:
    """Twenty lines, and the number of the others."""
    more = count - _FIRST_OF_LIST
    return lines[:_FIRST_OF_LIST] + ([f"{what}: {more:,} more"] if more > 0 else [])


def _place(reject: dict) -> str:
    return reject["file"] if reject["line"] is None else f"{reject['file']}:{reject['line']}"


def _shown(examples: list[dict]) -> list[str]:
    """Two lines for each example; `repr` keeps a text from steering the terminal."""
    lines = []
    for example in examples:
        lines += [f"  {example['id']!r}", f"  - {example['before']!r}"]
        if example["after"] is not None:
            lines.append(f"  + {example['after']!r}")
    return lines
