"""Where the code of a team's graders stands, when the package that provides them is installed from the project itself.

Packages installed from elsewhere change with the lock file, which is an input of every suite. Imports no grader.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import Distribution, entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from evalkit.graders.team import GROUP

_NO_CODE = {"__pycache__", "build", "dist"}


def code_of(graders: Collection[str], root: Path) -> tuple[Path, ...]:
    """Return the folders and files whose code these graders are, as far as their packages are installed to be edited.

    A package in a folder of its own counts whole; of one whose folder holds the project, the module that is named.
    """
    found: dict[Path, None] = {}
    for entry in entry_points(group=GROUP) if graders else ():
        if entry.name in graders and entry.dist is not None:
            source = _editable_folder(entry.dist)
            if source is not None:
                holds_project = root.resolve().is_relative_to(source)
                parts = _modules(entry.module, source) if holds_project else (source,)
                found |= dict.fromkeys(parts)
    return tuple(found)


def is_below(file: str, places: Iterable[Path], root: Path) -> bool:
    """Return whether a file, relative to the project, belongs to one of these places."""
    path = Path(os.path.normpath(root.resolve() / file))
    return any(path.is_relative_to(place) for place in places)


def files_below(place: Path, root: Path) -> Iterator[str]:
    """Yield the files of a place, relative to the project; what was built or compiled is left out."""
    for at, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name not in _NO_CODE and not name.startswith(".")]
        yield from (os.path.relpath(Path(at, name), root.resolve()).replace(os.sep, "/") for name in names)
    if place.is_file():
        yield os.path.relpath(place, root.resolve()).replace(os.sep, "/")


def _editable_folder(package: Distribution) -> Path | None:
    """Return the folder that a package was installed from to be edited there; None for any other package."""
    try:
        told = json.loads(package.read_text("direct_url.json") or "{}")
    except json.JSONDecodeError:
        return None
    if not told.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(told["url"]).path)).resolve()


def _modules(module: str, source: Path) -> Iterator[Path]:
    """Yield where the top-level module of an entry point stands, if that is below the package's folder."""
    spec = find_spec(module.partition(".")[0])
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""] if spec else []
    yield from (Path(place).resolve() for place in places if place and Path(place).resolve().is_relative_to(source))
