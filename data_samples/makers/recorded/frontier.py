"""Gemma 3 270M with its whole vocabulary, a cut one and an exchanged one, as each is served.

    python -m data_samples.makers.recorded.frontier \
        --korean petitions_2017-08.jsonl petitions_2019-06.jsonl nsmc_raw.jsonl \
        --english debian_handbook_en.jsonl gimp_help_en.jsonl

The variants are written as GGUF files and measured as `gemma-ko compare` does it; their speed a
second time in the opposite order, so that a machine that changes meanwhile shows. Nothing else
should run. Nothing is trained: what training makes of an exchanged vocabulary is in the record
vocabulary_exchange.
"""

import argparse
import dataclasses
from pathlib import Path

from data_samples.makers.recorded import WORK, commands_in, evenly, kept_part, save
from data_samples.makers.recorded.quantisation import rescaled
from gemma_ko_lib import models, serving, tokenization
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.serving import compare

NAME = "frontier"
# Vocabulary -> number formats of its files.
FORMATS = {
    "whole": ("f16", "q8_0"),
    "cut": ("q8_0", "q4_k_m", "q4_0"),
    "exchanged": ("q8_0",),
}
THREADS = 1  # of the server; the clients and all else have the other core


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is read and measured; `TINY` is for trying the maker out."""

    model: str = "gemma3_270m"
    cut: int = 32_768
    kept: int = 24_576  # of the exchanged one, and as many added as make it as large as the cut
    read_bytes: int = 4_000_000  # of each language
    documents: int = 12
    answer_tokens: int = 32


TINY = Size("nano", 2560, 2048, 60_000, 4, 8)


def make_models(given, size: Size, work: Path) -> dict:
    """Write the files of all variants; what was read, and how large the models are."""
    base = models.load(size.model, dtype="float32")
    korean, english = (
        evenly([document.text for document in read_documents(files)], size.read_bytes)
        for files in (given.korean, given.english)
    )
    counts = tokenization.count_pieces(base.tokenizer, korean + english)
    ranked = tokenization.rank_pieces(base.tokenizer, counts)
    smaller = tokenization.cut_vocabulary(base.tokenizer, ranked, size.kept)
    learnt = tokenization.learn_pieces(korean, smaller, size.cut - size.kept)
    tokenizers = {
        "cut": tokenization.cut_vocabulary(base.tokenizer, ranked, size.cut),
        "exchanged": tokenization.expand_vocabulary(smaller, learnt),
    }
    changed = {"whole": base} | {
        name: models.change_vocabulary(base, tokenizer) for name, tokenizer in tokenizers.items()
    }
    for name, model in changed.items():
        write_files(name, model, work)
    return {
        "read_bytes": {
            language: sum(len(text.encode()) for text in texts)
            for language, texts in (("ko", korean), ("en", english))
        },
        "added": len(learnt),
        "pieces": {name: len(model.tokenizer.vocabulary) for name, model in changed.items()},
        "parameters": {
            name: sum(weight.size for weight in model.params.values())
            for name, model in changed.items()
        },
    }


def write_files(name: str, model, work: Path) -> None:
    """The GGUF files of a model, its weights off the grid of the 4-bit file that they come from."""
    model = rescaled(model)
    for kind in FORMATS[name]:
        serving.export_gguf(model, work / f"{name}-{kind}.gguf", kind)


def measured(files: list[Path], size: Size, quality: bool) -> list[dict]:
    """What `gemma-ko compare` measures of each file."""
    found = compare.measure(
        [str(file) for file in files],
        threads=THREADS,
        documents=size.documents,
        tokens=size.answer_tokens,
        quality=quality,
    )
    return [dataclasses.asdict(variant) for variant in found]


def main() -> None:
    """Make the files, measure them, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--korean", nargs="+", required=True, help="files to count and learn from")
    parser.add_argument("--english", nargs="+", required=True, help="files to count pieces in")
    parser.add_argument("--beside", default="nothing", help="what else ran, for the record")
    parser.add_argument("--tiny", action="store_true", help="nano and little text, to try it out")
    given = parser.parse_args()
    size, name = (TINY, f"{NAME}_tiny") if given.tiny else (Size(), NAME)
    work = WORK / name
    work.mkdir(parents=True, exist_ok=True)
    files = [work / f"{model}-{kind}.gguf" for model, kinds in FORMATS.items() for kind in kinds]
    parts = {
        "models": lambda: make_models(given, size, work),
        "speed": lambda: measured(files[::-1], size, quality=False),
        "compare": lambda: measured(files, size, quality=True),
    }
    made = {part: kept_part(work / f"{part}.json", make) for part, make in parts.items()}
    found = {part: its["found"] for part, its in made.items()}
    save(
        name,
        "Gemma 3 270M (base) with its whole vocabulary, cut to "
        f"{size.cut:,} pieces, and exchanged ({size.kept:,} kept, {found['models']['added']:,} "
        "Korean ones added, mean start), its weights rescaled off the grid of the 4-bit file that "
        "they come from (see the record quantisation). Nothing was trained. Served with one "
        f"thread and 8 slots; bits per byte on {size.documents} of the course's texts of each "
        "language. `again`: the speeds once more, the files in the opposite order.",
        sum(its["minutes"] for its in made.values()),
        commands=commands_in(__doc__),
        vocabularies=found["models"],
        documents=size.documents,
        beside=given.beside,
        variants=found["compare"],
        again=found["speed"][::-1],
    )
    for now, before in zip(found["compare"], found["speed"][::-1], strict=True):
        speeds = [
            f"{its['tokens_per_second'] * its['letters_per_token']:.1f}" for its in (now, before)
        ]
        print(now["name"], *speeds, "letters a second,", now["bits_per_byte"]["ko"], flush=True)


if __name__ == "__main__":
    main()
