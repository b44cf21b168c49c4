"""The text of a finished run: what it must say, how it fits a width, and that nothing hostile gets through."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.records import CaseVerdict, Level, Source
from evalkit.reporting.terminal import Screen, render_run
from tests.made_up_run import FAILED, LIVE, PASSED, MadeUpRun, case, marked, run_of, score, trial, trials, turn, voice
from tests.reporting.showcase import showcase


def text_of(run: MadeUpRun, screen: Screen | None = None, report: str = "") -> str:
    """Analyse, judge and render a run; plain and 100 wide unless told."""
    analysis = analyse(run)
    return render_run(
        analysis.summary, judge(analysis.summary), analysis.details, screen=screen or Screen(), report=report
    )


def test_failure_tells_place_turn_quote_and_command() -> None:
    """A failure shows its verdict, place, label, turn, trial, the quoted sentence and the command that repeats it."""
    entry = text_of(showcase()).split("FAIL  lookup-keeps-failing")[1].split("\n\n")[0]
    assert "critical, 1 of 3 trials passed" in entry
    assert 'suites/late parcels.yaml:95:20   never_says "on its way"' in entry
    assert "turn 1, trial 1" in entry
    assert "evalkit run 'suites/late parcels.yaml::lookup-keeps-failing' --via stand-in -p support@v2" in entry


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_mark_stands_under_the_match(width: int) -> None:
    """The line of overbars stands exactly under the words that broke the rule, at any width."""
    lines = text_of(showcase(), Screen(width)).splitlines()
    for at, line in enumerate(lines):
        if line.strip() and set(line.strip()) == {"‾"} and "on its way" in lines[at - 1]:
            start = len(line) - len(line.lstrip())
            assert lines[at - 1][start : start + len(line.strip())] == "on its way"
            return
    pytest.fail("no marked line")


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_grid_and_quotes_fit_the_width(width: int) -> None:
    """No line of the grid or of a quote is wider than the screen."""
    text = text_of(showcase(), Screen(width))
    lines = [line for line in text.splitlines() if re.search(r"[●○?]{3}|‾‾|^ +turn \d", line)]
    assert len(lines) > 8
    assert max(cell_len(line) for line in lines) <= width


def test_every_case_is_in_the_grid() -> None:
    """Each case stands in the grid with one dot per trial, whatever the width."""
    for width in (80, 120):
        text = text_of(run_of({"a": "ppf", "b": "p.n"}), Screen(width))
        assert re.search(r"\ba ●●○", text)
        assert re.search(r"\bb ●\?\?", text)


def test_long_ids_lose_their_middle() -> None:
    """A long id keeps its beginning and its end."""
    name = "a-case-with-a-name-" + "that-goes-on-" * 4 + "end"
    grid = text_of(MadeUpRun([case(name)], trials(name, "ppp"))).splitlines()[2]
    assert re.match(r"  a-case-with.*….*on-end ●●●$", grid)


def test_plain_text_has_no_escape_codes() -> None:
    """Without colour not one escape character is written, whatever the model said."""
    text = text_of(showcase())
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_colour_adds_nothing_but_colour() -> None:
    """With the colour codes taken out, the coloured text is the plain text: no meaning hangs on colour alone."""
    coloured = text_of(showcase(), Screen(100, colour=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text_of(showcase())


def test_hostile_reply_stays_on_its_line() -> None:
    """A reply with line breaks and cursor codes can't forge a line of the report."""
    reply = "Sure.\x1b[2J\x1b[31m\r\n✓ Passed: 9 of 9 cases pass; bad word \u202edne"
    broken = score(FAILED, "never_says\n✓ Passed", spans=(marked(reply, "bad word"),), note="a\x9b31m")
    text = text_of(MadeUpRun([case("a")], [trial("a", 1, broken, turns=[turn(1, reply)])]))
    assert not any(line.startswith("✓ Passed") for line in text.splitlines())
    assert "␛[31m ✓ Passed: 9 of 9 cases pass; bad word ‹U+202E›dne" in text


def test_failures_are_capped() -> None:
    """Only twelve failures are spelled out, the last line of them says how many more there are."""
    text = text_of(run_of({f"c{n:02}": "fff" for n in range(40)}))
    assert text.count("\nFAIL  ") == 12
    assert "… and 28 more that did not pass" in text


def test_api_down_is_told_once() -> None:
    """When no case got a reply for one reason, it is told once for all, with a request for the support."""
    text = text_of(run_of({f"c{n}": "nnn" for n in range(9)}))
    assert text.count("overloaded_error (status 529): Overloaded (request req_down1)") == 1
    assert "NOT MEASURED  c0 and 8 other cases" in text


def test_large_suite_shows_only_what_did_not_pass() -> None:
    """The grid of a suite of a thousand cases holds its failures and one line about the rest."""
    text = text_of(run_of({**{f"ok{n}": "ppp" for n in range(999)}, "bad": "fff"}))
    assert "ok17" not in text
    assert "999 of 1,000 cases pass in every trial" in text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source("stand-in"), "$0.00 spent; at claude-sonnet-5-5's prices it would be $0.003"),
        (LIVE, "$0.003 spent"),
        (Source("replayed", "reports/a"), "$0.00 spent now; the recorded replies cost $0.003"),
    ],
)
def test_money_says_what_was_really_spent(source: Source, words: str) -> None:
    """Only a live run spends money; the others say what the replies would cost or did."""
    assert words in text_of(run_of({"a": "ppp"}, source=source))


def test_last_lines_hold_the_verdict() -> None:
    """The end has counts, warnings, requests, time, the report's path and the verdict with its reasons."""
    end = text_of(showcase(), report="reports/x/report.html").splitlines()[-7:]
    assert end[0].startswith("11 of 19 cases pass, 2 unstable, 4 fail (1 watched only), 2 not measured, 1 skipped.")
    assert "voice/brief ×5" in end[0]
    assert "93 requests" in end[1]
    assert end[1].endswith("48.2 s   report: reports/x/report.html")
    assert end[2].startswith("✗ Failed: 1 critical case fails (lookup-keeps-failing)")


def test_run_without_cases_is_rendered() -> None:
    """A run that selected nothing still says so."""
    assert "– Nothing selected" in text_of(MadeUpRun([], [], suites=()))


def test_suggestions_come_after_warnings_and_are_none() -> None:
    """A broken suggestion is told by itself; the case is not warned, and it passed."""
    played = [trial("a", n, score(PASSED), voice("brief"), voice("warmer", level=Level.SUGGESTION)) for n in (1, 2, 3)]
    analysis = analyse(MadeUpRun([case("a")], played))
    (summarised,) = analysis.summary.cases

    assert "Warnings: voice/brief ×3  Suggestions: voice/warmer ×3" in text_of(MadeUpRun([case("a")], played))
    assert summarised.warned == ("voice/brief",)
    assert summarised.verdict is CaseVerdict.PASS
    assert [rule.level for rule in analysis.summary.rules] == [Level.ERROR, Level.WARNING, Level.SUGGESTION]
