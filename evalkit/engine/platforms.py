"""Where Claude is served: which SDK client speaks to it, and what must be installed and set before the first call.

A table and a check; imports nothing heavy, so that a missing variable is said before anything is loaded, written or
paid. `claude.py` makes the client. Facts were read in anthropic 2.13.0 (`anthropic/lib/*`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from evalkit.distribution import install_command
from evalkit.errors import UsageError

ANTHROPIC = "anthropic"
_ANTHROPIC_HOST = "api.anthropic.com"

Choice = tuple[str, ...]
"""Environment variables of which one is enough; the first is the one to recommend."""


@dataclass(frozen=True)
class Platform:
    """One way to reach Claude.

    `client` is the SDK's class. `needs` lists what must be set. `module` must be importable, unless one of the
    variables in `unless` is set (then no cloud credentials are looked up); `extra` of evalkit installs it. Where the
    API's version stands in the body, `older_version` is what the one before 2026-10-21 is called there.
    """

    client: str
    needs: tuple[Choice, ...] = ()
    module: str = ""
    extra: str = ""
    unless: Choice = ()
    older_version: str = ""


_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE")
PLATFORMS: Mapping[str, Platform] = {
    ANTHROPIC: Platform("AsyncAnthropic", (_KEYS,)),
    # botocore decodes the event stream, so it is needed even with a bearer token.
    "bedrock": Platform(
        "AsyncAnthropicBedrock", ((*_REGION, "AWS_PROFILE"),), "botocore", "bedrock", older_version="bedrock-2023-05-31"
    ),
    "bedrock-mantle": Platform(
        "AsyncAnthropicBedrockMantle",
        ((*_REGION, "ANTHROPIC_BEDROCK_MANTLE_BASE_URL"),),
        "boto3",
        "bedrock",
        ("AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_AWS_API_KEY"),
    ),
    "vertex": Platform(
        "AsyncAnthropicVertex",
        (("CLOUD_ML_REGION",),),
        "google.auth",
        "vertex",
        ("ANTHROPIC_CUSTOM_HEADERS",),
        older_version="vertex-2023-10-16",
    ),
    "foundry": Platform(
        "AsyncAnthropicFoundry",
        (("ANTHROPIC_FOUNDRY_API_KEY",), ("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL")),
    ),
    "aws": Platform(
        "AsyncAnthropicAWS",
        (("ANTHROPIC_AWS_WORKSPACE_ID",), (*_REGION, "ANTHROPIC_AWS_BASE_URL")),
        "boto3",
        "aws",
        ("ANTHROPIC_AWS_API_KEY",),
    ),
    "google-cloud": Platform(
        "AsyncAnthropicGoogleCloud",
        (("ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL"),),
        "google.auth",
        "google-cloud",
        ("ANTHROPIC_CUSTOM_HEADERS",),
    ),
}


def find_platform(name: str) -> Platform:
    """Return the platform of a name; UsageError when there is none."""
    if name not in PLATFORMS:
        msg = f"platform {name!r} is unknown; expected one of {', '.join(PLATFORMS)}."
        raise UsageError(msg)
    return PLATFORMS[name]


def check_platform(name: str, environment: Mapping[str, str] | None = None) -> None:
    """Refuse a platform that can't work here; UsageError with what to install or which variable to set."""
    platform = find_platform(name)
    env = os.environ if environment is None else environment
    if platform.module and not _any_set(platform.unless, env) and not _installed(platform.module):
        package = platform.module.replace(".", "-")
        msg = f"platform {name!r} needs the package {package}; install it with: {install_command(platform.extra)}"
        raise UsageError(msg)
    for choice in platform.needs:
        if not _any_set(choice, env) and not _in_a_profile(choice):
            rest = f" (or {' or '.join(choice[1:])})" if choice[1:] else ""
            msg = f"platform {name!r} needs {choice[0]}{rest}; set it in the environment."
            raise UsageError(msg)


def endpoint_name(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a record calls the endpoint: empty for Anthropic's own, else the platform or the host."""
    if name != ANTHROPIC:
        return name
    env = os.environ if environment is None else environment
    # without the name and password that may stand before the host: a record is read by many
    host = urlsplit(env.get("ANTHROPIC_BASE_URL") or f"https://{_ANTHROPIC_HOST}").netloc.rpartition("@")[2]
    return "" if host == _ANTHROPIC_HOST else host


def is_configured(name: str, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether a platform could be used as far as can be seen from here; UsageError for an unknown one."""
    find_platform(name)
    try:
        check_platform(name, environment)
    except UsageError:
        return False
    return True


def _any_set(names: Choice, env: Mapping[str, str]) -> bool:
    return any(env.get(name) for name in names)


def _in_a_profile(choice: Choice) -> bool:
    """Tell whether the region may come from the default AWS profile instead of a variable; boto3 will find it there."""
    return "AWS_PROFILE" in choice and (Path.home() / ".aws" / "config").is_file()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that the module would be in is missing
        return False
