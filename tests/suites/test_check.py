"""What a check of a whole project covers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.suites.check import check_project
from tests.project_files import PROMPT, SUITE, write_files, write_project

ROOT = Path(__file__).parent.parent.parent
VOICE = """\
rules:
  - {id: kept, extends: existence, message: x, tokens: [x]}
  - {id: off, extends: existence, message: x, tokens: [y]}
"""


def found(root: Path, *paths: str) -> list[str]:
    """Return the places and severities of what is found, but for the small prompt's short prefix."""
    problems = check_project(root, [root / path for path in paths]).problems
    return [f"{one.place} {one.severity}" for one in problems if "caches nothing shorter" not in one.message]


def test_the_sample_project_has_no_problem() -> None:
    """The project that comes with evalkit is in order, warnings included."""
    checked = check_project(ROOT)

    assert [f"{problem.place} {problem.message}" for problem in checked.problems] == []
    assert checked.suites >= 3
    assert checked.cases >= 40
    assert checked.prompts >= 6


def test_without_paths_everything_is_checked(tmp_path: Path) -> None:
    """Suites, voice files, every prompt version, and CURRENT."""
    root = write_project(tmp_path, current="v9\n", suite=SUITE.replace("prompt", "promt"))
    write_files(root, {"suites/voice.yaml": "rules: []", "prompts/support/v1.md": PROMPT.replace("model", "modl")})

    assert found(root) == [
        "prompts/support/CURRENT:1:1 error",
        "prompts/support/v1.md:2:1 error",
        "prompts/support/v1.md:2:1 error",
        "suites/hello.yaml:1:1 error",
        "suites/hello.yaml:1:1 error",
        "suites/voice.yaml:1:8 error",
    ]


def test_a_path_limits_the_check(tmp_path: Path) -> None:
    """A suite, a voice file, a version, a prompt's folder and a folder of suites can be named."""
    root = write_project(tmp_path, suite=SUITE.replace("says", "sais"), v2=PROMPT.replace("{{ shop }}", "{{ shpo }}"))
    write_files(root, {"suites/more/voice.yaml": VOICE.replace("[x]", "['[']")})

    suite = ["prompts/support/v2.md:10:20 error"]
    assert found(root, "suites/hello.yaml") == ["suites/hello.yaml:6:14 error"]
    assert found(root, "suites/more") == ["suites/more/voice.yaml:2:57 error"]
    assert found(root, "suites/more/voice.yaml") == ["suites/more/voice.yaml:2:57 error"]
    assert found(root, "prompts/support/v1.md") == []
    assert found(root, "prompts/support/v2.md") == suite
    assert found(root, "prompts/support/tools/lookup_order.yaml") == suite
    assert found(root, "prompts") == suite
    assert len(found(root, ".")) == 3


@pytest.mark.parametrize("path", ["nothing.yaml", "pyproject.toml", "prompts/other/v1.md"])
def test_a_path_that_is_nothing_to_check_is_a_usage_error(tmp_path: Path, path: str) -> None:
    """What is neither a suite nor a prompt is named."""
    root = write_files(write_project(tmp_path), {"pyproject.toml": ""})

    with pytest.raises(UsageError, match=path):
        check_project(root, [root / path])


def test_a_rule_that_is_switched_off_everywhere_is_a_warning(tmp_path: Path) -> None:
    """It is judged over all suites that name the voice file, whichever file was asked for."""
    suite = SUITE.replace("cases:", "voice: voice.yaml\nexpect: {voice: {except: ['off']}}\ncases:")
    root = write_files(write_project(tmp_path, suite=suite), {"suites/voice.yaml": VOICE})

    assert found(root, "suites/voice.yaml") == ["suites/voice.yaml:3:5 warning"]
    write_files(root, {"suites/other.yaml": SUITE.replace("cases:", "voice: voice.yaml\ncases:")})
    assert found(root, "suites/voice.yaml") == []


def test_a_prompt_is_checked_with_the_inputs_of_a_suite_that_uses_it(tmp_path: Path) -> None:
    """The rendered length is known although the input has no default."""
    root = write_project(tmp_path)

    (problem,) = check_project(root, [root / "prompts/support/v2.md"]).problems

    assert "claude-sonnet-5-5 caches nothing shorter than 512" in problem.message


def test_models_that_a_suite_names_are_checked_by_the_day(tmp_path: Path) -> None:
    """The prompt's other model, the judge and the simulated user, each where it is named."""
    suite = (
        "prompt: support+claude-opus-4-5\ninputs: {today: x}\njudge: {model: claude-sonnet-4-5}\ncases:\n"
        "  - {id: a, simulate: {goal: Find it, model: claude-haiku-6}, expect: {judge: [Is kind]}}\n"
    )
    root = write_project(tmp_path, suite=suite)

    problems = {
        day: [
            f"{one.place.line}:{one.place.column} {one.severity}"
            for one in check_project(root, [root / "suites/hello.yaml"], today=day).problems
            if one.message.startswith("model ")
        ]
        for day in (date(2026, 11, 24), date(2026, 12, 1))
    }

    assert problems[date(2026, 11, 24)] == ["1:9 warning", "3:16 warning", "5:46 warning"]
    assert problems[date(2026, 12, 1)] == ["1:9 warning", "3:16 error", "5:46 warning"]


def test_a_problem_that_several_suites_share_is_listed_once(tmp_path: Path) -> None:
    """The prompt's mistake is not repeated for each suite that uses it."""
    root = write_project(tmp_path, v2=PROMPT.replace("{{ shop }}", "{{ shpo }}"))
    write_files(root, {f"suites/{name}.yaml": SUITE for name in "abc"})

    assert [line for line in found(root) if "v2.md" in line] == ["prompts/support/v2.md:10:20 error"]


def test_a_fixture_asks_for_calls_with_the_matchers_of_calls(tmp_path: Path) -> None:
    """`one_of` and `min` in `when` are no values that a tool's schema could refuse, and are checked for sense."""
    root = write_project(tmp_path)
    suite = root / "suites/a.yaml"
    text = (
        "prompt: support\ninputs: {today: Monday}\ntools:\n  lookup_order: [{when: {order_id: CHOICE}, returns: 1}]\n"
        "cases: [{id: a, user: Hi, expect: {says: [x]}}]\n"
    )
    suite.write_text(text.replace("CHOICE", "{one_of: [TN-1, TN-2]}"))
    assert [one.message for one in check_project(root, [suite]).problems if one.severity == "error"] == []
    suite.write_text(text.replace("CHOICE", "{min: 5, max: 3}"))
    assert "min 5 is more than max 3" in str(check_project(root, [suite]).problems)
