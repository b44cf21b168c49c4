"""What every test shares: no deadlines of hypothesis (time is no behaviour), no key of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("evalkit", deadline=None)
settings.load_profile("evalkit")

for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_BASE_URL"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config) -> Path:
    """Return the folder that keeps installed programs of other people from run to run."""
    return pytestconfig.cache.mkdir("programs")
