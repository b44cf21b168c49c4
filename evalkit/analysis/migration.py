"""Two arms on two models -> what the change of the model means: what each takes, costs and counts, and what was used.

Knows the table of models and prices, and transcripts by their usage; nothing of tests or verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from statistics import fmean

from evalkit.analysis.arms import KINDS, ArmTrials
from evalkit.analysis.contrast import uses_of
from evalkit.prompts.models import facts_of, retirement_of
from evalkit.prompts.versions import prefix_tokens
from evalkit.records import CaseKey, Migration, ModelSide, PromptVersion, Rate, Trial, TrialVerdict, Usage

Price = Callable[[str, Usage], float | None]
"""What a usage costs with a model, in US dollars; None when the price is unknown."""
Trials = Callable[[], Iterable[Trial]]
"""Reads the baseline's trials from their beginning."""
Versions = Mapping[CaseKey, tuple[PromptVersion, PromptVersion]]
"""The versions that each case was played with: the baseline's and the candidate's."""


def migrations_of(versions: Versions, arms: ArmTrials, baseline: Trials, price: Price) -> tuple[Migration, ...]:
    """Return a migration for each pair of versions that are asked of two models, over the cases that have both."""
    cases: dict[tuple[str, str], list[CaseKey]] = {}
    for key, (before, after) in versions.items():
        if before.model != after.model:
            cases.setdefault((before.ref, after.ref), []).append(key)
    found = []
    for keys in cases.values():
        before, after = versions[keys[0]]
        found.append(
            Migration(
                _side(before, price),
                _side(after, price),
                uses_of(arms, keys),
                _repriced_usd(baseline(), keys, after.model, price),
            )
        )
    return tuple(found)


def _side(prompt: PromptVersion, price: Price) -> ModelSide:
    facts, retires = facts_of(prompt.model), retirement_of(prompt.model)
    written = (prompt.params.get("output_config") or {}).get("effort")
    thinking = (prompt.params.get("thinking") or {}).get("type")
    if facts and not thinking:
        thinking = "adaptive" if facts.thinks else "off"
    return ModelSide(
        ref=prompt.ref,
        model=prompt.model,
        rate=_rate(prompt.model, price),
        adaptations=prompt.adaptations,
        effort=written or (facts.effort if facts else None),
        thinking=thinking,
        prefix_tokens=prefix_tokens(prompt, facts.characters) if facts else None,
        cacheable=facts.cacheable if facts else None,
        characters=facts.characters if facts else None,
        retires=retires.isoformat() if retires else "",
    )


def _rate(model: str, price: Price) -> Rate:
    """Return the prices of a million tokens, asked for a thousand: a longer prompt may have a tier of its own."""

    def million(usage: Usage) -> float | None:
        cost = price(model, usage)
        return None if cost is None else round(cost * 1000, 6)

    return Rate(
        million(Usage(input_tokens=1000)),
        million(Usage(output_tokens=1000)),
        million(Usage(cache_read_input_tokens=1000)),
    )


def _repriced_usd(trials: Iterable[Trial], keys: Collection[CaseKey], model: str, price: Price) -> float | None:
    """Return what 100 conversations would have cost with another model's prices and the tokens that they had."""
    wanted, costs = set(keys), []
    for trial in trials:
        measured = trial.score is not None and trial.score.verdict is not TrialVerdict.NOT_MEASURED
        if (trial.key.suite, trial.key.case_id) not in wanted or KINDS[trial.key.stage] != "rounds" or not measured:
            continue
        parts = [price(model, request.usage) if request.usage else None for request in trial.transcript.requests]
        known = [part for part in parts if part is not None]
        if parts and len(known) == len(parts):
            costs.append(sum(known))
    return 100 * fmean(costs) if costs else None
