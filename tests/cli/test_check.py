"""`evalkit check` and `evalkit schema` as they are typed, and how problems look."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click import unstyle
from click.testing import CliRunner, Result

from evalkit.cli.check import check
from evalkit.cli.project import find_root
from evalkit.cli.schema import FORMATS, schema
from evalkit.cli.terminal import render_github, render_text
from evalkit.errors import UsageError
from evalkit.records import Place, Problem, TrialKey, TrialStart, TurnStart
from evalkit.records.run import to_json
from evalkit.yamlsource import load_yaml
from tests.project_files import SUITE, write_files, write_project

ROOT = Path(__file__).parent.parent.parent
MAIN = "from evalkit.cli.main import main; main()"
LONG = "Customers may return unused goods within thirty days of delivery, free of charge.\n" * 30


def run(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(root)
    return CliRunner().invoke(check, arguments)


def test_a_project_in_order_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary counts what was checked; the exit code is 0."""
    result = run(write_project(tmp_path, voice=LONG), monkeypatch)

    assert result.exit_code == 0
    assert result.output == "1 suite with 1 case, 2 prompt versions: no problems\n"


def test_warnings_are_shown_and_do_not_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short prefix is worth a line and no exit code."""
    result = run(write_project(tmp_path), monkeypatch, "prompts/support/v2.md")

    assert result.exit_code == 0
    assert "v2.md:13:1: warning: tools and text before the cache point" in result.output
    assert result.output.endswith("1 prompt version: 1 warning\n")


def test_an_error_in_a_shared_value_names_where_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that is wrong is the one with the anchor; what it is wrong for is told beside it, once."""
    shared = (
        "shared: &ends {outcome: {write_tools: [move], writes: []}}\n"
        "cases:\n  - {id: a, turns: [&t {user: Hi, expect: *ends}, *t]}\n"
    )
    suite = SUITE.partition("cases:")[0] + shared
    result = run(write_project(tmp_path, suite=suite), monkeypatch, "suites/hello.yaml")

    assert result.output.count("'outcome' is about the whole conversation") == 1
    assert "of the case (used at suites/hello.yaml:" in result.output


def test_an_error_is_shown_with_its_line_and_a_caret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 2, and the caret stands under the column."""
    result = run(write_project(tmp_path, suite=SUITE.replace("says", "say")), monkeypatch, "suites/hello.yaml")

    assert result.exit_code == 2
    assert result.output.splitlines() == [
        "suites/hello.yaml:6:14: error: unknown key 'say' in expect (did you mean 'says'?)",
        "        expect: {say: [Tess]}",
        "                 ^",
        "1 suite with 0 cases: 1 error",
    ]


def test_a_check_works_from_a_folder_below_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths on the command line are the shell's, paths in messages the project's."""
    root = write_project(tmp_path, suite=SUITE.replace("says", "say"))

    assert "\nsuites/hello.yaml:6:14: error" in "\n" + run(root / "suites", monkeypatch, "hello.yaml").output


def test_annotations_name_file_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-f github` prints workflow commands; the summary goes to stderr."""
    root = write_project(tmp_path, suite=SUITE.replace("says", "say"))
    result = run(root, monkeypatch, "-f", "github", "suites/hello.yaml")

    assert result.exit_code == 2
    assert result.stdout == (
        "::error file=suites/hello.yaml,line=6,col=14,title=evalkit check::"
        "unknown key 'say' in expect (did you mean 'says'?)\n"
    )


def test_a_folder_without_anything_to_check_is_not_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing checked is said, with the exit code of an empty selection."""
    (tmp_path / "suites").mkdir()
    result = run(tmp_path, monkeypatch)

    assert "nothing to check" in str(result.exception)


def test_the_command_ends_with_its_exit_codes(tmp_path: Path) -> None:
    """The installed command: 2 for a wrong file, 5 for nothing, 2 for a path that is not there."""
    broken = write_project(tmp_path / "a", suite="- x\n")
    (tmp_path / "b" / "prompts").mkdir(parents=True)
    codes = [
        subprocess.run([sys.executable, "-c", MAIN, *args], cwd=cwd, capture_output=True, check=False)
        for cwd, args in ((broken, ["check"]), (tmp_path / "b", ["check"]), (broken, ["check", "nothing.yaml"]))
    ]

    assert [done.returncode for done in codes] == [2, 5, 2]


def test_check_starts_without_the_heavy_packages() -> None:
    """Neither the SDK nor pandas nor a server is imported for a check."""
    heavy = ("anthropic", "pandas", "scipy", "deepdiff", "uvicorn", "genai_prices", "rich")
    code = (
        "import sys\nfrom evalkit.cli.main import run_command\ncode = run_command(['check'])\n"
        f"print(code, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "0 []"


@pytest.mark.parametrize(
    ("line", "column", "caret"),
    [
        ("abc: d", 6, "         ^"),
        ("\tabc", 2, "    \t^"),
        ("日本: x", 5, "          ^"),
        ("e\u0301: x", 5, "       ^"),
        ("a\u202eb: c", 6, "         ^"),
    ],
)
def test_the_caret_stands_under_its_column(line: str, column: int, caret: str) -> None:
    """Tabs are kept, wide letters count two cells, accents none, and direction marks are shown as dots."""
    shown = unstyle(render_text(Problem(Place("a", 1, column), "x", source_line=line))).splitlines()

    assert shown[2] == caret
    assert "\u202e" not in shown[1]


def test_a_very_long_line_is_shown_around_the_column() -> None:
    """The terminal is not flooded."""
    text = render_text(Problem(Place("a", 1, 50_001), "x", source_line="y" * 50_000 + "z" + "y" * 50_000))
    _, line, caret = unstyle(text).splitlines()

    assert len(line) < 200
    assert line[caret.index("^")] == "z"


def test_a_message_can_neither_end_an_annotation_nor_colour_a_terminal() -> None:
    """Line breaks, percent signs, separators and escapes in names are encoded or shown as dots."""
    problem = Problem(Place("a,b:c%.yaml", 1, 2), "50% of\n::error::x\x1b[31m", source_line="x")

    assert render_github(problem) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2,title=evalkit check::50%25 of%0A::error::x\x1b[31m"
    )
    assert "x·[31m" in render_text(problem)


def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR is respected; what is coloured is also said in words."""
    problem = Problem(Place("a", 1, 1), "x", source_line="x")
    coloured = render_text(problem)
    monkeypatch.setenv("NO_COLOR", "1")

    assert render_text(problem) == unstyle(coloured) != coloured


def test_the_root_is_the_nearest_folder_that_looks_like_a_project(tmp_path: Path) -> None:
    """A folder `suites` or `prompts`, or [tool.evalkit]; a Python package called suites is not one."""
    write_files(tmp_path, {"suites/a.yaml": "", "sub/suites/__init__.py": "", "sub/deep/x": ""})
    write_files(tmp_path, {"tool/pyproject.toml": "[tool.evalkit]\n", "tool/x/y": "", "other/pyproject.toml": "["})

    assert find_root(tmp_path / "sub" / "deep") == tmp_path
    assert find_root(tmp_path / "tool" / "x") == tmp_path / "tool"
    assert find_root(tmp_path / "other") == tmp_path
    with pytest.raises(UsageError, match="no project here or above"):
        find_root(Path("/"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_schema_is_valid_json_schema(name: str) -> None:
    """`evalkit schema NAME` prints one; keys of the file formats have a description and most an example."""
    made = json.loads(CliRunner().invoke(schema, [name]).output)

    jsonschema.Draft202012Validator.check_schema(made)
    assert made["title"]
    if name != "record":
        for key, about in made["properties"].items():
            assert about.get("description"), key


def test_the_sample_files_satisfy_their_schemas() -> None:
    """What the loader accepts, an editor accepts."""
    suite = jsonschema.Draft202012Validator(json.loads(CliRunner().invoke(schema, ["suite"]).output))
    voice = jsonschema.Draft202012Validator(json.loads(CliRunner().invoke(schema, ["voice"]).output))
    files = sorted((ROOT / "suites").glob("*.yaml"))

    assert files
    for path in files:
        value = load_yaml(path, path.name).value()
        errors = (voice if "rules" in value else suite).iter_errors(value)
        assert [f"{path.name}: {error.message}" for error in errors] == []


def test_a_line_of_a_run_satisfies_the_record_schema() -> None:
    """The schema names the kind of each line, and refuses a line of no kind."""
    validator = jsonschema.Draft202012Validator(json.loads(CliRunner().invoke(schema, ["record"]).output))
    key = TrialKey("suites/a.yaml", "x", "support@v1", 1)
    lines = [to_json(TrialStart(key, key.session_id, "0" * 64)), to_json(TurnStart(key.session_id, 1, "Hi"))]

    for line in json.loads(json.dumps(lines, default=vars)):
        assert validator.is_valid(line)
        assert not validator.is_valid({**line, "line": "nothing"})
