"""evalkit as a library: the README's example as it stands, and what a product can rely on."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

import evalkit
from evalkit import Context, Conversation, NoAnswer, ProductionLog, events, memory_tool, open_chatbot, tools_from
from evalkit.engine.typed_output import output_of
from evalkit.errors import UsageError
from evalkit.library import Options, Service
from evalkit.records import Request
from evalkit.standin import StandIn
from evalkit.standin.protocol.ratelimits import RateLimits
from evalkit.standin.script import player, read_script
from evalkit.store import read_lines, read_session, record_files
from evalkit.yamlsource import SourceText
from tests.endpoint import Played, example, load_example, play_sessions, served
from tests.project_files import write_files

ROOT = Path(__file__).parent.parent
PROMPT = """---
description: A shop's bot.
model: claude-sonnet-5-5
max_tokens: 300
inputs: {customer: {default: somebody}}
---
You are the assistant of a shop. Look up orders with lookup_order before you speak of them.
{# evalkit: cache here #}
You are talking to {{ customer }}.
"""
DECLARED = """---
description: A shop's bot.
model: claude-sonnet-5-5
max_tokens: 300
tools: [lookup.yaml]
---
You are the assistant of a shop.
"""
SCRIPT = """
words: {order: '/PR26-\\d{4}|A-1/'}
rules:
  - user: "{order}"
    call: {lookup_order: {order_number: "{{ order }}"}}
    say: "It is {{ lookup_order.status }}. Ask me again when it has not come by Friday."
  - {user: "{order}", call: {lookup: {id: "{{ order }}"}}, say: "Order {{ order }} was {{ lookup.status }}."}
  - say: Glad to hear from you.
"""
LOOKUP = """name: lookup
description: Look up an order by its id, such as A-1.
input_schema:
  type: object
  properties: {id: {type: string, description: 'The order''s id, such as A-1.'}}
  required: [id]
  additionalProperties: false
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a project with two prompts."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "shop.md").write_text(PROMPT)
    (tmp_path / "prompts" / "declared.md").write_text(DECLARED)
    (tmp_path / "prompts" / "lookup.yaml").write_text(LOOKUP)
    for name in ("shop", "declared"):
        (tmp_path / "prompts" / f"{name}.stand-in.yaml").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Serve the stand-in as the endpoint that the environment names."""
    with StandIn(player({"": read_script(SourceText("stand-in.yaml", SCRIPT))})) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        yield server


def lookup(id: str) -> dict[str, str]:  # noqa: A002 - the tool's schema calls it so
    """Look up an order."""
    return {"id": id, "status": "sent"}


def say(service: Service, *users: str, name: str = "one", conversation: Conversation | None = None) -> list[Any]:
    """Play turns in one session and close the service; give all events."""

    async def go() -> list[Any]:
        heard: list[Any] = []
        async with service.session(name, conversation) as session:
            for user in users:
                heard.extend([event async for event in session.send(user)])
        await service.close()
        return heard

    return asyncio.run(go())


def post(host: str, path: str, message: str) -> list[dict[str, str]]:
    """Send a message, its body in two segments, and return the events that streamed back."""
    connection = http.client.HTTPConnection(host, timeout=30)
    body = json.dumps({"message": message, "customer": "Anna"}).encode()
    connection.putrequest("POST", path)
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    for part in (body[:12], body[12:]):
        connection.send(part)
    answer = connection.getresponse()
    assert answer.status == 200
    assert str(answer.getheader("content-type")).startswith("text/event-stream")
    data = [line.removeprefix(b"data: ") for line in answer.read().splitlines() if line]
    connection.close()
    return [json.loads(line) for line in data]


def test_the_example_is_short() -> None:
    """The endpoint in the README takes no more than 45 lines."""
    assert len([line for line in example().splitlines() if line.strip()]) <= 45


def test_the_readmes_endpoint_streams_a_conversation_with_tools(shop: Path, stand_in: StandIn) -> None:
    """Over real HTTP: text in pieces, the function called, the second message in the same conversation, all logged."""
    module = load_example(shop)
    with served(module) as host:
        first = post(host, "/chat/anna", "Where is my order PR26-0418?")
        second = post(host, "/chat/anna", "Thank you!")

    assert len(first) > 1
    assert {event["kind"] for event in (*first, *second)} == {"TextArrived"}
    assert module.conversations["anna"].turns == 2
    session = read_session("logs#anna", shop).transcript
    assert [turn.user for turn in session.turns] == ["Where is my order PR26-0418?", "Thank you!"]
    assert "".join(event["text"] for event in second) == session.turns[1].reply
    assert session.turns[0].tool_calls[0].output == '{"order_number":"PR26-0418","status":"shipped"}'


@pytest.mark.parametrize("body", [b"", b"hello", b'{"message": "Hi"}', b"[]", b'{"message": "\xff", "customer": "A"}'])
def test_the_readmes_endpoint_refuses_what_is_no_message(body: bytes, shop: Path, stand_in: StandIn) -> None:
    """With a 400 before anything is asked; nothing is a server's error."""
    with served(load_example(shop)) as host:
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("POST", "/chat/anna", body)
        assert connection.getresponse().status == 400
        connection.close()


def test_messages_of_one_session_are_answered_one_after_the_other(shop: Path, stand_in: StandIn) -> None:
    """Four at once: all answered, none lost from the conversation."""
    module = load_example(shop)
    with served(module) as host, ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda n: post(host, "/chat/anna", f"Message {n}"), range(4)))

    assert all(heard)
    assert module.conversations["anna"].turns == 4
    users = [turn.user for turn in read_session("logs#anna", shop).transcript.turns]
    assert sorted(users) == [f"Message {n}" for n in range(4)]
    assert not module.locks


def test_a_customer_who_leaves_cancels_the_reply(shop: Path, stand_in: StandIn) -> None:
    """What was under way ends, and the session takes the next message."""
    module, began, ended = load_example(shop), threading.Event(), threading.Event()

    async def lookup_order(order_number: str) -> str:
        """Look up the status of an order, for ever."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return order_number

    module.chatbot = open_chatbot("shop", tools=[lookup_order])
    with served(module) as host:
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("POST", "/chat/anna", json.dumps({"message": "Where is PR26-0418?", "customer": "Anna"}))
        assert began.wait(30)
        connection.close()
        assert ended.wait(30)
        assert post(host, "/chat/anna", "Thank you!")


def test_many_customers_at_once_are_all_answered(shop: Path, stand_in: StandIn) -> None:
    """Forty sessions of two turns side by side, each with inputs of its own (`make bench` plays five hundred)."""
    module = load_example(shop)
    with served(module) as host:
        played = asyncio.run(play_sessions(host, 40))

    assert played == Played(whole=80)
    assert {conversation.turns for conversation in module.conversations.values()} == {2}


def test_a_person_reads_a_friendly_sentence_when_the_api_fails(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing answers, the endpoint apologises; the reason is in the log and nowhere else."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    module = load_example(shop)
    module.chatbot = open_chatbot("shop", log=ProductionLog("logs"), options=impatient(apology="So sorry!"))
    with served(module) as host:
        heard = post(host, "/chat/anna", "Hi")

    assert [event["text"] for event in heard if event["kind"] == "Apology"] == ["So sorry!"]
    failure = read_session("logs#anna", shop).transcript.failure
    assert failure is not None
    assert failure.kind == "connection_error"
    assert not any("connection" in event["text"] for event in heard)


def impatient(**changes: Any) -> Options:
    """Return options without another try."""
    from evalkit.engine import RetryPolicy

    return Options(retry=RetryPolicy(retries=0), **changes)


def test_a_conversation_goes_on_in_another_process(shop: Path) -> None:
    """What a session leaves is all that another service needs; the log joins both parts."""
    first = open_chatbot("shop", log=ProductionLog("logs"), options=Options(via="stand-in"))
    left = say(first, "Hello, my name is Anna")[-1].conversation
    second = open_chatbot("shop", log=ProductionLog("logs"), options=Options(via="stand-in"))
    heard = say(second, "And now?", conversation=left)

    transcript = read_session("logs#one", shop).transcript
    assert len(record_files(shop / "logs")) == 2
    assert [turn.user for turn in transcript.turns] == ["Hello, my name is Anna", "And now?"]
    assert transcript.requests[-1].body["messages"] == [
        *left.messages,
        {"role": "user", "content": "And now?"},
    ]
    assert heard[-1].conversation.turns == 2


def test_a_declared_tool_keeps_the_definition_that_was_measured(shop: Path) -> None:
    """A function under a declared name answers its calls and leaves the prompt's identity as the suites know it."""
    measured = evalkit.load_prompt("declared", {}, shop)
    service = open_chatbot("declared", tools=[lookup], options=Options(via="stand-in"))
    sent = [event.request for event in say(service, "Where is A-1?") if isinstance(event, events.RequestFinished)]

    assert service.prompt == measured
    assert sent[0].body["tools"] == list(measured.tools)
    assert '"status":"sent"' in json.dumps(sent[-1].body["messages"]).replace('\\"', '"')


def test_a_function_that_the_prompt_does_not_declare_is_added(shop: Path) -> None:
    """The prompt then is another version, with another hash."""
    plain = open_chatbot("shop", options=Options(via="stand-in"))
    more = open_chatbot("shop", tools=tools_from([lookup]), options=Options(via="stand-in"))

    assert [tool["name"] for tool in more.prompt.tools] == ["lookup"]
    assert more.prompt.sha != plain.prompt.sha
    for service in (plain, more):
        asyncio.run(service.close())


def test_a_declared_tool_without_a_function_is_refused_at_the_start(shop: Path) -> None:
    """A product with a tool that nobody answers does not start."""
    with pytest.raises(UsageError, match="declared: no function was given for its tools lookup"):
        open_chatbot("declared", options=Options(via="stand-in"))


def test_what_breaks_in_a_tool_is_for_people_only(
    shop: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model reads that the tool can't be had; the log of the product holds the traceback, without its secrets."""
    monkeypatch.setenv("SHOP_DB_PASSWORD", "correct-horse-battery")

    def lookup(id: str) -> str:  # noqa: A002
        """Look up an order."""
        raise RuntimeError(f"no connection for user shop, password correct-horse-battery, order {id}")

    service = open_chatbot("declared", tools=[lookup], log=ProductionLog("logs"), options=Options(via="stand-in"))
    heard = say(service, "Where is A-1?")

    sent = json.dumps([event.request.body for event in heard if isinstance(event, events.RequestFinished)])
    assert "lookup is not available at the moment." in sent
    assert "no connection" not in sent
    assert "RuntimeError: no connection" in caplog.text
    [call] = read_session("logs#one", shop).transcript.turns[0].tool_calls
    assert "RuntimeError: no connection for user shop, password [secret removed], order A-1" in call.trace


def test_the_memory_tool_stands_beside_functions(shop: Path) -> None:
    """Both are offered and both answer."""
    service = open_chatbot("shop", tools=[lookup, memory_tool("notes")], options=Options(via="stand-in"))
    asyncio.run(service.close())

    assert [tool["name"] for tool in service.prompt.tools] == ["lookup", "memory"]
    assert asyncio.run(service.tools.call("lookup", {"id": "A-1"})).output == '{"id":"A-1","status":"sent"}'
    assert "/memories" in asyncio.run(service.tools.call("memory", {"command": "view", "path": "/memories"})).output


class Triage(BaseModel):
    """How urgent a call is."""

    urgency: Literal["now", "today"]
    minutes: int = Field(ge=5, description="Until somebody calls back.")


TRIAGE = """
rules:
  - {user: chest, output: {urgency: NOW, minutes: 5}}
  - {user: tongue, output: {urgency: today, minutes: 2}}
  - {user: throat, refuse: general_harms}
"""


def triage(shop: Path, *asked: str, header: str = "") -> list[Triage | NoAnswer]:
    """Ask for values in one session, each by its message."""
    prompt = f"---\nmodel: claude-sonnet-5-5\ncache: off\n{header}---\nSort the calls of a clinic."
    write_files(shop, {"prompts/triage.md": prompt, "prompts/triage.stand-in.yaml": TRIAGE})

    async def go() -> list[Triage | NoAnswer]:
        got: list[Triage | NoAnswer] = []
        service = open_chatbot("triage", options=Options(via="stand-in"))
        async with service.session("one") as session:
            for message in asked:
                try:
                    got.append(await session.ask(message, Triage))
                except NoAnswer as none:
                    got.append(none)
        await service.close()
        return got

    return asyncio.run(go())


def test_a_reply_comes_back_as_a_value_of_a_type(shop: Path) -> None:
    """What pydantic refuses is asked for once more and then is no answer; a refusal is told as one."""
    chest, tongue, throat, again = triage(shop, "My chest hurts", "My tongue hurts", "My throat", "My chest again")

    assert chest == again == Triage(urgency="now", minutes=5)
    assert isinstance(tongue, NoAnswer)
    assert "minutes: Input should be greater than or equal to 5" in str(tongue)
    assert isinstance(throat, NoAnswer)
    assert "refused" in str(throat)


def test_the_schema_that_suites_measured_is_sent_where_the_prompt_has_one(shop: Path) -> None:
    """The type then only reads what comes."""
    schema = "{type: object, properties: {urgency: {enum: [Now]}}, required: [urgency], additionalProperties: false}"
    (value,) = triage(shop, "My chest hurts", header=f"output: {{schema: {schema}}}\n")

    assert isinstance(value, NoAnswer)
    assert "'minutes' was unexpected" in str(value)


def test_a_type_that_the_api_can_not_be_held_to_is_refused_at_once() -> None:
    """Free keys and types that lead back to themselves have no grammar."""
    with pytest.raises(TypeError, match="dict can't be what a reply must be: a mapping with free keys"):
        output_of(dict[str, int])


def test_tools_receive_what_their_session_was_opened_with(shop: Path) -> None:
    """One chatbot, two customers at once: each session's calls see their own object, and one without is refused."""

    @dataclass
    class Customer:
        name: str

    async def lookup(id: str, ctx: Context[Customer]) -> dict[str, str]:  # noqa: A002
        """Look up an order."""
        return {"id": id, "status": f"sent to {ctx.deps.name}"}

    # the annotations of a local function are texts here, as in any module with `from __future__ import annotations`
    lookup.__annotations__["ctx"] = Context[Customer]
    service = open_chatbot("declared", tools=[lookup], options=Options(via="stand-in"))

    async def ask(name: str) -> str:
        async with service.session(name, deps=Customer(name)) as session:
            heard = [event async for event in session.send("Where is A-1?")]
        assert isinstance(heard[-1], events.TurnFinished)
        return heard[-1].turn.reply

    async def both() -> list[str]:
        replies = await asyncio.gather(ask("Ada"), ask("Bo"))
        await service.close()
        return replies

    with pytest.raises(UsageError, match="needs the session's Customer, and nothing was given"):
        service.session("nobody")
    assert asyncio.run(both()) == ["Order A-1 was sent to Ada.", "Order A-1 was sent to Bo."]


def test_chatbots_of_one_process_keep_the_limit_of_their_key_together(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty-one chatbots at 120 requests a minute, three messages each: nobody is refused, every turn is answered."""

    async def talk(service: Service) -> list[Any]:
        async with service.session("one") as session:
            heard = [event for user in ("Hello", "So", "Bye") async for event in session.send(user)]
        await service.close()
        return heard

    async def all_at_once() -> list[Any]:
        heard = await asyncio.gather(*(talk(open_chatbot("shop")) for _ in range(41)))
        return [event for events_of_one in heard for event in events_of_one]

    scripts = player({"": read_script(SourceText("stand-in.yaml", SCRIPT))})
    with StandIn(scripts, limits=RateLimits(requests=120)) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        heard = asyncio.run(all_at_once())

    assert sum(isinstance(event, events.TurnFinished) and not event.turn.failure for event in heard) == 123
    assert not [event for event in heard if isinstance(event, events.Retrying | events.Apology)]


GREETER = """---
description: A greeter.
model: claude-sonnet-5-5
max_tokens: 300
inputs:
  house: {default: Marlow & Sons, description: The shop.}
  customer: {required: true, description: Who is there.}
  found: {default: [], description: What was looked up for the turn.}
---
You are the assistant of {{ house }}. Be kind and brief, whatever people say to you.
{# evalkit: cache here #}
The customer is {{ customer.name }}.{% for each in found %} Found: {{ each }}.{% endfor %}
"""


@pytest.fixture
def greeter(shop: Path) -> Path:
    """Add a prompt whose inputs change with every session and turn."""
    (shop / "prompts" / "greeter.md").write_text(GREETER)
    (shop / "prompts" / "greeter.stand-in.yaml").write_text("rules: [{say: Good day.}]")
    return shop


def test_one_chatbot_serves_all_customers_each_with_inputs_of_their_own(greeter: Path) -> None:
    """What stands before the cache point is the same for all; the log holds each session's inputs and its prompt."""
    service = open_chatbot("greeter", log=ProductionLog("logs"), options=Options(via="stand-in"))

    async def greet(name: str) -> list[Any]:
        async with service.session(name, inputs={"customer": {"name": name}}) as session:
            heard = [event async for event in session.send("Hello")]
            found = {"found": ["an order of today"]}
            return heard + [event async for event in session.send("My order?", inputs=found)]

    async def both() -> list[list[Any]]:
        heard = await asyncio.gather(greet("Ada"), greet("Bo"))
        await service.close()
        return heard

    sent = [
        [event.request.body["system"] for event in heard if isinstance(event, events.RequestFinished)]
        for heard in asyncio.run(both())
    ]
    assert len({system[0]["text"] for systems in sent for system in systems}) == 1
    assert [systems[0][1]["text"].strip() for systems in sent] == ["The customer is Ada.", "The customer is Bo."]
    assert [systems[1][1]["text"].strip() for systems in sent] == [
        "The customer is Ada. Found: an order of today.",
        "The customer is Bo. Found: an order of today.",
    ]
    stored = read_session("logs#Ada", greeter)
    assert [prompt.inputs["found"] for prompt in stored.prompts] == [[], ["an order of today"]]
    assert stored.transcript.prompt_sha == stored.prompts[-1].sha
    assert [request.body["system"] for request in stored.transcript.requests] == sent[0]
    later = stored.transcript.requests[1].usage
    assert later is not None


def test_the_cached_part_stays_cached_when_only_later_inputs_change(greeter: Path) -> None:
    """A long static part is written once and read by every other customer."""
    path = greeter / "prompts" / "greeter.md"
    path.write_text(path.read_text().replace("Be kind", "Be kind, and mind what this shop sells. " * 200 + "Be kind"))
    service = open_chatbot("greeter", options=Options(via="stand-in"))

    async def one_after_the_other() -> list[Any]:
        heard: list[Any] = []
        for name in ("Ada", "Bo"):
            async with service.session(name, inputs={"customer": {"name": name}}) as session:
                heard += [event async for event in session.send("Hello")]
        await service.close()
        return heard

    heard = asyncio.run(one_after_the_other())
    first, second = (event.request.usage for event in heard if isinstance(event, events.RequestFinished))
    assert first.cache_creation_input_tokens > 1000
    assert second.cache_read_input_tokens > 1000
    assert second.cache_creation_input_tokens < 100


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, r"greeter: input 'customer' is required and was not given; pass it as inputs=\{…\} to open_chatbot or"),
        ({"customer": {}, "custmer": 1}, "greeter: has no input 'custmer' .did you mean 'customer'"),
        ({"customer": {"name": object()}}, "greeter: input 'customer' holds a object"),
        ({"customer": {"name": "Ada"}, "found": "all"}, "greeter: input 'found' is text"),
    ],
)
def test_inputs_that_can_not_be_used_are_refused_when_the_session_begins(
    greeter: Path, inputs: dict[str, Any], said: str
) -> None:
    """In one line, before the customer's first message."""
    service = open_chatbot("greeter", options=Options(via="stand-in"))
    with pytest.raises(UsageError, match=said):
        service.session("one", inputs=inputs)
    asyncio.run(service.close())


def test_a_turn_with_a_wrong_input_changes_nothing(greeter: Path) -> None:
    """It is refused before anything is sent, and the conversation goes on with the inputs it had."""
    service = open_chatbot("greeter", inputs={"customer": {"name": "Ada"}}, options=Options(via="stand-in"))

    async def go() -> list[Any]:
        async with service.session("one") as session:
            with pytest.raises(UsageError, match="has no input 'fund'"):
                [event async for event in session.send("Hello", inputs={"fund": []})]
            heard = [event async for event in session.send("Hello")]
        await service.close()
        return heard

    assert asyncio.run(go())[-1].turn.reply == "Good day."


def test_a_prompt_that_is_rendered_takes_no_inputs(greeter: Path) -> None:
    """It would be sent without them; the message says what to pass instead."""
    version = evalkit.load_prompt("greeter", {"customer": {"name": "Ada"}}, greeter)
    with pytest.raises(UsageError, match="greeter is rendered already; to give inputs, name the prompt: 'greeter'"):
        open_chatbot(version, inputs={"house": "Other"}, options=Options(via="stand-in"))


def test_a_missing_key_is_one_line_at_the_start(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product without a key does not start either."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UsageError, match="needs ANTHROPIC_API_KEY"):
        open_chatbot("shop")


def test_a_log_that_can_not_be_written_does_not_stop_the_chat(
    shop: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs lines of the log, which are counted and told to logging; the customer gets the reply."""
    log = ProductionLog("logs")
    service = open_chatbot("shop", log=log, options=Options(via="stand-in"))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, logger="evalkit"):
        patch.setattr("evalkit.store.writer.os.write", full)
        heard = say(service, "Hello")

    assert isinstance(heard[-1], events.TurnFinished)
    assert heard[-1].turn.reply
    assert log.lost == len(caplog.records) > 0
    assert "No space left" in caplog.text


def test_hashed_logs_still_say_what_was_used(shop: Path) -> None:
    """Through the whole library: no word of the customer in the file, tokens and cost in it."""
    log = ProductionLog("logs", content="hashed")
    say(open_chatbot("shop", log=log, options=Options(via="stand-in")), "My name is Wilhelmina")

    [file] = record_files(shop / "logs")
    request = next(obj["request"] for _, obj in read_lines(file) if obj["line"] == "request")
    assert "Wilhelmina" not in file.read_text("utf-8")
    assert request["usage"]["output_tokens"] > 0
    assert request["cost_usd"] > 0


def test_an_unknown_way_of_logging_is_refused() -> None:
    """A typing error in `content` must not end as a full log."""
    with pytest.raises(ValueError, match="content: 'hash' is unknown"):
        ProductionLog("logs", content="hash")  # type: ignore[arg-type]


def test_importing_evalkit_is_instant() -> None:
    """`import evalkit` loads none of the heavy packages; each name loads when it is used."""
    code = "import sys, evalkit; print([m for m in ('anthropic', 'pydantic', 'jinja2', 'orjson') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", evalkit.__all__)
def test_every_public_name_exists(name: str) -> None:
    """Each name of `__all__` can be imported."""
    assert getattr(evalkit, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """`evalkit.chatbot` fails like any module's missing attribute."""
    with pytest.raises(AttributeError, match="no attribute 'chatbot'"):
        evalkit.chatbot  # noqa: B018


def test_a_request_in_the_log_has_a_type() -> None:
    """The events carry the records' own values."""
    assert events.RequestFinished(Request(1, 1, {})).request.n == 1
