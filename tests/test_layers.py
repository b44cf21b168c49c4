"""The architecture: who may import whom. The table stands in README.md, "How it is built"."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "evalkit"
BARRED = {
    ("graders", "engine"): "the transcript is all that passes between engine and graders",
    ("engine", "graders"): "the transcript is all that passes between engine and graders",
    ("standin", "engine"): "the stand-in is the other side of the wire",
    ("scoring", "engine"): "scoring again must need no engine",
    ("analysis", "engine"): "numbers come from the records",
    ("gate", "store"): "a verdict comes from the summary",
    ("reporting", "store"): "reports are made from values, not from files",
}
DOORS = {
    "anthropic": {"engine/claude.py"},
    "httpx2": {"engine/claude.py"},
    "pandas": {"analysis/"},
    "jinja2": {"prompts/", "reporting/"},
    "deepdiff": {"graders/matching.py"},
    "click": {"cli/"},
    "uvicorn": {"standin/"},
    "scipy": {"stats/"},
    "genai_prices": {"pricing.py"},
    "yaml": {"yamlsource/", "pricing.py", "standin/"},
    "prompt_toolkit": {"repl/"},
    "rich": {"cli/", "repl/", "reporting/"},
    "opentelemetry": {"engine/telemetry.py", "library.py"},
    "botocore": {"engine/fold.py"},
    "py3langid": {"reading/language.py"},
    "phonenumbers": {"graders/privacy.py"},
    "stdnum": {"graders/privacy.py"},
}


def floors() -> list[str]:
    """Return the modules of the table, lowest first."""
    table = re.search(r"```floors\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert table is not None
    return [line.split()[1] for line in table[1].splitlines()]


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, inside functions too, but not those for annotations only."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files() -> list[Path]:
    """Return every module of the package."""
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.name not in {"__main__.py"} and path != PACKAGE / "__init__.py"
    )


def part(path: Path) -> str:
    """Return the row of the table that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    """Every import inside evalkit goes up the table, and no barred pair meets."""
    order = floors()
    here = part(path)
    assert here in order, f"{here} has no row in the table"
    for module in imports(path):
        if not module.startswith("evalkit."):
            continue
        there = module.split(".")[1]
        assert there == here or order.index(there) < order.index(here), f"{here} must not import {module}"
        assert (here, there) not in BARRED, BARRED[here, there]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavy_package_has_one_door(path: Path) -> None:
    """Each heavy package is imported only where the table of doors says."""
    name = path.relative_to(PACKAGE).as_posix()
    for module in imports(path):
        doors = DOORS.get(module.split(".")[0])
        assert doors is None or any(name.startswith(door) for door in doors), f"{name} must not import {module}"


def test_the_table_names_only_what_exists() -> None:
    """The table has no row for something that is gone."""
    for name in floors():
        assert (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file(), name


def test_packages_only_re_export_in_their_init() -> None:
    """An __init__.py holds no logic."""
    for path in set(PACKAGE.rglob("__init__.py")) - {PACKAGE / "__init__.py"}:  # the library's names load lazily
        body = ast.parse(path.read_text("utf-8")).body
        assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.Expr) for node in body), path


def test_help_loads_no_heavy_package() -> None:
    """`evalkit --help` is instant: none of the heavy packages is imported."""
    heavy = ("anthropic", "pandas", "deepdiff", "jinja2", "scipy", "pydantic", "uvicorn", "genai_prices", "aiohttp")
    code = (
        "import sys\nfrom evalkit.cli.main import run_command\nrun_command(['--help'])\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "Every day" in done.stdout
    assert done.stderr.strip() == "[]"
