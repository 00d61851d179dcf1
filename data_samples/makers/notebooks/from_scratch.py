"""Makes the modules of `gemma_ko_lib.from_scratch` from the notebook cells that teach them.

The cells that are tagged `export:NAME` become `gemma_ko_lib/from_scratch/NAME.py`: a markdown cell
is the module's docstring, and the code cells follow in course order. A test fails when a notebook
and its module no longer agree.
"""

import ast
from pathlib import Path

import nbformat

from gemma_ko_lib.course.notebook_files import find_notebooks
from gemma_ko_lib.runtime import UserError

FROM_SCRATCH = Path(__file__).parents[3] / "gemma_ko_lib" / "from_scratch"
_TAG = "export:"
# Importing a module must not run an experiment or draw a picture.
_ALLOWED = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def exported_sources(folder: Path | None = None) -> dict[str, str]:
    """Collect the source of every from-scratch module from the notebooks.

    Args:
        folder: where the notebooks are; the course's own when None.

    Returns:
        Module name, "__init__" among them, to Python source.

    Raises:
        UserError: a module without a docstring cell or with two, or an exported cell that does
            more than import, define and name constants.
    """
    docstrings, code, written_in = {}, {}, {}
    for path in find_notebooks(folder=folder):
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells, start=1):
            for tag in cell.metadata.get("tags", []):
                if not tag.startswith(_TAG):
                    continue
                module = tag.removeprefix(_TAG)
                where = f"{path.name}, cell {number} (tagged {tag})"
                if not module.isidentifier():
                    raise UserError(
                        f"{where}: '{module}' is not a module name; tag it export:name."
                    )
                if cell.cell_type == "markdown":
                    if module in docstrings:
                        raise UserError(f"{where}: a second docstring cell; untag one of them.")
                    docstrings[module] = cell.source.strip()
                    written_in[module] = path.name
                else:
                    _check(cell.source, where)
                    code.setdefault(module, []).append(cell.source.strip())
    if missing := code.keys() - docstrings.keys():
        raise UserError(
            f"No markdown cell is tagged {_TAG}{min(missing)}; tag the one that says what the "
            "module is, it becomes the docstring."
        )
    sources = {
        module: _module(docstrings[module], written_in[module], cells)
        for module, cells in code.items()
    }
    return {"__init__": _package(docstrings, written_in), **sources}


def _check(source: str, where: str) -> None:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise UserError(f"{where}: line {error.lineno} is not plain Python; {error.msg}.") from None
    for statement in statements:
        if not isinstance(statement, _ALLOWED):
            raise UserError(
                f"{where}: line {statement.lineno} does something when it is imported; move it "
                "into a cell that is not exported."
            )


def _module(docstring: str, notebook: str, cells: list[str]) -> str:
    origin = f"Written in notebooks/{notebook}; edit it there and run\n"
    head = f'"""{docstring}\n\n{origin}`python -m data_samples.makers.notebooks`.\n"""'
    imports = [cell for cell in cells if _only_imports(cell)]
    rest = [cell for cell in cells if not _only_imports(cell)]
    return "\n\n".join([head, "\n".join(imports)]) + "".join(f"\n\n\n{c}" for c in rest) + "\n"


def _only_imports(cell: str) -> bool:
    return all(isinstance(s, ast.Import | ast.ImportFrom) for s in ast.parse(cell).body)


def _package(docstrings: dict[str, str], written_in: dict[str, str]) -> str:
    lines = [
        '"""The models that a learner builds, each exported from the notebook that teaches it.\n'
    ]
    for module in sorted(docstrings):
        summary = docstrings[module].splitlines()[0].rstrip(".")
        lines.append(f"    {module}: {summary} ({written_in[module].partition('_')[0]})")
    return "\n".join(lines) + '\n"""\n'


def module_files() -> dict[Path, str]:
    """Every module of `from_scratch` by path, with the source that belongs into it."""
    return {FROM_SCRATCH / f"{name}.py": source for name, source in exported_sources().items()}
