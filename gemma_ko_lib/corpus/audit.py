"""What a run shows of its work: examples of what each rule did, and what was dropped.

Each task writes both into files of its own, so that they do not depend on where it ran.
Personal data is masked in the examples, and in what was dropped if the run masks it.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from typing import TextIO

import orjson
from datatrove.data import Document

from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.pii import PiiSpan, mask_spans
from gemma_ko_lib.corpus.result_folder import DROPPED, OUT, write_line
from gemma_ko_lib.corpus.spool import open_packed

_CHARACTERS = 120
_BEFORE = 30
_MOST_UNFIT = 50

# What readers say of a document; all other strings come from its record.
_OF_READERS = frozenset(
    "source_file corpus register licence language date decoded_from url source".split()
)


def masked_metadata(
    metadata: dict,
    mask: Callable[[str], str],
    keys: Container[str] = (),
    mask_key: Callable[[str], str] | None = None,
) -> dict:
    """Metadata without the personal data in it: a title that stands in the text is masked there.

    A field's name is a cue for its value as a word before it is in a text ("계좌번호"), and may be
    personal itself.

    Args:
        metadata: of a document.
        mask: what takes personal data out of a text.
        keys: names of the fields that tell documents apart, for which `mask` will not do.
        mask_key: what takes personal data out of those.
    """
    masked = {}
    for name, value in metadata.items():
        if type(value) is str and name not in _OF_READERS:
            value = mask_key(value) if name in keys else _masked_beside(name, value, mask)
        masked[mask(name)] = value
    return masked


def _masked_beside(name: str, value: str, mask: Callable[[str], str]) -> str:
    cue = f"{name}: "
    masked = mask(cue + value)
    return masked[len(cue) :] if masked.startswith(cue) else mask(value)


class Examples:
    """Some examples of each rule of a task's block.

    Args:
        file: for their lines.
        settings: of the run: how many examples a rule has, and what is personal data.
    """

    def __init__(self, file: TextIO, settings: CleanSettings):
        self._counts: Counter[str] = Counter()
        self._unfit: Counter[str] = Counter()
        self._file, self._settings = file, settings

    def wants(self, rule: str) -> bool:
        """Whether there are still fewer than wanted, and some to be hoped for."""
        return self._counts[rule] < self._settings.show and self._unfit[rule] < _MOST_UNFIT

    def add(self, rule: str, document: Document, before: str, after: str | None = None) -> None:
        """Keep what a rule did to a document; `after` is None where it dropped it."""
        if not self.wants(rule):
            return
        spans = self._settings.find_pii(before)
        if after is None:
            before = masked_piece(before, 0, 2 * _CHARACTERS, spans)
        else:
            uncovered = self._settings.find_pii(after)
            if len(uncovered) > len(spans):
                # A number that tags or invisible signs cut stands in `before` unmasked.
                self._unfit[rule] += 1
                return
            shorter = min(len(before), len(after))
            differ = next((i for i in range(shorter) if before[i] != after[i]), shorter)
            start = max(differ - _BEFORE, 0)
            end = start + _CHARACTERS
            before = masked_piece(before, start, end, spans)
            after = masked_piece(after, start, end, uncovered)
        self._counts[rule] += 1
        write_line(self._file, {"rule": rule, "id": document.id, "before": before, "after": after})


def masked_piece(text: str, start: int, end: int, spans: Iterable[PiiSpan]) -> str:
    """A piece of a text with its personal data masked; identifiers at its ends belong to it.

    Args:
        text: all of it.
        start: of the piece.
        end: of the piece.
        spans: what was found in the whole text: a number that an end cuts is no number any more.
    """
    spans = [span for span in spans if span.start < end and start < span.end]
    if spans:
        start, end = min(start, spans[0].start), max(end, spans[-1].end)
    inside = (PiiSpan(s.kind, s.start - start, s.end - start) for s in spans)
    return mask_spans(text[start:end], inside)


@contextlib.contextmanager
def dropped_to(
    block: CountingStep, rank: int, mask: Callable[[str], str] | None = None
) -> Iterator[Callable[[Document, str], None]]:
    """What a task's block drops, in dropped/BLOCK-NNNNN.jsonl.gz, if the settings ask for it.

    Args:
        block: whose name, working folder and settings count.
        rank: of the task.
        mask: what takes personal data out of texts that are not masked yet.

    Yields:
        A function of a document, as it was before the rule saw it, and the rule.
    """
    if not block.settings.keep_dropped:
        yield lambda document, rule: None
        return
    folder = block.working_dir / OUT / DROPPED
    with open_packed(folder / f"{block.name}-{rank:05d}.jsonl.gz") as file:

        def drop(document: Document, rule: str) -> None:
            text, metadata = document.text, document.metadata
            if mask:
                text, metadata = mask(text), masked_metadata(metadata, mask)
            record = {"id": document.id, "dropped_by": rule, "text": text}
            record |= {key: value for key, value in metadata.items() if key not in record}
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

        yield drop
