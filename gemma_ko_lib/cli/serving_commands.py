"""`gemma-ko serve`, `chat` and `compare`."""

import json
import os

from gemma_ko_lib.cli.options import command, duration, print_json, size, stdout_to_stderr, whole
from gemma_ko_lib.runtime import UserError


def add(commands) -> None:
    """Register the commands of this module."""
    _add_serve(commands)
    _add_chat(commands)
    _add_compare(commands)


def _add_serve(commands) -> None:
    parser = command(commands, _serve)
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="GGUF file, run folder, or a model's name"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="another address needs GEMMA_KO_API_KEY"
    )
    parser.add_argument("--port", type=whole(0, 65535), default=8000, help="a free one if taken")
    parser.add_argument("--slots", type=whole(1, 64), default=4, help="requests answered at once")
    parser.add_argument(
        "--context", type=whole(64), default=2048, help="tokens of each request, answer included"
    )
    parser.add_argument("--queue", type=whole(0, 1000), default=32, help="requests that may wait")
    _add_threads(parser)
    parser.add_argument("--ui", action="store_true", help="with llama.cpp's page")
    parser.add_argument("--json", action="store_true", help="say where it listens as JSON")


def _add_threads(parser) -> None:
    parser.add_argument("--threads", type=whole(1), help="cores (those that are free now)")


def _serve(arguments) -> None:
    """Serve models behind an OpenAI-compatible endpoint."""
    import asyncio

    from gemma_ko_lib.serving import engine

    engine.llama_cpp("Serving needs")  # before the rest of the extra is imported
    from gemma_ko_lib.serving import server

    key = os.environ.get("GEMMA_KO_API_KEY", "").strip()  # as a client's header is read
    server.check_exposure(arguments.host, key, arguments.ui)
    files = engine.named(arguments.models)
    sockets, port = server.bind(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    url = f"http://{host}:{port}/v1"
    threads = arguments.threads or engine.free_cores()
    engines = {
        name: engine.load(
            name,
            path,
            slots=arguments.slots,
            context=arguments.context,
            threads=threads,
            queue=arguments.queue,
            ui=arguments.ui,
        )
        for name, path in files.items()
    }

    def ready() -> None:
        if arguments.json:
            print(json.dumps({"url": url, "models": list(engines), "threads": threads}), flush=True)
            return
        if port != arguments.port and arguments.port:
            print(f"Port {arguments.port} is taken; this is another one.")
        for each in engines.values():
            how = "chat and completions" if each.chat else "completions (not trained to chat)"
            print(f"{each.name}: {how}, {each.path}")
        print(
            f"{url}: {arguments.slots} requests at a time of up to {arguments.context:,} tokens, "
            f"{threads} threads; Ctrl-C ends the answers that have begun, then stops",
            flush=True,
        )

    loopback = server.is_loopback(arguments.host)
    state = server.State(engines, arguments.queue, key, loopback, arguments.ui)
    asyncio.run(server.serve(state, sockets, ready))


def _add_chat(commands) -> None:
    parser = command(commands, _chat)
    parser.add_argument("model", metavar="MODEL", help="GGUF file, run folder, or a model's name")
    parser.add_argument(
        "--context", type=whole(64), default=4096, help="tokens of the whole conversation"
    )
    parser.add_argument(
        "--ask",
        nargs="+",
        metavar="TEXT",
        help="ask these, each by itself, show the likeliest answers, and stop",
    )
    parser.add_argument(
        "--answer-tokens", type=whole(1), default=256, help="of an answer to --ask (256)"
    )
    parser.add_argument("--json", action="store_true", help="the answers as one JSON object")
    _add_threads(parser)


def _chat(arguments) -> None:
    """Talk with a model in the terminal."""
    import contextlib
    import io
    import signal
    import sys

    from gemma_ko_lib.serving import chat, engine

    if arguments.json and not arguments.ask:
        raise UserError("--json is of the answers to --ask: give questions there, too.")
    ((name, path),) = engine.named([arguments.model]).items()
    loaded = engine.load(
        name,
        path,
        slots=1,
        context=arguments.context,
        threads=arguments.threads or engine.free_cores(),
        queue=0,
    )
    if arguments.ask:
        answers = chat.ask(loaded, arguments.ask, arguments.answer_tokens)
        talks = [
            {"question": text, "answer": said}
            for text, said in zip(arguments.ask, answers, strict=True)
        ]
        if arguments.json:
            return print_json({"model": loaded.name, "chat": loaded.chat, "talks": talks})
        if not loaded.chat:
            print(chat.NOT_A_CHAT.format(name=loaded.name), file=sys.stderr)
        return print("\n\n".join(f"> {t['question']}\n{t['answer']}" for t in talks))
    # llama.cpp takes Ctrl-C for the end of all.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # `say` refuses what is not UTF-8
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # history and arrow keys, where Python has it
    chat.talk(loaded, input, lambda text: print(text, end="", flush=True))


def _add_compare(commands) -> None:
    parser = command(commands, _compare)
    parser.add_argument(
        "models", nargs="+", metavar="VARIANT", help="GGUF file, run folder, or a model's name"
    )
    parser.add_argument("--memory", type=size, help="what the server may take, e.g. 600MB")
    parser.add_argument("--latency", type=duration, help="until the first token, e.g. 2s")
    parser.add_argument(
        "--documents", type=whole(2), default=24, help="of each language, for bits per byte"
    )
    parser.add_argument(
        "--suite", nargs="+", default=[], metavar="NAME", help="questions too: korean, grammar_en"
    )
    parser.add_argument("--items", type=whole(4), help="of each suite, drawn once (all)")
    parser.add_argument("-o", "--output", metavar="DIR", help="figures as JSON, and their chart")
    _add_threads(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _compare(arguments) -> None:
    """Measure what can be served, and choose one of it."""
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.serving import compare, engine

    suites = [suite for name in arguments.suite for suite in evaluation.load_suites(name)]
    with stdout_to_stderr():
        variants = compare.measure(
            arguments.models,
            threads=arguments.threads or engine.free_cores(),
            documents=arguments.documents,
            suites=[suite.drawn(arguments.items) for suite in suites],
        )
    found = {"variants": [variant.as_dict() for variant in variants]}
    refused = None
    try:
        choice = compare.choose(variants, arguments.memory, arguments.latency)
        found |= {"chosen": choice.name, "reasons": choice.reasons}
    except UserError as error:  # what took minutes to measure is shown all the same
        refused = error
        found |= {"chosen": None, "reasons": [str(error)]}
    if arguments.json:
        print_json(found)
    else:
        _print_comparison(compare.table(variants), found)
    if arguments.output:  # it may not be possible, and what was measured is shown by now
        _write_comparison(arguments.output, found, variants)
    if refused:
        raise refused


def _print_comparison(rows: list[list[str]], found: dict) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    if found["chosen"]:
        print(*found["reasons"], f"Chosen: {found['chosen']}", sep="\n")


def _write_comparison(folder: str, found: dict, variants) -> None:
    from pathlib import Path

    from matplotlib.figure import Figure

    from gemma_ko_lib import plotting
    from gemma_ko_lib.runtime import write_json, write_whole

    folder = Path(folder)
    write_json(folder / "comparison.json", found)
    plotting.use_korean_font()
    figure = Figure(layout="constrained")
    plotting.frontier(
        {v.name: (v.letters_per_cpu_second, v.bits_per_byte["ko"][0]) for v in variants},
        "Korean letters (글자) a CPU-second, eight users",
        "Korean bits per byte",
        chosen=found["chosen"],
        ax=figure.subplots(),
    )
    write_whole(folder / "frontier.png", plotting.picture(figure))
