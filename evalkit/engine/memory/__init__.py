"""How a long conversation is kept short: strategies that say which messages a request carries."""

from evalkit.engine.memory.compaction import Compaction
from evalkit.engine.memory.gauge import Gauge, gauge_of
from evalkit.engine.memory.named import memory_named
from evalkit.engine.memory.plan import Fold, Memory, Messages, fitted
from evalkit.engine.memory.summary import Summary, remembered, summary_of
from evalkit.engine.memory.turns import echoable, turn_starts
from evalkit.engine.memory.window import Everything, Window

__all__ = [
    "Compaction",
    "Everything",
    "Fold",
    "Gauge",
    "Memory",
    "Messages",
    "Summary",
    "Window",
    "echoable",
    "fitted",
    "gauge_of",
    "memory_named",
    "remembered",
    "summary_of",
    "turn_starts",
]
