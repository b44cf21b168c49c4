"""CONTRIBUTING.md is true: each recipe is carried out in a copy of the code, and each file it points at exists."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
COPIED = ("evalkit", "prompts", "suites", "tests", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Block:
    """A fenced block: `file` is the path in its first line, empty in a console session."""

    language: str
    file: str
    body: str


def recipes() -> dict[str, list[Block]]:
    """Return the blocks of each recipe, by its heading."""
    part = TEXT.partition("\n## Recipes\n")[2].partition("\n## ")[0]
    titles = re.split(r"^### (.+)\n", part, flags=re.MULTILINE)[1:]
    return {title: list(blocks(text)) for title, text in zip(titles[::2], titles[1::2], strict=True)}


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a text."""
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        named = re.match(r"(?:#|//|<!--) (\S+/\S+).*\n", body)
        yield Block(language, named[1] if named else "", body[named.end() :] if named else body)


def carry_out(block: Block, root: Path) -> None:
    """Do to the copy what a block says: lines marked + go behind the line above them, other text at the file's end."""
    path = root / block.file
    if block.language != "diff":
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text("utf-8") + "\n\n" if path.exists() else ""
        path.write_text(before + block.body, "utf-8")
        return
    lines = path.read_text("utf-8").splitlines()
    at = -1
    for line in block.body.splitlines():
        if line.startswith("+"):
            at += 1
            lines.insert(at, line[1:])
        else:
            at = lines.index(line[1:], at + 1)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def call(program: str, arguments: list[str], root: Path) -> str:
    """Run evalkit or pytest as the copy has it and return what it prints."""
    assert program in {"evalkit", "pytest"}
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "", "COLUMNS": "120", "HOME": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def run_session(session: str, root: Path) -> None:
    """Run the commands of a console session; each line shown below one, up to an ellipsis, is in what it prints."""
    for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        program, *arguments = shlex.split(command.partition("  #")[0])
        told = (root / arguments[0]).read_text("utf-8") if program == "cat" else call(program, arguments, root)
        for line in filter(None, (line.rpartition("…")[0] or line for line in shown.splitlines())):
            assert line.strip() in told, f"{command} printed\n{told}"


@pytest.mark.parametrize("title", recipes())
def test_a_recipe_does_what_it_says(title: str, tmp_path: Path) -> None:
    """Carried out in a copy of the code, a recipe's commands print what it shows."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "data", "golden"))
        else:
            shutil.copy(source, tmp_path / name)
    steps = recipes()[title]
    assert any(block.language == "console" for block in steps)

    for block in steps:
        if block.language == "console":
            run_session(block.body, tmp_path)
        elif block.file:
            carry_out(block, tmp_path)


def test_every_kind_of_change_has_its_recipe() -> None:
    """The recipes that the project promises are there."""
    assert set(recipes()) >= {"Add a grader", "Add a command", "Add a fault to the stand-in", "Add an output"}


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:evalkit|tests|docs|suites|prompts)/[\w./-]+)`", TEXT))))
def test_every_path_that_is_named_exists(path: str) -> None:
    """CONTRIBUTING.md points at nothing that is gone."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("file", "name"), re.findall(r"`(evalkit/[\w./]+\.py)`\s+\(`(\w+)`", TEXT))
def test_every_name_that_a_journey_gives_is_defined_there(file: str, name: str) -> None:
    """Where a journey names a function or class in a file, that file defines it."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    defined = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }

    assert name in defined
