"""Who asks for a run, and for what: the project it belongs to and the wish of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evalkit.engine import Price
from evalkit.runner.plan import Plan
from evalkit.runner.run import Progress
from evalkit.runner.settings import RunSettings

MakeProgress = Callable[[Plan, RunSettings], Progress]
"""Makes what hears of the run's progress, once it is known what the run consists of."""


@dataclass(frozen=True)
class Project:
    """Where the project is, what a request costs there and by which price table, and who hears of progress."""

    root: Path
    price: Price
    progress: MakeProgress
    prices: str = ""


@dataclass(frozen=True)
class Asked:
    """What was asked for: the settings, the folder for the run if one was named, and the command as it was typed."""

    settings: RunSettings
    out: Path | None = None
    command: tuple[str, ...] = ()
