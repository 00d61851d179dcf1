"""Gemma 3 270M with its vocabulary cut to several sizes: tokens and bits per byte, by text.

Pieces are counted on Korean and English files and measured on others. What is given up is measured
too: Chinese, Japanese, Hanja in Korean sentences, Python. Nothing is trained.

    python -m data_samples.makers.recorded.vocabulary_cut \
        --keep-from nsmc_raw.jsonl news_comments.jsonl petitions_2017-08.jsonl \
        libreoffice_help_ko.jsonl gimp_help_ko.jsonl debian_install_guide_ko.jsonl \
        debian_handbook_en.jsonl libreoffice_help_en.jsonl gimp_help_en.jsonl \
        --measure "ko petitions=petitions_2019-06.jsonl" "ko reviews=other_film_reviews.jsonl" \
        "ko news (Kaist)=kaist.jsonl" "ko comments=entertainment_comments.jsonl" \
        "ko manual=debian_faq_ko.jsonl" "ko with Hanja=korean_with_hanja.jsonl" \
        "en manual=debian_install_guide_en.jsonl" "en school=english_school.jsonl" \
        "zh manual=libreoffice_help_zh_cn.jsonl" "ja manual=libreoffice_help_ja.jsonl" \
        "Python=python_code.jsonl"
"""

import argparse
import dataclasses
import time

from data_samples.makers.recorded import commands_in, save
from gemma_ko_lib import evaluation, models, tokenization
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import read_samples

NAME = "vocabulary_cut"
SIZES = (16_384, 24_576, 32_768, 49_152)
TINY_SIZES = (1536, 2560)
LETTERS, BYTES, WINDOW = 400, 5000, 256  # of a document; of a group


def beginnings(path: str, size: int) -> list[str]:
    """Beginnings of documents, evenly over a file, of some bytes in all."""
    texts = [document.text[:LETTERS] for document in read_documents([path])]
    count = max(2, round(size / (sum(len(t.encode()) for t in texts) / len(texts))))
    return texts[:: max(1, len(texts) // count)][:count]


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep-from", nargs="+", required=True, help="files to count pieces in")
    parser.add_argument("--measure", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("--tiny", action="store_true", help="nano and little text, to try it out")
    given = parser.parse_args()
    began = time.monotonic()
    model = models.load("nano" if given.tiny else "gemma3_270m", dtype="float32")
    counted = [document.text for document in read_documents(given.keep_from)]
    counted += [record["text"] for record in read_samples("en", "train")]
    size = BYTES // 10 if given.tiny else BYTES
    groups = {
        name: beginnings(path, size) for name, path in (one.split("=", 1) for one in given.measure)
    }
    groups["en samples"] = [r["text"][:LETTERS] for r in read_samples("en", "held_out")][:12]
    counts = tokenization.count_pieces(model.tokenizer, counted)
    ranked = tokenization.rank_pieces(model.tokenizer, counts)
    curve = evaluation.cut_curve(
        model, groups, ranked, TINY_SIZES if given.tiny else SIZES, WINDOW, progress=True
    )
    rest = sum(weight.size for weight in model.params.values())
    rows, width = model.params["token_embedding/embeddings"].shape
    save(
        f"{NAME}_tiny" if given.tiny else NAME,
        "Gemma 3 270M (the 4-bit Q4_K_M weights, dequantised) with its vocabulary cut to the most "
        "frequent pieces of Korean reviews, comments, petitions and manuals, and of English "
        "manuals and the course's English samples. Measured on other texts than those.",
        (time.monotonic() - began) / 60,
        commands=commands_in(__doc__),
        counted_bytes=sum(len(text.encode()) for text in counted),
        measured={
            name: {"documents": len(texts), "bytes": sum(len(t.encode()) for t in texts)}
            for name, texts in groups.items()
        },
        curve=[
            {
                **dataclasses.asdict(point),
                "parameters": rest - (rows - point.pieces) * width,
                "bytes": 4 * (rest - (rows - point.pieces) * width),
            }
            for point in curve
        ],
    )


if __name__ == "__main__":
    main()
