"""Two sides held against each other: two prompts that are played now, or two runs that are finished.

Gathers what a comparison shows beside its verdict: what changed in the prompts, which cases flipped, where
conversations part, rules, cost and times. Facts only; what they say in words is the reports'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.analysis import (
    ArmTrials,
    Examples,
    Price,
    change_of,
    collect_arms,
    collect_two_runs,
    flips_of,
    migrations_of,
    pair_versions,
    rules_of,
    uses_of,
)
from evalkit.errors import UsageError
from evalkit.gate import Compared, Opponents, compare_finished, compare_run
from evalkit.records import (
    Arm,
    BaselineRecord,
    CaseKey,
    Contrast,
    Decision,
    FirstDifference,
    PromptVersion,
    Trial,
    Unlike,
)
from evalkit.runner.opponents import source_of_replies
from evalkit.runner.plan import RunSettings
from evalkit.runner.project import Invocation, Project
from evalkit.runner.start import start_run
from evalkit.source import LIVE, STAND_IN
from evalkit.store import RunReader

Prompts = list[tuple[PromptVersion, PromptVersion]]
"""The two versions of each suite, each pair once, as both are rendered for the first case that has both."""


@dataclass(frozen=True)
class SideBySide:
    """Two sides and the decision between them.

    `folder` is the run that was played for it, None for two finished runs; `ended` is why that run ended, empty when it
    was cut off.
    """

    contrast: Contrast
    compared: Compared
    folder: Path | None = None
    ended: str = "finished"


def compare_prompts(project: Project, settings: RunSettings, command: tuple[str, ...]) -> SideBySide:
    """Play `settings.against_prompt` and `settings.prompt` side by side, in a run folder of their own."""
    if settings.via not in (LIVE, STAND_IN):
        msg = f"compare: --via {settings.via} is no source that can play two prompts; expected live or stand-in."
        raise UsageError(msg)
    folder = start_run(project, Invocation(settings, None, command))
    reader = RunReader(folder)
    compared = compare_run(reader, project.price)
    old = {(record.suite, case_id): sha for record in reader.baselines for case_id, sha in record.prompts.items()}
    prompts = _known_pairs(old, reader, reader)
    contrast = _contrast(reader, collect_arms(reader.trials()), prompts, compared.decision)
    trials = ((trial.key.arm, trial) for trial in reader.trials())
    differences = _differences(compared.decision, trials)
    contrast = replace(contrast, differences=differences, migrations=compared.migrations)
    return SideBySide(contrast, compared, folder, reader.end.reason if reader.end else "")


def compare_runs(baseline: Path, candidate: Path, price: Price) -> SideBySide:
    """Compare two finished runs without calls; what makes them less comparable is in `unlike`.

    `price` says what the tokens of the first would cost with the second's model, where that is another one.
    """
    before, after = RunReader(baseline), RunReader(candidate)
    arms = collect_two_runs(before.trials(), after.trials())
    records = _match(before, after)
    opponents = Opponents(records, tuple(after.suites))
    decision = compare_finished(after.cases, opponents, arms) if opponents.usable else None
    old = {case.key: case.prompt_sha for case in before.cases}
    # of a run that was itself a comparison, only what is its own: its other arm has a run of its own
    own = (
        (arm, trial)
        for arm, run in ((Arm.BASELINE, before), (Arm.CANDIDATE, after))
        for trial in run.trials()
        if trial.key.arm is Arm.CANDIDATE
    )
    contrast = replace(
        _contrast(after, arms, _known_pairs(old, before, after), decision),
        baseline_name=before.folder.name,
        candidate_name=after.folder.name,
        differences=_differences(decision, own),
        migrations=migrations_of(
            pair_versions(after.cases, old, before.prompts, after.prompts), arms, before.trials, price
        ),
        unlike=_unlike(before, after),
    )
    return SideBySide(contrast, Compared(decision, records))


def _match(before: RunReader, after: RunReader) -> tuple[BaselineRecord, ...]:
    """Return each suite of the candidate's run with what the other run has of it."""
    hashes = {(case.suite, case.case_id): case.sha for case in before.cases if case.skip is None}
    old = {suite.path: suite for suite in before.suites}
    records = []
    for suite in after.suites:
        cases = [case for case in after.cases if case.suite == suite.path and case.skip is None]
        ids = {case.case_id for case in cases}
        new = tuple(sorted(case.case_id for case in cases if (suite.path, case.case_id) not in hashes))
        changed = [c.case_id for c in cases if hashes.get((suite.path, c.case_id), c.sha) != c.sha]
        gone = [case_id for path, case_id in hashes if path == suite.path and case_id not in ids]
        there = suite.path in old and len(new) + len(changed) < len(cases)
        records.append(
            BaselineRecord(
                suite.path,
                before.folder.name,
                "fresh" if there else "none",
                old[suite.path].prompt_ref if suite.path in old else "",
                old[suite.path].template_sha if suite.path in old else "",
                note="" if there else f"run {before.folder.name} has no case of {suite.path} as it is in the other",
                required=True,
                new=new,
                changed=tuple(sorted(changed)),
                vanished=tuple(sorted(gone)),
            )
        )
    return tuple(records)


def _unlike(before: RunReader, after: RunReader) -> Unlike:
    """Return what the two runs do not have in common beside the prompt."""
    sources = source_of_replies(before).kind, source_of_replies(after).kind
    judges = [{str(dict(suite.judge)) for suite in run.suites} for run in (before, after)]
    suites = {suite.path for suite in before.suites} ^ {suite.path for suite in after.suites}
    return Unlike(sources if sources[0] != sources[1] else None, judges[0] != judges[1], tuple(sorted(suites)))


def _known_pairs(old: Mapping[CaseKey, str], before: RunReader, after: RunReader) -> Prompts:
    """Return each pair of versions once, as both are rendered for one case; `old` has the hashes of the first side."""
    pairs: dict[tuple[str, str], tuple[PromptVersion, PromptVersion]] = {}
    for a, b in pair_versions(after.cases, old, before.prompts, after.prompts).values():
        pairs.setdefault((a.template_sha, b.template_sha), (a, b))
    return list(pairs.values())


def _contrast(reader: RunReader, arms: ArmTrials, prompts: Prompts, decision: Decision | None) -> Contrast:
    """Return the contrast without its differences, which are looked for in the conversations."""
    names = [", ".join(dict.fromkeys(pair[side].ref for pair in prompts)) for side in (0, 1)]
    return Contrast(
        baseline_name=names[0] or "before",
        candidate_name=names[1] or "now",
        source=reader.header.source,
        prompts=tuple(change_of(a, b) for a, b in prompts),
        flips=flips_of(reader.cases, arms, {case.key for case in decision.cases} if decision else ()),
        differences=(),
        rules=rules_of(arms),
        uses=uses_of(arms),
        unlabelled_judges={suite.path: suite.unlabelled_judge for suite in reader.suites},
    )


def _differences(decision: Decision | None, trials: Iterable[tuple[Arm, Trial]]) -> tuple[FirstDifference, ...]:
    """Return where the conversations of the changed cases part; True in the map means that a case got worse."""
    cases = decision.cases if decision else ()
    examples = Examples({case.key: (case.difference or -1) < 0 for case in cases if case.difference})
    for arm, trial in trials:
        examples.offer(trial, arm)
    return examples.differences()
