"""`gemma-ko export`."""

from gemma_ko_lib.cli.options import command, print_json, stdout_to_stderr


def add(commands) -> None:
    """Register the command."""
    parser = command(commands, _export)
    parser.add_argument("source", metavar="RUN", help="run folder, or a model's name")
    parser.add_argument("-o", "--output", required=True, help="folder to write to")
    parser.add_argument(
        "--format",
        default="hf",
        help="hf (transformers, vLLM), gguf (llama.cpp, Ollama), keras, peft (the adapter alone)",
    )
    parser.add_argument(
        "--type",
        help="of a GGUF: f32, f16, bf16, q8_0 (the default), q6_k, q5_k_m, q5_0, q4_k_m, q4_0",
    )
    parser.add_argument(
        "--importance",
        nargs="+",
        default=(),
        metavar="TEXT",
        help="files of text like what the model is for: a GGUF of 4 to 6 bits rounds with least "
        "error there",
    )
    parser.add_argument("--json", action="store_true", help="say what was written as JSON")


def _export(arguments) -> None:
    """Write a finished run for other programs."""
    from gemma_ko_lib.serving.leaving import export

    with stdout_to_stderr():
        given = arguments.format, arguments.type, arguments.importance
        path = export(arguments.source, arguments.output, *given)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    if arguments.json:
        print_json({"path": str(path), "format": arguments.format, "bytes": size})
    else:
        print(f"{path}: {size / 1e6:,.1f} MB")
