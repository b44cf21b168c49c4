"""The sample project in a folder of its own, and its commands run in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli.main import run_command

ROOT = Path(__file__).parent.parent.parent
SUITE = "suites/tone.yaml"
BASELINE = "suites/tone.baseline.json"


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Sample:
    """A project on disk."""

    root: Path

    def run(self, *args: str) -> Done:
        """Run a command of evalkit inside the project."""
        out, err = StringIO(), StringIO()
        with _inside(self.root), redirect_stdout(out), redirect_stderr(err):
            code = run_command(args)
        return Done(int(code), out.getvalue(), err.getvalue())

    def copy(self, where: Path) -> Sample:
        """Return the project copied into another folder."""
        shutil.copytree(self.root, where, dirs_exist_ok=True)
        return Sample(where)

    def baseline(self) -> dict[str, Any]:
        """Return the baseline file as JSON."""
        told: dict[str, Any] = json.loads((self.root / BASELINE).read_text("utf-8"))
        return told

    def rewrite_baseline(self, **changes: Any) -> None:
        """Change keys of the baseline file."""
        (self.root / BASELINE).write_text(json.dumps({**self.baseline(), **changes}), "utf-8")

    def append(self, name: str, text: str) -> None:
        """Add a text to the end of a file."""
        path = self.root / name
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        path = self.root / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), "utf-8")


def make_sample(root: Path) -> Sample:
    """Write the sample prompts and the suite about tone."""
    shutil.copytree(ROOT / "prompts", root / "prompts")
    (root / "suites").mkdir()
    for name in ("tone.yaml", "voice.yaml"):
        shutil.copy(ROOT / "suites" / name, root / "suites" / name)
    return Sample(root)


@contextmanager
def _inside(root: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("CI", raising=False)
        yield
