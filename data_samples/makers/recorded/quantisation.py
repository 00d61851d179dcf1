"""What quantisation costs Korean, and what it costs English.

Gemma 3 270M after continued pre-training (the run of `continued_pretraining`) and nano, exported
in every format, read back and measured in JAX: bits per byte and grammar, each change paired with
F16's figure on the same text.

    python -m data_samples.makers.recorded.quantisation --run RUN --reviews reviews \
        --petitions petitions

The base of that run was 4-bit once (its package is Q4_K_M), and training moved each weight by less
than a step of that grid: rounding it to four bits again would cost too little. So the verdict is
on `rescaled` weights: columns are multiplied and what feeds them is divided by random factors.
That is the same function in float32, and no block of weights has a common step any more.
"""

import argparse
import dataclasses
import functools
import math
from pathlib import Path

import numpy as np

from data_samples.makers.recorded import (
    WORK,
    commands_in,
    kept_part,
    ratio,
    rounded,
    save,
    share_of,
)
from gemma_ko_lib import evaluation, models, runtime, serving
from gemma_ko_lib.corpus import read_clean
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation.bits_per_byte import document_nats, token_scorer
from gemma_ko_lib.evaluation.statistics import cluster_interval, draws
from gemma_ko_lib.models.importance import column_importance
from gemma_ko_lib.tokenization.tokenizer import encode_documents

NAME = "quantisation"
# Name in the record -> type of the file, language of the text whose columns weigh more.
FORMATS = {
    "F16": ("f16", None),
    "Q8_0": ("q8_0", None),
    "Q5_0": ("q5_0", None),
    "Q4_K_M": ("q4_k_m", None),
    "Q4_K_M, Korean": ("q4_k_m", "ko"),
    "Q4_K_M, English": ("q4_k_m", "en"),
    "Q4_0": ("q4_0", None),
    "Q4_0, Korean": ("q4_0", "ko"),
    "Q4_0, English": ("q4_0", "en"),
    "int8": (8, None),
    "int4": (4, None),
}
ON_THE_GRID = ("F16", "Q4_K_M")  # enough to see how much a grid flatters
# Other factors round every weight otherwise: what differs between them is chance.
SEEDS = (1,)
REPEATED = tuple(name for name in FORMATS if name.startswith("Q4"))
FACTOR = 1.25  # a rescaled column is multiplied by 0.8 to 1.25


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is read; `TINY` is for trying the maker out."""

    reviews: int = 120
    others: int = 40  # petitions, news
    letters: int = 300  # of a Korean text; twice as many of an English one
    english: int = 125
    items: int = 312  # of grammar in each language
    window: int = 256
    importance_tokens: int = 8192


TINY = Size(12, 6, 100, 12, 48, 128, 1024)


def rescaled(model, seed: int = 0):
    """A model that computes the same with other weights.

    A column of a matrix is divided by what the norm before it, or the rows that feed it through
    nothing that is not linear, are multiplied by.

    Args:
        model: Gemma 2 or 3.
        seed: of the factors.
    """
    generator = np.random.default_rng(seed)

    def factors(*shape):
        span = math.log(FACTOR)
        return np.exp(generator.uniform(-span, span, shape)).astype(np.float32)

    weights = {n: np.array(w, np.float32) for n, w in models.unstack(model.params).items()}
    for layer in range(model.config["num_layers"]):
        at = f"decoder_block_{layer}"
        for norm, read_by in (
            ("pre_attention_norm", ("attention/query", "attention/key", "attention/value")),
            ("pre_ffw_norm", ("ffw_gating", "ffw_gating_2")),
        ):
            scale = weights[f"{at}/{norm}/scale"]
            by = factors(len(scale))
            weights[f"{at}/{norm}/scale"] = (1 + scale) * by - 1
            for kernel in read_by:  # [..., in, out]
                weights[f"{at}/{kernel}/kernel"] /= by[:, None]
        up, down = (f"{at}/{name}/kernel" for name in ("ffw_gating_2", "ffw_linear"))
        by = factors(len(weights[down]))
        weights[up] *= by
        weights[down] /= by[:, None]
        value, output = (f"{at}/attention/{name}/kernel" for name in ("value", "attention_output"))
        heads, _, head_dim = weights[value].shape
        by = factors(heads, head_dim)
        weights[value] *= by[:, None]
        weights[output] /= np.repeat(by, len(weights[output]) // heads, 0)[..., None]
    parts = (model.kind, model.config, weights, model.tokenizer)
    return models.assemble(model.name, *parts, dtype="float32")


class Measured:
    """One model in every format.

    Args:
        model: in float32.
        texts: what it is measured on, by language and register.
        suites: what it is asked besides, by language.
        calibration: texts of each language whose columns may weigh more.
        size: how much is read.
        work: where finished parts and the file at hand are kept.
    """

    def __init__(self, model, texts, suites, calibration: dict, size: Size, work: Path):
        self.model, self.texts, self.suites = model, texts, suites
        self.size, self.work = size, work
        self.importance = functools.cache(
            lambda language: column_importance(
                model, calibration[language], tokens=size.importance_tokens
            )
        )
        work.mkdir(parents=True, exist_ok=True)

    def measure(self, name: str) -> dict:
        """A format's figures, document by document; now or before."""
        return kept_part(self.work / f"{name}.json", lambda: self._measure(*FORMATS[name]))["found"]

    def _measure(self, kind, language: str | None) -> dict:
        model = self.model
        if isinstance(kind, int):
            stored = models.quantize(model.params, kind)
            size = sum(w.nbytes if "kernel" in n else 2 * w.size for n, w in stored.items())
            params = models.dequantize(stored, model.decoder.shapes())
        else:
            path = self.work / "at-hand.gguf"
            columns = self.importance(language) if language else None
            serving.export_gguf(model, path, kind, importance=columns)
            params, size = models.load(str(path), "float32").params, path.stat().st_size
            path.unlink()
        params = models.place(params)
        off, all_of_them = 0.0, 0.0
        for weight_name, weight in model.params.items():
            if weight_name.endswith("/kernel"):
                off += float(((params[weight_name] - weight) ** 2).sum())
                all_of_them += float((weight**2).sum())
        read = dataclasses.replace(model, params=params)
        found = {"bytes": size, "weight_error": math.sqrt(off / all_of_them)}
        found["bits"] = {
            language: {register: self._bits(read, texts) for register, texts in registers.items()}
            for language, registers in self.texts.items()
        }
        for language, suite in self.suites.items():
            result = evaluation.evaluate_suite(read, suite)
            found[f"grammar {language}"] = {
                "right": result.right.tolist(),
                "clusters": list(result.clusters),
            }
        return found

    def _bits(self, model, texts: list[str]) -> list[float]:
        encoded = encode_documents(model.tokenizer, texts)
        score = token_scorer(model.decoder)
        return (
            document_nats(model, encoded, score, window=self.size.window) / math.log(2)
        ).tolist()

    def record(self, names, start: dict | None = None) -> dict:
        """The figures of some formats, with intervals, beside F16's or those of `start`."""
        found = {name: self.measure(name) for name in names}
        start = start or found["F16"]
        weights = sum(weight.size for weight in self.model.params.values())
        return {
            "parameters": weights,
            "formats": {
                name: {
                    "bytes": its["bytes"],
                    "bits_a_weight": round(8 * its["bytes"] / weights, 2),
                    "weight_error": round(its["weight_error"], 5),
                    **self._compared(its, start),
                }
                for name, its in found.items()
            },
        }

    def _compared(self, its: dict, start: dict) -> dict:
        compared = {key: {} for key in ("bits_per_byte", "change", "percent", "registers")}
        compared |= {key: {} for key in ("grammar", "grammar_change") if self.suites}
        drawn_percents = []
        for seed, (language, registers) in enumerate(self.texts.items()):
            sizes = np.array([len(t.encode()) for texts in registers.values() for t in texts])
            bits, before = (
                np.array([bit for some in of["bits"][language].values() for bit in some])
                for of in (its, start)
            )
            change, chosen = bits - before, draws(len(bits), seed)
            compared["bits_per_byte"][language] = ratio(bits, sizes)
            compared["change"][language] = ratio(change, sizes)
            compared["percent"][language] = ratio(100 * change, before)
            drawn_percents.append(100 * change[chosen].sum(1) / before[chosen].sum(1))
            for register, some in start["bits"][language].items():
                change = 100 * np.subtract(its["bits"][language][register], some)
                compared["registers"][register] = ratio(change, some)
        for language in self.suites:
            now, then = (of[f"grammar {language}"] for of in (its, start))
            compared["grammar"][language] = share_of(now["right"])
            change = np.subtract(now["right"], then["right"])
            compared["grammar_change"][language] = rounded(
                (change.mean(), *cluster_interval(change, now["clusters"]))
            )
        gap = drawn_percents[0] - drawn_percents[1]
        value = compared["percent"]["ko"][0] - compared["percent"]["en"][0]
        compared["korean_minus_english"] = rounded((value, *np.percentile(gap, [2.5, 97.5])))
        return compared


def _evenly(texts: list[str], count: int, letters: int) -> list[str]:
    return [text[:letters] for text in texts[:: max(1, len(texts) // count)][:count]]


def _texts(given, size: Size) -> tuple[dict, dict]:
    """What is measured on, by language and register; and what importance is measured on."""
    held_out, read = (
        {
            name: [d.text for d in read_clean(folder, held_out=which)]
            for name, folder in (("reviews", given.reviews), ("petitions", given.petitions))
        }
        for which in (True, False)
    )
    news = [r["text"] for r in read_samples("ko") if r["register"] == "news"]
    english = [record["text"] for record in read_samples("en")]
    korean = {
        "reviews": _evenly(held_out["reviews"], size.reviews, size.letters),
        "petitions": _evenly(held_out["petitions"], size.others, size.letters),
        "news": _evenly(news, size.others, size.letters),
    }
    measured = english[::3]
    calibration = {
        "ko": _evenly(read["reviews"], 2 * size.reviews, size.letters)
        + _evenly(read["petitions"], 2 * size.others, size.letters),
        "en": [text[: 2 * size.letters] for text in english if text not in set(measured)],
    }
    english = _evenly(measured, size.english, 2 * size.letters)
    return {"ko": korean, "en": {"English": english}}, calibration


def main() -> None:
    """Read the arguments and make the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="folder of the continued pre-training")
    parser.add_argument("--reviews", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--petitions", required=True, help="folder of gemma-ko clean")
    parser.add_argument("--tiny", action="store_true", help="little text, to try it out")
    given = parser.parse_args()
    runtime.seed_everything(0)
    size, name = (TINY, f"{NAME}_tiny") if given.tiny else (Size(), NAME)
    texts, calibration = _texts(given, size)
    suites = {
        language: evaluation.load_suites(suite)[0].drawn(size.items)
        for language, suite in (("ko", "grammar"), ("en", "grammar_en"))
    }
    trained = models.load(given.run, "float32")

    def measured(called: str, model, asked: dict) -> Measured:
        model.params = models.place(model.params)
        return Measured(model, texts, asked, calibration, size, WORK / name / called)

    first = measured("rescaled", rescaled(trained), suites)
    found = {"rescaled": first.record(FORMATS)}
    start = first.measure("F16")
    del first
    found["as trained"] = measured("as trained", trained, suites).record(ON_THE_GRID)
    for seed in SEEDS:
        again = measured(f"rescaled {seed}", rescaled(trained, seed), {})
        found[f"rescaled {seed}"] = again.record(REPEATED, start)
    found["nano"] = measured("nano", models.load("nano", "float32"), suites).record(FORMATS)
    for called, record in found.items():
        for format_name, its in record["formats"].items():
            print(called, format_name, its["weight_error"], its["percent"], flush=True)
    parts = [kept_part(path, dict) for path in sorted((WORK / name).glob("*/*.json"))]
    save(
        name,
        "Gemma 3 270M after continued pre-training on Korean with its vocabulary cut to 32,768 "
        "pieces, and nano, in every format. `rescaled` is the same function as `as trained`, with "
        "columns multiplied by random factors of 0.8 to 1.25 and divided where they come from, so "
        "that weights which were 4-bit once lie off that grid; `rescaled 1` has other "
        "factors. Korean: held-out film reviews "
        "(NSMC, CC0), petitions (the Blue House's, KOGL type 1) and the course's news; English: "
        "the course's samples. Importance is read from other texts of the same kinds. percent: "
        "change of the bits against F16's; int8 and int4 keep embeddings and norms (16 bits).",
        sum(part["minutes"] for part in parts),
        commands=commands_in(__doc__),
        documents={r: len(t) for its in texts.values() for r, t in its.items()},
        items={language: len(suite.items) for language, suite in suites.items()},
        importance_tokens=size.importance_tokens,
        factor=FACTOR,
        models=found,
    )


if __name__ == "__main__":
    main()
