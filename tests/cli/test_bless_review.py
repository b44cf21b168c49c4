"""bless on a terminal: case by case, with entries that are kept honest about where they come from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from evalkit.records import Arm
from evalkit.store import RunReader, find_run
from tests.cli.sample import BASELINE, Sample, make_sample

WEAK = "support@v2"


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample project with a baseline and the finished run that it was made from."""
    sample = make_sample(tmp_path_factory.mktemp("sample"))
    assert sample.run("run", "--via", "stand-in", "--trials", "5", "-q").code == 0
    assert sample.run("bless", "--yes").code == 0
    return sample


@pytest.fixture
def project(blessed: Sample, tmp_path: Path) -> Sample:
    """A copy of it that a test may change."""
    return blessed.copy(tmp_path)


def older(project: Sample, **changes: Any) -> dict[str, Any]:
    """Let the baseline be one of a weaker version with two other entries, and return it."""
    told = project.baseline()
    cases = told["cases"]
    cases["legal-threat"]["passed"] = 3
    cases["burned-hand"] |= {"sha": "0" * 16}
    project.rewrite_baseline(
        **{"cases": cases, "prompt_ref": WEAK, "template_sha": "d" * 64, "blessed": "2026-01-02", **changes}
    )
    return {**told, "cases": cases}


def bless(project: Sample) -> pexpect.spawn[str]:
    """Start bless on a terminal."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    words = ["-m", "evalkit", "bless"]
    return pexpect.spawn(sys.executable, words, cwd=project.root, env=environment, encoding="utf-8", timeout=30)


def test_a_skipped_case_keeps_its_old_entry(project: Sample) -> None:
    """Skip leaves counts and hash with the prompt and day they are of; a changed case can't be skipped."""
    older(project)
    terminal = bless(project)
    terminal.expect(r"legal-threat\s+3/5 → 5/5\s+\(2 to go\)")
    terminal.expect(r"\[a\]ccept  \[s\]kip  \[q\]uit")
    terminal.send("s")
    terminal.expect("the case itself has changed")
    terminal.send("s")
    terminal.expect("skipping is not possible")
    terminal.send("a")
    terminal.expect("written")
    terminal.expect(pexpect.EOF)

    told = project.baseline()
    kept = told["cases"]["legal-threat"]
    assert kept["passed"] == 3
    assert (kept["origin"]["prompt_ref"], kept["origin"]["blessed"]) == (WEAK, "2026-01-02")
    assert kept["origin"]["source"] == "stand-in"
    assert told["prompt_ref"] == "support@v4"
    assert "origin" not in told["cases"]["burned-hand"]
    assert told["cases"]["burned-hand"]["sha"] != "0" * 16


def test_quitting_writes_nothing(project: Sample) -> None:
    """q leaves the file as it was."""
    older(project)
    before = (project.root / BASELINE).read_bytes()
    terminal = bless(project)
    terminal.expect("2 to go")
    terminal.send("q")
    terminal.expect("nothing written")
    terminal.expect(pexpect.EOF)
    assert (project.root / BASELINE).read_bytes() == before


def test_an_entry_under_other_conditions_is_not_kept(project: Sample) -> None:
    """Where the old entry is of another source, skipping is not offered, and why is said."""
    older(project, conditions={**project.baseline()["conditions"], "source": "live"})
    terminal = bless(project)
    terminal.expect("taken with another source, and one baseline holds one kind: .a.ccept  .q.uit")
    terminal.send("q")
    terminal.expect(pexpect.EOF)


def test_a_kept_entry_is_compared_with_the_version_it_is_of(project: Sample) -> None:
    """Where today's baseline is played, a kept case is played with its own old version, the others with theirs."""
    project.run("run", "-p", WEAK, "--via", "stand-in", "--trials", "1", "-k", "happy-customer", "-o", "weak", "-q")
    prompt = next(iter(RunReader(project.root / "weak").prompts.values()))
    sha = prompt.template_sha
    origin = {"prompt_ref": WEAK, "template_sha": sha, "source": "stand-in", "blessed": "2026-01-02", "commit": ""}
    cases = project.baseline()["cases"]
    cases["happy-customer"] |= {"origin": origin}
    project.rewrite_baseline(cases=cases)

    assert project.run("run", "-p", "support@v1", "--via", "stand-in", "-q").code == 1
    again = [trial.key for trial in RunReader(find_run("last", project.root)).trials() if trial.key.arm is Arm.BASELINE]
    assert {key.case_id for key in again if key.prompt_ref == WEAK} == {"happy-customer"}
    assert {key.prompt_ref for key in again if key.case_id != "happy-customer"} == {"support@v4"}


def test_an_entry_of_another_source_counts_for_nothing(project: Sample) -> None:
    """An origin that names another source than its baseline was written by hand: the case is not compared."""
    origin = {"prompt_ref": WEAK, "template_sha": "d" * 64, "source": "live", "blessed": "2026-01-02", "commit": ""}
    cases = project.baseline()["cases"]
    cases["happy-customer"] |= {"origin": origin}
    project.rewrite_baseline(cases=cases)
    assert "not compared suites/tone.baseline.json: happy-customer" in project.run("run", "--via", "stand-in").out
