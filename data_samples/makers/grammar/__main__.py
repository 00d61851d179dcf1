"""Remake the minimal pairs of Korean and English grammar.

    python -m data_samples.makers.grammar -o data_samples

A line of grammar.jsonl and grammar_en.jsonl is {"id", "phenomenon", "frame", "good", "bad",
"note"}. Same seed, same bytes. The tokenizers of Gemma 1 and 3 are needed (`load_tokenizer`).
"""

import argparse
import dataclasses
import json
from pathlib import Path

from data_samples.makers.grammar.pairs import MinimalPair, english_pairs, korean_pairs
from gemma_ko_lib.runtime import whole_file
from gemma_ko_lib.tokenization import load_tokenizer


def write_pairs(pairs: list[MinimalPair], path: Path) -> None:
    """Write pairs as JSON lines."""
    with whole_file(path) as file:
        for pair in pairs:
            file.write(json.dumps(dataclasses.asdict(pair), ensure_ascii=False) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Write both files anew."""
    parser = argparse.ArgumentParser(description="Write the minimal pairs of Korean and English.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write into")
    output = parser.parse_args(arguments).output
    output.mkdir(parents=True, exist_ok=True)
    tokenizers = [load_tokenizer(name) for name in ("nano", "gemma1", "gemma3")]
    for name, make in (("grammar.jsonl", korean_pairs), ("grammar_en.jsonl", english_pairs)):
        pairs = make(tokenizers)
        write_pairs(pairs, output / name)
        print(f"{output / name}: {len(pairs)} pairs")


if __name__ == "__main__":
    main()
