"""Statistics: numbers in, numbers or None out. Knows the formulas; nothing of runs, prompts or reports."""

from evalkit.stats.exact import (
    GateP,
    Margins,
    Stratum,
    adjusted_case_p,
    breadth_p,
    break_p,
    break_score,
    break_scores,
    case_p,
    gate_p,
    null_law,
)
from evalkit.stats.lists import mean, percentile, share, thin_out
from evalkit.stats.multiplicity import benjamini_hochberg, holm
from evalkit.stats.paired import Estimate, paired_interval, ratio_interval, ratio_of_totals
from evalkit.stats.planning import SuiteShape, cases_for, detectable_difference, detectable_drop, shape_of
from evalkit.stats.proportions import (
    Z_95,
    all_pass_chance,
    any_pass_chance,
    clean_trials_for,
    exact_interval,
    exact_lower_bound,
    rate_shown_by,
    wilson_interval,
)

__all__ = [
    "Z_95",
    "Estimate",
    "GateP",
    "Margins",
    "Stratum",
    "SuiteShape",
    "adjusted_case_p",
    "all_pass_chance",
    "any_pass_chance",
    "benjamini_hochberg",
    "breadth_p",
    "break_p",
    "break_score",
    "break_scores",
    "case_p",
    "cases_for",
    "clean_trials_for",
    "detectable_difference",
    "detectable_drop",
    "exact_interval",
    "exact_lower_bound",
    "gate_p",
    "holm",
    "mean",
    "null_law",
    "paired_interval",
    "percentile",
    "rate_shown_by",
    "ratio_interval",
    "ratio_of_totals",
    "shape_of",
    "share",
    "thin_out",
    "wilson_interval",
]
