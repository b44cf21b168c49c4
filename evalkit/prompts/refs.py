"""Which file a reference means (`support`, `support@v4`, `support@main+claude-haiku-5-5`), on disk or in git.

Knows the layout of `prompts/`, and that a prompt's files lie below one folder and are never reached through a link;
must not know what they mean. The one place that runs git for prompts: it reads objects only (no working tree, no
filters, no hooks), and never longer than `TIMEOUT_S`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from evalkit.errors import EvalkitError, FileProblems, NoVerdict, UsageError
from evalkit.records import Place, PromptRef
from evalkit.yamlsource import SourceText, decode, did_you_mean, read_below

FOLDER = "prompts"
MAX_FILE_BYTES = 1_000_000
TIMEOUT_S = 30.0


def commit_of(root: Path, revision: str) -> str | None:
    """Return the commit a revision names, or None when git does not know it.

    Raises UsageError when `root` is not in a git repository, EvalkitError when git itself fails.
    """
    if revision.startswith("-"):
        return None
    inside = _git(root, "rev-parse", "--is-inside-work-tree")
    if inside.returncode != 0:
        raise UsageError(f"{root}: is not in a git repository, so a prompt can't be taken from revision {revision!r}.")
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    return found.stdout.decode().strip() if found.returncode == 0 else None


def revisions_of(root: Path, paths: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the newest commits that changed something at or below `paths`, newest first; empty where there is none."""
    listed = _git(root, "log", f"--max-count={most}", "--format=%H", "HEAD", "--", *paths)
    return tuple(listed.stdout.decode().split()) if listed.returncode == 0 else ()


def top_of(root: Path) -> Path | None:
    """Return the top folder of the repository that a folder is in; None outside of one."""
    told = _git(root, "rev-parse", "--show-toplevel")
    return Path(told.stdout.decode("utf-8", "surrogateescape").rstrip("\n")) if told.returncode == 0 else None


def changed_files(root: Path, revision: str) -> tuple[str, ...]:
    """Return the files that differ between the working tree and the commit where it left `revision`, new ones too.

    Paths are relative to `root` with forward slashes; those outside it begin with `../`. NoVerdict when git can't tell.
    """
    base = _output(root, f"where HEAD left {revision!r}", "merge-base", "--end-of-options", revision, "HEAD")
    top = Path(os.fsdecode(_output(root, "where the repository begins", "rev-parse", "--show-toplevel")).rstrip("\n"))
    since = ("diff", "--name-only", "--no-renames", "-z", base.decode().strip(), "--")
    changed = _output(root, f"what changed since {revision!r}", *since)
    fresh = _output(top, "which files are new", "ls-files", "--others", "--exclude-standard", "-z")
    names = sorted({os.fsdecode(name) for name in (changed + b"\0" + fresh).split(b"\0") if name})
    return tuple(os.path.relpath(top / name, root.resolve()).replace(os.sep, "/") for name in names)


def _output(root: Path, what: str, *arguments: str) -> bytes:
    """Return what git prints; NoVerdict, with `what` it was asked, when it fails."""
    done = _git(root, *arguments)
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        raise NoVerdict(
            f"git can't tell {what}: {reason}. A shallow clone lacks the history: fetch all of it "
            "(actions/checkout: fetch-depth: 0)."
        )
    return done.stdout


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603  the arguments are ours; a revision is passed behind --end-of-options
            ["git", "-C", str(root), *arguments],  # noqa: S607  git is looked up on PATH as everywhere
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise EvalkitError("git is not installed; install it, or name a version file instead of a revision.") from error
    except subprocess.TimeoutExpired as error:
        raise EvalkitError(f"git {arguments[0]} gave no answer within {TIMEOUT_S:g} s.") from error


def is_inside(reference: str) -> bool:
    """Say whether a relative path stays below the folder it is relative to, by its letters alone."""
    parts = PurePosixPath(reference).parts
    return bool(parts) and not ("\\" in reference or "\0" in reference or reference.startswith("/") or ".." in parts)


class DiskTree:
    """The working tree; paths are relative to the project's root, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> SourceText:
        """Return a file's text; raises FileProblems, also for a symbolic link anywhere below the root."""
        return read_below(self._root, path, MAX_FILE_BYTES)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of files and folders in a folder; [] when there is no such folder."""
        at = self._root / folder
        return sorted(item.name for item in at.iterdir()) if at.is_dir() and not at.is_symlink() else []

    def is_file(self, path: str) -> bool:
        """Say whether something other than a folder is there; a dangling link is, so that reading it can refuse it."""
        at = self._root / path
        return at.is_symlink() or (at.exists() and not at.is_dir())


class GitTree:
    """What the folder of prompts held at a commit, asked as the working tree is.

    `revision` is how the person named it, shown before each path in messages.
    """

    def __init__(self, root: Path, commit: str, revision: str) -> None:
        self._root = root
        self._revision = revision
        self._entries: dict[str, tuple[str, str]] = {}
        listed = _output(root, f"what {commit[:12]} holds", "ls-tree", "-r", "-z", commit, "--", FOLDER + "/")
        for record in filter(None, listed.split(b"\0")):
            about, _, name = record.partition(b"\t")
            mode, _, blob = about.decode().split(" ")
            self._entries[name.decode("utf-8", "replace")] = (mode, blob)

    def read(self, path: str) -> SourceText:
        """Return a file's text at the revision."""
        file = f"{self._revision}:{path}"
        if path not in self._entries:
            raise FileProblems.at(Place(file), "no such file at this revision.")
        mode, blob = self._entries[path]
        if not mode.startswith("100"):  # 100644 and 100755 are files, 120000 is a link, 160000 a submodule
            raise FileProblems.at(Place(file), "is a symbolic link or submodule; expected a plain file.")
        content = _output(self._root, f"what {blob[:12]} holds", "cat-file", "blob", blob)
        return decode(content, file, MAX_FILE_BYTES)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder at the revision."""
        prefix = folder + "/"
        return sorted({path[len(prefix) :].split("/")[0] for path in self._entries if path.startswith(prefix)})

    def is_file(self, path: str) -> bool:
        """Say whether the revision has a file at a path."""
        return path in self._entries


Tree = DiskTree | GitTree
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*")
_VERSION_FILE = re.compile(r"(v[0-9][A-Za-z0-9_.-]*)\.md")


@dataclass(frozen=True)
class PromptFile:
    """A prompt file that exists: in which tree, at which path, and the name people know it by.

    `model` is the one that the reference names, which `ref` holds too; empty where the prompt's own is asked.
    """

    tree: Tree
    path: str
    name: str
    ref: str
    model: str = ""


def list_prompts(root: Path, tree: Tree | None = None) -> Mapping[str, tuple[str, ...]]:
    """Return every prompt's name with its versions in order (none for a single file `prompts/NAME.md`)."""
    tree = tree or DiskTree(root)
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


def locate(ref: str, root: Path) -> PromptFile:
    """Find the file a reference names.

    A version file wins over a git revision of the same name. Raises UsageError when there is no such prompt or version,
    FileProblems when CURRENT is wrong.
    """
    asked = PromptRef.read(ref)
    spelled = str(asked) == ref and (not asked.model or _MODEL.fullmatch(asked.model))
    if not spelled or not _NAME.fullmatch(asked.name):
        raise UsageError(
            f"{ref!r} is not a prompt reference; expected NAME, NAME@v4 or NAME@<git revision>, "
            "with +MODEL behind it to ask another model."
        )
    found = _locate(asked.name, asked.version, root)
    return replace(found, ref=f"{found.ref}+{asked.model}", model=asked.model) if asked.model else found


def asked_of(ref: str, model: str | None) -> str:
    """Return a reference as it is asked of a model; UsageError when it names one itself. None leaves it alone."""
    asked = PromptRef.read(ref)
    if not model:
        return ref
    if asked.model:
        raise UsageError(f"{ref!r} names a model itself; leave out --model {model}, or +{asked.model}.")
    return str(replace(asked, model=model))


def _locate(name: str, version: str, root: Path) -> PromptFile:
    tree = DiskTree(root)
    if not version:
        return _current(tree, name, name, root)
    path = f"{FOLDER}/{name}/{version}.md"
    if _VERSION_FILE.fullmatch(f"{version}.md") and tree.is_file(path):
        return PromptFile(tree, path, name, f"{name}@{version}")
    return _at_revision(root, name, version)


def _at_revision(root: Path, name: str, revision: str) -> PromptFile:
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
    tree = GitTree(root, commit, revision)
    found = _current(tree, name, f"{name}@{revision}", root)
    return PromptFile(tree, found.path, name, f"{name}@{revision}")


def _current(tree: Tree, name: str, ref: str, root: Path) -> PromptFile:
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
        return PromptFile(tree, path, name, f"{name}@{version}")
    if tree.is_file(single):
        return PromptFile(tree, single, name, name)
    if versions := _versions(tree, folder):
        raise FileProblems.at(
            Place(current), f"is missing; expected one line that names the live version: {' or '.join(versions)}."
        )
    names = list(list_prompts(root, tree))
    raise UsageError(
        f"there is no prompt {name!r}{did_you_mean(name, names)} (asked for as {ref!r}); prompts in {root / FOLDER}: "
        f"{', '.join(names) or 'none'}."
    )
