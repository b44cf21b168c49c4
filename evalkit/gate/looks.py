"""The looks at the evidence: which test of which trials is held to which level.

Knows the division of the allowed false alarms; nothing of verdicts in words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from evalkit.gate.evidence import Evidence
from evalkit.gate.settings import CONFIRM_SHARE, EXTEND_SHARE, SCREEN_SHARE, GateSettings
from evalkit.records import CaseKey, Look, LookName
from evalkit.stats import Stratum, breadth_p, gate_p

_SHARES = {LookName.SCREEN: SCREEN_SHARE, LookName.CONFIRM: CONFIRM_SHARE, LookName.EXTEND: EXTEND_SHARE}
NOBODY: frozenset[CaseKey] = frozenset()


def look(name: LookName, strata: Mapping[CaseKey, Stratum], level: float, settings: GateSettings) -> Look:
    """Test some strata at a level."""
    cases = list(strata.values())
    if settings.breadth_only:
        breadth = breadth_p(cases)
        return Look(name, len(cases), breadth, 1.0, breadth, level)
    found = gate_p(cases)
    return Look(name, len(cases), found.breadth, found.breaks, found.p, level)


def screen_look(
    evidence: Evidence, settings: GateSettings, *, staged: bool, without: Collection[CaseKey] = NOBODY
) -> Look:
    """Test the first rounds; without stages it is the only look and has the whole level."""
    level = settings.alpha * (SCREEN_SHARE if staged else 1)
    return look(LookName.SCREEN, _rest(evidence.screened_strata(), without), level, settings)


def confirm_look(evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY) -> Look:
    """Test the closer looks at the suspects."""
    strata = _rest(evidence.confirm_strata(), without)
    return look(LookName.CONFIRM, strata, settings.alpha * CONFIRM_SHARE, settings)


def extend_look(evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY) -> Look:
    """Test all rounds."""
    return look(LookName.EXTEND, _rest(evidence.strata(), without), settings.alpha * EXTEND_SHARE, settings)


def drift_look(evidence: Evidence, settings: GateSettings) -> Look:
    """Test whether the baseline of today is lower than the stored one."""
    return look(LookName.DRIFT, evidence.drift_strata(), settings.drift_level, replace(settings, breadth_only=False))


def again(
    looks: Collection[Look], evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY
) -> list[Look]:
    """Repeat the same looks at other evidence, or without some cases."""
    staged = any(each.level != settings.alpha for each in looks if each.name is LookName.SCREEN)
    repeat = {
        LookName.SCREEN: lambda: screen_look(evidence, settings, staged=staged, without=without),
        LookName.CONFIRM: lambda: confirm_look(evidence, settings, without),
        LookName.EXTEND: lambda: extend_look(evidence, settings, without),
    }
    return [repeat[each.name]() for each in looks if each.name in repeat]


def overall_p(looks: Collection[Look], *, staged: bool) -> float | None:
    """Return one p for all looks: at most alpha exactly when one of them is red. None without a look."""
    counted = [each for each in looks if each.name is not LookName.DRIFT]
    if not counted:
        return None
    return min(1.0, *(each.p / (_SHARES[each.name] if staged else 1) for each in counted), 1.0)


def _rest(strata: Mapping[CaseKey, Stratum], without: Collection[CaseKey]) -> Mapping[CaseKey, Stratum]:
    return {key: stratum for key, stratum in strata.items() if key not in without} if without else strata
