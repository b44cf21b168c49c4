"""Records of a run -> Summary, and the trials of its arms. The only package that imports pandas."""

from evalkit.analysis.arms import ArmTrials, collect_arms, collect_two_runs
from evalkit.analysis.cases import case_verdict
from evalkit.analysis.contrast import Examples, change_of, flips_of, pair_versions, rules_of, uses_of
from evalkit.analysis.metrics import share_interval
from evalkit.analysis.migration import Price, migrations_of
from evalkit.analysis.rows import CostSplit
from evalkit.analysis.summarise import Analysis, RecordedRun, WhyTrials, analyse, summarise

__all__ = [
    "Analysis",
    "ArmTrials",
    "CostSplit",
    "Examples",
    "Price",
    "RecordedRun",
    "WhyTrials",
    "analyse",
    "case_verdict",
    "change_of",
    "collect_arms",
    "collect_two_runs",
    "flips_of",
    "migrations_of",
    "pair_versions",
    "rules_of",
    "share_interval",
    "summarise",
    "uses_of",
]
