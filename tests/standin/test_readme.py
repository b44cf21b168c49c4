"""The page about the stand-in, compared with the data it describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evalkit.standin
from evalkit.standin import context
from evalkit.standin.faults import FAULTS
from evalkit.standin.models import MODELS, Model
from evalkit.standin.protocol import validate

FOLDER = Path(evalkit.standin.__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
FORCED = {"accepted": "yes", "not while thinking": "not while thinking", "rejected": "no"}


def section(name: str) -> str:
    """Return what stands between the marks of a generated part."""
    return PAGE.partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]


def rows(name: str) -> list[list[str]]:
    """Return the cells of a table, without its head."""
    lines = [line for line in section(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def yes(value: bool) -> str:
    """Return the word of the page for a flag."""
    return "yes" if value else "no"


def described(model: Model) -> list[str]:
    """Return the row that describes a model."""
    default = "on" if model.thinks_by_default else "off"
    return [
        ", ".join(f"`{name}`" for name in (model.id, *model.aliases)),
        f"{model.context_tokens // 1000:,}k / {model.output_tokens // 1000}k",
        str(model.cache_minimum_tokens),
        f"{', '.join(sorted(model.thinking))} ({default})",
        model.default_effort or "-",
        FORCED[model.forced_tool_choice],
        yes(model.prefill),
        yes(model.system_messages),
        yes(model.binds_thinking),
        yes(model.compaction),
    ]


def test_models_are_described_as_they_are() -> None:
    """The table has a row for each model, with its rules."""
    assert rows("models") == [described(model) for model in MODELS.values()]


def test_faults_are_described_as_they_are() -> None:
    """The table has a row for each fault, in order."""
    assert rows("faults") == [[f"`{fault.name}`", fault.what] for fault in FAULTS.values()]


def test_refused_fields_are_named() -> None:
    """The fields that exist only with a beta and are not played are listed."""
    named = re.findall(r"`(\w+)`", section("refused fields"))
    assert named == sorted(set(validate.BETA_FIELDS) - validate.PLAYED_FIELDS)


NAMED = {**vars(context), **vars(validate)}
BETAS = [
    value for value in NAMED.values() if isinstance(value, str) and re.fullmatch(r"[a-z-]+-\d{4}-\d\d-\d\d", value)
]


@pytest.mark.parametrize("beta", BETAS)
def test_played_betas_are_on_the_page(beta: str) -> None:
    """Every beta that the protocol knows by name is described."""
    assert len(BETAS) == 5
    assert f"| `{beta}` |" in PAGE


def test_folders_on_the_page_exist() -> None:
    """The parts it names are there."""
    table = PAGE.partition("| Part | Folder |")[2].partition("\n\n")[0]
    paths = [path for line in table.splitlines() for path in re.findall(r"`([\w/.]+)`", line)]
    assert len(paths) > 6
    assert [path for path in paths if not (FOLDER / path).exists()] == []
