"""The ASGI application: headers, routes, and which part answers what.

Plain ASGI without a framework. Knows the API's paths and headers; how a message comes about is exchange.py's business.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import count
from urllib.parse import parse_qsl, urlsplit

import orjson

from evalkit.standin.batches import Batches
from evalkit.standin.directions import read_directions, read_item_directions
from evalkit.standin.errors import ApiError, ErrorAnswer, bad_request, not_found
from evalkit.standin.exchange import JSON_TYPE, Desk, Settings, parse_body
from evalkit.standin.models import MODELS, find_model, model_info
from evalkit.standin.protocol.validate import API_VERSIONS, Terms
from evalkit.standin.reply import JsonObject
from evalkit.standin.wire import Headers, Line, Message, Receive, SendMessage

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_BATCH_BYTES = 256 * 1024 * 1024
MARK: Headers = [(b"x-evalkit-stand-in", b"1"), (b"anthropic-organization-id", b"org_standin")]


@dataclass(frozen=True)
class Incoming:
    """One HTTP request: what the routes need of it. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    line: Line
    request_id: str
    arrived_at: str

    @property
    def is_meant_for_us(self) -> bool:
        """Whether the Host header names this machine, where the request arrived on loopback.

        A page in a browser could else have its own domain resolve to loopback and read what the server says.
        """
        return not _is_loopback(self.arrived_at) or _is_loopback(self.headers.get("host", ""))

    @property
    def origin(self) -> str:
        """Return the scheme and authority the client used."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"


class App:
    """Speak the Messages API for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._desk = Desk(settings)
        self._batches = Batches(settings.batch_polls, settings.wall_clock)
        self._numbers = count(1)
        self._name = secrets.token_hex(3)

    async def __call__(self, scope: Message, receive: Receive, send: SendMessage) -> None:
        """Answer one request; errors of the API's kind become its error bodies."""
        if scope["type"] != "http":
            return
        incoming = Incoming(
            method=scope["method"],
            path=scope["path"].rstrip("/") or "/",
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            line=Line(receive, send, scope["state"]["transport"]),
            request_id=f"req_standin_{self._name}{next(self._numbers):06d}",
            arrived_at=f"[{scope['server'][0]}]" if ":" in scope["server"][0] else scope["server"][0],
        )
        try:
            await self._route(incoming)
        except ApiError as error:
            answer = error.answer
            headers = self._headers(incoming, JSON_TYPE, answer.headers)
            await incoming.line.send_whole(answer.status, headers, orjson.dumps(answer.body(incoming.request_id)))
        except ConnectionError:
            return  # the client left; there is nobody to answer

    async def _route(self, incoming: Incoming) -> None:
        method, path = incoming.method, incoming.path
        if not incoming.is_meant_for_us:
            raise ApiError(ErrorAnswer(403, f"Host {incoming.headers.get('host', '')!r} is not a name of this server"))
        if path == "/" and method in {"GET", "HEAD"}:
            await self._send_json(incoming, {"type": "stand_in", "answers": "/v1/messages"})
            return
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        if not incoming.headers.get("x-api-key", "").strip() and not (scheme.lower() == "bearer" and token.strip()):
            raise ApiError(ErrorAnswer(401, "x-api-key header is required"))
        version = incoming.headers.get("anthropic-version")
        if version is None:
            raise bad_request("anthropic-version: header is required")
        if version not in API_VERSIONS:
            raise bad_request(f'anthropic-version: "{version}" is not a valid version')
        betas = (each.strip() for each in incoming.headers.get("anthropic-beta", "").split(","))
        terms = Terms(version=version, betas=frozenset(filter(None, betas)))  # unknown betas are fine
        if path == "/v1/messages":
            _check_method(incoming, "POST")
            await self._message(incoming, terms)
        elif path == "/v1/messages/count_tokens":
            _check_method(incoming, "POST")
            await self._send_json(incoming, self._desk.count_tokens(await _body(incoming), terms))
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            _check_method(incoming, "GET")
            await self._send_json(incoming, _models(path.removeprefix("/v1/models").lstrip("/"), incoming.query))
        elif path == "/v1/messages/batches" or path.startswith("/v1/messages/batches/"):
            await self._batch(incoming, terms)
        else:
            raise not_found("Not found")

    async def _message(self, incoming: Incoming, terms: Terms) -> None:
        raw = await _body(incoming)
        directions = read_directions(incoming.headers)
        workspace = incoming.headers.get("anthropic-workspace-id", "")
        exchange = self._desk.open(raw, terms, directions, workspace)
        await incoming.line.pause(self._settings.first_byte_s)
        outgoing = self._desk.finish(exchange)
        limits = self._desk.limiter.headers(exchange.call.model.rate_class)
        headers = [*self._headers(incoming, outgoing.content_type, outgoing.headers), *limits]
        try:
            await incoming.line.send_steps(headers, outgoing.steps, lambda: self._desk.begin(exchange), self._settings)
        finally:
            self._desk.end(exchange)

    async def _batch(self, incoming: Incoming, terms: Terms) -> None:
        parts = incoming.path.removeprefix("/v1/messages/batches").strip("/").split("/")
        match (incoming.method, *parts):
            case ("POST", ""):
                body = parse_body(await _body(incoming, MAX_BATCH_BYTES))
                answer = self._batches.create(body, self._item_runner(incoming, terms), incoming.origin)
            case ("GET", ""):
                answer = _page(self._batches.newest_first(incoming.origin), incoming.query)
            case ("GET", batch_id):
                answer = await self._batches.retrieve(batch_id, incoming.origin)
            case ("DELETE", batch_id):
                answer = self._batches.delete(batch_id)
            case ("POST", batch_id, "cancel"):
                answer = self._batches.cancel(batch_id, incoming.origin)
            case ("GET", batch_id, "results"):
                lines = self._batches.results(batch_id)
                headers = self._headers(incoming, "application/x-jsonl")
                await incoming.line.send_whole(200, headers, lines)
                return
            case _:
                raise not_found("Not found")
        await self._send_json(incoming, answer)

    def _item_runner(self, incoming: Incoming, terms: Terms) -> Callable[[JsonObject], JsonObject]:
        item_terms = replace(terms, in_batch=True)

        def run(item: JsonObject) -> JsonObject:
            try:
                directions = read_item_directions(item.get("x_evalkit"))
                exchange = self._desk.open(orjson.dumps(item["params"]), item_terms, directions)
            except ApiError as error:
                return {"type": "errored", "error": error.answer.body(incoming.request_id)}
            self._desk.begin(exchange)
            self._desk.end(exchange)
            return {"type": "succeeded", "message": self._desk.compose(exchange).message}

        return run

    async def _send_json(self, incoming: Incoming, value: JsonObject) -> None:
        await incoming.line.send_whole(200, self._headers(incoming, JSON_TYPE), orjson.dumps(value))

    def _headers(self, incoming: Incoming, content_type: str, given: Mapping[str, str] | None = None) -> Headers:
        own = [(b"content-type", content_type.encode()), (b"request-id", incoming.request_id.encode())]
        return [*own, *MARK, *((name.encode(), value.encode()) for name, value in (given or {}).items())]


async def _body(incoming: Incoming, limit: int = MAX_BODY_BYTES) -> bytes:
    body = await incoming.line.read_body(limit)
    if body is None:
        raise ApiError(ErrorAnswer(413, f"Request exceeds the maximum size of {limit // 1024 // 1024} MB"))
    return body


def _is_loopback(authority: str) -> bool:
    try:
        host = urlsplit(f"//{authority}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_method(incoming: Incoming, method: str) -> None:
    if incoming.method != method:
        raise ApiError(ErrorAnswer(405, "Method Not Allowed"))


def _models(name: str, query: Mapping[str, str]) -> JsonObject:
    """Return the model of an id or alias, or a page of all, newest first; raises the API's 404."""
    if name:
        model = find_model(name)
        if model is None:
            raise not_found(f"model: {name}")
        return model_info(model)
    wanted = query.get("lifecycle")
    infos = [model_info(model) for model in MODELS.values()]
    return _page([info for info in infos if wanted is None or info["lifecycle"] == wanted], query)


def _page(items: Sequence[JsonObject], query: Mapping[str, str]) -> JsonObject:
    """Return the part of a list that `limit`, `after_id` and `before_id` ask for, in the API's envelope."""
    wanted = query.get("limit", "20")
    if not wanted.isdecimal() or not 1 <= int(wanted) <= 1000:
        raise bad_request("limit: Input should be between 1 and 1000")
    limit = int(wanted)
    ids = [item["id"] for item in items]
    start, end = 0, len(items)
    if query.get("after_id") in ids:
        start = ids.index(query["after_id"]) + 1
    if query.get("before_id") in ids:
        end = ids.index(query["before_id"])
        start = max(start, end - limit)
    data = list(items[start:end][:limit])
    more = start > 0 if query.get("before_id") else start + len(data) < end
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
