"""`python -m tests.benchmarks [NAME …] [--text FILE …]`: measure and print a table.

`gpu` and `float16` are not among those that run by default: they take ten minutes of a GPU, and
half an hour and the real weights.
Figures of one run stand beside each other on the same machine; quote ratios, not seconds.
"""

import argparse
import importlib
import inspect

NAMES = (
    "import_time",
    "loss_memory",
    "throughput",
    "packing",
    "cleaning",
    "pii",
    "names",
    "duplicates",
    "pipeline",
    "adversarial",
    "decoding",
    "recurrence",
    "distillation_memory",
    "lomo_memory",
    "scan_compile",
    "lora_step",
    "update",
    "vocabulary",
    "cut",
    "windows",
    "choices",
    "serving",
)


def main() -> None:
    """Run the named measurements, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--text", nargs="+", metavar="FILE", help="texts to measure on, instead of the samples"
    )
    parser.add_argument("--dps", metavar="DIR", help="a checkout of EleutherAI/dps, for cleaning")
    parser.add_argument("--tunix", metavar="PYTHON", help="one with google-tunix, for lora_step")
    parser.add_argument(
        "--torch", metavar="PYTHON", help="one with torch, transformers and peft, for update"
    )
    parser.add_argument("--trimbed", metavar="PYTHON", help="one with trimbed, for cut")
    parser.add_argument("--model", help="what serving serves (gemma3_270m)")
    parser.add_argument("--minutes", help="how long serving is put under load (2)")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        if name not in (*NAMES, "gpu", "float16"):
            parser.error(f"no benchmark '{name}'; there are: {', '.join(NAMES)}")
        print(f"[{name}]", flush=True)
        measure = importlib.import_module(f"tests.benchmarks.{name}").measure
        # A benchmark takes the options that its function names.
        options = {"text_files": arguments.text, "dps": arguments.dps}
        options |= {"tunix": arguments.tunix, "torch": arguments.torch}
        options |= {"trimbed": arguments.trimbed}
        options |= {"model": arguments.model, "minutes": arguments.minutes}
        taken = {key: options[key] for key in inspect.signature(measure).parameters}
        for what, figure in measure(**taken):
            print(f"{what:<92}{figure:>12}", flush=True)


if __name__ == "__main__":
    main()
