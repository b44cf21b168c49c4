"""Records of a run -> Summary, and the trials of its arms. The only package that imports pandas."""

from evalkit.analysis.arms import ArmTrials, collect_arms, collect_two_runs
from evalkit.analysis.details import WhyTrials
from evalkit.analysis.rows import CostSplit
from evalkit.analysis.summarise import Analysis, RecordedRun, analyse, summarise
from evalkit.analysis.verdicts import case_verdict

__all__ = [
    "Analysis",
    "ArmTrials",
    "CostSplit",
    "RecordedRun",
    "WhyTrials",
    "analyse",
    "case_verdict",
    "collect_arms",
    "collect_two_runs",
    "summarise",
]
