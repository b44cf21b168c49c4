"""Where runs and logs live on disk and how they are named; knows nothing of what is in them."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from evalkit.errors import UsageError

RUN_FILE = "run.jsonl"
REPORTS = "reports"


def new_run_id(now: datetime) -> str:
    """Return a fresh run id: time and four random hex digits, `20261122-071455-7c1e`."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def last_run(root: Path) -> Path:
    """Return the folder of the newest run below `root`/reports; UsageError when there is none."""
    runs = [folder for folder in (root / REPORTS).glob("*") if (folder / RUN_FILE).is_file()]
    if not runs:
        raise UsageError(f"no finished run in {REPORTS}/; start one with: evalkit run")
    return max(runs, key=lambda folder: ((folder / RUN_FILE).stat().st_mtime_ns, folder.name))


def find_run(name: str, root: Path) -> Path:
    """Return the folder that `name` means: `last`, a run id, a folder, or a path to its run.jsonl."""
    if name == "last":
        return last_run(root)
    for folder in (Path(name), root / name, root / REPORTS / name):
        if folder.name == RUN_FILE and folder.is_file():
            return folder.parent
        if (folder / RUN_FILE).is_file():
            return folder
    raise UsageError(f"no run {name!r}: expected 'last', a run id or a folder that holds {RUN_FILE}")


def record_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a record in the order of their names: the file itself, a run's, or all logs of a folder."""
    if path.is_file():
        return (path,)
    if (path / RUN_FILE).is_file():
        return (path / RUN_FILE,)
    return tuple(sorted(path.glob("*.jsonl*"), key=lambda file: file.name))


def find_record(name: str, root: Path) -> Path:
    """Return the file or folder that a name means: a log, a folder of logs, a run's folder, its id, or `last`."""
    for path in (Path(name), root / name):
        if path.is_file() or (path.is_dir() and record_files(path)):
            return path
    return find_run(name, root)
