"""Records of a run -> Summary, and the trials of its arms. The only package that imports pandas."""

from evalkit.analysis.arms import ArmTrials, collect_arms, collect_two_runs
from evalkit.analysis.contrast import Examples, change_of, flips_of, rules_of, uses_of
from evalkit.analysis.details import WhyTrials
from evalkit.analysis.diagnosis import compare_rules, compare_tags
from evalkit.analysis.rows import CostSplit
from evalkit.analysis.summarise import Analysis, RecordedRun, analyse, summarise
from evalkit.analysis.verdicts import case_verdict

__all__ = [
    "Analysis",
    "ArmTrials",
    "CostSplit",
    "Examples",
    "RecordedRun",
    "WhyTrials",
    "analyse",
    "case_verdict",
    "change_of",
    "collect_arms",
    "collect_two_runs",
    "compare_rules",
    "compare_tags",
    "flips_of",
    "rules_of",
    "summarise",
    "uses_of",
]
