"""What the installed package is called, and which versions are at work.

The import and the command are `evalkit`; on the public Python index that name belongs to another package, so the
distribution has a name of its own.
"""

from __future__ import annotations

import platform
from importlib.metadata import version

DISTRIBUTION = "evalkit-prompts"
"""The name for `pip install`; pyproject.toml says the same, held by a test."""
_TELLING = ("anthropic", "genai-prices", "pandas", "pydantic", "pyyaml", "jinja2", "regex")


def installed_version() -> str:
    """Return the version of evalkit that is installed."""
    return version(DISTRIBUTION)


def installed_versions() -> dict[str, str]:
    """Return the versions that a record keeps, by name: Python, evalkit, and the packages that shape its results."""
    ours = {"python": platform.python_version(), "evalkit": installed_version()}
    return ours | {name: version(name) for name in _TELLING}


def install_command(extra: str) -> str:
    """Return the line that installs evalkit with one of its extras."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
