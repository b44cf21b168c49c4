"""Plays a script: one request, one pass over its rules from the top, one reply. Pure: no clock, no state, no files.

A rule fits when all its conditions hold; the first that fits and has something to do makes the reply. A `call` is made
unless the conversation holds its result; then the rule goes on with `then`, and with its own `say`.

Where nobody wrote a reply, a placeholder says so in the form that the request asks for, so that any client can read it;
that it is one travels beside the message (`Reply.no_script`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import orjson

from evalkit.prompts.expressions import ERRORS, Value
from evalkit.records import Place
from evalkit.standin.reply import Answer, Cue, JsonObject, NoScript, Part, Reply
from evalkit.standin.script.conversation import Call, Conversation, read_conversation, sentences
from evalkit.standin.script.patterns import Pattern, TooSlow
from evalkit.standin.script.script import Conditions, Rule, Script, Stuck
from evalkit.structured import REPAIR_OPENING

MOST_CALLS = 20
"""Calls in one turn after which the script is taken to go round in circles."""

MOST_REPEATS = 5
"""How often a call that fails may be repeated in one turn."""

_MOST_NESTED = 10
_HINTS = 4
_DEPTH = 8
_EMPTY: Mapping[str, Any] = {"string": "stand-in", "boolean": False, "integer": 0, "number": 0, "array": []}
_NOTHING = (
    "this prompt has no script; set a key, name a local model in ANTHROPIC_BASE_URL, write prompts/NAME/stand-in.yaml, "
    "or score kept replies again (--via RUN)"
)


@dataclass(frozen=True)
class Act:
    """What a rule comes to: tool calls, or texts to say as one, or an output or a refusal."""

    calls: tuple[Call, ...] = ()
    said: tuple[str, ...] = ()
    styled: bool = True
    stop: str = "end_turn"
    output: Any = None
    refuse: str = ""


@dataclass
class Pass:
    """One pass over the rules of a script for one request.

    `slips` hears of each slip that could have happened on the way, whether it did or not.
    """

    script: Script
    conversation: Conversation
    trial: int
    slips: Callable[[Rule], object] = lambda _: None
    nested: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        conversation, script = self.conversation, self.script
        script.templates.begin()
        self.prompt = script.sentences_in(conversation.system)
        told = {line: script.facts_in(line) for line in conversation.told}
        notes = (line.removeprefix("- ") for line in conversation.told[: conversation.before] if told[line])
        by_tool: dict[str, list[JsonObject]] = {}
        for call in conversation.turn_calls:
            by_tool.setdefault(call.tool, []).append(call.input)
        failure: dict[str, Any] = {}
        if (failed := conversation.failed) is not None:
            failure = {"tool": failed.tool, "error": failed.error, "times": conversation.failures(failed)}
        self.scope: dict[str, Any] = {
            "prompt": self.prompt,
            "facts": {name: value for line in conversation.told for name, value in told[line].items()},
            "found": _Lazily({name: partial(self._found, name) for name in script.words}),
            "text": _Lazily({name: partial(self._text, name) for name in script.texts}),
            "told": "\n".join(f"- {line}" for line in dict.fromkeys(notes)),
            "user": conversation.user,
            "files": [
                {"kind": one.kind, "name": one.name, "media_type": one.media_type, "text": one.text}
                for one in conversation.files
            ],
            "reply": conversation.reply,
            "system": conversation.system,
            "calls": by_tool,
            "failed": failure,
            **{call.tool: call.result for call in conversation.calls if call.succeeded},
        }
        self._bound = self.scope

    def answer(self, part: Part) -> Act | None:
        """Return what the rules of a part come to; None where none fits, Stuck where one can't be carried out."""
        if len(self.conversation.turn_calls) > MOST_CALLS:
            last = self.conversation.turn_calls[-1]
            raise Stuck(f"more than {MOST_CALLS} calls in one turn, the last of {last.tool}", Place(self.script.file))
        return self._first(self.script.parts[part], self.scope)

    def styled(self, text: str) -> str:
        """Return a text as the script's style changes it."""
        text = "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
        for step in self.script.style:
            if (scope := self._bind(step.when, self.scope, step.place)) is None:
                continue
            start, end = (self._render(value, scope, step.place) for value in (step.start, step.end))
            text = " ".join(part for part in (start, text, end) if part)
            for pattern, by in step.replace:
                text = self._guard(step.place, partial(pattern.replaced, text, by))
            if step.max_words is not None:
                text = _shortened(text, int(self._render(step.max_words, scope, step.place)))
        return text

    def _first(self, rules: Sequence[Rule], scope: Mapping[str, Any]) -> Act | None:
        return next((found for rule in rules if (found := self._try(rule, scope)) is not None), None)

    def _try(self, rule: Rule, scope: Mapping[str, Any]) -> Act | None:
        """Return what a rule comes to, or None where it does not fit or has nothing to do."""
        bound = self._bind(rule.when, scope, rule.place)
        if bound is None:
            return None
        if not rule.each:
            return self._do(rule, bound)
        fact = self.scope["facts"].get(rule.each)
        values = self._found(rule.each) or ([fact] if fact else [])  # the words of the message, else what was told
        answers = [found for value in values if (found := self._do(rule, {**bound, rule.each: value})) is not None]
        if not answers:
            return None
        if calls := tuple(call for answer in answers for call in answer.calls):
            return Act(calls=calls)
        said = chain.from_iterable(sentences(text) for answer in answers for text in answer.said)
        return Act(said=tuple(dict.fromkeys(said)), styled=rule.styled, stop=rule.stop)

    def _do(self, rule: Rule, scope: Mapping[str, Any]) -> Act | None:
        if rule.slip is not None:
            if self._bind(rule.slip.when, scope, rule.slip.place, drawn=False) is not None:
                self.slips(rule.slip)
            if (slipped := self._try(rule.slip, scope)) is not None:
                return slipped
        if rule.again:
            return self._repeat(rule)
        if rule.calls:
            if not rule.calls.keys() <= self.conversation.tools:
                return None
            asked = [Call(tool, self._render(given, scope, rule.place)) for tool, given in rule.calls.items()]
            if due := self._due(asked, rule.place):
                return Act(calls=due)
            scope = {**scope, **{call.tool: self.conversation.result_of(call) for call in asked}}
        if (found := self._first(rule.then, scope)) is not None:
            return found
        if rule.output is not None:
            return Act(output=self._render(rule.output, scope, rule.place), stop=rule.stop)
        if rule.say is None and not rule.refuse:
            return None
        said = () if rule.say is None else (str(self._render(rule.say, scope, rule.place)),)
        return Act(said=said, styled=rule.styled, stop=rule.stop, refuse=rule.refuse)

    def _due(self, asked: Sequence[Call], place: Place) -> tuple[Call, ...]:
        """Return the calls that have no result yet; Stuck when one of them has failed in this turn."""
        due = tuple(call for call in asked if not self.conversation.has_result(call))
        for call in due:
            if self.conversation.failures(call):
                raise Stuck(f"{call.tool} has failed, and no rule above says what then (if: failed.tool)", place)
        return due

    def _repeat(self, rule: Rule) -> Act | None:
        failed = self.conversation.failed
        if failed is None:
            return None
        if self.conversation.failures(failed) >= MOST_REPEATS:
            raise Stuck(f"{failed.tool} has failed {MOST_REPEATS} times with the same input", rule.place)
        return Act(calls=(Call(failed.tool, failed.input),))

    def _bind(
        self, when: Conditions, scope: Mapping[str, Any], place: Place, *, drawn: bool = True
    ) -> Mapping[str, Any] | None:
        """Return the scope with what the conditions bind, or None where one does not hold."""
        if not (all(name in self.prompt for name in when.has) and not any(name in self.prompt for name in when.lacks)):
            return None
        names: dict[str, Any] = {}
        for patterns, text in ((when.user, self.conversation.user), (when.reply, self.conversation.reply)):
            for pattern in patterns:
                match = self._guard(place, partial(pattern.first, text))
                if match is None:
                    return None
                names |= {**match.names, "match": match.value}
        bound = {**scope, **names}
        if when.expression is not None and not self._render(when.expression, bound, place):
            return None
        if drawn and when.chance is not None and self.conversation.chance(self.trial, when.seed) >= when.chance:
            return None
        return bound

    def _found(self, name: str) -> list[str]:
        words = self.script.words[name]
        pattern = Pattern(f"(?P<{name}>{words.text})", self.script.words)
        return list(dict.fromkeys(match.value for match in pattern.all(self.conversation.user)))

    def _text(self, name: str) -> str:
        """Return a text of `texts` for the scope of the rule that is being carried out."""
        self.nested += 1
        try:
            if self.nested > _MOST_NESTED:
                raise RecursionError(f"text.{name} stands in itself")
            return str(self.script.texts[name](self._bound))
        finally:
            self.nested -= 1

    def _render(self, value: Value | None, scope: Mapping[str, Any], place: Place) -> Any:
        if value is None:
            return None
        self._bound, before = dict(scope), self._bound
        try:
            return self._guard(place, partial(value, self._bound))
        finally:
            self._bound = before

    def _guard(self, place: Place, what: Callable[[], Any]) -> Any:
        """Do something that a rule asks for; Stuck where it can't be done."""
        try:
            return what()
        except (TooSlow, *ERRORS) as error:
            raise Stuck(str(error) or type(error).__name__, place) from error


class _Lazily(dict[str, Callable[[], Any]]):
    """Values that are made when a template asks for them."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)()


def play(script: Script, request: JsonObject, trial: int, part: Part = "rules") -> Reply | None:
    """Return the script's reply to a request; None where no rule fits, Stuck where one can't be carried out."""
    conversation = read_conversation(request)
    one = Pass(script, conversation, trial)
    answer = one.answer(part)
    return None if answer is None else _reply(one, answer, conversation)


def known_messages(script: Script, request: JsonObject, trial: int) -> tuple[str, ...]:
    """Return a few messages that the script has a rule for where this system prompt and these tools are sent."""
    found: list[str] = []
    for hint in dict.fromkeys(rule.hint for rule in script.parts["rules"] if rule.hint):
        asked = {**request, "messages": [{"role": "user", "content": hint}]}
        try:
            reply = play(script, asked, trial)
        except Stuck:
            continue
        found += [hint] if reply is not None else []
        if len(found) == _HINTS:
            break
    return tuple(found)


def _reply(one: Pass, answer: Act, conversation: Conversation) -> Reply:
    if answer.calls:
        calls = answer.calls[:1] if conversation.choice.get("disable_parallel_tool_use") else answer.calls
        return Reply(tuple({"type": "tool_use", "name": each.tool, "input": each.input} for each in calls), "tool_use")
    if answer.output is not None:
        text = orjson.dumps(answer.output).decode()
        kept = text[: (len(text) + 1) // 2] if answer.stop == "max_tokens" else text
        return Reply(({"type": "text", "text": kept},), answer.stop)
    text = " ".join(answer.said)
    text = one.styled(text) if answer.styled else text.strip()
    content: tuple[JsonObject, ...] = ({"type": "text", "text": text},) if text else ()
    if answer.refuse:
        details = {"type": "refusal", "category": answer.refuse, "explanation": None}
        return Reply(content, "refusal", details)
    return Reply(content, answer.stop)


def _shortened(text: str, most: int) -> str:
    """Return a text without its last sentences, until it has so few words; a question at the end stays."""
    parts = sentences(text)
    last = [parts.pop()] if len(parts) > 1 and parts[-1].endswith("?") else []
    if len(text.split()) <= most:
        return text
    while len(parts) > 1 and len(" ".join([*parts, *last]).split()) > most:
        parts.pop()
    return " ".join([*parts, *last])


def player(scripts: Mapping[str, Script], default: str = "") -> Answer:
    """Return who answers with these scripts, by their sha; `default` plays where a request names none.

    The mapping may grow while the server runs.
    """

    def answer(request: JsonObject, trial: int, cue: Cue) -> Reply:
        if cue.step:
            return step_reply(cue.step)
        script = scripts.get(cue.script or default)
        if script is None:
            return placeholder(request, NoScript(_NOTHING))
        try:
            reply = play(script, request, trial, cue.part)
            if reply is None and (earlier := without_repair(request)) is not None:
                reply = play(script, earlier, trial, cue.part)
        except Stuck as stuck:
            return placeholder(request, NoScript(stuck.reason, str(stuck.place)))
        if reply is None:
            known = known_messages(script, request, trial) if cue.part == "rules" else ()
            return placeholder(request, NoScript("no rule fits", script.file), known)
        if forced_tool(request) is not None and reply.stop_reason != "tool_use":
            return placeholder(request, NoScript("no rule calls a tool, which the request demands", script.file))
        return reply

    return answer


def without_repair(request: JsonObject) -> JsonObject | None:
    """Return a request that asks for a repair of the last reply as it was before that reply; None for any other."""
    messages = request.get("messages") or []
    last = messages[-1].get("content") if len(messages) > 2 else None
    if not isinstance(last, str) or not last.startswith(REPAIR_OPENING):
        return None
    return {**request, "messages": messages[:-2]}


def step_reply(step: JsonObject) -> Reply:
    """Return the reply of a case's own step: `say`, `call` or `calls`."""
    if "say" in step:
        return Reply(({"type": "text", "text": str(step["say"])},))
    calls = [step] if "call" in step else step["calls"]
    made = ({"type": "tool_use", "name": str(one["call"]), "input": dict(one.get("input") or {})} for one in calls)
    return Reply(tuple(made), "tool_use")


def placeholder(request: JsonObject, why: NoScript, known: Iterable[str] = ()) -> Reply:
    """Return what is said where there is nothing to say, in the form that the request asks for."""
    if (tool := forced_tool(request)) is not None:
        call = {"type": "tool_use", "name": tool.get("name"), "input": value_for(tool.get("input_schema"))}
        return Reply((call,), "tool_use", no_script=why)
    wanted = (request.get("output_config") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        text = orjson.dumps(value_for(wanted.get("schema"))).decode()
    else:
        text = f"The stand-in has no script for this: {why.reason}."
        if listed := ", ".join(f'"{message}"' for message in known):
            text += f" It knows, for example: {listed}."
    return Reply(({"type": "text", "text": text},), no_script=why)


def forced_tool(request: JsonObject) -> JsonObject | None:
    """Return the tool that has to be called: the one that `tool_choice` names, or the first where any will do."""
    choice = request.get("tool_choice") or {}
    if choice.get("type") not in {"any", "tool"}:
        return None
    tools = [dict(tool) for tool in request.get("tools") or ()]
    named = [tool for tool in tools if choice.get("name") in (None, tool.get("name"))]
    return (named or [{"name": choice.get("name", "")}])[0]


def value_for(schema: Any, definitions: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """Return a small value of a schema's types: first choices, required properties only. It means nothing."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    known = definitions or schema.get("$defs") or schema.get("definitions") or {}
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples", "anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            first = schema[key][0]
            return first if key in {"enum", "examples"} else value_for(first, known, depth + 1)
    if "$ref" in schema:
        return value_for(known.get(str(schema["$ref"]).rpartition("/")[2]), known, depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind != "object":
        return _EMPTY.get(str(kind))
    needed = schema.get("required") or ()
    properties = (schema.get("properties") or {}).items()
    return {key: value_for(value, known, depth + 1) for key, value in properties if key in needed} or {}
