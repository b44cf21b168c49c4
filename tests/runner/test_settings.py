"""What a run was asked to do, in its header and back."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from evalkit.engine import Limits, RetryPolicy
from evalkit.runner import RunSettings


def test_settings_survive_the_header_of_a_run() -> None:
    """A resumed run has the settings it was started with, patience included."""
    settings = RunSettings(
        targets=("suites/a.yaml",),
        inputs=(("region", "EU"),),
        retry=RetryPolicy(retries=2, first_s=0.1),
        limits=Limits(idle_s=5.0, turn_s=None, trial_s=60.0),
    )

    assert RunSettings.from_json(orjson.loads(orjson.dumps(asdict(settings)))) == settings


def test_a_header_that_knows_nothing_of_patience_gets_the_default() -> None:
    """Runs recorded before these settings existed can still be resumed."""
    old = {name: value for name, value in asdict(RunSettings()).items() if name not in {"retry", "limits"}}

    assert RunSettings.from_json(old) == RunSettings()
