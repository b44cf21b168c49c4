"""The HTTP surface: paths, headers, versions, keys, sizes."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from evalkit.standin import RateLimits, StandIn
from tests.standin.conftest import echo

KEY = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
BODY = {"model": "claude-haiku-5-5", "max_tokens": 99, "messages": [{"role": "user", "content": "hello"}]}


class Answer:
    """A response that has been read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


def send(server: StandIn, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    """Send one request and read the response."""
    address = urlsplit(server.base_url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, data, KEY if headers is None else headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"x-api-key": "k", "anthropic-version": "2023-06-01"}, 200, ""),
        ({"authorization": "Bearer k", "anthropic-version": "2026-10-21"}, 200, ""),
        ({"authorization": "Bearer k", "anthropic-version": "2026-10-21", "anthropic-beta": "a-2030,b"}, 200, ""),
        ({"anthropic-version": "2026-10-21"}, 401, "x-api-key header is required"),
        ({"authorization": "Bearer ", "anthropic-version": "2026-10-21"}, 401, "x-api-key header is required"),
        ({"x-api-key": "k"}, 400, "anthropic-version: header is required"),
        ({"x-api-key": "k", "anthropic-version": "1"}, 400, 'anthropic-version: "1" is not a valid version'),
    ],
)
def test_keys_and_versions(stand_in: StandIn, headers: dict[str, str], status: int, message: str) -> None:
    """Either key header and either version will do; none or an unknown one will not."""
    answer = send(stand_in, "POST", "/v1/messages", BODY, headers)
    assert answer.status == status
    assert answer.json.get("error", {}).get("message", "") == message


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((ours, 200) for ours in ("127.0.0.1:8123", "localhost", "[::1]:80", "127.9.9.9")),
        *((foreign, 403) for foreign in ("evil.example:8123", "localhost.evil.example", "", "[bad")),
    ],
)
def test_only_names_of_this_machine_are_answered(stand_in: StandIn, host: str, status: int) -> None:
    """A domain that resolves to loopback, as a page in a browser may have it do, reads nothing."""
    assert send(stand_in, "POST", "/v1/messages", BODY, {**KEY, "Host": host}).status == status


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/models", 405, "invalid_request_error"),
        ("POST", "/v1/complete", 404, "not_found_error"),
        ("PUT", "/v1/messages/batches/x", 404, "not_found_error"),
        ("GET", "/v1/models?limit=0", 400, "invalid_request_error"),
    ],
)
def test_wrong_paths_and_methods(stand_in: StandIn, method: str, path: str, status: int, kind: str) -> None:
    """What does not exist is answered with the API's error body."""
    answer = send(stand_in, method, path, {} if method != "GET" else None)
    assert (answer.status, answer.json["error"]["type"]) == (status, kind)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"hi"', b""])
def test_bodies_that_are_no_object(stand_in: StandIn, body: bytes) -> None:
    """A body that is not a JSON object is a 400."""
    assert send(stand_in, "POST", "/v1/messages", body).status == 400


def test_query_string_is_ignored(stand_in: StandIn) -> None:
    """Old SDKs add ?beta=true; it changes nothing."""
    assert send(stand_in, "POST", "/v1/messages?beta=true", BODY).status == 200


def test_streaming_follows_the_body_not_the_accept_header(stand_in: StandIn) -> None:
    """`stream: true` streams although the SDK says it accepts JSON."""
    answer = send(stand_in, "POST", "/v1/messages", BODY | {"stream": True}, KEY | {"accept": "application/json"})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.body.startswith(b"event: message_start\ndata: {")
    assert answer.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize(("path", "method"), [("/v1/messages", "POST"), ("/v1/models", "GET"), ("/v1/nothing", "GET")])
def test_every_response_is_marked_and_has_an_id(stand_in: StandIn, path: str, method: str) -> None:
    """Success or error: the stand-in shows itself, and ids differ from request to request."""
    answers = [send(stand_in, method, path, BODY if method == "POST" else None) for _ in range(2)]
    assert {answer.headers["x-evalkit-stand-in"] for answer in answers} == {"1"}
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(each.startswith("req_standin_") for each in ids)


def test_error_body_repeats_the_request_id(stand_in: StandIn) -> None:
    """An error body has type, error and the id of the header."""
    answer = send(stand_in, "POST", "/v1/messages", {})
    assert answer.json == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "model: Field required"},
        "request_id": answer.headers["request-id"],
    }


def test_oversized_bodies_are_refused(stand_in: StandIn) -> None:
    """More than 32 MB is a 413."""
    answer = send(stand_in, "POST", "/v1/messages", b'{"x": "' + b"a" * (33 * 1024 * 1024) + b'"}')
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")


def test_rate_limit_headers_and_refusal() -> None:
    """Messages carry the state of the buckets, and a used-up one is a 429 with a retry-after."""
    with StandIn(echo, limits=RateLimits(requests=2)) as server:
        first, second, third = (send(server, "POST", "/v1/messages", BODY) for _ in range(3))
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert second.headers["anthropic-ratelimit-requests-limit"] == "2"
    assert (third.status, third.json["error"]["type"]) == (429, "rate_limit_error")
    assert third.headers["retry-after"].isdecimal()


def test_parallel_requests_miss_until_the_first_byte() -> None:
    """With a slow first byte, requests sent together all write; one sent afterwards reads."""
    marked = {"type": "text", "text": "word " * 1000, "cache_control": {"type": "ephemeral"}}
    body = BODY | {"system": [marked]}
    with StandIn(echo, first_byte_s=0.2) as server:
        address = urlsplit(server.base_url)
        lines = [http.client.HTTPConnection(str(address.hostname), address.port, timeout=20) for _ in range(4)]
        for line in lines:
            line.request("POST", "/v1/messages", json.dumps(body), KEY)
        together = [json.load(line.getresponse())["usage"]["cache_read_input_tokens"] for line in lines]
        for line in lines:
            line.close()
        later = send(server, "POST", "/v1/messages", body).json["usage"]["cache_read_input_tokens"]
    assert together == [0, 0, 0, 0]
    assert later > 1000


def test_events_leave_one_by_one(capfd: pytest.CaptureFixture[str]) -> None:
    """With an hour between events the first one is there at once, and stopping then makes no noise."""
    with StandIn(echo, event_s=3600) as server:
        address = urlsplit(server.base_url)
        line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        line.request("POST", "/v1/messages", json.dumps(BODY | {"stream": True}), KEY)
        first = line.getresponse().readline()
    line.close()
    assert first == b"event: message_start\n"
    assert capfd.readouterr().err == ""


def test_same_request_same_bytes(stand_in: StandIn) -> None:
    """The stream of a request is the same every time, so that conversations can be repeated."""
    first, second = (send(stand_in, "POST", "/v1/messages", BODY | {"stream": True}).body for _ in range(2))
    assert first == second
