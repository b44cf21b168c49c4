"""The comment and the job summary: verdict first, short enough for GitHub, and harmless whatever a model said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.records import Source, Statement, Topic
from evalkit.reporting import FinishedRun, Links, render_comment, render_job_summary
from evalkit.reporting.markdown import COMMENT_LIMIT, MARKER, REPORT_URL, SUMMARY_LIMIT, render_unaffected
from evalkit.reporting.safe_text import code, plain
from tests.made_up_run import FAILED, LIVE, MadeUpRun, case, run_of, score, trial, turn
from tests.reporting.showcase import against_passing, showcase

CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
NASTY = ["@octocat #1 GH-2 https://evil.example www.evil.example", "```\n@octocat", "`a` | b", "<img src=x>", "\\`@me`"]


def finished(run: MadeUpRun, links: Links | None = None) -> FinishedRun:
    """Return a run as the reports take it."""
    analysis = analyse(run)
    return FinishedRun(analysis.summary, judge(analysis.summary), analysis.details, links=links or Links())


def test_rules_and_tags_of_a_compared_run() -> None:
    """The numbers have, by rule and tag, how steady it is, what it was, and a q that is said to decide nothing."""
    run = showcase()
    told = render_job_summary(replace(finished(run), comparison=against_passing(run).told))

    assert re.search(r"tag `shipping` \| \d of 3 cases, .*trials: was 15 of 15, now 2 of 9, q &lt;0.001", told)
    assert "held: was 15 of 15, now 0 of 5, q 0.002" in told
    assert "Diagnostic, does not gate." in told
    assert "does not gate" not in render_job_summary(finished(run))


def long_run(text: str, count: int = 200) -> MadeUpRun:
    """A run of failed cases that all said the same."""
    cases = [case(f"{n} {text}"[:200]) for n in range(count)]
    seen = score(FAILED, f"says {text}", observed=text, expected=text)
    played = [trial(one.case_id, 1, seen, turns=[turn(1, text, text)]) for one in cases]
    return MadeUpRun(cases, played)


def outside_code(markdown: str) -> str:
    """Return what is left of Markdown without its code spans and the comment's marker."""
    without = re.sub(r"<code>.*?</code>", "", markdown.replace(MARKER, ""))
    return CODE_SPAN.sub("", without)


@pytest.mark.parametrize(
    ("run", "first"),
    [
        (run_of({"a": "ppp"}, source=LIVE), "### ✅ Evals passed"),
        (run_of({"a": "ppp"}), "### 🧪 Stand-in only: suite, tools and rules hold; the model was not asked"),
        (run_of({"a": "ppp"}, source=Source("replayed", "x", "live")), "### ✅ Evals passed on stored replies"),
        (run_of({"a": "fff"}, source=LIVE), "### ❌ Evals failed: suites/lamps.yaml: pass rate 0.00"),
        (run_of({"a": "ppp"}, end=None), "### ⚠️ No verdict: the run never came to its end"),
    ],
)
def test_the_verdict_is_the_first_line_after_the_marker(run: MadeUpRun, first: str) -> None:
    """The comment begins with its marker, then the verdict and where replies came from."""
    marker, line, *_ = render_comment(finished(run)).splitlines()
    assert marker == MARKER
    assert line.startswith(first)


def test_what_broke_is_a_table_with_links() -> None:
    """Each case that did not pass has a row: what broke, its line in the repository, how many trials passed."""
    text = render_comment(finished(showcase(), Links(REPORT_URL, "https://github.com/o/r/blob/abc")))
    row = next(line for line in text.splitlines() if "`lookup-keeps-failing` (critical)" in line)
    assert "[line 95](https://github.com/o/r/blob/abc/suites/late%20parcels.yaml#L95) | 1/3 |" in row
    assert f"[open the report]({REPORT_URL})" in text


def test_a_green_run_has_no_table() -> None:
    """Nothing broke: neither table nor conversations."""
    text = render_comment(finished(run_of({"a": "ppp"})))
    assert "| Case |" not in text
    assert "what it said" not in text


@pytest.mark.parametrize("text", ["x" * 3000, "&<|`@" * 600, "\n".join(NASTY) * 20, "語" * 3000])
def test_it_stays_within_githubs_limits(text: str) -> None:
    """Two hundred failures with long replies still make a comment and a job summary that GitHub takes."""
    run = finished(long_run(text))
    comment, summary = render_comment(run), render_job_summary(run)
    assert len(comment) <= COMMENT_LIMIT
    assert len(summary.encode()) <= SUMMARY_LIMIT
    assert "did not fit here" in comment
    assert comment.rstrip().endswith("</sub>")


@given(text=st.text(max_size=300))
@example(text=NASTY[0])
@example(text=NASTY[1])
@example(text=NASTY[2])
@example(text=NASTY[3])
@example(text=NASTY[4])
def test_nothing_a_model_says_acts_on_github(text: str) -> None:
    """Outside code spans there is no mention, reference, link, foreign HTML or table bar from a reply or a name."""
    run = finished(long_run(text, 1))
    run = replace(run, gate=replace(run.gate, reasons=(Statement(Topic.COST, text),) * 2))
    left = outside_code(render_comment(run))
    assert not re.search(r"@\w|#\d|GH-\d|://\w|www\.\w", left)
    assert set(re.findall(r"<(/?\w+)", left)) <= {"details", "/details", "summary", "/summary", "sub", "/sub"}


@given(text=st.text())
def test_a_code_span_is_whole(text: str) -> None:
    """A code span holds all of its text: no run of backticks in it is as long as its fence."""
    span = code(text)
    if span != "–":
        found = CODE_SPAN.fullmatch(span)
        assert found is not None
        assert "|" not in span


@given(text=st.text())
def test_plain_text_is_one_line_without_markup(text: str) -> None:
    """Plain text has no newline and no tag."""
    shown = plain(text)
    assert len(shown.splitlines()) <= 1
    assert "<" not in shown


def test_the_job_summary_has_every_failure() -> None:
    """A hundred failures all have their conversation in the job summary."""
    run = finished(long_run("no", 50))
    assert render_job_summary(run).count("what it said") == 50


def test_a_change_that_affects_nothing_says_so() -> None:
    """The comment of an unaffected change has the marker, so that an older verdict does not stay."""
    assert render_unaffected("Nothing.").splitlines()[:2] == [MARKER, "### ➖ No suite is affected by this change"]
