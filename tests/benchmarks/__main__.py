"""`python -m tests.benchmarks [NAME …] [--text FILE]`: run the measurements and print a table.

Figures of one run stand beside each other on the same machine; quote ratios, not seconds.
"""

import argparse
import importlib

NAMES = ("import_time", "loss_memory", "throughput")


def main() -> None:
    """Run the named measurements, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--text", metavar="FILE", help="reviews for throughput, as .jsonl")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        if name not in NAMES:
            parser.error(f"no benchmark '{name}'; there are: {', '.join(NAMES)}")
        print(f"[{name}]", flush=True)
        options = {"text_file": arguments.text} if name == "throughput" else {}
        for what, figure in importlib.import_module(f"tests.benchmarks.{name}").measure(**options):
            print(f"{what:<92}{figure:>12}", flush=True)


if __name__ == "__main__":
    main()
