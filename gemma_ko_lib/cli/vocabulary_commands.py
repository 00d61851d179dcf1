"""`gemma-ko vocabulary`: cut a model's vocabulary to some texts, expand it, or both."""

import collections
import dataclasses
from pathlib import Path

from gemma_ko_lib.cli.options import command, count, evenly, print_json, share, stdout_to_stderr
from gemma_ko_lib.runtime import UserError

# Sizes to measure: what is gained and lost shows from half to four times the usual choice.
_SIZES = (8192, 16_384, 24_576, 32_768, 49_152, 65_536)
_ROUND = 256  # embeddings of such multiples are dealt out to any number of devices that people have
_HELD_OUT = 10  # one document in so many is measured on, and not counted
_DOCUMENTS, _LETTERS = 12, 400  # measured of each group


def add(commands) -> None:
    """Register the command."""
    parser = command(commands, _vocabulary)
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="model folder")
    parser.add_argument(
        "--keep-from",
        nargs="+",
        metavar="DOCS",
        help="keep the pieces that these documents use most: files, or folders of gemma-ko clean",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--pieces",
        type=count,
        metavar="N",
        help="how many to keep, e.g. 32k (as few as make no text more than 2%% longer)",
    )
    size.add_argument(
        "--coverage", type=share, metavar="SHARE", help="of the tokens, e.g. 0.9999, instead"
    )
    parser.add_argument("--add", type=count, metavar="N", help="learn so many new Korean pieces")
    parser.add_argument("--learn-from", nargs="+", metavar="DOCS", help="documents to learn from")
    parser.add_argument(
        "--measure",
        nargs="+",
        metavar="DOCS",
        help="further texts to show the cost on, of other languages too",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _vocabulary(arguments) -> None:
    """Cut a model's vocabulary to the pieces that texts use, add Korean pieces, or both."""
    from gemma_ko_lib import models, runtime, tokenization

    if bool(arguments.add) != bool(arguments.learn_from):
        raise UserError("--add and --learn-from belong together: how many pieces, and from what.")
    if not arguments.keep_from and not arguments.add:
        raise UserError("Give --keep-from to cut the vocabulary, --add to expand it, or both.")
    if (arguments.pieces or arguments.coverage is not None) and not arguments.keep_from:
        raise UserError("--pieces and --coverage are of --keep-from, which is missing.")
    with stdout_to_stderr():
        model = models.load(arguments.model)
    tokenizer, found = model.tokenizer, {"model": arguments.model}
    groups, rest, held_out = _held_out(arguments.keep_from or arguments.learn_from)
    own = list(groups)
    groups |= _in_groups(tokenization.read_sources(arguments.measure or []))
    if arguments.keep_from:
        counts = tokenization.count_pieces(tokenizer, rest)
        ranked = tokenization.rank_pieces(tokenizer, counts)
        size = arguments.pieces
        if arguments.coverage is not None:
            size = _covering(counts, ranked, arguments.coverage)
        curve, proposed = _measured(model, groups, own, ranked, size)
        size = size or proposed
        tokenizer = tokenization.cut_vocabulary(tokenizer, ranked, size)
        found |= {"curve": list(map(dataclasses.asdict, curve)), "proposed": proposed}
    if arguments.add:
        texts = _without(held_out, arguments.learn_from)
        learnt = tokenization.learn_pieces(texts, tokenizer, arguments.add)
        tokenizer = tokenization.expand_vocabulary(tokenizer, learnt)
        found["added"] = len(learnt)
    changed = models.change_vocabulary(model, tokenizer)
    changed.save(arguments.output)
    found |= {
        name: {
            "pieces": len(by.tokenizer.vocabulary),
            "parameters": sum(weight.size for weight in by.params.values()),
            "tokens": {
                group: sum(map(len, by.tokenizer.encode(texts))) for group, texts in groups.items()
            },
        }
        for name, by in (("before", model), ("after", changed))
    }
    runtime.write_json(Path(arguments.output) / "vocabulary.json", found)
    if arguments.json:
        return print_json(found)
    _print(found, arguments.output)


def _held_out(inputs) -> tuple[dict[str, list[str]], list[str], set[str]]:
    """Every tenth document, to measure on; the texts of the others, to count; those held out."""
    from gemma_ko_lib.tokenization import read_sources

    documents = list(read_sources(inputs))
    rest = [d.text for i, d in enumerate(documents) if i % _HELD_OUT]
    if not rest:
        raise UserError(
            f"{', '.join(inputs)}: at least two documents are needed, one to count on and one to "
            "measure on."
        )
    held_out = documents[::_HELD_OUT]
    return _in_groups(held_out), rest, {document.text for document in held_out}


def _without(held_out: set[str], inputs) -> list[str]:
    """Texts to learn pieces from: none that they are measured on."""
    from gemma_ko_lib.tokenization import read_sources

    return [document.text for document in read_sources(inputs) if document.text not in held_out]


def _in_groups(documents) -> dict[str, list[str]]:
    """Some beginnings of documents by language and register, or by file."""
    groups = collections.defaultdict(list)
    for document in documents:
        about = document.metadata
        names = [about[key] for key in ("language", "register") if about.get(key)]
        group = "/".join(names) or Path(about["source_file"]).name.partition(".")[0]
        groups[group].append(document.text[:_LETTERS])
    return {group: evenly(texts, _DOCUMENTS) for group, texts in groups.items()}


def _covering(counts, ranked, coverage: float) -> int:
    """How many pieces cover a share of the tokens, as a round number."""
    import numpy as np

    covered = np.cumsum(counts[ranked]) / counts.sum()
    size = int(np.searchsorted(covered, coverage)) + 1
    return min(-(-size // _ROUND) * _ROUND, len(ranked))


def _measured(model, groups, own, ranked, size: int | None):
    """The curve over several sizes, and the size that it proposes."""
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.tokenization.cutting import fixed_pieces

    least = fixed_pieces(model.tokenizer)
    sizes = {s for s in _SIZES if least <= s < len(ranked)} | ({size} if size else set())
    sizes |= {len(ranked) // 2} if not sizes else set()
    with stdout_to_stderr():
        curve = evaluation.cut_curve(model, groups, ranked, sorted(sizes), progress=True)
    return curve, min(evaluation.knee(curve, own).pieces, len(ranked))


def _print(found: dict, output: str) -> None:
    if curve := found.get("curve"):
        whole = curve[-1]["tokens"]
        _table("tokens", curve, lambda at, group: f"{at['tokens'][group] / whole[group]:.1%}")
        _table("bits per byte", curve, lambda at, group: f"{at['bits_per_byte'][group]:.4f}")
        print(f"As few as make no text more than 2% longer: {found['proposed']:,} pieces.")
    before, after = found["before"], found["after"]
    tokens = ", ".join(f"{g} {after['tokens'][g] / n:.1%}" for g, n in before["tokens"].items())
    print(
        f"{before['pieces']:,} → {after['pieces']:,} pieces"
        + (f", {found['added']:,} of them new" if "added" in found else "")
        + f"; {before['parameters'] / 1e6:,.1f} → {after['parameters'] / 1e6:,.1f} million "
        f"parameters.\nTokens of held-out texts, against before: {tokens}\n"
        f"The model is in {output}. Train it: gemma-ko pretrain --model {output} --data DATA -o RUN"
    )


def _table(title: str, curve: list[dict], figure) -> None:
    """Print a row for each group of texts and a column for each number of pieces."""
    print(f"{title:<24}" + "".join(f"{point['pieces']:>10,}" for point in curve))
    for group in curve[-1]["tokens"]:
        print(f"{group[-23:]:<24}" + "".join(f"{figure(point, group):>10}" for point in curve))
