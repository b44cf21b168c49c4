"""The sample project on the stand-in, through evalkit's own runner, graders and gate: the live prompt passes, each
weaker one fails for its own reason."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.pricing import price_with
from evalkit.records import CaseSummary, CaseVerdict, RunVerdict, Summary, TrialVerdict
from evalkit.runner import Invocation, Project, RunSettings, start_run
from evalkit.store import RunReader
from evalkit.suites import load_suites
from tests.runner.project import Silent

ROOT = Path(__file__).parents[3]
BLAME = "Never blame the customer."
PROMPT = ROOT / "prompts" / "support"
SUITES = ("suites/parcels.yaml", "suites/products.yaml", "suites/returns.yaml", "suites/tone.yaml")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return the runs of this module, each made when it is first asked for."""
    return Runs(tmp_path_factory.mktemp("runs"))


class Runs:
    """Runs of the sample project on the stand-in, made once each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.of = cache(self._of)

    def _of(self, version: str, trials: int | None = None, targets: tuple[str, ...] = SUITES) -> Summary:
        settings = RunSettings(targets=targets, prompt=f"support@{version}", trials=trials)
        out = self._folder / f"{version}-{trials}-{len(targets)}"
        return analyse(RunReader(start_run(Project(ROOT, price_with(), Silent), Invocation(settings, out)))).summary


def failing(summary: Summary) -> set[str]:
    """Return the ids of the gated cases that fail."""
    return {case.case_id for case in _gated(summary) if case.verdict is CaseVerdict.FAIL}


def _gated(summary: Summary) -> list[CaseSummary]:
    return [case for case in summary.cases if case.gated and case.skip is None]


def test_live_version_passes_its_gate(runs: Runs) -> None:
    """The version named in CURRENT passes every gated case, and with them the gate."""
    assert (PROMPT / "CURRENT").read_text().strip() == "v4"
    summary = runs.of("v4")
    assert failing(summary) == set()
    assert judge(summary).verdict is RunVerdict.PASSED


def test_live_version_never_slips_in_critical_cases(runs: Runs) -> None:
    """Critical cases need every trial, so slips must not touch them: ten trials of each pass with the live version."""
    critical = tuple(f"{case.suite}::{case.case_id}" for case in runs.of("v4").cases if case.critical)
    assert len(critical) > 5
    verdicts = {trial.verdict for case in runs.of("v4", 10, critical).cases for trial in case.trials}
    assert verdicts == {TrialVerdict.PASSED}


def test_trials_differ(runs: Runs) -> None:
    """Some case passes in some trials and not in others, so that trials mean something."""
    verdicts = [{trial.verdict for trial in case.trials} for case in runs.of("v3").cases]
    assert {TrialVerdict.PASSED, TrialVerdict.FAILED} in verdicts


def test_v3_fails_exactly_where_its_lost_rule_matters(runs: Runs) -> None:
    """Without the question before a return, the gated cases about that question fail, and no other."""
    expected = {case.case_id for case in _gated(runs.of("v3")) if "confirm" in case.tags} | {"return-service-down"}
    assert failing(runs.of("v3")) == expected
    assert judge(runs.of("v3")).verdict is RunVerdict.FAILED


def test_weaker_versions_fail_more(runs: Runs) -> None:
    """The fewer rules a version has, the more cases fail: v1 most, v2 some, and v2 passes more than half."""
    count = len(_gated(runs.of("v4")))
    assert len(failing(runs.of("v1", 1))) > count * 0.6
    assert len(failing(runs.of("v3"))) < len(failing(runs.of("v2"))) < count * 0.5


def test_suites_cover_what_they_promise() -> None:
    """There are at least forty cases, some with ten turns and more, and each special kind of case occurs."""
    text = "".join((ROOT / name).read_text() for name in SUITES)
    cases = [case for suite in load_suites([ROOT / name for name in SUITES], ROOT) for case in suite.cases]
    assert len(cases) >= 40
    assert sum(len(case.record.turns) > 10 for case in cases) >= 2
    for key in ("critical", "cluster", "history", "stand_in"):
        assert f" {key}:" in text, key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("You are Mina,", "You are Ottilie,"),
        ("max_words: 90", "max_words: 70"),
        (BLAME, BLAME.replace("Never blame", "Do not blame")),
    ],
    ids=["another name", "fewer words", "another wording of what no rule names"],
)
def test_small_edits_that_no_rule_names_still_pass(tmp_path: Path, old: str, new: str) -> None:
    """A prompt may be called otherwise, be stricter about length, or word a rule anew, and every case still passes."""
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    changed = 0
    for path in (tmp_path / "prompts" / "support").rglob("*.md"):
        text = path.read_text("utf-8")
        changed += old in text
        path.write_text(text.replace(old, new), "utf-8")
    assert changed
    assert failing(_played(tmp_path, tmp_path / "out")) == set()


def test_swapped_paragraphs_still_pass(tmp_path: Path) -> None:
    """The order of the prompt's sections is no rule's business."""
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    path = tmp_path / "prompts" / "support" / "v4.md"
    head, *sections = path.read_text("utf-8").split("\n# ")
    first, second, *others = sections
    path.write_text("\n# ".join([head, second, first, *others]), "utf-8")
    assert failing(_played(tmp_path, tmp_path / "out")) == set()


def _played(root: Path, out: Path) -> Summary:
    asked = Invocation(RunSettings(targets=SUITES, prompt="support@v4"), out)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return analyse(RunReader(start_run(Project(root, price_with(), Silent), asked))).summary
