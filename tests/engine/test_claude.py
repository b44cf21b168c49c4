"""The door to the SDK: what is sent where, on every platform, and what each way of failing becomes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from evalkit.engine import ApiReplies, Ask, DoorError, RequestFinished, RetryPolicy
from evalkit.engine.claude import ClaudeDoor
from evalkit.errors import UsageError
from evalkit.records import Request
from tests.engine.platform_server import PlatformServer, chunk_frame, frame, frames, platform_server
from tests.engine.streams import end, sse, start, text_block

EVENTS = [start(), *text_block(0, "Hel", "lo"), *end()]
BODY: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be kind."}],
    "messages": [{"role": "user", "content": "Grüße"}],
    "context_management": {"edits": [{"type": "compact_20260112"}]},
    "stream": True,
}
FRAMES = "application/vnd.amazon.eventstream"
CLEAN = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_PROFILE",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine may have set."""
    for name in CLEAN:
        monkeypatch.delenv(name, raising=False)


async def request(door: ClaudeDoor, headers: dict[str, str] | None = None) -> Request:
    """Make one request without another try and return it."""
    replies = ApiReplies(door, lambda *_: 0.0, headers=headers, policy=RetryPolicy(retries=0))
    events = [event async for event in replies.ask(Ask(1, 1, BODY))]
    await door.close()
    assert isinstance(events[-1], RequestFinished)
    return events[-1].request


def through(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], **settings: Any
) -> tuple[Request, PlatformServer]:
    """Make a request on a platform whose environment may name the server as `{url}`."""

    async def go() -> tuple[Request, PlatformServer]:
        async with platform_server(**{"answer": sse(*EVENTS), **settings}) as server:
            for name, value in environment.items():
                monkeypatch.setenv(name, value.format(url=server.url))
            return await request(ClaudeDoor(platform=platform)), server

    return asyncio.run(go())


def text_of(done: Request) -> str:
    """Return the reply's text."""
    assert done.failure is None, done.failure
    return "".join(block["text"] for block in done.content)


def test_anthropic_gets_the_body_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field is sent in the order of the body, those that the SDK's method does not know too."""
    environment = {"ANTHROPIC_API_KEY": "k1", "ANTHROPIC_BASE_URL": "{url}"}
    done, server = through(monkeypatch, "anthropic", environment)

    assert text_of(done) == "Hello"
    assert server.seen[0].path == "/v1/messages"
    assert server.seen[0].headers["authorization"] == "Bearer k1"
    assert list(server.seen[0].json.items()) == list(BODY.items())


def test_headers_of_the_caller_are_sent_beside_the_sdks_own() -> None:
    """A beta that the body needs travels in its header; nothing of the SDK's is lost."""

    async def go() -> PlatformServer:
        async with platform_server(answer=sse(*EVENTS)) as server:
            door = ClaudeDoor(server.url, "k1")
            async with door.stream(BODY, {"anthropic-beta": "compact-2026-01-12"}) as reply:
                assert [chunk async for chunk in reply.chunks]
            await door.close()
            return server

    headers = asyncio.run(go()).seen[0].headers
    assert headers["anthropic-beta"] == "compact-2026-01-12"
    assert headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_conversation_is_never_sent_on_to_another_address(status: str) -> None:
    """A redirect is a final failure that names where it leads; nothing arrives there."""

    async def go() -> tuple[Request, PlatformServer, str]:
        async with platform_server(answer=sse(*EVENTS)) as other:
            there = {"location": f"{other.url}/v1/messages"}
            async with platform_server(status=status, headers=there, kind="text/plain") as server:
                return await request(ClaudeDoor(server.url, "k1")), other, other.url

    done, other, url = asyncio.run(go())
    assert done.failure is not None
    assert (done.failure.kind, other.seen) == ("redirect", [])
    assert f"sends requests on to {url}/v1/messages; set ANTHROPIC_BASE_URL" in done.failure.message


def test_a_server_that_was_opened_here_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment, a loopback address that is passed in is still spoken to directly."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    async def go() -> Request:
        async with platform_server(answer=sse(*EVENTS)) as server:
            return await request(ClaudeDoor(server.url, "k1"))

    assert text_of(asyncio.run(go())) == "Hello"


@pytest.mark.parametrize(
    ("platform", "environment", "version"),
    [
        ("anthropic", {"ANTHROPIC_API_KEY": "k1", "ANTHROPIC_BASE_URL": "{url}"}, None),
        (
            "bedrock",
            {"AWS_REGION": "eu-west-1", "AWS_BEARER_TOKEN_BEDROCK": "t1", "ANTHROPIC_BEDROCK_BASE_URL": "{url}"},
            "bedrock-2023-05-31",
        ),
    ],
)
def test_a_body_with_sampling_goes_out_under_the_older_version(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], version: str | None
) -> None:
    """The newer contract refuses sampling on every model; where the version stands in the body, it is changed there."""
    monkeypatch.setitem(BODY, "temperature", 0.2)
    framed = {"answer": frames(EVENTS), "kind": FRAMES} if platform == "bedrock" else {}
    done, server = through(monkeypatch, platform, environment, **framed)

    assert text_of(done) == "Hello"
    assert server.seen[0].json["temperature"] == 0.2
    assert server.seen[0].json.get("anthropic_version") == version
    assert server.seen[0].headers["anthropic-version"] == "2023-06-01"
    assert "anthropic_version" not in done.body


def test_bedrock_is_spoken_to_in_its_own_way_and_streams_amazons_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model moves into the path, the version into the body, and the framed events fold to the same reply."""
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_BEARER_TOKEN_BEDROCK": "t1",
        "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
    }
    ids = {"x-amzn-requestid": "aws-1"}
    done, server = through(monkeypatch, "bedrock", environment, answer=frames(EVENTS), kind=FRAMES, headers=ids)

    assert text_of(done) == "Hello"
    assert done.usage is not None
    assert done.usage.output_tokens == 7
    assert done.request_id == "aws-1"
    assert server.seen[0].path == "/model/claude-sonnet-5-5/invoke-with-response-stream"
    assert server.seen[0].headers["authorization"] == "Bearer t1"
    assert server.seen[0].json["anthropic_version"]
    assert "model" not in server.seen[0].json


def test_bedrocks_signed_requests_carry_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys of AWS the request is signed for the region."""
    pytest.importorskip("boto3")
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "s",
        "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
    }
    done, server = through(monkeypatch, "bedrock", environment, answer=frames(EVENTS), kind=FRAMES)

    assert text_of(done) == "Hello"
    assert "eu-west-1/bedrock/aws4_request" in server.seen[0].headers["authorization"]


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (frame({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"slow"}'),
         "rate_limit_error"),
        (frame({":message-type": "exception", ":exception-type": "modelStreamErrorException"}, b"{}"), "api_error"),
        (frame({":message-type": "error", ":error-code": "odd", ":error-message": "gone"}, b""), "api_error"),
        (chunk_frame({"type": "message_stop"})[:-4] + b"1234", "malformed_stream"),
        (frame({":message-type": "event", ":event-type": "chunk"}, b'{"no":"bytes"}'), "malformed_stream"),
        (chunk_frame({"type": "message_stop"})[:-5], "truncated_stream"),
        (b"", "truncated_stream"),
    ],
    ids=["throttled", "model error", "other error", "bad checksum", "no bytes", "cut frame", "early end"],
)  # fmt: skip
def test_a_framed_stream_that_breaks_is_a_failure_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, tail: bytes, kind: str
) -> None:
    """An exception frame is the API's error event; broken or missing frames never pass for a reply."""
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_BEARER_TOKEN_BEDROCK": "t1",
        "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
    }
    answer = frames(EVENTS[:3]) + tail
    done, _ = through(monkeypatch, "bedrock", environment, answer=answer, kind=FRAMES)

    assert done.failure is not None
    assert done.failure.kind == kind
    assert done.partial


def test_bedrock_mantle_speaks_the_messages_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mantle takes the body unchanged, with a bearer token."""
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_BEARER_TOKEN_BEDROCK": "t1",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": "{url}/anthropic",
    }
    done, server = through(monkeypatch, "bedrock-mantle", environment)

    assert text_of(done) == "Hello"
    assert server.seen[0].path == "/anthropic/v1/messages"
    assert server.seen[0].headers["authorization"] == "Bearer t1"
    assert server.seen[0].json["model"] == BODY["model"]


def test_vertex_names_model_project_and_region_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vertex streams server-sent events from its own path; a token can come in a header."""
    environment = {
        "CLOUD_ML_REGION": "europe-west1",
        "ANTHROPIC_VERTEX_PROJECT_ID": "proj",
        "ANTHROPIC_VERTEX_BASE_URL": "{url}/v1",
        "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer t1",
    }
    done, server = through(monkeypatch, "vertex", environment)

    assert text_of(done) == "Hello"
    expected = "/v1/projects/proj/locations/europe-west1/publishers/anthropic/models/claude-sonnet-5-5:streamRawPredict"
    assert server.seen[0].path == expected
    assert server.seen[0].headers["authorization"] == "Bearer t1"
    assert server.seen[0].json["anthropic_version"]


def test_foundry_sends_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foundry takes the body unchanged, with the key in its header."""
    environment = {"ANTHROPIC_FOUNDRY_API_KEY": "f1", "ANTHROPIC_FOUNDRY_BASE_URL": "{url}/anthropic"}
    done, server = through(monkeypatch, "foundry", environment)

    assert text_of(done) == "Hello"
    assert server.seen[0].path == "/anthropic/v1/messages"
    assert server.seen[0].headers["x-api-key"] == "f1"


def test_aws_sends_key_and_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anthropic on AWS takes a key instead of a signature, and is told the workspace."""
    environment = {
        "ANTHROPIC_AWS_API_KEY": "a1",
        "ANTHROPIC_AWS_WORKSPACE_ID": "wrk_1",
        "ANTHROPIC_AWS_BASE_URL": "{url}",
    }
    done, server = through(monkeypatch, "aws", environment)

    assert text_of(done) == "Hello"
    assert server.seen[0].headers["anthropic-workspace-id"] == "wrk_1"
    assert "a1" in server.seen[0].headers["authorization"]


def test_google_cloud_takes_a_token_from_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anthropic on Google Cloud takes the body unchanged."""
    environment = {
        "ANTHROPIC_GOOGLE_CLOUD_BASE_URL": "{url}",
        "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer g1",
    }
    done, server = through(monkeypatch, "google-cloud", environment)

    assert text_of(done) == "Hello"
    assert server.seen[0].headers["authorization"] == "Bearer g1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [("403 Forbidden", "permission_error"), ("429 Too Many Requests", "rate_limit_error"), ("503 No", "api_error")],
)
def test_an_error_body_of_a_cloud_gets_the_kind_of_its_status(
    monkeypatch: pytest.MonkeyPatch, status: str, kind: str
) -> None:
    """What a cloud answers without the API's error type is named after the status, with the cloud's words."""
    environment = {
        "AWS_REGION": "eu-west-1",
        "AWS_BEARER_TOKEN_BEDROCK": "t1",
        "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
    }
    answer = json.dumps({"message": "Sorry, no."}).encode()
    done, _ = through(monkeypatch, "bedrock", environment, answer=answer, kind="application/json", status=status)

    assert done.failure is not None
    assert done.failure.kind == kind
    assert "Sorry, no." in done.failure.message


def test_a_credential_that_can_not_be_found_is_a_final_failure() -> None:
    """When the SDK can't authenticate, the request fails with the reason and is not tried again."""

    async def go() -> DoorError:
        async with platform_server(answer=sse(*EVENTS)) as server:
            door = ClaudeDoor(server.url)
            try:
                async with door.stream(BODY, {}):
                    raise AssertionError("the request was sent")
            except DoorError as error:
                return error
            finally:
                await door.close()

    error = asyncio.run(go())
    assert error.failure.kind == "client_error"
    assert error.final is True


def test_a_client_that_can_not_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that only the SDK misses is said in one line with the platform's name."""
    for name in ("ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UsageError, match=r"^platform 'foundry': Missing credentials[^\n]*$"):
        ClaudeDoor(platform="foundry")
