"""Plays a script: one request, one pass over its rules from the top, one reply. Pure: no clock, no state, no files.

A rule fits when all its conditions hold; the first that fits and has something to do makes the reply. A `call` is made
unless the conversation holds its result; then the rule goes on with `then`, and with its own `say`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import orjson

from evalkit.records import Place
from evalkit.standin.reply import JsonObject, Part, Reply
from evalkit.standin.script.conversation import Call, Conversation, read_conversation, sentences
from evalkit.standin.script.patterns import Pattern, TooSlow
from evalkit.standin.script.rules import Conditions, Rule, Script
from evalkit.standin.script.templates import ERRORS, Value

MOST_CALLS = 20
"""Calls in one turn after which the script is taken to go round in circles."""

MOST_REPEATS = 5
"""How often a call that fails may be repeated in one turn."""

_MOST_NESTED = 10
_HINTS = 4


class Stuck(Exception):
    """A rule fits and can't be carried out: why, and where it stands."""

    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


@dataclass(frozen=True)
class Answer:
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
        self.script.templates.begin()
        self.prompt = script.sentences_in(conversation.system)
        told = [_facts_in(script, line) for line in conversation.told]
        notes = (
            line.removeprefix("- ")
            for line, facts in zip(conversation.told[: conversation.before], told, strict=False)
            if facts
        )
        by_tool: dict[str, list[JsonObject]] = {}
        for call in conversation.turn_calls:
            by_tool.setdefault(call.tool, []).append(call.input)
        failure: dict[str, Any] = {}
        if (failed := conversation.failed) is not None:
            failure = {"tool": failed.tool, "error": failed.error, "times": conversation.failures(failed)}
        self.scope: dict[str, Any] = {
            "prompt": self.prompt,
            "facts": {name: value for facts in told for name, value in facts.items()},
            "found": _Lazily(script.words, self._found),
            "text": _Lazily(script.texts, self._text),
            "told": "\n".join(f"- {line}" for line in dict.fromkeys(notes)),
            "user": conversation.user,
            "reply": conversation.reply,
            "system": conversation.system,
            "calls": by_tool,
            "failed": failure,
            **{call.tool: call.result for call in conversation.calls if call.succeeded},
        }
        self._bound = self.scope

    def answer(self, part: Part) -> Answer | None:
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

    def _first(self, rules: Sequence[Rule], scope: Mapping[str, Any]) -> Answer | None:
        return next((found for rule in rules if (found := self._try(rule, scope)) is not None), None)

    def _try(self, rule: Rule, scope: Mapping[str, Any]) -> Answer | None:
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
            return Answer(calls=calls)
        said = chain.from_iterable(sentences(text) for answer in answers for text in answer.said)
        return Answer(said=tuple(dict.fromkeys(said)), styled=rule.styled, stop=rule.stop)

    def _do(self, rule: Rule, scope: Mapping[str, Any]) -> Answer | None:
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
            if due := self._due(rule, scope):
                return Answer(calls=due)
            done = {tool: next(self.conversation.done(tool, given)) for tool, given in self._inputs(rule, scope)}
            scope = {**scope, **{tool: call.result for tool, call in done.items()}}
        if (found := self._first(rule.then, scope)) is not None:
            return found
        if rule.output is not None:
            return Answer(output=self._render(rule.output, scope, rule.place))
        if rule.say is None and not rule.refuse:
            return None
        said = () if rule.say is None else (str(self._render(rule.say, scope, rule.place)),)
        return Answer(said=said, styled=rule.styled, stop=rule.stop, refuse=rule.refuse)

    def _due(self, rule: Rule, scope: Mapping[str, Any]) -> tuple[Call, ...]:
        """Return the calls of a rule that have no result yet; Stuck when one of them has failed in this turn."""
        due = []
        for tool, given in self._inputs(rule, scope):
            if next(self.conversation.done(tool, given), None) is not None:
                continue
            call = Call(tool, given)
            if self.conversation.failures(call):
                raise Stuck(f"{tool} has failed, and no rule above says what then (if: failed.tool)", rule.place)
            due.append(call)
        return tuple(due)

    def _inputs(self, rule: Rule, scope: Mapping[str, Any]) -> list[tuple[str, JsonObject]]:
        return [(tool, self._render(given, scope, rule.place)) for tool, given in rule.calls.items()]

    def _repeat(self, rule: Rule) -> Answer | None:
        failed = self.conversation.failed
        if failed is None:
            return None
        if self.conversation.failures(failed) >= MOST_REPEATS:
            raise Stuck(f"{failed.tool} has failed {MOST_REPEATS} times with the same input", rule.place)
        return Answer(calls=(Call(failed.tool, failed.input),))

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


class _Lazily(Mapping[str, Any]):
    """A mapping whose values are made when a template asks for them."""

    def __init__(self, names: Mapping[str, Any], make: Callable[[str], Any]) -> None:
        self._names = names
        self._make = make

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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


def _reply(one: Pass, answer: Answer, conversation: Conversation) -> Reply:
    if answer.calls:
        calls = answer.calls[:1] if conversation.choice.get("disable_parallel_tool_use") else answer.calls
        return Reply(tuple({"type": "tool_use", "name": each.tool, "input": each.input} for each in calls), "tool_use")
    if answer.output is not None:
        return Reply(({"type": "text", "text": orjson.dumps(answer.output).decode()},))
    text = " ".join(answer.said)
    text = one.styled(text) if answer.styled else text.strip()
    content: tuple[JsonObject, ...] = ({"type": "text", "text": text},) if text else ()
    if answer.refuse:
        details = {"type": "refusal", "category": answer.refuse, "explanation": None}
        return Reply(content, "refusal", details)
    return Reply(content, answer.stop)


@lru_cache(maxsize=20_000)
def _facts_in(script: Script, line: str) -> Mapping[str, str]:
    """Return what a sentence tells; a long conversation repeats its sentences from request to request."""
    found = {name: pattern.first(line) for name, pattern in script.facts.items()}
    return {name: match.value for name, match in found.items() if match}


def _shortened(text: str, most: int) -> str:
    """Return a text without its last sentences, until it has so few words; a question at the end stays."""
    parts = sentences(text)
    last = [parts.pop()] if len(parts) > 1 and parts[-1].endswith("?") else []
    if len(text.split()) <= most:
        return text
    while len(parts) > 1 and len(" ".join([*parts, *last]).split()) > most:
        parts.pop()
    return " ".join([*parts, *last])
