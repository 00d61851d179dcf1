"""Personal data: what is found of a labelled set, what is taken for it, and at what speed.

The set is data_samples/pii.jsonl. An identifier is found if a span of its kind covers all its
letters and digits, and no more than two characters beside it. A hard negative is a text
without personal data that looks as if it had some: dates, scores, order numbers.

Peers are measured where they can be imported (`pip install korean-pii ko-pii-guard
rust-pii-transformer koredact presidio-analyzer`), each on the kinds that it knows.
"""

import itertools
import json
import runpy
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.pii import find_pii
from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import samples_dir

_EXTRA = 2
_MOST_DOCUMENTS = 2000
_MOST_SECONDS = 20
KINDS = tuple(itertools.islice(PLACEHOLDERS, 14))

Find = Callable[[str], Iterable[tuple[str, int, int]]]


# --- Peers: each gives a function from a text to (kind, start, end), in our words ------------


def _renamed(kinds: dict[str, str], found: Iterable[tuple[str, int, int]]):
    return [(kinds[kind], start, end) for kind, start, end in found if kind in kinds]


def _korean_pii() -> Find:
    import korean_pii

    kinds = {"driver_license": "driver_licence"}
    kinds |= {kind: kind for kind in ("rrn", "phone", "account", "card", "passport", "email")}
    return lambda text: _renamed(kinds, ((d.type, d.start, d.end) for d in korean_pii.detect(text)))


_PRESIDIO = {
    "KR_RRN": "rrn",
    "KR_FRN": "frn",
    "KR_BRN": "brn",
    "KR_DRIVER_LICENSE": "driver_licence",
    "KR_PASSPORT": "passport",
    "KR_ACCOUNT": "account",
    "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card",
    "IP_ADDRESS": "ip",
}


def _ko_pii_guard() -> Find:
    from ko_pii_guard import KoreanPIIGuard

    guard = KoreanPIIGuard()
    return lambda text: _renamed(
        _PRESIDIO, ((f.entity, f.start, f.end) for f in guard.analyze(text))
    )


def _rust_pii_transformer() -> Find:
    import rust_pii_transformer

    kinds = {
        "resident": "rrn",
        "foreigner_registration": "frn",
        "business_registration": "brn",
        "credit_card": "card",
        "bank_account": "account",
        "driver_license": "driver_licence",
        **{kind: kind for kind in ("phone", "email", "passport")},
    }

    def find(text: str):
        for finding in rust_pii_transformer.detect(text).findings:
            if finding.entity in kinds:
                yield kinds[finding.entity], finding.source.char_start, finding.source.char_end

    return find


def _koredact() -> Find:
    import koredact

    kinds = {kind.upper(): kind for kind in KINDS} | {"DRIVER_LICENSE": "driver_licence"}
    masker = koredact.Masker.from_pretrained()
    return lambda text: _renamed(kinds, ((s.type, s.start, s.end) for s in masker.predict(text)))


def _datatrove() -> Find:
    from datatrove.pipeline.formatters import PIIFormatter

    # By default it leaves networks for documentation, which the set is written with.
    formatter = PIIFormatter(only_remove_public_ips=False)
    replacers = (("email", formatter.emails_replacer), ("ip", formatter.ip_replacer))

    def find(text: str):
        for kind, replacer in replacers:
            for match in replacer.regex.finditer(text):
                if replacer.validator is None or replacer.validator(match[0]):
                    yield kind, *match.span()

    return find


def _dps(checkout: str | None) -> Find:
    if checkout is None:
        raise LookupError("no checkout is named")
    # By path: its package imports Spark.
    utils = Path(checkout, "dps", "spark", "utils")
    korean = runpy.run_path(str(utils / "korean_utils.py"))
    common = runpy.run_path(str(utils / "lang_agnostic_utils.py"))
    patterns = (
        ("card", korean["CARD_PATTERN"]),
        ("rrn", korean["RRN_PATTERN"]),
        ("phone", korean["PHONE_NUMBER_PATTERN"]),
        ("account", korean["ACCOUNT_PATTERN"]),
        ("email", common["EMAIL_PATTERN"]),
        ("url", common["URL_PATTERN"]),
    )

    def find(text: str):
        for kind, pattern in patterns:
            for match in pattern.finditer(text):
                yield kind, *match.span()

    return find


# name -> how to get it, the kinds it knows
_PEERS = {
    "korean-pii": (_korean_pii, "rrn phone account card passport driver_licence email"),
    "ko-pii-guard (Presidio)": (
        _ko_pii_guard,
        "rrn frn phone account card brn passport driver_licence email",
    ),
    "rust-pii-transformer": (
        _rust_pii_transformer,
        "rrn frn phone account card brn passport driver_licence email",
    ),
    "koredact": (
        _koredact,
        "rrn frn phone account card brn passport driver_licence email url address",
    ),
    "datatrove": (_datatrove, "email ip"),
    "dps": (_dps, "rrn phone account card email url"),
}


# --- Figures --------------------------------------------------------------------------------


def is_found(text: str, gold: tuple[str, int, int], span: tuple[str, int, int]) -> bool:
    """Whether a span is the gold one: all its letters and digits, and hardly more."""
    kind, start, end = gold
    if span[0] != kind or span[1] >= end or span[2] <= start:
        return False
    uncovered = text[start : max(span[1], start)] + text[min(span[2], end) : end]
    extra = max(start - span[1], 0) + max(span[2] - end, 0)
    return extra <= _EXTRA and not any(map(str.isalnum, uncovered))


def compare(records: list[dict], find: Find) -> tuple[dict[str, list[int]], int, int]:
    """For each kind [found, there, reported where nothing is]; hard negatives hit; how many."""
    counts = defaultdict(lambda: [0, 0, 0])
    alarms = negatives = 0
    for record in records:
        text, found = record["text"], list(find(record["text"]))
        gold = [(span["kind"], span["start"], span["end"]) for span in record["spans"]]
        for span in gold:
            counts[span[0]][0] += any(is_found(text, span, other) for other in found)
            counts[span[0]][1] += 1
        for other in found:
            counts[other[0]][2] += all(other[2] <= a or b <= other[1] for _, a, b in gold)
        negatives += not gold
        alarms += bool(found) and not gold
    return counts, alarms, negatives


def _speed(find: Find, texts: list[str]) -> float:
    """MB of UTF-8 per second of processor time, on as many texts as some seconds allow."""
    for text in texts[:20]:
        list(find(text))
    start, size = time.process_time(), 0
    for text in texts:
        list(find(text))
        size += len(text.encode())
        if time.process_time() - start > _MOST_SECONDS:
            break
    return size / 1e6 / (time.process_time() - start)


def _rows(name: str, find: Find, kinds: Iterable[str], records, texts) -> list[tuple[str, str]]:
    counts, alarms, negatives = compare(records, find)
    found = sum(counts[kind][0] for kind in kinds)
    there = sum(counts[kind][1] for kind in kinds)
    everything = sum(counts[kind][1] for kind in KINDS)
    rows = [
        (f"{name}: found of all identifiers", f"{found / everything:.2%}"),
        ("  of the kinds that it knows", f"{found / there:.2%}"),
        (f"  hard negatives with a hit, of {negatives}", f"{alarms / negatives:.2%}"),
    ]
    for kind in kinds:
        hits, all_, wrong = counts[kind]
        rows.append(
            (f"    {kind}: found of {all_} / reported where nothing is", f"{hits} / {wrong}")
        )
    return [*rows, ("  speed, one core", f"{_speed(find, texts):.2f} MB/s")]


def measure(text_files: list[str] | None = None, dps: str | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); `text_files` are what the speed is measured on.

    Args:
        text_files: instead of the course's samples.
        dps: a checkout of EleutherAI/dps.
    """
    lines = (samples_dir() / "pii.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    if text_files:
        documents = itertools.islice(read_documents(text_files), _MOST_DOCUMENTS)
        texts = [document.text for document in documents]
    else:
        texts = [record["text"] for record in read_samples("ko")]
    rows = _rows("ours (goals ≥ 99%, ≤ 1%, ≥ 10 MB/s)", find_pii, KINDS, records, texts)
    for name, (load, kinds) in _PEERS.items():
        try:
            find = load(dps) if load is _dps else load()
        except Exception as error:  # whatever a peer lacks: a package, its model's weights
            rows.append((f"{name}: could not be loaded ({type(error).__name__})", "-"))
            continue
        rows += _rows(name, find, kinds.split(), records, texts)
    return rows
