"""Annotations: at the lines, worst first, nine and a count, and nothing in them is a command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import analyse
from evalkit.cli.terminal import render_github
from evalkit.gate import judge
from evalkit.records import Place, Problem
from evalkit.reporting import Links
from evalkit.reporting.annotations import SHOWN, Annotation, render_annotations, workflow_command
from tests.made_up_run import MadeUpRun, run_of
from tests.reporting.showcase import showcase


def lines(run: MadeUpRun) -> list[str]:
    """Return the annotations of a run."""
    analysis = analyse(run)
    return render_annotations(analysis.summary, judge(analysis.summary), analysis.details).splitlines()


def test_the_worst_stands_first_at_its_line() -> None:
    """The first annotation is the critical failure, at the assertion's place."""
    assert lines(showcase())[0].startswith(
        "::error file=suites/late parcels.yaml,line=95,col=20,title=lookup-keeps-failing::"
    )


def test_only_what_weighs_is_an_error() -> None:
    """Unstable and watched cases are warnings."""
    warned = [line for line in lines(showcase()) if line.startswith("::warning")]
    assert [line.partition("title=")[2].partition("::")[0] for line in warned] == [
        "question-about-colour",
        "question-about-height",
        "watched",
    ]


def test_more_than_github_shows_is_counted() -> None:
    """Thirteen failures are nine errors, and a tenth that says how many more."""
    found = lines(run_of({f"case-{n}": "fff" for n in range(13)}))
    assert len(found) == SHOWN + 1
    assert found[-1].endswith("4 more cases like these did not pass; the report has them all.")


def test_a_red_run_without_a_failed_case_is_an_error_too() -> None:
    """A run that has no verdict though every case passed says so in an annotation."""
    (line,) = lines(run_of({"a": "ppp"}, end=None))
    assert line.startswith("::error title=evalkit::No verdict")


def test_a_green_run_has_none() -> None:
    """Nothing is printed when every case passed."""
    assert lines(run_of({"a": "ppp"})) == []


@given(title=st.text(min_size=1), message=st.text())
def test_no_text_begins_a_command_of_its_own(title: str, message: str) -> None:
    """Whatever a model said, the annotation stays one line with one command."""
    command = workflow_command(Annotation("error", Place("suites/a.yaml", 3, 4), title, message))
    assert len(command.splitlines()) == 1
    head, _, _ = command.removeprefix("::error ").partition("::")
    assert head.count(",") <= 3


def test_check_and_run_write_the_same_form() -> None:
    """The annotations of `evalkit check` and of runs are escaped alike."""
    place, message = Place("suites/a, b.yaml", 3, 4), "50 % of: a, b"
    ours = workflow_command(Annotation("error", place, "evalkit check", message))
    assert ours == render_github(Problem(place, message))


def test_files_count_from_the_top_of_the_repository() -> None:
    """A project in a subfolder is annotated, checked and linked where GitHub looks; what lies outside it too."""
    analysis = analyse(showcase())
    told = render_annotations(analysis.summary, judge(analysis.summary), analysis.details, "services/shop/")
    assert told.startswith("::error file=services/shop/suites/late parcels.yaml,line=95,")

    shared = Place("../shared/voice.yaml", 3, 4)
    assert "file=services/shared/voice.yaml," in render_github(Problem(shared, "x"), "services/shop/")
    assert "file=/etc/voice.yaml," in render_github(Problem(Place("/etc/voice.yaml", 3), "x"), "services/shop/")
    assert Links("", "https://git.example/b/x", "services/shop/").of(Place("suites/a.yaml", 3)) == (
        "https://git.example/b/x/services/shop/suites/a.yaml#L3"
    )
