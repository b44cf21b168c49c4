"""Unmodified clients talk to the stand-in: older and newest SDKs, the SDK for TypeScript, llm, pydantic-ai.

Each is installed once and kept in pytest's cache; `make clients` runs these tests, `make test` leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.standin import StandIn
from evalkit.standin.models import MODELS
from evalkit.standin.script import player, read_script
from evalkit.yamlsource import SourceText
from tests.installed import PROGRAMS, node_with, python_with, talk

pytestmark = pytest.mark.clients
CALL = ["find_parcel", {"parcel_id": "PX-1234"}]
SCRIPT = """
words: {parcel: '/PX-\\d{4}/'}
rules:
  - user: where is my parcel {parcel}
    call: {find_parcel: {parcel_id: "{{ parcel }}"}}
    say: Your parcel is in {{ find_parcel.place }}.
"""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """Serve a script that looks a parcel up before it speaks of it: the tool loop is the client's own."""
    script = read_script(SourceText("stand-in.yaml", SCRIPT))
    with StandIn(player({"": script})) as server:
        yield server.base_url


def check_sdk(told: dict[str, Any]) -> None:
    """Check what a program with an official SDK reports."""
    for way in ("plain", "streamed"):
        assert told[way]["call"] == CALL
        assert told[way]["reasons"] == ["tool_use", "end_turn"]
        assert "Leeds" in told[way]["said"]
    assert told["plain"] == told["streamed"]
    assert told["counted"] > 0
    assert told["models"] == len(MODELS)
    assert told["batch"] == ["ended", "one", "succeeded"]


@pytest.mark.parametrize("version", ["0.125.0", "1.17.0"])
def test_older_python_sdks(cache: Path, base_url: str, tmp_path: Path, version: str) -> None:
    """The last 0.x, with x-api-key and the old API version, and the last 1.x get through a conversation with a tool."""
    python = python_with((f"anthropic=={version}",), cache)
    told = talk([str(python), str(PROGRAMS / "official_sdk.py")], base_url, tmp_path)
    assert told["version"] == version
    check_sdk(told)


@pytest.mark.parametrize("version", ["0.124.0", "1.12.0"])
def test_typescript_sdk(cache: Path, base_url: str, version: str) -> None:
    """The SDK for TypeScript does the same, before and after its own change of key header and API version."""
    folder = node_with(f"@anthropic-ai/sdk@{version}", cache)
    check_sdk(talk(["node", str(PROGRAMS / "official_sdk.mjs")], base_url, folder))


@pytest.mark.parametrize(
    ("program", "requirements"),
    [
        ("pydantic_ai_agent.py", ("pydantic-ai-slim[anthropic]==2.68.0",)),
        ("llm_chain.py", ("llm==0.36", "llm-anthropic==0.30")),
    ],
    ids=["pydantic-ai", "llm"],
)
def test_other_libraries(
    cache: Path, base_url: str, tmp_path: Path, program: str, requirements: tuple[str, ...]
) -> None:
    """Libraries on top of the SDK run their own tool loops, streamed and not."""
    told = talk([str(python_with(requirements, cache)), str(PROGRAMS / program)], base_url, tmp_path)
    assert told["calls"] == ["PX-1234", "PX-1234"]
    assert "Leeds" in told["plain"]
    assert "Leeds" in told["streamed"]
