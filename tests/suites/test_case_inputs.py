"""Inputs of suites, cases and variants: which win, which files they name, and what the prompt says to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import FileProblems
from evalkit.prompts import find_prompt
from evalkit.suites import Suite, load_suite, render_cases
from evalkit.suites.check import check_project
from tests.project_files import write_files

PROMPT = """\
---
model: claude-sonnet-5-5
inputs:
  plan: free
  articles: {required: true}
---
You answer for Loomline.
{# evalkit: cache here #}
Plan: {{ plan }}
{% for one in articles %}{{ one.title }}: {{ one.text }}
{% endfor %}
"""
SUITE = """\
prompt: helper
inputs: {plan: team, articles: []}
cases:
  - id: limits
    user: How many looms may I have?
    inputs:
      articles:
        - {title: Limits, text: {file: ../docs/limits.md}}
    expect: {says: [loom]}
  - id: hello
    variants:
      - Hello
      - {user: Hi, inputs: {plan: free}}
    expect: {says: [Loomline]}
"""
FILES = {"prompts/helper.md": PROMPT, "suites/a.yaml": SUITE, "docs/limits.md": "Ten looms."}


def suite_of(root: Path, text: str = SUITE) -> Suite:
    """Write the project and load its suite."""
    write_files(root, {**FILES, "suites/a.yaml": text})
    return load_suite(root / "suites/a.yaml", root)


def problems(root: Path, *change: str) -> list[str]:
    """Return what `check` says of the suite with one piece of its text replaced."""
    write_files(root, {**FILES, "suites/a.yaml": SUITE.replace(*change, 1)})
    found = check_project(root, [root / "suites/a.yaml"]).problems
    return [f"{one.place}: {one.message}" for one in found if one.severity == "error"]


def test_a_variant_wins_over_its_case_and_a_case_over_its_suite(tmp_path: Path) -> None:
    """Key by key, and a file's text stands where it is named."""
    cases = {case.record.case_id: dict(case.inputs.values) for case in suite_of(tmp_path).cases}

    assert cases == {
        "limits": {"plan": "team", "articles": [{"title": "Limits", "text": "Ten looms."}]},
        "hello/1": {"plan": "team", "articles": []},
        "hello/2": {"plan": "free", "articles": []},
    }


def test_each_case_is_rendered_with_its_own_inputs(tmp_path: Path) -> None:
    """One version, as many renderings as there are different inputs."""
    suite = suite_of(tmp_path)

    versions = render_cases(suite, find_prompt("helper", tmp_path), suite.cases)

    assert "Limits: Ten looms." in versions["suites/a.yaml", "limits"].text
    assert "Plan: free" in versions["suites/a.yaml", "hello/2"].text
    assert len({version.sha for version in versions.values()}) == 3
    assert len({version.template_sha for version in versions.values()}) == 1


def test_another_input_is_another_case(tmp_path: Path) -> None:
    """So that a baseline's trials count only for what was asked then; the file behind an input counts too."""
    before = {case.record.case_id: case.record.sha for case in suite_of(tmp_path).cases}
    write_files(tmp_path, {"docs/limits.md": "Twelve looms."})
    after = {case.record.case_id: case.record.sha for case in load_suite(tmp_path / "suites/a.yaml", tmp_path).cases}

    assert {case_id for case_id in before if before[case_id] != after[case_id]} == {"limits"}


def test_a_suite_knows_the_files_of_its_inputs(tmp_path: Path) -> None:
    """`--changed-since` and `--watch` go by them."""
    assert set(suite_of(tmp_path).files) == {"suites/a.yaml", "docs/limits.md"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("file: ../docs/limits.md", "file: ../docs/no.md"),
            "8:40: there is no file docs/no.md; the path is relative to",
        ),
        (
            ("file: ../docs/limits.md", "file: ../../a.md"),
            "8:40: '../../a.md' is outside the project; it must lie inside it.",
        ),
        (("file: ../docs/limits.md", "file: 7"), "8:40: `file` is 7; expected the path of a file."),
        (("articles:\n", "article:\n"), "7:7: prompt helper has no input 'article' (did you mean 'articles'?)"),
        (("inputs: {plan: free}", "inputs: {paln: free}"), "13:29: prompt helper has no input 'paln' (did you mean"),
        (("user: Hi,", "user: Hi, plan: free,"), "13:20: unknown key 'plan' in a variant; known keys: user, inputs"),
        (
            ("inputs: {plan: free}", "inputs: {plan: [free]}"),
            "13:35: input 'plan' of prompt helper is a list; expected",
        ),
        (("inputs: {plan: free}", "inputs: {plan: }"), "13:35: an input can't be empty; expected text"),
        ((", articles: []}", "}"), "12:9: case 'hello/1' has no 'articles', which prompt helper needs; add it to"),
    ],
)
def test_a_mistake_in_inputs_is_one_line_at_its_place(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    """File, name, kind, and what is missing."""
    assert problems(tmp_path, *change)[0].startswith(f"suites/a.yaml:{expected}")


def test_an_input_that_nobody_gives_is_told_once_for_the_suite(tmp_path: Path) -> None:
    """Not once for each case."""
    text = "prompt: helper\ncases:\n  - {id: a, user: A}\n  - {id: b, user: B}\n"

    assert problems(tmp_path, SUITE, text) == [
        "suites/a.yaml:1:1: prompt helper needs 'articles'; add it to this suite's inputs, such as articles: ..."
    ]


def test_what_does_not_render_is_told_at_the_prompts_line_with_the_cases(tmp_path: Path) -> None:
    """The mistake may be in either, so both are named."""
    suite = suite_of(tmp_path, SUITE.replace("title: Limits", "titel: Limits"))

    with pytest.raises(FileProblems) as caught:
        render_cases(suite, find_prompt("helper", tmp_path), suite.cases)

    assert str(caught.value).startswith("prompts/helper.md:10:1: error: this value has no 'title' (did you mean")
    assert str(caught.value).endswith("(case limits).")


def test_an_input_that_cases_give_is_a_warning_above_the_cache_point(tmp_path: Path) -> None:
    """Each of them would write the static part again; the warning names them."""
    write_files(tmp_path, {**FILES, "prompts/helper.md": PROMPT.replace("Loomline", "Loomline ({{ plan }})")})

    found = [str(one.place) + " " + one.message for one in check_project(tmp_path).problems]

    assert (
        "prompts/helper.md:7:29 'plan' changes between cases (hello/2) and stands before the cache point (line 8): "
        "every session will write a new cache entry."
    ) in found
