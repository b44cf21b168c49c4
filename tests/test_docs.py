"""The README says what is: commands, exit codes, dependencies, the suite it shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalkit.cli.main import SECTIONS, cli
from evalkit.errors import ExitCode
from evalkit.suites import load_suites

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [name for section in SECTIONS.values() for name in section]


def help_text(*args: str) -> str:
    """Return what a command prints for --help, 100 columns wide."""
    result = CliRunner().invoke(cli, [*args, "--help"], prog_name="evalkit", terminal_width=100)
    assert result.exit_code == 0
    return result.output


def test_the_readme_shows_the_help_as_it_is() -> None:
    """The commands section is the output of --help."""
    shown = re.search(r"<!-- help -->\n```console\n\$ evalkit --help\n(.*?)```", README, re.DOTALL)

    assert shown is not None
    assert shown[1] == help_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_two_examples(command: str) -> None:
    """A command's help ends with two examples."""
    text = help_text(command)

    examples = text.partition("Examples:\n")[2].strip().splitlines()
    assert len(examples) >= 2 or command in ("import", "tools")  # groups: their commands have examples


def test_the_table_of_exit_codes_is_the_one_in_the_code() -> None:
    """README and errors.py name the same codes."""
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)]

    assert codes == [int(code) for code in ExitCode]


def test_every_dependency_says_what_it_is_for() -> None:
    """Each run-time dependency has its line in the table, and the table has no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[\[<>=]", dependency)[0] for dependency in project["dependencies"]}
    table = README.partition("| Package | For |")[2].partition("\n\n")[0]

    assert set(re.findall(r"^\| ([\w.-]+) \|", table, re.MULTILINE)) - {"---"} == names


def test_the_suite_in_the_readme_loads(tmp_path: Path) -> None:
    """What the README shows is a suite that evalkit takes."""
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "shown.yaml").write_text(shown[1])
    (tmp_path / "suites" / "voice.yaml").write_text((ROOT / "suites" / "voice.yaml").read_text())

    (suite,) = load_suites([tmp_path / "suites" / "shown.yaml"], tmp_path)

    assert [case.record.case_id for case in suite.cases] == ["return-inside-window"]


@pytest.mark.parametrize("name", ["suite", "voice"])
def test_the_schemas_that_editors_read_are_up_to_date(name: str) -> None:
    """.schema/ holds what `evalkit schema` prints (make schemas writes it)."""
    result = CliRunner().invoke(cli, ["schema", name])

    assert (ROOT / ".schema" / f"{name}.json").read_text("utf-8") == result.output
