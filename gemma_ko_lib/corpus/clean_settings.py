"""What decides the documents of a run of the corpus pipeline."""

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gemma_ko_lib.corpus.cleaning.language import known_languages
from gemma_ko_lib.corpus.pii import PiiSpan, find_pii
from gemma_ko_lib.corpus.sources.reading import Reading
from gemma_ko_lib.corpus.sources.records import DOCUMENTS_BY, Fields
from gemma_ko_lib.runtime import UserError

_VALUES = {
    "pii": ("placeholder", "surrogate", "keep"),
    "duplicates": ("near", "exact", "keep"),
    "urls": ("personal", "all", "keep"),
    "documents_by": DOCUMENTS_BY,
    "compression": ("gzip", "zstd"),
}
# Of the files that `runtime.numbered_records` reads, as folders of evaluation sets have them.
EVALUATION_SUFFIXES = (".jsonl", ".json", ".tsv", ".csv", ".parquet")
_TRAINING = re.compile("(?<![A-Za-z])(?:train|TRAIN)|Train")  # no "constraints"


@dataclasses.dataclass(frozen=True)
class CleanSettings:
    """What decides the documents of a run; where and how fast it runs does not.

    Attributes:
        languages: documents in these are kept, of "ko", "en", "zh" and "ja".
        quality: also apply FineWeb-2's measures, with words by a morphological analyser.
        pii: personal data becomes a "placeholder" or a "surrogate", or is left ("keep"). In what
            tells documents apart, their ids and `hold_out_by`, it becomes a surrogate either way.
        duplicates: take out "near" (and exact) or "exact" ones, or none ("keep").
        decontaminate: evaluation sets no piece of which may be in the documents: files, and
            folders of which every file with a suffix of `EVALUATION_SUFFIXES` is a set but for
            those with a word that begins with "train" in their names or folders.
        hold_out: share of documents to write to held_out/, 0 up to but not including 1.
        hold_out_by: metadata field whose equal values stay on one side, e.g. "movie_id".
        seed: of the surrogates.
        urls: which links are personal data: "personal" (those to a person's page), "all" or,
            with "keep", none.
        names: names of persons and dates of birth are personal data too; see `pii.find_pii`.
        show: how many examples of each rule the report holds.
        keep_dropped: write what is dropped to dropped/, with the rule's name.
        documents_by: how the documents of a text file are parted, see `sources.texts`.
        text_field: name of the text in tables and JSON, where nobody can know it.
        title_field: name of a title to stand above it.
        id_field: name of what a document is called by.
        compression: of the documents, "gzip" or "zstd".
    """

    languages: str | Sequence[str] = ("ko",)
    quality: bool = False
    pii: str = "placeholder"
    duplicates: str = "near"
    decontaminate: str | Path | Sequence[str | Path] = ()
    hold_out: float = 0.0
    hold_out_by: str | None = None
    seed: int = 0
    urls: str = "personal"
    names: bool = False
    show: int = 3
    keep_dropped: bool = False
    documents_by: str = "auto"
    text_field: str | None = None
    title_field: str | None = None
    id_field: str | None = None
    compression: str = "gzip"

    def __post_init__(self):
        for name, known in _VALUES.items():
            if getattr(self, name) not in known:
                raise UserError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)}.")
        if not 0 <= self.hold_out < 1:
            raise UserError(
                f"hold_out is a share from 0 up to, not including, 1; {self.hold_out} is not."
            )
        if (self.title_field or self.id_field) and not self.text_field:
            raise UserError("title_field and id_field need text_field: the field of the text.")
        if self.hold_out_by and not self.hold_out:
            raise UserError(f"hold_out_by {self.hold_out_by} needs hold_out, the share.")
        known_languages(self.languages)
        if self.show < 0:
            raise UserError(f"show is a number of examples, 0 or more; {self.show} is not.")
        if self.quality or self.names:
            from gemma_ko_lib.corpus.cleaning.quality import require_kiwi

            require_kiwi()
        evaluation_files(self.decontaminate)

    def find_pii(self, text: str) -> list[PiiSpan]:
        """What is personal data in a text."""
        return find_pii(text, self.urls, self.names)

    def reading(self) -> Reading:
        """What readers are told."""
        return Reading(self.documents_by, Fields(self.text_field, self.title_field, self.id_field))


def evaluation_files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files of evaluation sets.

    Args:
        paths: files, and folders as for `CleanSettings.decontaminate`.

    Raises:
        UserError: one is not there, or a folder has none.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    files: dict[Path, None] = {}
    for path in (Path(os.path.expanduser(path)) for path in paths):
        found = [path] if path.is_file() else sorted(_evaluation_sets(path))
        if not path.exists():
            raise UserError(f"There is no evaluation set {path}. Check the path.")
        if not found:
            raise UserError(
                f"There is no evaluation set in {path}; give files, or a folder of files "
                f"{' '.join(EVALUATION_SUFFIXES)}, of which those for training are left out."
            )
        files |= dict.fromkeys(found)
    return list(files)


def _evaluation_sets(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        is_for_training = _TRAINING.search(str(path.relative_to(folder)))
        if path.suffix in EVALUATION_SUFFIXES and not is_for_training and path.is_file():
            yield path
