"""bless, run against a baseline, compare and power on the sample project: what they say, write and end with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evalkit.gate import compare_run
from evalkit.records import Verdict
from evalkit.store import RunReader, find_run
from tests.cli.sample import BASELINE, SUITE, Sample, make_sample
from tests.project_files import commit_all

RULE = "lawyer"


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample project with a run of the live version as its baseline."""
    sample = make_sample(tmp_path_factory.mktemp("sample"))
    assert sample.run("run", "--via", "stand-in").code == 0
    done = sample.run("bless", "--yes", "--replies")
    assert done.code == 0, done.out + done.err
    return sample


@pytest.fixture
def project(blessed: Sample, tmp_path: Path) -> Sample:
    """A copy of it that a test may change."""
    return blessed.copy(tmp_path)


def test_bless_writes_a_reviewable_file(blessed: Sample) -> None:
    """The baseline has at least five rounds of every case, sorted, a line a case, without replies."""
    text = (blessed.root / BASELINE).read_text("utf-8")
    told = blessed.baseline()

    assert min(case["trials"] for case in told["cases"].values()) >= 5
    assert list(told["cases"]) == sorted(told["cases"])
    assert sum(f'"{case_id}"' in line for line in text.splitlines() for case_id in told["cases"]) == len(told["cases"])
    assert told["conditions"]["source"] == "stand-in"
    assert told["prompt_ref"] == "support@v4"


def test_bless_keeps_the_replies_when_asked(blessed: Sample) -> None:
    """NAME.replies.jsonl is a run by itself: a header, the suite, and every conversation."""
    lines = [json.loads(line) for line in (blessed.root / "suites/tone.replies.jsonl").read_bytes().splitlines()]

    assert [line["line"] for line in lines[:1]] == ["run"]
    assert {"suite", "case", "session", "request", "score"} <= {line["line"] for line in lines}


def test_the_replies_kept_with_the_baseline_are_a_source(project: Sample) -> None:
    """--via baseline scores them with today's rules, without calls, and is compared with that very baseline."""
    done = project.run("run", "--via", "baseline", "-o", "again")
    summary = json.loads((project.root / "again/summary.json").read_text("utf-8"))

    assert done.code == 0
    assert summary["source"] == {"kind": "replayed", "detail": "baseline", "origin": "stand-in"}
    assert summary["comparison"]["verdict"] in ("not worse", "can't tell")  # three of the five rounds it holds
    project.edit(SUITE, "trials: 3", "trials: 3\nexpect: {never_says: [order]}")
    assert project.run("run", "--via", "baseline", "-q").code == 1


def test_a_changed_prompt_finds_no_reply_of_its_own(project: Sample) -> None:
    """Replies to another text say nothing about this one: not measured, no verdict. Without a file there is none."""
    project.append("prompts/support/v4.md", "\nStay polite.\n")
    done = project.run("run", "--via", "baseline")
    assert done.code == 3
    assert "the stored replies are for support@v4, not for this text of support@v4" in done.out

    (project.root / "suites/tone.replies.jsonl").unlink()
    done = project.run("run", "--via", "baseline")
    assert done.code == 3
    assert "evalkit bless --replies" in done.err


def test_bless_asks_first(project: Sample) -> None:
    """Without an answer nothing is written."""
    before = (project.root / BASELINE).read_bytes()
    done = project.run("bless")

    assert "Write?" in done.out
    assert (project.root / BASELINE).read_bytes() == before


def test_bless_refuses_in_ci(project: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI nobody sees what is accepted: exit 2, and the way to force it is said."""
    from evalkit.cli.main import run_command

    monkeypatch.chdir(project.root)
    monkeypatch.setenv("CI", "true")

    assert run_command(["bless", "--yes"]) == 2
    assert run_command(["bless", "--force"]) == 0


def test_bless_refuses_a_run_of_something_gone(project: Sample) -> None:
    """A prompt or a case that changed since the run can't be blessed from it."""
    project.edit(SUITE, "trials: 3", "trials: 3\nexpect: {never_says: [xylophone]}")
    done = project.run("bless", "--yes")

    assert done.code == 2
    assert "has changed since run" in done.err


def test_an_unchanged_prompt_is_not_worse(project: Sample) -> None:
    """The live version against its own baseline, drawn anew, is green and says which drop is excluded or not."""
    done = project.run("run", "--via", "stand-in", "--draw", "7")

    assert done.code == 0
    assert "worse than suites/tone.baseline.json" in done.out


def test_a_weaker_prompt_is_worse_and_its_cases_are_named(project: Sample) -> None:
    """An older version turns the gate red, and the verdict names cases that broke."""
    done = project.run("run", "--via", "stand-in", "-p", "support@v2", "--draw", "3")

    assert done.code == 1
    assert "worse than suites/tone.baseline.json" in done.out
    assert "clearly worse (" in done.out


def test_a_report_tells_the_same_comparison_again(project: Sample) -> None:
    """The decision is a function of the record: reading it twice gives the same, without calls."""
    project.run("run", "--via", "stand-in", "-p", "support@v2", "--draw", "4")
    reader = RunReader(find_run("last", project.root))
    one, other = compare_run(reader), compare_run(reader)

    assert one == other
    assert one.decision is not None
    assert one.decision.verdict is Verdict.WORSE


def test_a_cut_run_comes_to_the_same_comparison(project: Sample) -> None:
    """A run that is cut in the middle of its comparison and resumed plays the same stages once and decides the same.

    (A cache that has gone cold meanwhile may change a single trial.)
    """
    project.run("run", "--via", "stand-in", "-p", "support@v2", "--draw", "5")
    folder = find_run("last", project.root)
    whole = compare_run(RunReader(folder)).decision
    assert whole is not None
    lines = (folder / "run.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "run.jsonl").write_bytes(b"".join(lines[: len(lines) * 3 // 4]))

    assert project.run("run", "--resume", str(folder)).code == 1
    resumed = compare_run(RunReader(folder)).decision
    assert resumed is not None
    assert (resumed.verdict, resumed.grounds, resumed.calls) == (whole.verdict, whole.grounds, whole.calls)
    assert [look.name for look in resumed.looks] == [look.name for look in whole.looks]
    trials = [trial.key for trial in RunReader(folder).trials()]
    assert len(trials) == len(set(trials))


def test_a_foreign_baseline_is_named_with_what_mends_it(project: Sample) -> None:
    """A baseline from another source is not compared with: a remark, and no verdict where the suite demands one."""
    conditions = {**project.baseline()["conditions"], "source": "live"}
    project.rewrite_baseline(conditions=conditions)
    done = project.run("run", "--via", "stand-in")
    assert done.code == 0
    assert "another source (live, not stand-in)" in done.out

    project.edit(SUITE, "\ngate:\n", "\ngate:\n  max_regressions: 0\n")
    done = project.run("run", "--via", "stand-in")
    assert done.code == 3
    assert "evalkit bless" in done.out


def test_a_missing_baseline_is_no_verdict_where_it_is_demanded(project: Sample) -> None:
    """max_regressions without a baseline ends with 3 and says how to get one."""
    (project.root / BASELINE).unlink()
    assert project.run("run", "--via", "stand-in").code == 0
    project.edit(SUITE, "\ngate:\n", "\ngate:\n  max_regressions: 0\n")
    done = project.run("run", "--via", "stand-in")

    assert done.code == 3
    assert "does not exist" in done.out


def test_a_baseline_of_another_stand_in_is_played_again(project: Sample) -> None:
    """Stored trials of another evalkit do not count: both versions are played side by side."""
    conditions = {**project.baseline()["conditions"], "evalkit": "0.0.1"}
    project.rewrite_baseline(conditions=conditions)
    done = project.run("run", "--via", "stand-in", "--draw", "2")
    decision = compare_run(RunReader(find_run("last", project.root))).decision

    assert done.code == 0
    assert "side by side" in done.out
    assert decision is not None
    assert decision.fresh


def test_a_damaged_baseline_is_a_wrong_file(project: Sample) -> None:
    """A baseline that can't be read ends with 2 before anything is played."""
    (project.root / BASELINE).write_text("{", "utf-8")
    done = project.run("run", "--via", "stand-in")

    assert done.code == 2
    assert "is no baseline" in done.err


def test_vanished_and_changed_cases_are_listed(project: Sample) -> None:
    """A case that is gone is named, and one that changed is not compared."""
    cases = project.baseline()["cases"]
    cases["long-gone"] = next(iter(cases.values()))
    cases["legal-threat"] = {**cases["legal-threat"], "sha": "0" * 16}
    project.rewrite_baseline(cases=cases)
    done = project.run("run", "--via", "stand-in")

    assert "gone since suites/tone.baseline.json: long-gone" in done.out
    assert "not compared suites/tone.baseline.json: legal-threat" in done.out


def test_one_mutated_line_turns_the_gate_red_and_names_the_case(project: Sample) -> None:
    """Taking the rule away that a case depends on makes the run red, and that case is named."""
    path = project.root / "prompts/support/v4.md"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if RULE not in line.lower()]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept), "utf-8")
    done = project.run("run", "--via", "stand-in", "--draw", "1")

    assert done.code == 1
    assert "legal-threat" in done.out


def in_git(project: Sample) -> None:
    """Commit the project as it is."""
    (project.root / ".gitignore").write_text("reports/\n")
    commit_all(project.root, "x")


def shown(markdown: Path) -> list[str]:
    """Return the lines of a Markdown file as GitHub shows mentions in it: names that are defused look whole."""
    return markdown.read_text("utf-8").replace("\u200b", "").splitlines()


def test_a_version_that_is_not_live_is_measured_for_information(project: Sample) -> None:
    """An edited older version fails nothing: the comment begins with it, and its comparison is told."""
    in_git(project)
    project.append("prompts/support/v2.md", "\nStay polite.\n")
    done = project.run("run", "--via", "stand-in", "--changed-since", "HEAD", "-o", "out")
    summary = json.loads((project.root / "out/summary.json").read_text("utf-8"))

    assert done.code == 0
    assert "affected: no suite; not live, so for information only: support@v2." in done.err
    first = shown(project.root / "out/comment.md")[1]
    assert first.startswith("### ℹ️ support@v2, not live yet: ")
    assert first.endswith("(for information)")
    assert "worse than suites/tone.baseline.json" in done.out
    assert "suites/tone.yaml::legal-threat" in done.out
    assert "-p support@v2" in done.out
    assert (summary["verdict"], summary["exit_code"]) == ("for information", 0)
    assert summary["comparison"]["verdict"] == "worse"
    assert summary["reasons"]
    assert not (project.root / "out/junit.xml").exists()
    assert project.run("report", "out", "-f", "md", "-o", "report.md").code == 0
    assert "ℹ️ support@v2, not live yet" in shown(project.root / "report.md")[0]
    refused = project.run("bless", "out", "--yes")
    assert refused.code == 2
    assert "a version that is not live" in refused.err


def test_a_version_for_information_stands_beside_what_is_gated(project: Sample) -> None:
    """The live version decides the exit code; the other one has a line in the comment and in summary.json."""
    in_git(project)
    project.append("prompts/support/v2.md", "\nStay polite.\n")
    project.append("prompts/support/v4.md", "\n")
    project.append("prompts/support/v3.md", "\n{{ nothing_of_the_kind }}\n")
    done = project.run("run", "--via", "stand-in", "--changed-since", "HEAD", "-o", "out", "-q")
    summary = json.loads((project.root / "out/summary.json").read_text("utf-8"))
    comment = shown(project.root / "out/comment.md")

    assert (done.code, summary["verdict"]) == (0, "passed")
    told = {each["prompt_ref"]: each for each in summary["information"]}
    assert told["support@v2"]["run"] == "support@v2"
    assert told["support@v2"]["reasons"]
    assert "not measured, prompts/support/v3.md" in told["support@v3"]["sentence"]
    assert "ℹ️ support@v2, not live yet: " in comment[3]
    assert any(line.startswith("– worse than suites/tone.baseline.json") for line in comment[4:8])
    assert any("ℹ️ support@v3, not live yet: not measured" in line for line in comment[4:8])
    assert (project.root / "out/support@v2/summary.json").exists()
    assert "support@v2, not live yet" in done.out
    project.run("report", "out", "-f", "json", "-o", "again.json")
    again = json.loads((project.root / "again.json").read_text("utf-8"))
    assert again["information"] == [told["support@v2"]]


def test_what_becomes_live_is_gated(project: Sample) -> None:
    """CURRENT decides: a weak version that it names now turns the run red, and nothing is for information only."""
    in_git(project)
    project.append("prompts/support/v2.md", "\nStay polite.\n")
    (project.root / "prompts/support/CURRENT").write_text("v2\n")
    done = project.run("run", "--via", "stand-in", "--changed-since", "HEAD", "-o", "out", "-q")

    assert done.code == 1
    assert "information" not in done.err


def test_a_version_for_information_gets_what_is_left_of_the_money(project: Sample) -> None:
    """Without money it is not played; that is said and fails nothing. A dry run forecasts it."""
    in_git(project)
    project.append("prompts/support/v2.md", "\nStay polite.\n")
    broke = project.run("run", "--via", "stand-in", "--changed-since", "HEAD", "--max-cost", "0", "-o", "out")
    assert broke.code == 0
    assert "support@v2, not live yet: not measured, no money or time is left for it (for information)" in broke.out
    assert "support@v2" in project.run("run", "--changed-since", "HEAD", "--dry-run", "-q").out


def test_compare_two_prompts(project: Sample) -> None:
    """Two prompts are played side by side: verdict, prompt difference, flips, first differences, rules and cost."""
    done = project.run("compare", "support@v4", "support@v2", "--format", "json")
    told = json.loads(done.out)

    assert done.code == told["exit_code"] == 1
    assert told["verdict"] == "worse"
    assert any(line.startswith("-") for line in told["contrast"]["prompts"][0]["lines"])
    assert told["contrast"]["flips"]["worse"]
    assert told["contrast"]["differences"]
    assert told["contrast"]["uses"]["cost_usd"]["baseline"] > 0


def test_compare_shows_text_and_markdown(project: Sample) -> None:
    """The same comparison as text and as Markdown, in a file when asked."""
    out = project.root / "compare.md"
    done = project.run("compare", "support@v4", "support@v4", "--format", "md", "-o", str(out), "--draw", "2")

    assert done.code == 0
    assert out.read_text("utf-8").startswith("### `support@v4` → `support@v4`")
    text = project.run("compare", "support@v3", "support@v4", "--words").out
    for part in ("Prompt", "{+", "Flips", "Cost, cache, time"):
        assert part in text


def test_compare_two_runs_makes_no_calls(project: Sample) -> None:
    """Two finished runs are compared as they are, and no run is added."""
    project.run("run", "--via", "stand-in", "--trials", "5", "-o", "reports/now", "--draw", "9")
    project.run("run", "--via", "stand-in", "--trials", "5", "-p", "support@v2", "-o", "reports/weak")
    runs = len(list((project.root / "reports").iterdir()))
    done = project.run("compare", "reports/now", "reports/weak")

    assert done.code == 1
    assert "worse than now" in done.out
    assert len(list((project.root / "reports").iterdir())) == runs
    assert project.run("compare", "reports/now", "support@v4").code == 2


def test_a_run_can_be_the_baseline_of_another(project: Sample) -> None:
    """--against RUN compares with that run's trials."""
    project.run("run", "--via", "stand-in", "--trials", "5", "-o", "reports/then")
    done = project.run("run", "--via", "stand-in", "--against", "reports/then", "-p", "support@v2")

    assert done.code == 1
    assert "worse than then" in done.out


def test_power_says_what_is_seen_and_what_more_would_buy(project: Sample) -> None:
    """power names the drop and the broken cases that are seen, with offers in trials and dollars."""
    done = project.run("power")

    assert done.code == 0
    assert "seen in four of five runs" in done.out
    assert "more rounds" in done.out
    assert "about $" in done.out
    (project.root / BASELINE).unlink()
    assert project.run("power").code == 2


def test_an_old_live_baseline_is_stale() -> None:
    """Two weeks make a live baseline stale, and never one of the stand-in."""
    from evalkit.baseline import match_baseline
    from evalkit.records import Baseline, BaselineCase, Conditions
    from tests.made_up_run import case

    today = datetime.now(UTC).date()
    old = (today - timedelta(days=15)).isoformat()
    record = case("a", sha="f" * 64)
    for source, version, use in (("live", "", "fresh"), ("stand-in", "1", "stored")):
        conditions = Conditions(source, "m", "p", "", version)
        cases = {"a": BaselineCase("f" * 16, 5, 5)}
        baseline = Baseline(record.suite, old, "support@v1", "x", conditions, 5, cases=cases)
        assert match_baseline(baseline, "b", [record], conditions, today).use == use
