"""Two arms of trials and two prompts -> Contrast: flips, rules, money, times, and where changed conversations part.

Knows transcripts and prompt texts; nothing of tests or verdicts."""

from __future__ import annotations

import difflib
import re
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import orjson

from evalkit.analysis.arms import KINDS, ArmTrials
from evalkit.records import Arm, CaseKey, CaseRecord, Trial, TrialVerdict
from evalkit.records.comparison import FirstDifference, Flips, PromptChange
from evalkit.records.migration import Pair, Uses
from evalkit.records.project import PromptVersion
from evalkit.stats import percentile, share

SHOWN = 300


def change_of(baseline: PromptVersion, candidate: PromptVersion) -> PromptChange:
    """Return what changed from one prompt version to the other."""
    before, after = baseline.text.splitlines(), candidate.text.splitlines()
    lines = difflib.unified_diff(before, after, baseline.ref, candidate.ref, lineterm="", n=1)
    beside = []
    # What the files say: what a model of the reference makes of it is told as a migration.
    models = [version.own_model or version.model for version in (baseline, candidate)]
    if models[0] != models[1]:
        beside.append(f"model: {models[0]} → {models[1]}")
    params = [_json(version.own_params if version.own_model else version.params) for version in (baseline, candidate)]
    if params[0] != params[1]:
        beside.append(f"parameters: {params[0]} → {params[1]}")
    if _json(baseline.tools) != _json(candidate.tools):
        names = [", ".join(str(tool.get("name")) for tool in version.tools) for version in (baseline, candidate)]
        beside.append(f"tools: {names[0]} → {names[1]}" if names[0] != names[1] else "tools: same names, other schemas")
    if _json(baseline.memory) != _json(candidate.memory):
        beside.append("memory: changed")
    if baseline.text == candidate.text and _json(baseline.system) != _json(candidate.system):
        beside.append("cache point: moved")
    return PromptChange(
        baseline.ref, candidate.ref, tuple(lines), word_difference(baseline.text, candidate.text), tuple(beside)
    )


def pair_versions(
    cases: Iterable[CaseRecord],
    old: Mapping[CaseKey, str],
    before: Mapping[str, PromptVersion],
    after: Mapping[str, PromptVersion],
) -> dict[CaseKey, tuple[PromptVersion, PromptVersion]]:
    """Return the two versions of each case, as far as both are known; `old` has the hash of the first, by case."""
    shas = {case.key: (old[case.key], case.prompt_sha) for case in cases if case.key in old}
    return {key: (before[a], after[b]) for key, (a, b) in shas.items() if a in before and b in after}


def word_difference(before: str, after: str) -> str:
    """Return the changed lines with what was taken out as [-…-] and put in as {+…+}, word by word."""
    old, new = re.findall(r"\s+|\S+", before), re.findall(r"\s+|\S+", after)
    parts = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if tag == "equal":
            parts.append(_context(gone))
            continue
        parts.append((f"[-{gone}-]" if gone.strip() else "") + (f"{{+{come}+}}" if come.strip() else ""))
    return "".join(parts).strip() if any("[-" in part or "{+" in part for part in parts) else ""


def _context(text: str) -> str:
    """Return unchanged text with its middle left out."""
    lines = text.split("\n")
    return text if len(lines) <= 3 else f"{lines[0]}\n…\n{lines[-1]}"


def flips_of(cases: Iterable[CaseRecord], arms: ArmTrials, keys: Collection[CaseKey]) -> Flips:
    """Return which of the compared cases passed before and pass now."""
    better, worse, both_pass, both_fail = [], [], 0, 0
    for case in cases:
        key = (case.suite, case.case_id)
        if key not in keys:
            continue
        needed = case.min_pass / case.trials if case.trials else 1.0
        states = [_passes(arms.outcomes(arm, key), needed) for arm in Arm]
        if None in states:
            continue
        before, now = states
        if before and now:
            both_pass += 1
        elif before:
            worse.append(key)
        elif now:
            better.append(key)
        else:
            both_fail += 1
    return Flips(tuple(better), tuple(worse), both_pass, both_fail)


def _passes(outcomes: Sequence[bool | None], needed: float) -> bool | None:
    valid = [outcome for outcome in outcomes if outcome is not None]
    return sum(valid) >= needed * len(valid) if valid else None


def rules_of(arms: ArmTrials) -> tuple[tuple[str, Pair], ...]:
    """Return how often each rule broke in both arms; the largest changes first."""
    found = []
    for name in sorted({name for counts in arms.rules.values() for name in counts}):
        shares = [share(arms.rules[arm][name], arms.measured[arm]) for arm in Arm]
        found.append((name, Pair(*shares)))
    return tuple(sorted(found, key=lambda rule: -abs((rule[1].candidate or 0) - (rule[1].baseline or 0))))


def uses_of(arms: ArmTrials, keys: Collection[CaseKey] | None = None) -> Uses:
    """Return what conversations used in both arms, over these cases; over all of them where none are named."""

    def pair(number: Callable[[Arm], float | None]) -> Pair:
        return Pair(number(Arm.BASELINE), number(Arm.CANDIDATE))

    def values(arm: Arm, name: str) -> list[float]:
        of_arm = (usage for (side, key), usage in arms.usage.items() if side is arm and (keys is None or key in keys))
        return [value for usage in of_arm for value in getattr(usage, name)]

    def mean(arm: Arm, name: str, of: int = 1) -> float | None:
        found = values(arm, name)
        return of * statistics.fmean(found) if found else None

    return Uses(
        cost_usd=pair(lambda arm: mean(arm, "cost_usd", of=100)),
        prompt_tokens=pair(lambda arm: mean(arm, "prompt_tokens")),
        output_tokens=pair(lambda arm: mean(arm, "output_tokens")),
        cached=pair(lambda arm: share(sum(values(arm, "cached_tokens")), sum(values(arm, "prompt_tokens")))),
        first_token_ms=pair(lambda arm: percentile(values(arm, "first_token_ms"), 50)),
        total_ms=pair(lambda arm: percentile(values(arm, "total_ms"), 50)),
    )


class Examples:
    """Keeps, for some cases, the trial of each arm that shows the change best, while trials stream by."""

    def __init__(self, keys: Mapping[CaseKey, bool]) -> None:
        self._worse = dict(keys)
        self._kept: dict[tuple[Arm, CaseKey], Trial] = {}

    def offer(self, trial: Trial, arm: Arm) -> None:
        """Keep the first trial of a case in an arm, and rather one that shows the case's change."""
        key = (trial.key.suite, trial.key.case_id)
        if key not in self._worse or trial.score is None or KINDS[trial.key.stage] == "drift":
            return
        telling = TrialVerdict.FAILED if self._worse[key] == (arm is Arm.CANDIDATE) else TrialVerdict.PASSED
        kept = self._kept.get((arm, key))
        tells = kept is not None and kept.score is not None and kept.score.verdict is telling
        if kept is None or (not tells and trial.score.verdict is telling):
            self._kept[arm, key] = trial

    def differences(self) -> tuple[FirstDifference, ...]:
        """Return where the two kept conversations of each case part, where there are two and they do."""
        found = []
        for key in self._worse:
            pair = [self._kept.get((arm, key)) for arm in Arm]
            if pair[0] is not None and pair[1] is not None:
                difference = first_difference(key, pair[0], pair[1])
                found += [difference] if difference else []
        return tuple(found)


def first_difference(key: CaseKey, baseline: Trial, candidate: Trial) -> FirstDifference | None:
    """Return the first action that differs: a tool call, or a reply."""
    before, after = list(_actions(baseline)), list(_actions(candidate))
    for place in range(max(len(before), len(after))):
        one = before[place] if place < len(before) else (0, "the conversation ends", "")
        other = after[place] if place < len(after) else (0, "the conversation ends", "")
        if one != other:
            turn = other[0] or one[0]
            replies = [_reply(trial, turn) for trial in (baseline, candidate)]
            return FirstDifference(key, turn, one[1], other[1], *replies)
    return None


def _actions(trial: Trial) -> Iterable[tuple[int, str, str]]:
    """Yield what the assistant did, step by step: its turn, in words, and the whole of it."""
    for turn in trial.transcript.turns:
        for call in turn.tool_calls:
            told = f"calls {call.name} {_json(call.input)}"
            yield turn.n, told[:SHOWN], told
        yield turn.n, f"says “{' '.join(turn.reply.split())[:SHOWN]}”", turn.reply


def _reply(trial: Trial, number: int) -> str:
    return next((turn.reply for turn in trial.transcript.turns if turn.n == number), "")


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=dict).decode()
