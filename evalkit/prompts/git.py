"""What a folder of the project held at a git revision, and what changed since one.

The one place that runs git for prompts. Reads objects only: no working tree, no filters, no hooks, and never longer
than `TIMEOUT_S`.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError, NoVerdict, UsageError

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class GitEntry:
    """A file in a revision; `mode` tells regular files (100644, 100755) from links (120000) and submodules (160000)."""

    mode: str
    blob: str


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


def entries_of(root: Path, commit: str, folder: str) -> dict[str, GitEntry]:
    """Return every file below `folder` (a path relative to `root`) at a commit, by path relative to `root`."""
    listed = _git(root, "ls-tree", "-r", "-z", commit, "--", folder + "/")
    if listed.returncode != 0:
        raise EvalkitError(f"git ls-tree {commit[:12]} failed: {_message(listed)}")
    entries = {}
    for record in listed.stdout.split(b"\0"):
        if record:
            about, _, name = record.partition(b"\t")
            mode, _, blob = about.decode().split(" ")
            entries[name.decode("utf-8", "replace")] = GitEntry(mode, blob)
    return entries


def revisions_of(root: Path, folder: str, most: int) -> tuple[str, ...]:
    """Return the newest commits that changed something below `folder`, newest first; empty where git knows none."""
    listed = _git(root, "log", f"--max-count={most}", "--format=%H", "HEAD", "--", folder)
    return tuple(listed.stdout.decode().split()) if listed.returncode == 0 else ()


def top_of(root: Path) -> Path | None:
    """Return the top folder of the repository that a folder is in; None outside of one."""
    told = _git(root, "rev-parse", "--show-toplevel")
    return Path(told.stdout.decode("utf-8", "surrogateescape").rstrip("\n")) if told.returncode == 0 else None


def content_of(root: Path, entry: GitEntry) -> bytes:
    """Return the bytes of a file at a revision."""
    shown = _git(root, "cat-file", "blob", entry.blob)
    if shown.returncode != 0:
        raise EvalkitError(f"git cat-file {entry.blob[:12]} failed: {_message(shown)}")
    return shown.stdout


def changed_files(root: Path, revision: str) -> tuple[str, ...]:
    """Return the files that differ between the working tree and the commit where it left `revision`, new ones too.

    Paths are relative to `root` with forward slashes; those outside it begin with `../`. NoVerdict when git can't tell.
    """
    base = _told(root, f"where HEAD left {revision!r}", "merge-base", "--end-of-options", revision, "HEAD").strip()
    top = Path(_told(root, "where the repository begins", "rev-parse", "--show-toplevel").rstrip("\n"))
    changed = _told(root, f"what changed since {revision!r}", "diff", "--name-only", "--no-renames", "-z", base, "--")
    fresh = _told(top, "which files are new", "ls-files", "--others", "--exclude-standard", "-z")
    names = sorted({name for name in f"{changed}\0{fresh}".split("\0") if name})
    return tuple(os.path.relpath(top / name, root.resolve()).replace(os.sep, "/") for name in names)


def _told(root: Path, what: str, *arguments: str) -> str:
    done = _git(root, *arguments)
    if done.returncode != 0:
        raise NoVerdict(
            f"git can't tell {what}: {_message(done)}. A shallow clone lacks the history: fetch all of it "
            "(actions/checkout: fetch-depth: 0)."
        )
    return done.stdout.decode("utf-8", "surrogateescape")


def _message(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"


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
