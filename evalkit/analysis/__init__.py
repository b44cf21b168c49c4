"""Records of a run -> Summary. The only package that imports pandas."""

from evalkit.analysis.details import WhyTrials
from evalkit.analysis.rows import CostSplit
from evalkit.analysis.summarise import Analysis, RecordedRun, analyse, summarise
from evalkit.analysis.verdicts import case_verdict

__all__ = ["Analysis", "CostSplit", "RecordedRun", "WhyTrials", "analyse", "case_verdict", "summarise"]
