"""The project of the current folder: where it begins, what it says of itself, where it stands in its repository."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.terminal import Duration
from evalkit.errors import FileProblems, UsageError
from evalkit.records import Place

if TYPE_CHECKING:
    from evalkit.engine import Price
    from evalkit.labels import Label
    from evalkit.runner import Project

KNOWN = frozenset({"max_cost", "max_time", "jobs", "platform", "prices"})
"""The keys of `[tool.evalkit]`."""


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from `start` (the current one) upwards, that looks like a project.

    A project has `suites/`, `prompts/`, or a pyproject.toml with a `[tool.evalkit]` table. Raises UsageError when there
    is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if _is_project(folder):
            return folder
    raise UsageError(f"{start}: no project here or above; expected a folder with suites/ or prompts/.")


def _is_project(folder: Path) -> bool:
    # a Python package of that name, such as evalkit's own, is no folder of suites
    if any((folder / name).is_dir() and not (folder / name / "__init__.py").exists() for name in ("suites", "prompts")):
        return True
    try:
        return "evalkit" in tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def root_for(record: str) -> Path:
    """Return the project's folder; a record that is given by its path needs none."""
    return Path.cwd() if Path(record.partition("#")[0] or record).exists() else find_root()


def load_config(root: Path) -> dict[str, Any]:
    """Return the project's `[tool.evalkit]`: defaults for options (`max_time` in seconds), and prices.

    Empty when there is none; FileProblems when it can't be read, UsageError when it has an unknown key.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("evalkit", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise FileProblems.at(Place("pyproject.toml"), f"not readable as TOML: {exc}") from exc
    unknown = sorted(set(table) - KNOWN)
    if unknown:
        known = ", ".join(sorted(KNOWN))
        msg = f"pyproject.toml: unknown key {unknown[0]!r} in [tool.evalkit]; expected one of {known}."
        raise UsageError(msg)
    if isinstance(table.get("max_time"), str):
        try:
            table["max_time"] = Duration().convert(table["max_time"], None, None)
        except click.BadParameter as exc:
            raise UsageError(f"pyproject.toml: max_time in [tool.evalkit]: {exc.message}") from exc
    return dict(table)


def make_project(root: Path, config: Mapping[str, Any], *, quiet: bool) -> Project:
    """Return the project as the runner takes it, with its prices and who hears of progress."""
    from evalkit.cli.progress import LineProgress, NoProgress, QuietProgress
    from evalkit.pricing import parse_prices, price_table, price_with
    from evalkit.runner import Project

    loud = LineProgress if sys.stderr.isatty() else QuietProgress
    prices = parse_prices(config.get("prices", []))
    hears = NoProgress if quiet else loud
    return Project(root, price_with(prices), hears, price_table(prices), tell_note)


def tell_note(sentence: str) -> None:
    """Print what a person should know before a run begins."""
    click.echo(f"note: {sentence}", err=True)


def price_here() -> Price:
    """Return what requests cost by the prices of the project that this folder is in, or by the list prices."""
    from evalkit.pricing import parse_prices, price_with

    try:
        config = load_config(find_root())
    except UsageError:
        return price_with()
    return price_with(parse_prices(config.get("prices", [])))


def labels_of(suites: Iterable[str]) -> dict[str, tuple[Label, ...]]:
    """Return what people said about the judged replies of these suites; nothing outside of a project."""
    from evalkit.labels import labels_file, read_labels

    try:
        root = find_root()
    except UsageError:
        return {}
    return {suite: read_labels(root, labels_file(suite)) for suite in suites if not Path(suite).is_absolute()}


def folder_in_repository(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Return a project's folder from the top of its repository, as `services/shop/`; empty where it is the top.

    GitHub counts files from there. Git is asked, and GitHub's own variable where git can't tell.
    """
    from evalkit.prompts.refs import top_of

    workspace = environment.get("GITHUB_WORKSPACE")
    top = top_of(root) or (Path(workspace) if workspace else None)
    if top is None or not root.resolve().is_relative_to(top.resolve()):
        return ""
    inside = root.resolve().relative_to(top.resolve()).as_posix()
    return "" if inside == "." else f"{inside}/"
