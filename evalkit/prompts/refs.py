"""How a prompt is named: `support`, `support@v4`, `support@main`, and which file that is.

Knows the layout of `prompts/`; must not know what a prompt file holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError, FileProblems, UsageError
from evalkit.prompts.git import commit_of
from evalkit.prompts.tree import DiskTree, GitTree, Tree
from evalkit.records import Place
from evalkit.yamlsource import did_you_mean

FOLDER = "prompts"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSION_FILE = re.compile(r"(v[0-9][A-Za-z0-9_.-]*)\.md")


@dataclass(frozen=True)
class Located:
    """A prompt file that exists: in which tree, at which path, and the name people know it by."""

    tree: Tree
    path: str
    name: str
    ref: str


def list_prompts(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return every prompt's name with its versions in order (none for a single file `prompts/NAME.md`)."""
    return _listed(DiskTree(root))


def _listed(tree: Tree) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in tree.names(FOLDER):
        path = f"{FOLDER}/{entry}"
        if entry.endswith(".md") and _NAME.fullmatch(entry) and tree.is_file(path):
            if entry.lower() != "readme.md":
                found.setdefault(entry.removesuffix(".md"), ())
        elif versions := _versions(tree, path):
            found[entry] = versions
    return dict(sorted(found.items()))


def _versions(tree: Tree, folder: str) -> tuple[str, ...]:
    matches = (_VERSION_FILE.fullmatch(name) for name in tree.names(folder))
    return tuple(sorted((match[1] for match in matches if match), key=_natural))


def _natural(version: str) -> list[tuple[int, str]]:
    """Return a sort key that puts v9 before v10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"[0-9]{1,9}|[^0-9]+", version)]


def locate(ref: str, root: Path) -> Located:
    """Find the file a reference names.

    A version file wins over a git revision of the same name. Raises UsageError when there is no such prompt or version,
    FileProblems when CURRENT is wrong.
    """
    name, at, version = ref.partition("@")
    if not _NAME.fullmatch(name) or (at and not version):
        raise UsageError(f"{ref!r} is not a prompt reference; expected NAME, NAME@v4 or NAME@<git revision>.")
    tree = DiskTree(root)
    if not at:
        return _current(tree, name, ref, root)
    path = f"{FOLDER}/{name}/{version}.md"
    if _VERSION_FILE.fullmatch(f"{version}.md") and tree.is_file(path):
        return Located(tree, path, name, ref)
    return _at_revision(root, name, version)


def _at_revision(root: Path, name: str, revision: str) -> Located:
    versions = list_prompts(root).get(name, ())
    try:
        commit = commit_of(root, revision)
    except EvalkitError:
        if not (versions and _VERSION_FILE.fullmatch(f"{revision}.md")):
            raise
        commit = None  # a mistyped version is not about git
    if commit is None:
        known = ", ".join(versions) or "none"
        raise UsageError(
            f"prompt {name!r} has no version {revision!r}{did_you_mean(revision, versions)}, and git knows no such "
            f"revision; versions: {known}."
        )
    tree = GitTree(root, commit, revision, FOLDER)
    found = _current(tree, name, f"{name}@{revision}", root)
    return Located(tree, found.path, name, f"{name}@{revision}")


def _current(tree: Tree, name: str, ref: str, root: Path) -> Located:
    """Find what `NAME` alone means in a tree: the version CURRENT names, or the single file."""
    folder, single = f"{FOLDER}/{name}", f"{FOLDER}/{name}.md"
    current = f"{folder}/CURRENT"
    if tree.is_file(current):
        text = tree.read(current)
        version = text.text.strip()
        path = f"{folder}/{version}.md"
        if not _VERSION_FILE.fullmatch(f"{version}.md") or not tree.is_file(path):
            known = _versions(tree, folder)
            shown = version[:60]
            message = (
                f"names version {shown!r}{did_you_mean(shown, known)}; expected one of: {', '.join(known) or 'none'}."
            )
            raise FileProblems.at(text.place(0), message, text.line(1))
        return Located(tree, path, name, f"{name}@{version}")
    if tree.is_file(single):
        return Located(tree, single, name, name)
    if versions := _versions(tree, folder):
        raise FileProblems.at(
            Place(current), f"is missing; expected one line that names the live version: {' or '.join(versions)}."
        )
    names = list(_listed(tree))
    raise UsageError(
        f"there is no prompt {name!r}{did_you_mean(name, names)} (asked for as {ref!r}); prompts in {root / FOLDER}: "
        f"{', '.join(names) or 'none'}."
    )
