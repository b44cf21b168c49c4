"""Two versions beside each other: what changed in the prompt, and what changed in the conversations.

Frozen values that the analysis fills and the compare reports show. None means that nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.records.summary import CaseKey


@dataclass(frozen=True)
class PromptChange:
    """The difference of two prompt versions: unified lines, and what changed beside the text, a line each."""

    baseline_ref: str
    candidate_ref: str
    lines: tuple[str, ...]
    words: str
    beside: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the versions are the same."""
        return not self.lines and not self.beside


@dataclass(frozen=True)
class FirstDifference:
    """Where the paths of two conversations part: the first action that is not the same in both."""

    key: CaseKey
    turn: int
    baseline: str
    candidate: str
    baseline_reply: str = ""
    candidate_reply: str = ""


@dataclass(frozen=True)
class Flips:
    """Cases by what they were and are: passed when at least the needed share of their rounds did."""

    better: tuple[CaseKey, ...] = ()
    worse: tuple[CaseKey, ...] = ()
    both_pass: int = 0
    both_fail: int = 0


@dataclass(frozen=True)
class Pair:
    """A number of the baseline and of the candidate."""

    baseline: float | None
    candidate: float | None


@dataclass(frozen=True)
class Contrast:
    """What a comparison shows beside its verdict.

    `rules` counts, by name, the share of trials in which a rule broke (0 to 1). `cost_usd` is of 100 conversations,
    `cached` the share of input read from the cache, times are medians in milliseconds.
    """

    baseline_name: str
    candidate_name: str
    source: str
    prompts: tuple[PromptChange, ...]
    flips: Flips
    differences: tuple[FirstDifference, ...]
    rules: tuple[tuple[str, Pair], ...]
    cost_usd: Pair
    cached: Pair
    first_token_ms: Pair
    total_ms: Pair
    cautions: tuple[str, ...] = ()
