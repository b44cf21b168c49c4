"""Declared is what is imported: nothing that the code needs arrives by accident, through another package."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from evalkit.distribution import DISTRIBUTION

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"evalkit", "tests"}
NOT_IMPORTED = {
    "anthropic": "its extra aiohttp is the transport that claude.py asks for by name",
    "httptools": "uvicorn reads HTTP with it when it is there",
}
"""Dependencies that no import names, or that are declared for more than their import, each with its reason."""
SHARED = {"opentelemetry": ["opentelemetry-api"]}
"""Names that several distributions fill: the one that our imports need."""
PROGRAMS = ROOT / "tests" / "programs"  # they run in environments of their own


def normal(name: str) -> str:
    """Return a distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    """Return the names in a list of requirements."""
    return {normal(re.split(r"[\[<>=!~ ;]", requirement)[0]) for requirement in requirements}


def imported(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Yield every top-level name that is imported below a folder and is neither ours nor Python's, with its place."""
    for path in sorted(folder.rglob("*.py")):
        if path.is_relative_to(PROGRAMS):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - OURS:
                yield top, path, node.lineno


@cache
def distributions() -> Mapping[str, list[str]]:
    """Return the distributions behind every top-level name; reading them all takes a second."""
    return packages_distributions()


def providers_of(name: str) -> set[str]:
    """Return the distributions that a top-level name comes from."""
    return {normal(provider) for provider in SHARED.get(name) or distributions().get(name, [name])}


RUN_TIME = declared(PROJECT["dependencies"])
PLATFORMS = {name for extra, names in EXTRAS.items() if extra != "dev" for name in declared(names)}
"""What an extra brings: imported only where the extra is asked for."""
OPTIONAL = {name for extra in EXTRAS.values() for name in declared(extra)}


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [("evalkit", RUN_TIME | PLATFORMS), ("tests", RUN_TIME | OPTIONAL)],
)
def test_every_import_is_declared(folder: str, allowed: set[str]) -> None:
    """A package that is imported is a dependency of this project, not of one of its dependencies."""
    missing = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for name, path, line in imported(ROOT / folder)
        if not providers_of(name) & allowed
    ]

    assert missing == []


def test_every_dependency_is_imported() -> None:
    """A run-time dependency that no module imports says here why it is one."""
    used = {provider for name in {name for name, _, _ in imported(ROOT / "evalkit")} for provider in providers_of(name)}

    assert sorted(RUN_TIME - used - NOT_IMPORTED.keys()) == []


def test_the_distribution_has_the_name_that_messages_give() -> None:
    """What a message tells people to install is this project."""
    assert PROJECT["name"] == DISTRIBUTION


def test_what_is_never_imported_is_still_declared() -> None:
    """The list of reasons has no entry for a package that is gone."""
    assert NOT_IMPORTED.keys() <= RUN_TIME
