"""Names of persons: how many are found in a corpus with labels, and what is taken for one.

Takes files of KLUE's named entities as JSON lines ("text" and "char_tags", a BIO tag for each
character; `PS` is a person), and others, in which it counts what is reported.
"""

import json
import re
import time
from collections import Counter
from pathlib import Path

from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.pii import PiiSpan, find_pii

_MOST_BYTES = 500_000
_FULL_NAME = re.compile("[가-힣]{3}")


def _persons(tags: list[str]) -> list[tuple[int, int]]:
    starts = [i for i, tag in enumerate(tags) if tag == "B-PS"]
    ends = (
        next((j for j in range(i + 1, len(tags)) if tags[j] != "I-PS"), len(tags)) for i in starts
    )
    return list(zip(starts, ends, strict=True))


def _kind(name: str) -> str:
    if _FULL_NAME.fullmatch(name):
        return "three syllables"
    if len(name) == 1:
        return "one letter (a surname, or A)"
    return "two syllables" if re.fullmatch("[가-힣]{2}", name) else "others, most of them foreign"


def _names(text: str) -> list[PiiSpan]:
    return [span for span in find_pii(text, names=True) if span.kind == "name"]


def _labelled(records: list[dict]) -> list[tuple[str, str]]:
    there, found, right, reported = Counter(), Counter(), Counter(), Counter()
    for record in records:
        text, spans = record["text"], _names(record["text"])
        persons = _persons(record["char_tags"])
        for span in spans:
            kind = _kind(text[span.start : span.end])
            reported[kind] += 1
            right[kind] += any(s < span.end and span.start < end for s, end in persons)
        for start, end in persons:
            kind = _kind(text[start:end])
            there[kind] += 1
            found[kind] += any(s.start <= start and end <= s.end for s in spans)
    rows = [
        ("persons found", f"{found.total():,} of {there.total():,}"),
        ("reported, and persons", f"{right.total():,} of {reported.total():,}"),
    ]
    for kind, n in there.most_common():
        rows.append((f"  {kind}: found", f"{found[kind]:,} of {n:,}"))
        rows.append((f"  {kind}: reported, and persons", f"{right[kind]:,} of {reported[kind]:,}"))
    return rows


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure) for each file."""
    rows = []
    for file in text_files or ():
        name = Path(file).name
        with open(file, encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        if "char_tags" in records[0]:
            rows += [(f"{name}: {what}", figure) for what, figure in _labelled(records)]
            continue
        size, count, seconds = 0, 0, -time.process_time()
        for document in read_documents([file]):
            size += len(document.text.encode())
            count += len(_names(document.text))
            if size > _MOST_BYTES:
                break
        seconds += time.process_time()
        rows.append((f"{name}: names reported in a MB", f"{count / size * 1e6:,.0f}"))
        rows.append((f"{name}: MB/s", f"{size / 1e6 / seconds:.2f}"))
    return rows or [("names (give KLUE's file with --text)", "not run")]
