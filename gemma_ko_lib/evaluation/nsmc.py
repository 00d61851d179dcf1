"""Reads NSMC, Naver's film reviews (github.com/e9t/nsmc), as a suite: praise or blame?

lm-evaluation-harness has no task for it; the prompt is that of its sentiment task, kobest_sentineg.
"""

from pathlib import Path

from gemma_ko_lib.evaluation.items import Item, Suite, label_of, read_suite, text_of
from gemma_ko_lib.runtime import UserError, json_object

_COLUMNS = ("id", "document", "label")
# NSMC's own rule: 1 to 4 of 10 stars are negative, 9 and 10 positive, the others left out.
_NEGATIVE, _POSITIVE = 4, 9
_SENTIMENTS = ("부정", "긍정")


def read_nsmc(data: str | Path | None, examples: bool = False) -> Suite:
    """Read reviews with their labels, grouped by them; `mean_of_groups` is the balanced accuracy.

    Args:
        data: NSMC's folder (its ratings_test.txt is taken) or a file: tab-separated as NSMC's, or
            JSON lines with "text" or "document", and "label" (0, 1) or "rating" (1 to 10 stars).
        examples: also read ratings_train.txt, where the folder has it.

    Raises:
        UserError: no file is given, or it holds nothing readable.
    """
    if data is None:
        raise UserError("NSMC is read from a local file: give ratings_test.txt with --data.")
    path = Path(data).expanduser()
    training = path / "ratings_train.txt"
    path = path / "ratings_test.txt" if path.is_dir() else path
    parse = json_object if "json" in path.suffix.lower() else _columns
    suite = read_suite("nsmc", path, _item, labels=True, parse=parse)
    if not examples or not training.is_file():
        return suite
    split = read_suite("nsmc", training, _item, parse=_columns)
    return suite.with_examples(split, training.name)


def _columns(line: str) -> dict:
    fields = line.split("\t")
    if len(fields) != len(_COLUMNS):
        raise ValueError(f"{len(fields)} columns, not the three of {', '.join(_COLUMNS)}, by tabs")
    return dict(zip(_COLUMNS, fields, strict=True))


def _item(record: dict) -> Item | None:
    if record.get("label") == "label":  # the head of the columns
        return None
    if "rating" in record and "label" not in record:
        if record["rating"] not in range(1, 11):
            raise ValueError(f"rating is {record['rating']!r}, not a number of stars from 1 to 10")
        if _NEGATIVE < record["rating"] < _POSITIVE:
            return None
        record["label"] = int(record["rating"] >= _POSITIVE)
    text = text_of(record, "document" if "document" in record else "text")
    label = label_of(record, "label", 2)
    choices = tuple(f" {word}" for word in _SENTIMENTS)
    return Item(str(record["id"]), f"문장: {text} 긍부정:", choices, label, _SENTIMENTS[label])
