"""What a run is compared with, as the run's record keeps it: counts of each case, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evalkit.records.arms import Counts

BaselineUse = Literal["stored", "fresh", "none"]
"""Stored trials count; they do not and the old version is played now; or there is nothing to compare with."""


@dataclass(frozen=True)
class StoredCase:
    """What is stored of one case: its trials, and what one trial cost and said on average (None when unknown).

    `broken` counts, by rule, the trials in which it broke; None when only the sum over all cases was stored.
    `prompt_sha` is set where they were played with another prompt version than the rest of the baseline.
    """

    counts: Counts
    cost_usd: float | None = None
    output_tokens: float | None = None
    broken: Mapping[str, int] | None = None
    prompt_sha: str = ""


@dataclass(frozen=True)
class BaselineRecord:
    """The baseline of one suite in a run, written before the first trial, so that the verdict can be told again.

    `name` is how people call it: a file, a run, a prompt reference. `cases` holds those that are comparable, `new` the
    cases that are not in the baseline or were changed since, `vanished` those of the baseline that are gone. `note`
    says why the stored trials are not used, with what mends it. `required` marks a suite that asks for the comparison:
    without one there is no verdict. `commit` and `conditions` (source, model, hashes of parameters and judge) are those
    of its trials, empty where they were not stored.
    """

    suite: str
    name: str
    use: BaselineUse
    prompt_ref: str = ""
    prompt_sha: str = ""
    blessed: str = ""
    note: str = ""
    required: bool = False
    cases: Mapping[str, StoredCase] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    rules: Mapping[str, int] = field(default_factory=dict)
    commit: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)
