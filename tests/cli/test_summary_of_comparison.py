"""The comparison in summary.json, from real runs: with a baseline, without one, and of `evalkit compare`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from evalkit.gate import compare_run
from evalkit.reporting.summary import summary_schema
from evalkit.store import RunReader, find_run
from tests.cli.sample import BASELINE, SUITE, Sample, make_sample


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample project: `first` is a run without a baseline, then blessed; `weak` is a weaker prompt against it."""
    sample = make_sample(tmp_path_factory.mktemp("compared"))
    sample.run("run", "--via", "stand-in", "--trials", "5", "-o", "reports/first")
    assert sample.run("bless", "--yes").code == 0
    assert sample.run("run", "--via", "stand-in", "-p", "support@v2", "--draw", "3", "-o", "reports/weak").code == 1
    return sample


def summary(sample: Sample, run: str) -> dict[str, Any]:
    """The summary of a run, which keeps the published schema."""
    told: dict[str, Any] = json.loads((sample.root / "reports" / run / "summary.json").read_text("utf-8"))
    Draft202012Validator(summary_schema()).validate(told)
    return told


def test_a_run_without_a_baseline_says_what_was_missing(blessed: Sample) -> None:
    """There is a comparison without a verdict, and it names the file that was looked for."""
    told = summary(blessed, "first")["comparison"]

    assert (told["verdict"], told["decision"]) == ("no verdict", None)
    assert told["suites"][0]["baseline"]["use"] == "none"
    assert BASELINE in told["suites"][0]["baseline"]["note"]


def test_a_compared_run_holds_the_whole_comparison(blessed: Sample) -> None:
    """Verdict, difference, looks, named cases, trials, baseline and metrics are those of the decision."""
    told = summary(blessed, "weak")
    comparison, decided = told["comparison"], told["comparison"]["decision"]
    decision = compare_run(RunReader(find_run("reports/weak", blessed.root))).decision
    assert decision is not None
    assert decision.delta is not None

    assert comparison["verdict"] == decision.verdict == "worse"
    assert comparison["sentence"] in [reason["words"] for reason in told["reasons"]]
    assert decided["delta"]["value"] == decision.delta.value
    assert [look["name"] for look in decided["looks"]] == [look.name for look in decision.looks]
    named = [case["case_id"] for case in decided["cases"] if case["change"] == "clearly worse"]
    assert named == [case.key[1] for case in decision.clearly_worse]
    assert named
    assert {metric["metric"] for metric in decided["metrics"]} >= {"cost_usd", "output_tokens"}
    assert told["notes"]


def test_the_baseline_is_named_with_its_hashes(blessed: Sample) -> None:
    """What a suite was compared with, its day, prompt and conditions, stands beside its trials by stage and arm."""
    (suite,) = summary(blessed, "weak")["comparison"]["suites"]
    file = blessed.baseline()

    assert suite["suite"] == SUITE
    assert suite["baseline"]["name"] == BASELINE
    assert suite["baseline"]["template_sha"] == file["template_sha"]
    assert suite["baseline"]["blessed"] == file["blessed"]
    assert suite["baseline"]["conditions"] == file["conditions"]
    stored = next(each for each in suite["trials"] if each["stage"] == "stored")
    assert stored["passed"] + stored["failed"] == sum(case["trials"] for case in file["cases"].values())
    rounds = next(each for each in suite["trials"] if (each["stage"], each["arm"]) == ("round", "candidate"))
    assert rounds["passed"] + rounds["failed"] == sum(case["passed"] + case["failed"] for case in _own(blessed))


def _own(sample: Sample) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = summary(sample, "weak")["cases"]
    return cases


def test_compared_prompts_leave_a_run_with_the_comparison_in_it(blessed: Sample) -> None:
    """The run of `evalkit compare` has a summary as any other, both sides played in it."""
    before = {path.name for path in (blessed.root / "reports").iterdir()}
    done = blessed.run("compare", "support@v4", "support@v4", "--format", "json", "--draw", "2")
    (folder,) = {path.name for path in (blessed.root / "reports").iterdir()} - before
    assert blessed.run("report", f"reports/{folder}", "-f", "json").code == 0
    told = summary(blessed, folder)["comparison"]

    assert told["verdict"] == json.loads(done.out)["verdict"]
    assert told["decision"]["fresh"]
    assert {(each["stage"], each["arm"]) for each in told["suites"][0]["trials"]} >= {
        ("round", "baseline"),
        ("round", "candidate"),
    }
