"""`python -m tests.benchmarks [NAME …]`: run the measurements and print a table.

Figures of one run stand beside each other on the same machine; quote ratios, not seconds.
"""

import importlib
import sys

NAMES = ("import_time", "loss_memory", "throughput")


def main(names: list[str]) -> None:
    """Run the named measurements, or all."""
    for name in names or NAMES:
        if name not in NAMES:
            sys.exit(f"No benchmark '{name}'. There are: {', '.join(NAMES)}.")
        print(f"[{name}]", flush=True)
        for what, figure in importlib.import_module(f"tests.benchmarks.{name}").measure():
            print(f"{what:<92}{figure:>12}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
