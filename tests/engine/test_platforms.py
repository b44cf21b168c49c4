"""What a platform needs is said before anything is loaded: one line with the package or the variable."""

from __future__ import annotations

import sys

import pytest

from evalkit.engine.platforms import PLATFORMS, check_platform, find_platform, is_configured
from evalkit.errors import UsageError
from evalkit.source import describe_source, require_credential

READY = {
    "anthropic": {"ANTHROPIC_API_KEY": "k"},
    "bedrock": {"AWS_REGION": "eu-west-1"},
    "bedrock-mantle": {"AWS_REGION": "eu-west-1", "AWS_BEARER_TOKEN_BEDROCK": "t"},
    "vertex": {"CLOUD_ML_REGION": "global", "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer t"},
    "foundry": {"ANTHROPIC_FOUNDRY_API_KEY": "k", "ANTHROPIC_FOUNDRY_RESOURCE": "r"},
    "aws": {"ANTHROPIC_AWS_API_KEY": "k", "ANTHROPIC_AWS_WORKSPACE_ID": "w", "AWS_REGION": "eu-west-1"},
    "google-cloud": {
        "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID": "w",
        "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer t",
    },
}


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_with_its_settings_is_accepted_and_without_them_refused(name: str) -> None:
    """Each platform is ready with the variables of the table and says a variable's name when one is missing."""
    check_platform(name, READY[name])

    assert is_configured(name, READY[name])
    for missing in READY[name]:
        rest = {key: value for key, value in READY[name].items() if key != missing}
        if not is_configured(name, rest):
            with pytest.raises(UsageError, match=rf"^platform '{name}' needs [^\n]+$"):
                check_platform(name, rest)
    with pytest.raises(UsageError, match=r"needs (the package|[A-Z_]+)"):
        check_platform(name, {})


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("bedrock", "botocore", "bedrock"), ("aws", "boto3", "aws"), ("vertex", "google", "vertex")],
)
def test_a_missing_package_is_named_with_how_to_install_it(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cloud's package the one line says which extra of evalkit brings it."""
    for loaded in [each for each in sys.modules if each.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()

    with pytest.raises(UsageError, match=rf"pip install 'evalkit-prompts\[{extra}\]'"):
        check_platform(
            name, {"AWS_REGION": "eu-west-1", "CLOUD_ML_REGION": "global", "ANTHROPIC_AWS_WORKSPACE_ID": "w"}
        )


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    """A typing error lists the names."""
    with pytest.raises(UsageError, match=r"platform 'bedrok' is unknown; expected one of anthropic, bedrock, "):
        find_platform("bedrok")
    with pytest.raises(UsageError, match="unknown"):
        is_configured("bedrok")


def test_every_platform_names_a_client_of_the_sdk() -> None:
    """The table's classes exist."""
    import anthropic

    for platform in PLATFORMS.values():
        assert hasattr(anthropic, platform.client)


def test_the_platform_of_a_live_run_stands_in_its_header() -> None:
    """A run on another platform than Anthropic's says so; the stand-in has none."""
    assert describe_source("live", "bedrock").detail == "bedrock"
    assert describe_source("stand-in", "bedrock").kind == "stand-in"


def test_a_live_run_on_a_platform_without_its_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is loaded or written the missing variable is named."""
    monkeypatch.delenv("ANTHROPIC_FOUNDRY_API_KEY", raising=False)
    require_credential("stand-in", "foundry")
    with pytest.raises(UsageError, match="ANTHROPIC_FOUNDRY_API_KEY"):
        require_credential("live", "foundry")
