"""Write everything about the notebooks that a program writes, each file from what it follows from.

    python -m data_samples.makers.notebooks [--store RUN] [--times METRICS.json …] [--begin NN …]

In this order: outputs of a run into the notebooks; the modules of `gemma_ko_lib.from_scratch`; the
notebooks' heads, the README's map and the teacher's guide; the Korean edition; the learner's copies
of both. A test fails when a file is not as this would write it.
"""

import argparse
from pathlib import Path

from data_samples.makers.notebooks import from_scratch, heads, korean_edition
from data_samples.makers.notebooks.learner_edition import learner_files
from data_samples.makers.notebooks.stored_outputs import store_outputs
from gemma_ko_lib.course.notebook_files import notebooks_dir
from gemma_ko_lib.runtime import write_whole


def write_changed(files: dict[Path, str]) -> None:
    """Write the files whose text is another, and name them."""
    for path, text in files.items():
        if not path.exists() or path.read_text("utf-8") != text:
            write_whole(path, text)
            print(path.relative_to(heads.ROOT))


def main(arguments: list[str] | None = None) -> None:
    """Write every file anew, and list Korean cells that wait for a translator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--store", metavar="RUN", help="take the outputs of a run of `gemma-ko course -o RUN`"
    )
    parser.add_argument(
        "--times",
        nargs="+",
        default=[],
        type=Path,
        metavar="METRICS.json",
        help="record the minutes and memory of runs of `gemma-ko course`, on any machine",
    )
    parser.add_argument(
        "--begin", nargs="+", metavar="NN", help="begin these notebooks in the Korean edition"
    )
    given = parser.parse_args(arguments)
    if given.store:
        store_outputs(given.store, notebooks_dir())
    for metrics in given.times:
        heads.take_times(metrics)
    write_changed(from_scratch.module_files())
    write_changed(heads.written_files())
    korean = korean_edition.edition_files(given.begin)
    waiting = korean_edition.waiting_cells(korean)
    write_changed(korean)
    write_changed(learner_files())
    write_changed(learner_files(notebooks_dir() / korean_edition.FOLDER))
    print("\n".join(waiting) or "The Korean edition renders the English one as it stands.")


if __name__ == "__main__":
    main()
