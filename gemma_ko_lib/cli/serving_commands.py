"""`gemma-ko serve`, `chat` and `compare`."""

import json
import os

from gemma_ko_lib.cli.options import command, whole


def add(commands) -> None:
    """Register the commands of this module."""
    _add_serve(commands)


def _add_serve(commands) -> None:
    parser = command(
        commands, "serve", _serve, "Serve models behind an OpenAI-compatible endpoint."
    )
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
    parser.add_argument("--threads", type=whole(1), help="cores (those that are free now)")
    parser.add_argument("--ui", action="store_true", help="with llama.cpp's page")
    parser.add_argument("--json", action="store_true", help="say where it listens as JSON")


def _serve(arguments) -> None:
    import asyncio

    from gemma_ko_lib.serving import engine, server

    key = os.environ.get("GEMMA_KO_API_KEY", "")
    server.check_exposure(arguments.host, key, arguments.ui)
    files = {
        name: engine.find_gguf(model) for name, model in engine.named(arguments.models).items()
    }
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

    asyncio.run(
        server.serve(
            engines,
            sockets,
            queue=arguments.queue,
            key=key,
            loopback=server.is_loopback(arguments.host),
            ui=arguments.ui,
            ready=ready,
        )
    )
