"""`gemma-ko tokens` and `gemma-ko pack`."""

import dataclasses

from gemma_ko_lib.cli.options import SEED, command, count, positive, print_json, whole


def add(commands) -> None:
    """Register the commands of this module."""
    _add_tokens(commands)
    _add_pack(commands)


# --- tokens ---


def _add_tokens(commands) -> None:
    parser = command(commands, _tokens)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="texts, in any form that clean takes"
    )
    parser.add_argument(
        "--tokenizer",
        action="append",
        metavar="SPEC",
        help="nano, gemma1, gemma2, gemma3, or a tokenizer.model, tokenizer.json or .gguf file "
        "(may be repeated; nano by default)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _tokens(arguments) -> None:
    """Show what tokenizers make of Korean files."""
    from gemma_ko_lib.corpus import read_documents
    from gemma_ko_lib.corpus.samples import read_parallel
    from gemma_ko_lib.tokenization import gap_report, load_tokenizer

    texts = [document.text for document in read_documents(arguments.files)]
    tokenizers = [load_tokenizer(spec) for spec in arguments.tokenizer or ["nano"]]
    pairs = [(item["ko"], item["en"]) for item in read_parallel()]
    rows = gap_report(texts, tokenizers, parallel=pairs)
    if arguments.json:
        return print_json(
            {"documents": len(texts), "tokenizers": list(map(dataclasses.asdict, rows))}
        )
    print(
        f"{len(texts):,} documents\n"
        f"{'tokenizer':<24}{'pieces':>9}{'tokens':>12}{'/eojeol':>9}{'/char':>8}{'bytes/token':>13}"
        f"{'fragments':>11}{'Hangul pieces':>15}{'syllables':>11}{'ko/en':>8}"
    )
    for row in rows:
        print(
            f"{row.tokenizer[-23:]:<24}{row.vocabulary_size:>9,}{row.tokens:>12,}"
            f"{row.tokens_per_eojeol:>9.2f}{row.tokens_per_character:>8.3f}{row.bytes_per_token:>13.2f}"
            f"{row.byte_fragment_fraction:>11.1%}{row.hangul_pieces:>15,}{row.single_syllables:>11,}"
            f"{row.price_against_english:>8.2f}"
        )
    print("ko/en: tokens for Korean over tokens for the same content in English (200 samples)")


# --- pack ---


def _add_pack(commands) -> None:
    parser = command(commands, _pack)
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="folders of gemma-ko clean, or files"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the shards"
    )
    parser.add_argument(
        "--tokenizer", required=True, metavar="SPEC", help="the model's, as for gemma-ko tokens"
    )
    parser.add_argument(
        "--length", type=whole(2), required=True, metavar="N", help="tokens in a row"
    )
    parser.add_argument(
        "--weight",
        nargs="+",
        default=[],
        metavar="KEY=W",
        help="share of the tokens by language, register or both: ko=0.7 en=0.3, or ko/news=2 "
        "rest=1; what no KEY names is left out",
    )
    parser.add_argument(
        "--temperature",
        type=positive,
        default=1.0,
        metavar="T",
        help="without weights: shares in proportion to size^(1/T); 1 as they are (the default), "
        "5 much more even",
    )
    parser.add_argument(
        "--by",
        default="language/register",
        metavar="FIELD",
        help="groups of the temperature: language, register or language/register (the default)",
    )
    parser.add_argument(
        "--tokens", type=count, metavar="N", help="how many to write (as many as there are)"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="of order and choice")
    parser.add_argument(
        "--workers",
        type=whole(1),
        default=1,
        help="processes that tokenize; the shards are the same",
    )
    parser.add_argument("--json", action="store_true", help="the manifest on stdout")


def _pack(arguments) -> None:
    """Mix documents and pack them into token shards for training."""
    from gemma_ko_lib import tokenization
    from gemma_ko_lib.corpus import sources_of

    mixture = tokenization.Mixture(
        weights=tokenization.parse_weights(arguments.weight),
        temperature=arguments.temperature,
        by=arguments.by,
        tokens=arguments.tokens,
    )
    manifest = tokenization.pack_mixture(
        tokenization.read_sources(arguments.sources),
        tokenization.load_tokenizer(arguments.tokenizer),
        arguments.output,
        arguments.length,
        mixture,
        arguments.seed,
        progress=True,
        workers=arguments.workers,
        sources=sources_of(arguments.sources),
    )
    if arguments.json:
        return print_json(manifest)
    print(tokenization.format_mixture(manifest))
    print(f"Train on them: gemma-ko pretrain --model MODEL --data {arguments.output} -o RUN")
