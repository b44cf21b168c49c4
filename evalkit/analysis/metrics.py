"""Numbers of the whole run from the tables: pass rates, money, cache, times, turns, rules, what judges said.

Knows the tables of `rows.py`; every NaN ends here as None.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args, get_type_hints

from evalkit.analysis.rows import CacheTotals, FailureCount
from evalkit.graders import requirement_of
from evalkit.graders.judge import JUDGE_KINDS, Criterion
from evalkit.labels import Label, correct_rate, measure_agreement
from evalkit.records import (
    Assertion,
    CacheSummary,
    CaseSummary,
    CriterionSummary,
    FailureSummary,
    KindCost,
    Level,
    ModelMoney,
    Money,
    PassRate,
    Place,
    RuleSummary,
    SideMoney,
    SuiteRecord,
    Times,
    TokenKind,
    Transcript,
    Trial,
    TrialVerdict,
    TurnSummary,
)
from evalkit.stats import all_pass_chance, mean, percentile, share, thin_out, wilson_interval

if TYPE_CHECKING:
    import pandas as pd

INTERVAL_FROM = 10
"""Below this many independent units a 95 % interval is all width and no information."""
MOST_K = 8


KIND_COLUMNS: tuple[tuple[TokenKind, str], ...] = tuple(
    zip(get_args(TokenKind), ("input", "write", "read", "output"), strict=True)
)
SHOWN_VALUES = 200
WHERE = ("suite", "case_id", "trial")
PURPOSES: tuple[str, ...] = get_args(get_type_hints(SideMoney)["purpose"])


def share_interval(share: float, units: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson interval of a share over independent units; None below ten of them."""
    return wilson_interval(share * units, units) if units >= INTERVAL_FROM else None


def case_rate(passed: int, failed: int) -> PassRate | None:
    """Return the pass rate of one case, whose trials are independent; None when none was measured."""
    n = passed + failed
    if not n:
        return None
    chances = tuple(_chance(passed, n, k) for k in range(1, min(n, MOST_K) + 1))
    return PassRate(passed, n, 1, int(passed > 0 and failed > 0), share_interval(passed / n, n), chances)


def rate_over(cases: Sequence[CaseSummary]) -> PassRate | None:
    """Return the pass rate over the trials of several cases; its interval counts clusters, as cases of one cluster are
    not independent. None when no trial was measured."""
    measured = [case for case in cases if case.skip is None]
    counts = [(case.passed, case.passed + case.failed) for case in measured]
    return rate_of(counts, [(case.suite, case.cluster or f"case {case.case_id}") for case in measured])


def rate_of(counts: Sequence[tuple[int, int]], units: Sequence[Hashable]) -> PassRate | None:
    """Return the pass rate of cases by (passed, trials); those with the same unit count once in the interval. None when
    no trial was measured."""
    tried = [(count, unit) for count, unit in zip(counts, units, strict=True) if count[1]]
    if not tried:
        return None
    measured = [count for count, _ in tried]
    passed, trials = sum(passed for passed, _ in measured), sum(n for _, n in measured)
    most = min(max(n for _, n in measured), MOST_K)
    return PassRate(
        passed,
        trials,
        len(measured),
        sum(0 < passed < n for passed, n in measured),
        share_interval(passed / trials, len({unit for _, unit in tried})),
        tuple(_mean_chance(measured, k) for k in range(1, most + 1)),
    )


def _mean_chance(counts: Sequence[tuple[int, int]], k: int) -> float:
    """Return pass^k averaged over the cases with k measured trials or more; there is one."""
    return mean([_chance(passed, n, k) for passed, n in counts if n >= k]) or 0.0


def _chance(passed: int, n: int, k: int) -> float:
    return all_pass_chance(passed, n, k) or 0.0


def known(value: float) -> float | None:
    """Return the number, or None for pandas' NaN."""
    return None if math.isnan(value) else float(value)


def unpriced(requests: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows were billed at an unknown price: they report usage and have no cost."""
    return requests["usage"] & requests["cost"].isna()


def total_cost(requests: pd.DataFrame) -> float | None:
    """Return the sum of the known costs; None when there is something to pay and no price is known."""
    if not len(requests) or not requests["usage"].any():
        return 0.0
    return known(requests["cost"].sum(min_count=1))


def sum_money(requests: pd.DataFrame) -> Money:
    """Return what the run cost, by model and token kind; the dearest model first."""
    return Money(total_cost(requests), int(unpriced(requests).sum()), model_moneys(requests))


def model_moneys(requests: pd.DataFrame) -> tuple[ModelMoney, ...]:
    """Return what each model cost; the dearest first."""
    billed = requests[requests["usage"]]
    models = [_model_money(str(model), rows) for model, rows in billed.groupby("model", sort=True)]
    return tuple(sorted(models, key=lambda model: -(model.cost_usd or 0)))


def _model_money(model: str, rows: pd.DataFrame) -> ModelMoney:
    kinds = tuple(
        KindCost(kind, int(rows[column].sum()), known(rows[f"cost_{column}"].sum(min_count=len(rows))))
        for kind, column in KIND_COLUMNS
    )
    return ModelMoney(model, int(rows["final"].sum()), int(unpriced(rows).sum()), total_cost(rows), kinds)


def prompt_tokens(requests: pd.DataFrame) -> pd.Series[int]:
    """Return the whole prompt of each row: plain, written and read."""
    return requests["input"] + requests["write"] + requests["read"]


def sum_cache(requests: pd.DataFrame, totals: CacheTotals) -> CacheSummary:
    """Return how much of the prompts came from the cache, and why requests missed it, most frequent first."""
    done = requests[requests["complete"] & requests["usage"]]
    later = done[done["n"] > 1]
    misses = done["miss"].dropna().value_counts()
    whole, read = int(prompt_tokens(done).sum()), int(done["read"].sum())
    counted = sorted(((str(reason), int(count)) for reason, count in misses.items()), key=lambda m: (-m[1], m[0]))
    later_share = share(float(later["read"].sum()), float(prompt_tokens(later).sum()))
    known_costs = [cost for cost in totals.as_first if cost is not None]
    complete = bool(known_costs) and len(known_costs) == len(totals.as_first)
    return CacheSummary(
        whole,
        read,
        share(read, whole),
        later_share,
        tuple(counted),
        cold_share=share(totals.cold_read, totals.cold_prompt),
        kept_share=share(totals.kept, totals.expected),
        cost_as_first_usd=sum(known_costs) if complete else None,
    )


def measure_times(values: pd.Series[float]) -> Times:
    """Return the distribution of the known times."""
    known_values = [float(value) for value in values.dropna()]
    p50, p95 = percentile(known_values, 50), percentile(known_values, 95)
    return Times(len(known_values), p50, p95, thin_out(known_values, SHOWN_VALUES))


def sum_turns(requests: pd.DataFrame) -> tuple[TurnSummary, ...]:
    """Return tokens by position of the turn in its conversation, from complete requests only."""
    done = requests[requests["own"] & requests["complete"] & requests["usage"]]
    return tuple(
        TurnSummary(
            int(str(turn)),
            len(rows[["suite", "case_id", "trial"]].drop_duplicates()),
            *(int(rows[column].sum()) for _, column in KIND_COLUMNS),
        )
        for turn, rows in done.groupby("turn")
    )


def count_rules(scores: pd.DataFrame, places: dict[str, Place]) -> tuple[RuleSummary, ...]:
    """Return how often each rule broke, in trials; errors, warnings, suggestions, most broken first."""
    rules = [
        _rule(str(name), Level(str(level)), rows, places) for (name, level), rows in scores.groupby(["rule", "level"])
    ]
    return tuple(sorted(rules, key=lambda rule: (list(Level).index(rule.level), -rule.broken, rule.name)))


def _rule(name: str, level: Level, rows: pd.DataFrame, places: dict[str, Place]) -> RuleSummary:
    broken = rows[rows["verdict"] == TrialVerdict.FAILED.value]
    measured = _trials(rows[rows["verdict"] != TrialVerdict.NOT_MEASURED.value])
    labels = [
        (str(label), _trials(hits), places[str(place)]) for (label, place), hits in broken.groupby(["label", "place"])
    ]
    labels.sort(key=lambda label: (-label[1], label[2], label[0]))
    cases = len(rows.loc[rows["verdict"] != TrialVerdict.NOT_MEASURED.value, ["suite", "case_id"]].drop_duplicates())
    interval = share_interval(1 - _trials(broken) / measured, cases) if measured else None
    unmeasured = _trials(rows) - measured
    rate = _held_rate(rows)
    return RuleSummary(name, level, _trials(broken), measured, unmeasured, tuple(labels), interval, rate)


def _held_rate(rows: pd.DataFrame) -> PassRate | None:
    """Return how often a rule held, by case: a trial in which any of its assertions broke counts as failed."""
    measured = rows[rows["verdict"] != TrialVerdict.NOT_MEASURED.value]
    broke = (measured["verdict"] == TrialVerdict.FAILED.value).groupby([measured[c] for c in WHERE], sort=False).any()
    cases = broke.groupby(level=["suite", "case_id"], sort=False).agg(["sum", "size"])
    counts = [(int(n) - int(lost), int(n)) for lost, n in zip(cases["sum"], cases["size"], strict=True)]
    return rate_of(counts, list(cases.index))


def _trials(rows: pd.DataFrame) -> int:
    return len(rows[["suite", "case_id", "trial"]].drop_duplicates())


def list_failures(failures: Iterable[FailureCount]) -> tuple[FailureSummary, ...]:
    """Return the kinds of failed requests, those that ended trials first."""
    summaries = [
        FailureSummary(
            count.first.kind,
            count.retried,
            count.final,
            count.first.message,
            count.first.status,
            count.first.request_id,
        )
        for count in failures
    ]
    return tuple(sorted(summaries, key=lambda failure: (-failure.final, -failure.retried, failure.kind)))


@dataclass
class CriterionCounts:
    """Counts the answers of judges while trials stream by: yes, no and not measured, by suite, criterion and model.

    Beside what each criterion came to in a trial it keeps the answer about each exhibit, which is what people label.
    """

    _counts: dict[tuple[str, str, str], Counter[TrialVerdict]] = field(default_factory=dict)
    _answers: dict[tuple[str, str, str], dict[str, bool]] = field(default_factory=dict)

    def add(self, trial: Trial) -> None:
        """Take in the judge criteria of one trial."""
        for score in trial.score.scores if trial.score and trial.key.is_own else ():
            if score.assertion.kind in JUDGE_KINDS:
                params = score.assertion.params
                key = trial.key.suite, str(params["criterion"]), str(params["model"])
                self._counts.setdefault(key, Counter())[score.finding.verdict] += 1
                self._answers.setdefault(key, {}).update(_answers(score.assertion, trial.transcript))

    def summaries(
        self, suites: Iterable[SuiteRecord], labels: Mapping[str, Sequence[Label]]
    ) -> tuple[CriterionSummary, ...]:
        """Return each criterion with its answers and how far people agree with its judge, by suite."""
        judges = {suite.path: suite.judge for suite in suites}
        found = []
        for (suite, criterion, model), counts in self._counts.items():
            judge, said = judges.get(suite, {}), labels.get(suite, ())
            asked = (criterion, model, str(judge.get("wording", "")))
            found.append(
                CriterionSummary(
                    suite=suite,
                    criterion=criterion,
                    model=model,
                    yes=counts[TrialVerdict.PASSED],
                    no=counts[TrialVerdict.FAILED],
                    not_measured=counts[TrialVerdict.NOT_MEASURED],
                    agreement=measure_agreement(said, *asked),
                    rate=correct_rate(self._answers[suite, criterion, model], said, *asked),
                    enforce=judge.get("enforce", False),
                )
            )
        return tuple(found)


def _answers(assertion: Assertion, transcript: Transcript) -> Iterator[tuple[str, bool]]:
    """Yield what a judge made of each exhibit of a conversation, by the exhibit's hash."""
    grader = requirement_of(assertion).grader
    for _, votes, answer in grader.answered(transcript, assertion.turn) if isinstance(grader, Criterion) else ():
        if answer is not None:
            yield votes[-1].exhibit, answer


def sum_side_money(asides: pd.DataFrame) -> tuple[SideMoney, ...]:
    """Return what was paid beside the conversations, by purpose."""
    return tuple(
        SideMoney(purpose, models)  # type: ignore[arg-type]  # one of the literal's own values
        for purpose in PURPOSES
        if (models := model_moneys(asides[asides["purpose"] == purpose]))
    )
