"""Blessed baselines: `suites/NAME.baseline.json` to values and back, and what of one still holds today.

The file is made for review: sorted, a line a case, no replies and no clock but the day. Knows the file's form and when
stored trials may be used; must not run anything.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from evalkit.errors import UsageError
from evalkit.records import (
    Arm,
    Baseline,
    BaselineCase,
    BaselineRecord,
    CaseRecord,
    Conditions,
    JsonObject,
    Origin,
    PromptVersion,
    Source,
    SuiteRecord,
    ToolsRecord,
)
from evalkit.records.baseline import BASELINE_VERSION
from evalkit.stats import mean

if TYPE_CHECKING:
    from evalkit.analysis import ArmTrials

LEAST_ROUNDS = 5
"""Fewer stored rounds can't show much: 3 of 3 against 0 of 3 is chance in one of twenty."""
FRESH_DAYS = 14
"""After this many days a live baseline is played again: models and judges behind an unchanged name drift."""
_SHA = 16


def baseline_name(suite_path: str) -> str:
    """Return the baseline's file of a suite, relative to the project: `suites/returns.baseline.json`."""
    return str(Path(suite_path).with_suffix("")) + ".baseline.json"


def replies_name(suite_path: str) -> str:
    """Return the file of the replies that a baseline was made from, relative to the project."""
    return str(Path(suite_path).with_suffix("")) + ".replies.jsonl"


def conditions_of(
    prompt: PromptVersion,
    source: Source,
    judge: JsonObject,
    evalkit: str,
    given: JsonObject,
    *,
    tools: ToolsRecord | None,
) -> Conditions:
    """Return the conditions of trials with this prompt version from this source.

    `given` are inputs of the command, `tools` the functions that answered what the suite did not.
    """
    params = {"params": dict(prompt.params), "memory": dict(prompt.memory), **({"given": given} if given else {})}
    return Conditions(
        source.kind,
        prompt.model,
        short_sha(params),
        short_sha(dict(judge)) if judge else "",
        evalkit if source.kind == "stand-in" else "",
        "" if source.kind == "stand-in" else source.detail,
        f"{tools.module} {tools.sha[:_SHA]}".rstrip() if tools else "",
    )


def short_sha(value: Any) -> str:
    """Return a short hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:_SHA]


def load_baseline(path: Path, name: str) -> Baseline | None:
    """Read a baseline file, None when there is none; UsageError when it can't be used as it is."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{name}: can't be read ({exc}); restore it, or make it anew with: evalkit bless") from exc
    try:
        obj = json.loads(text)
        version = obj.get("baseline_version") if isinstance(obj, dict) else None
        if isinstance(version, int) and version > BASELINE_VERSION:
            raise UsageError(
                f"{name}: has version {version}, this evalkit reads up to {BASELINE_VERSION}; update evalkit."
            )
        found = TypeAdapter(Baseline).validate_python(obj)
    except (ValueError, ValidationError) as exc:
        problem = str(exc).splitlines()[0]
        raise UsageError(f"{name}: is no baseline ({problem}); make it anew with: evalkit bless") from exc
    bad = next((key for key, case in found.cases.items() if not 0 <= case.passed <= case.trials), None)
    if bad is not None:
        raise UsageError(f"{name}: case {bad!r} passed more often than it was tried; make it anew with: evalkit bless")
    return found


def render_baseline(baseline: Baseline) -> str:
    """Return the file: sorted keys, a line a case, so that its diff is the review."""
    head = {
        "baseline_version": baseline.baseline_version,
        "blessed": baseline.blessed,
        "commit": baseline.commit,
        "conditions": {key: value for key, value in sorted(vars(baseline.conditions).items()) if value},
        "cost_usd": baseline.cost_usd,
        "prompt_ref": baseline.prompt_ref,
        "template_sha": baseline.template_sha,
        "rounds": baseline.rounds,
        "rules": dict(sorted(baseline.rules.items())),
        "suite": baseline.suite,
    }
    lines = [
        f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}," for key, value in head.items()
    ]
    cases = [
        f"  {json.dumps(key)}: {json.dumps(_case_json(case), sort_keys=True)}"
        for key, case in sorted(baseline.cases.items())
    ]
    body = ",\n".join(cases)
    return "{\n" + "\n".join(lines) + '\n "cases": {\n' + body + "\n }\n}\n"


def _case_json(case: BaselineCase) -> dict[str, Any]:
    told = {"sha": case.sha, "passed": case.passed, "trials": case.trials}
    known = {
        "errors": case.errors or None,
        "cost_usd": _rounded(case.cost_usd),
        "output_tokens": _rounded(case.output_tokens),
        "broken": dict(case.broken) or None,
        "origin": vars(case.origin) if case.origin else None,
    }
    return {**told, **{key: value for key, value in known.items() if value is not None}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")


def make_baseline(suite: SuiteRecord, cases: Iterable[CaseRecord], conditions: Conditions, arms: ArmTrials) -> Baseline:
    """Return a run's rounds as a baseline, without day and commit; skipped cases stay out."""
    blessed = {}
    for case in cases:
        if case.suite != suite.path or case.skip is not None:
            continue
        key = (case.suite, case.case_id)
        of_case = (Arm.CANDIDATE, key)
        outcomes, usage = arms.outcomes(*of_case), arms.usage.get(of_case)
        blessed[case.case_id] = BaselineCase(
            case.sha[:_SHA],
            passed=outcomes.count(True),
            trials=outcomes.count(True) + outcomes.count(False),
            errors=outcomes.count(None),
            cost_usd=_rounded(mean(usage.cost_usd)) if usage else None,
            output_tokens=_rounded(mean(usage.output_tokens)) if usage else None,
            broken={name: count for (name, held), count in sorted(arms.checked[of_case].items()) if not held},
        )
    rounds = min((case.trials for case in blessed.values()), default=0)
    return Baseline(suite.path, "", suite.prompt_ref, suite.template_sha, conditions, rounds, cases=blessed)


def with_rules(baseline: Baseline, rules: Counter[str], cost_usd: float | None) -> Baseline:
    """Return the baseline with the rules that broke, in trials, and what its trials cost in all."""
    return replace(baseline, rules=dict(rules), cost_usd=_rounded(cost_usd))


def why_not_kept(old: Baseline, new: Baseline, case_id: str) -> str:
    """Return why a case's old entry could not be compared with in the new baseline, empty when it could.

    Only entries of one kind stand in a baseline; of another prompt version they may be.
    """
    if old.cases[case_id].sha != new.cases[case_id].sha:
        return "the case itself has changed, so its old entry can't be compared with any more"
    then, now = vars(old.conditions), vars(new.conditions)
    other = [key.removesuffix("_sha") for key in now if then[key] != now[key]]
    return (
        f"its old entry was taken with another {' and '.join(other)}, and one baseline holds one kind" if other else ""
    )


def keep_entries(new: Baseline, old: Baseline, kept: Collection[str]) -> Baseline:
    """Return the new baseline with the old entries of some cases, each with its own prompt, source and day."""
    origin = Origin(old.prompt_ref, old.template_sha, old.conditions.source_name, old.blessed, old.commit)
    entries = {key: replace(old.cases[key], origin=old.cases[key].origin or origin) for key in kept}
    cases = {**new.cases, **entries}
    rules = Counter[str]()
    for case in cases.values():
        rules.update(case.broken)
    rounds = min((case.trials for case in cases.values()), default=0)
    return replace(new, cases=cases, rounds=rounds, rules=dict(rules))


def match_baseline(
    baseline: Baseline, name: str, cases: Sequence[CaseRecord], now: Conditions, today: date
) -> BaselineRecord:
    """Return what of a baseline holds for these cases under these conditions.

    Stored trials count only for unchanged cases. Another source or judge makes them useless; another model, other
    parameters or their age make it necessary to play the old version again.
    """
    known = {case.case_id: case.sha[:_SHA] for case in cases if case.suite == baseline.suite}
    same = {
        key: case
        for key, case in baseline.cases.items()
        if known.get(key) == case.sha and case.trials
        if case.origin is None or case.origin.source == baseline.conditions.source_name
    }
    record = BaselineRecord(
        suite=baseline.suite,
        name=name,
        use="stored",
        prompt_ref=baseline.prompt_ref,
        template_sha=baseline.template_sha,
        blessed=baseline.blessed,
        cases=dict(sorted(same.items())),
        new=tuple(sorted(key for key in known if key not in baseline.cases)),
        changed=tuple(sorted(key for key in known if key in baseline.cases and key not in same)),
        vanished=tuple(sorted(key for key in baseline.cases if key not in known)),
        rules=dict(baseline.rules),
        commit=baseline.commit,
        conditions={key: value for key, value in vars(baseline.conditions).items() if value},
        broken_by_case=any(case.broken for case in baseline.cases.values()) or not baseline.rules,
    )
    foreign = _foreign(baseline.conditions, now, name)
    if foreign or not same:
        note = foreign or f"{name} has no case as it is now; bless a new one: evalkit run && evalkit bless"
        return replace(record, use="none", note=note, cases={})
    old = _out_of_date(baseline, now, name, today)
    return replace(record, use="fresh", note=old) if old else record


def _foreign(then: Conditions, now: Conditions, name: str) -> str:
    if then.source_name != now.source_name:
        via = "live" if now.source == "live" else "stand-in"
        return (
            f"{name} was taken from another source ({then.source_name}, not {now.source_name}); "
            f"take one from this: evalkit run --via {via} && evalkit bless"
        )
    if then.judge_sha != now.judge_sha:
        return f"{name} was judged by another judge or wording; bless a new one: evalkit run && evalkit bless"
    return ""


def _out_of_date(baseline: Baseline, now: Conditions, name: str, today: date) -> str:
    then = baseline.conditions
    again = "so both versions are played side by side"
    if then.model != now.model:
        return f"{name} was taken with {then.model}, this run uses {now.model}, {again}"
    if then.params_sha != now.params_sha:
        return f"{name} was taken with other request parameters or other --set values, {again}"
    if then.tools != now.tools:
        # What a function answers decides what is said next, as a fixture does: another one, another conversation.
        return f"{name} was taken with {_tools(then)}, this run uses {_tools(now)}, {again}"
    if then.evalkit != now.evalkit:
        return f"{name} was taken with the stand-in of evalkit {then.evalkit}, {again}; refresh it: evalkit bless"
    origins = [case.origin.blessed for case in baseline.cases.values() if case.origin]
    try:
        age = max((today - date.fromisoformat(day)).days for day in (baseline.blessed, *origins))
    except ValueError:
        return f"{name} does not say when it was blessed, {again}; refresh it: evalkit bless"
    if age > FRESH_DAYS and not now.evalkit:
        return f"{name} is {age} days old (at most {FRESH_DAYS}), {again}; refresh it: evalkit bless"
    return ""


def _tools(conditions: Conditions) -> str:
    return f"the functions of {conditions.tools}" if conditions.tools else "the suite's own tool results"
