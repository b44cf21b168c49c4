"""What a run was asked to do, as one value that is passed whole and stored in the run's header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from evalkit.engine import Limits, RetryPolicy
from evalkit.engine.platforms import ANTHROPIC
from evalkit.records import JsonObject
from evalkit.source import STAND_IN, usual_source

BASELINE = "baseline"
RETRY = RetryPolicy(retries=8)
"""A run is more patient than a chat: nobody waits for its next word, and a lost trial is lost work."""
LIMITS = Limits(turn_s=1200.0, trial_s=3600.0)


@dataclass(frozen=True)
class RunSettings:
    """The selection, the source and the limits of a run.

    `targets` are suites or `suite::case`; none means every suite. `via` is `live`, `stand-in`, `baseline` (replies kept
    with the blessed baselines) or the folder of a stored run. Costs in US dollars, times in seconds. `last_failed`
    holds `suite::case` names that did not pass last time. `platform` is where Claude is served. `retry` and `limits`
    say how patient the engine is with a request.

    `compare` False leaves baselines alone; else the run is compared with the blessed ones, with the finished run
    `against`, or with the prompt reference `against_prompt`. `draw` moves the stand-in's dice, so that a run with
    another number draws anew; a model needs no such thing.

    `information` marks a run of a version that is not live: it is told, and never fails anything.

    `fresh` asks again for replies that a live run finds in the cache. `fail_fast` stops at the first failed trial of a
    critical case.
    """

    targets: tuple[str, ...] = ()
    via: str = STAND_IN
    prompt: str | None = None
    keyword: str | None = None
    tags: tuple[str, ...] = ()
    last_failed: tuple[str, ...] | None = None
    trials: int | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    max_cost_usd: float | None = None
    max_time_s: float | None = None
    jobs: int = 8
    platform: str = ANTHROPIC
    compare: bool = True
    against: str | None = None
    against_prompt: str | None = None
    draw: int = 0
    fresh: bool = False
    fail_fast: bool = False
    information: bool = False
    retry: RetryPolicy = RETRY
    limits: Limits = LIMITS

    @classmethod
    def for_project(cls, config: Mapping[str, Any], asked: Mapping[str, Any]) -> RunSettings:
        """Return what a command asked for, completed by the project's own settings (`[tool.evalkit]`).

        `asked` holds fields by name; None stands for what was not said.
        """
        said = {name: value for name, value in asked.items() if value is not None}
        names = {"jobs": "jobs", "platform": "platform", "max_cost": "max_cost_usd", "max_time": "max_time_s"}
        usual = {field: config[name] for name, field in names.items() if name in config}
        via = said.pop("via", None) or usual_source(usual.get("platform", ANTHROPIC))
        return cls(**{**usual, **said, "via": via})

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, obj: JsonObject) -> RunSettings:
        """Return the settings that a run's header holds."""
        known = {field.name: obj[field.name] for field in fields(cls) if field.name in obj}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        pairs = {"inputs": tuple((str(key), str(value)) for key, value in known.get("inputs", ()))}
        kinds = {"retry": RetryPolicy, "limits": Limits}
        patience = {name: kind(**known[name]) for name, kind in kinds.items() if name in known}
        return cls(**{**known, **lists, **pairs, **patience})
