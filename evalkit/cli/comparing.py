"""What `evalkit compare` does behind its options: play two prompts, or read two runs, into one report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import EvalkitError, ExitCode, UsageError

if TYPE_CHECKING:
    from evalkit.analysis import ArmTrials
    from evalkit.gate import Compared
    from evalkit.records import Arm, BaselineRecord, Contrast, Decision, PromptVersion, Trial
    from evalkit.reporting.compare import CompareReport
    from evalkit.store import RunReader


def names_a_run(name: str, root: Path) -> bool:
    """Whether a name on the command line means a finished run rather than a prompt."""
    from evalkit.store import find_run

    try:
        find_run(name, root)
    except EvalkitError:
        return "/" in name or name == "last"
    return True


def compare_prompts(options: Mapping[str, Any], root: Path, command: tuple[str, ...]) -> CompareReport:
    """Play both prompts side by side and return the report; the records stay in a run folder of their own."""
    from evalkit.analysis import collect_arms
    from evalkit.cli.config import load_config
    from evalkit.cli.run import make_project
    from evalkit.gate import compare_run
    from evalkit.runner import Invocation, RunSettings, start_run
    from evalkit.source import LIVE, STAND_IN
    from evalkit.store import RunReader

    config = load_config(root)
    asked = {name: options[name] for name in ("targets", "via", "keyword", "tags", "trials", "inputs", "jobs", "draw")}
    limits = {"max_cost_usd": options["max_cost"], "max_time_s": options["max_time"]}
    prompts = {"prompt": options["candidate"], "against_prompt": options["baseline"]}
    settings = RunSettings.for_project(config, {**asked, **limits, **prompts})
    if settings.via not in (LIVE, STAND_IN):
        msg = f"compare: --via {settings.via} is no source that can play two prompts; expected live or stand-in."
        raise UsageError(msg)
    folder = start_run(make_project(root, config, quiet=options["quiet"]), Invocation(settings, None, command))
    reader = RunReader(folder)
    compared = compare_run(reader)
    contrast = _contrast(reader, collect_arms(reader.trials()), _played_prompts(reader), compared.decision)
    contrast = replace(contrast, differences=_differences(compared.decision, _by_arm(reader)))
    report = _report(contrast, compared, strict=options["strict"])
    if reader.end is None or reader.end.reason != "finished":
        why = f"the run did not come to its end ({reader.end.reason if reader.end else 'cut off'})"
        report = replace(report, remarks=(why, *report.remarks), exit_code=report.exit_code or ExitCode.NO_VERDICT)
    return replace(report, run=os.path.relpath(folder))


def compare_runs(baseline: str, candidate: str, root: Path, *, strict: bool) -> CompareReport:
    """Compare two finished runs without calls; what makes them less comparable is said."""
    from evalkit.analysis import collect_two_runs
    from evalkit.gate import Compared, Opponents, compare_finished
    from evalkit.records import Arm
    from evalkit.store import RunReader, find_run

    before, after = RunReader(find_run(baseline, root)), RunReader(find_run(candidate, root))
    arms = collect_two_runs(before.trials(), after.trials())
    records = _match(before, after)
    opponents = Opponents(records, tuple(after.suites))
    decision = compare_finished(after.cases, opponents, arms) if opponents.usable else None
    contrast = _contrast(after, arms, _prompt_pairs(before, after), decision)
    pairs = ((arm, trial) for arm, run in ((Arm.BASELINE, before), (Arm.CANDIDATE, after)) for trial in run.trials())
    own = ((arm, trial) for arm, trial in pairs if trial.key.arm is Arm.CANDIDATE)
    contrast = replace(
        contrast,
        baseline_name=before.folder.name,
        candidate_name=after.folder.name,
        differences=_differences(decision, own),
        cautions=_cautions(before, after),
    )
    return _report(contrast, Compared(decision, records), strict=strict)


def _match(before: RunReader, after: RunReader) -> tuple[BaselineRecord, ...]:
    """Return each suite of the candidate's run with what the other run has of it."""
    from evalkit.records import BaselineRecord

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
                old[suite.path].prompt_sha if suite.path in old else "",
                note="" if there else f"run {before.folder.name} has no case of {suite.path} as it is in the other",
                required=True,
                new=new,
                changed=tuple(sorted(changed)),
                vanished=tuple(sorted(gone)),
            )
        )
    return tuple(records)


def _cautions(before: RunReader, after: RunReader) -> tuple[str, ...]:
    """Name what the two runs do not have in common beside the prompt."""
    from evalkit.runner.opponents import source_of_replies

    cautions = []
    sources = [source_of_replies(run) for run in (before, after)]
    if sources[0] != sources[1]:
        cautions.append(f"different sources: {sources[0].kind} and {sources[1].kind}; the difference may be theirs")
    judges = [{str(dict(suite.judge)) for suite in run.suites} for run in (before, after)]
    if judges[0] != judges[1]:
        cautions.append("different judges or wordings; the difference may be theirs")
    suites = {suite.path for suite in before.suites} ^ {suite.path for suite in after.suites}
    if suites:
        cautions.append(f"only in one of the runs: {', '.join(sorted(suites))}")
    return tuple(cautions)


def _played_prompts(reader: RunReader) -> list[tuple[PromptVersion, PromptVersion]]:
    """Return the two versions of each suite, each pair once."""
    candidates = {suite.path: suite.prompt_sha for suite in reader.suites}
    pairs = {(record.prompt_sha, candidates[record.suite]) for record in reader.baselines if record.suite in candidates}
    return [
        (reader.prompts[a], reader.prompts[b]) for a, b in sorted(pairs) if a in reader.prompts and b in reader.prompts
    ]


def _prompt_pairs(before: RunReader, after: RunReader) -> list[tuple[PromptVersion, PromptVersion]]:
    old = {suite.path: suite.prompt_sha for suite in before.suites}
    pairs = {(old[suite.path], suite.prompt_sha) for suite in after.suites if suite.path in old}
    return [
        (before.prompts[a], after.prompts[b]) for a, b in sorted(pairs) if a in before.prompts and b in after.prompts
    ]


def _contrast(
    reader: RunReader,
    arms: ArmTrials,
    prompts: Sequence[tuple[PromptVersion, PromptVersion]],
    decision: Decision | None,
) -> Contrast:
    from evalkit.analysis import change_of, flips_of, rules_of, uses_of
    from evalkit.records import Contrast

    uses = uses_of(arms)
    names = [", ".join(dict.fromkeys(pair[side].ref for pair in prompts)) for side in (0, 1)]
    return Contrast(
        baseline_name=names[0] or "before",
        candidate_name=names[1] or "now",
        source=_source(reader),
        prompts=tuple(change_of(a, b) for a, b in prompts),
        flips=flips_of(reader.cases, arms, {case.key for case in decision.cases} if decision else ()),
        differences=(),
        rules=rules_of(arms),
        cost_usd=uses.cost_usd,
        cached=uses.cached,
        first_token_ms=uses.first_token_ms,
        total_ms=uses.total_ms,
    )


def _source(reader: RunReader) -> str:
    source = reader.header.source
    if source.kind == "stand-in":
        return "stand-in model, which says nothing about Claude"
    return source.name


def _by_arm(reader: RunReader) -> Iterable[tuple[Arm, Trial]]:
    return ((trial.key.arm, trial) for trial in reader.trials())


def _differences(decision: Decision | None, trials: Iterable[tuple[Arm, Trial]]) -> Any:
    """Return where the conversations of the changed cases part; True in the map means that a case got worse."""
    from evalkit.analysis import Examples

    cases = decision.cases if decision else ()
    examples = Examples({case.key: (case.difference or -1) < 0 for case in cases if case.difference})
    for arm, trial in trials:
        examples.offer(trial, arm)
    return examples.differences()


def _report(contrast: Contrast, compared: Compared, *, strict: bool) -> CompareReport:
    from evalkit.gate import decision_in_words, outlook_in_words, remarks
    from evalkit.records import Verdict
    from evalkit.reporting.compare import CompareReport

    notes = [baseline.note for baseline in compared.baselines if baseline.note]
    notes += [
        f"{words}: {', '.join(ids)}"
        for baseline in compared.baselines
        for words, ids in (
            ("only in the first", baseline.vanished),
            ("changed", baseline.changed),
            ("new", baseline.new),
        )
        if ids and baseline.use != "none"
    ]
    decision = compared.decision
    if decision is None:
        sentence = "nothing to compare: no case is the same on both sides"
        return CompareReport(contrast, None, sentence, tuple(notes), ExitCode.NO_VERDICT)
    told = remarks(decision)
    if decision.verdict is Verdict.CANT_TELL and compared.outlook is not None:
        told.insert(0, outlook_in_words(compared.outlook))
    codes = {Verdict.WORSE: ExitCode.FAILED, Verdict.NO_VERDICT: ExitCode.NO_VERDICT}
    if strict:
        codes[Verdict.CANT_TELL] = ExitCode.FAILED
    sentence = decision_in_words(decision, contrast.baseline_name)
    sentence = (
        f"{contrast.candidate_name} is {sentence}" if sentence.startswith(("worse", "better", "not")) else sentence
    )
    return CompareReport(contrast, decision, sentence, (*told, *notes), codes.get(decision.verdict, ExitCode.PASSED))
