"""docs/library.md: its program runs, is typed, and names everything that `evalkit` gives away."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import evalkit
from evalkit.store import read_session
from tests.endpoint import example

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "library.md").read_text("utf-8")
EVENTS = [kind.__name__ for kind in get_args(evalkit.events.EngineEvent)]
SCRIPT = """
words: {parcel: '/LS-\\d{3}/'}
rules:
  - {user: handed over, output: {number: LS-204, delivered: true}}
  - user: "{parcel}"
    call: {find_parcel: {number: "{{ parcel }}"}}
    say: "Parcel {{ parcel }} is {{ find_parcel.place }}."
  - say: Good day.
"""


def blocks(language: str) -> list[str]:
    """Return the page's blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run the page's blocks as one module, in a project with the page's prompt."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "depot.md").write_text(blocks("markdown")[0])
    (tmp_path / "prompts" / "depot.stand-in.yaml").write_text(SCRIPT)
    (tmp_path / "page.py").write_text("\n\n".join(blocks("python")))
    monkeypatch.chdir(tmp_path)
    spec = spec_from_file_location("page", tmp_path / "page.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses and pydantic look there for annotations
    spec.loader.exec_module(module)
    return module


def test_the_pages_program_does_what_the_page_says(page: ModuleType) -> None:
    """A conversation that can be kept, inputs of sessions and turns, tools with a context, a value, a log."""

    async def all_of_it() -> list[Any]:
        kept = await page.first_words()
        await page.serve_everybody()
        return [kept.turns, await page.ask_with_tools(), await page.ask_for_a_value(), await page.log_a_day()]

    turns, reply, value, lost = asyncio.run(all_of_it())

    assert (turns, reply, lost) == (1, "Parcel LS-204 is on the van.", 0)
    assert value == page.Parcel(number="LS-204", delivered=True)
    assert read_session("logs#anna", Path()).prompts[0].inputs["customer"] == {"name": "Anna"}


def test_the_examples_are_typed(tmp_path: Path) -> None:
    """mypy, strict, over the page's program and the README's endpoint, as a product would run it."""
    (tmp_path / "page.py").write_text("\n\n".join(blocks("python")))
    (tmp_path / "shop.py").write_text(example())
    flags = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}"]
    command = [sys.executable, "-m", "mypy", *flags, str(tmp_path / "page.py"), str(tmp_path / "shop.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [*evalkit.__all__, *EVENTS])
def test_the_page_names_everything(name: str) -> None:
    """Every public name and every event stands on it."""
    assert re.search(rf"\b{name}\b", PAGE)
