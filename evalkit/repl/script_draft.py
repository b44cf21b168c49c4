"""Rules of a stand-in script from a recorded conversation, so that what was said live is said offline too.

One rule for each turn: the message it fits, its calls one inside the other, and the text. Values are templated where
they are certain: a code that the user wrote and a call took over, and a field of a result whose exact value is in an
input or in the text. New rules stand in front of those of the file, which would answer before them otherwise; they fit
the recorded wording alone, so that they take nothing else away. The draft is played before it is written.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Any

import orjson

from evalkit.content import sendable, sent_messages
from evalkit.errors import NothingSelected, UsageError
from evalkit.prompts.expressions import day_words
from evalkit.records import JsonObject, PromptRef, ToolCall, Transcript, Turn
from evalkit.repl.loading import StoredConversation, find_conversation
from evalkit.standin.script import Script, Stuck, load_script, play, read_script, script_path
from evalkit.standin.script.conversation import sentences
from evalkit.standin.script.patterns import Pattern, compile_pattern, literal_pattern, literal_regex, plain
from evalkit.standin.script.play import MOST_CALLS
from evalkit.standin.script.script import RESERVED
from evalkit.structured import Value, value_of
from evalkit.suites.writing import Addition, block, flow, scalar
from evalkit.yamlsource import SourceText, parse_yaml, read_text

_FEW_WORDS = 4
"""A message of fewer words is a pattern that many others hold; its rule fits it alone, after the same reply."""

_CODE = re.compile(r"(?=[\w-]*\d)[\w-]{3,}")
_OPENS = re.compile(r"\{[{%#]+|\{$")
_TRIALS = range(3)


def add_rules(root: Path, source: str, ref: str | None) -> Addition:
    """Draft rules from a recorded conversation and write them into the script of its prompt (or of `ref`).

    Raises UsageError, FileProblems, and NothingSelected where the script says the same already.
    """
    found = find_conversation(source, root)
    name = PromptRef.read(ref or (found.prompt.ref if found.prompt else "")).name
    if not name:
        raise UsageError(f"{source} names no prompt; add: --prompt REF")
    if not any((root / "prompts" / one).exists() for one in (name, f"{name}.md")):
        raise UsageError(f"no prompt {name!r} in prompts/; choose one with --prompt REF")
    turns = tuple(_complete(found.transcript))
    if not turns:
        raise UsageError(f"{found.origin}: no turn has a complete reply; there is nothing to write a rule from.")
    script = load_script(root, name)
    rehearsal = Rehearsal(found, turns)
    due = [turn for index, turn in enumerate(turns) if not script or rehearsal.fault(script, index)]
    if not due:
        raise NothingSelected(f"{script_path(root, name)} says all of {found.origin} already; nothing to add.")
    drafts = [_Draft(rehearsal, turn, script).lines(found.origin) for turn in due]
    # a rule that asks for the reply before stands in front of one that does not
    drafts.sort(key=lambda lines: not any(line.startswith("  reply:") for line in lines))
    path = root / script_path(root, name)
    text, first, added = _inserted(path, root, [line for lines in drafts for line in lines])
    written = read_script(SourceText(path.relative_to(root).as_posix(), text))
    for index, turn in enumerate(turns):
        if fault := rehearsal.fault(written, index):
            raise UsageError(f"{found.origin}, turn {turn.n}: {fault}; write its rule by hand.")
    _write(path, text)
    return Addition(path.relative_to(root).as_posix(), first, first + len(added) - 1, "\n".join(added))


def _complete(transcript: Transcript) -> Iterator[Turn]:
    """Yield the turns until the first that has no whole reply."""
    for turn in transcript.turns:
        if turn.failure is not None or not turn.user.strip() or not (turn.reply.strip() or _refused(turn)):
            return
        yield turn


def _refused(turn: Turn) -> bool:
    return bool(turn.replies) and turn.replies[-1].stop_reason == "refusal"


@dataclass(frozen=True)
class Rehearsal:
    """Plays a recorded conversation with a script, its tools answering as they did."""

    found: StoredConversation
    turns: tuple[Turn, ...]

    def before(self, index: int) -> list[dict[str, Any]]:
        """Return the messages that stand before the message of a turn."""
        history = sent_messages(self.found.transcript.history)
        messages: list[dict[str, Any]] = [dict(one) for one in history if one.get("role") != "system"]
        for turn in self.turns[:index]:
            messages.append({"role": "user", "content": sendable(turn.said)})
            messages += [message for call in turn.tool_calls for message in _exchange(call)]
            messages.append({"role": "assistant", "content": turn.reply or "…"})
        return messages

    def fault(self, script: Script, index: int) -> str:
        """Return how the script's reply to a turn differs from the recorded one; "" where it does not."""
        return next((found for trial in _TRIALS if (found := self._played(script, index, trial))), "")

    def _played(self, script: Script, index: int, trial: int) -> str:
        turn, prompt = self.turns[index], self.found.prompt
        left = list(turn.tool_calls)
        request: dict[str, Any] = {
            "system": self.found.transcript.system_text or (prompt.text if prompt else ""),
            "tools": [{"name": call.name} for one in self.turns for call in one.tool_calls],
            "messages": [*self.before(index), {"role": "user", "content": sendable(turn.said)}],
        }
        for _ in range(MOST_CALLS + 1):
            try:
                reply = play(script, request, trial)
            except Stuck as stuck:
                return str(stuck)
            if reply is None:
                return "no rule fits"
            made = [one for one in reply.content if one.get("type") == "tool_use"]
            if not made:
                said = "".join(str(one.get("text", "")) for one in reply.content)
                if left:
                    return f"{left[0].name} is not called (a script makes the same call only once)"
                return "" if said == turn.reply.strip() else f"it would say {said[:60]!r}"
            for one in made:
                call = next((each for each in left if each.name == one["name"] and each.input == one["input"]), None)
                if call is None:
                    return f"it would call {one['name']} {orjson.dumps(one['input']).decode()}"
                left.remove(call)
                request["messages"] += _exchange(call)
        return "it would call tools without end"


def _exchange(call: ToolCall) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": call.output, "is_error": call.is_error}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


@dataclass
class _Draft:
    """The rule of one turn; `values` are the names that its message binds, each with its text."""

    rehearsal: Rehearsal
    turn: Turn
    script: Script | None
    values: dict[str, str] = field(default_factory=dict)

    def lines(self, origin: str) -> list[str]:
        """Return the rule as lines of a list whose dashes stand in the first column."""
        taken = {*RESERVED, *(self.script.words if self.script else ()), *(one.name for one in self.turn.tool_calls)}
        self._bind(taken)
        conditions = [f"user: {_pattern_value(self._user())}"]
        if reply := self._reply():
            conditions.append(f"reply: {_pattern_value(reply)}")
        fails = any(call.is_error for call in self.turn.tool_calls)
        steps = self._steps(self.turn.tool_calls, {})
        first, *more = conditions
        does = ["  then:", *_deeper(steps, 4)] if fails else _keys(steps, 2)
        return [f"# {origin}, turn {self.turn.n}", f"- {first}", *_deeper(more, 2), *does]

    def _bind(self, taken: set[str]) -> None:
        """Give a name to each code of the message that a call takes over as it stands."""
        for call in self.turn.tool_calls:
            for path, value in _leaves(call.input):
                code = isinstance(value, str) and _CODE.fullmatch(value) and value not in self.values.values()
                if code and len(re.findall(_token(value), self.turn.user)) == 1:
                    key = str(path[-1]) if path else ""
                    name = key if re.fullmatch("[a-z_][a-z0-9_]*", key) and key not in taken else f"code_{len(taken)}"
                    taken.add(name)
                    self.values[name] = value

    def _user(self) -> str:
        """Return a pattern for the message; the values it binds may be others of their kind."""
        few = len(self.turn.user.split()) < _FEW_WORDS
        pattern = literal_pattern(self.turn.user)
        if not self.values and not few:
            return pattern
        codes = {value: rf"(?<{name}>[\w-]*\d[\w-]*)" for name, value in self.values.items()}
        pieces = _around(plain(self.turn.user.strip()), codes)
        escaped = "".join(codes[piece] if n % 2 else literal_regex(piece) for n, piece in enumerate(pieces))
        return rf"/\A{escaped}\Z/" if few else f"/{escaped}/"

    def _reply(self) -> str:
        """Return a pattern for the reply before, where the message alone does not tell this turn from others."""
        index = self.rehearsal.turns.index(self.turn)
        said = [one for one in self.rehearsal.before(index) if one["role"] == "assistant"]
        pattern: Pattern = compile_pattern(self._user(), {})
        alike = [one for one in self.rehearsal.turns if one is not self.turn and pattern.first(plain(one.user))]
        if not said or not (alike or len(self.turn.user.split()) < _FEW_WORDS):
            return ""
        lines = sentences(_text_of(said[-1]))
        fixed = [line for line in lines if not re.search(r"\d", line)]
        return literal_pattern((fixed or lines or [""])[-1])

    def _steps(self, calls: Sequence[ToolCall], results: Mapping[str, Any]) -> list[str]:
        """Return the rules for what is still to be done, each call around what came after it."""
        if not calls:
            return self._saying(results)
        call, rest = calls[0], calls[1:]
        making = f"- call: {{{flow(call.name)}: {flow(self._filled(call.input, self._certain(results)))}}}"
        if call.is_error:
            return self._after_failure(call, rest, results, making)
        inner = self._steps(rest, {**results, call.name: _value(call.output)})
        return [making, *(["  then:", *_deeper(inner, 4)] if rest else _keys(inner, 2))]

    def _after_failure(
        self, call: ToolCall, rest: Sequence[ToolCall], results: Mapping[str, Any], making: str
    ) -> list[str]:
        """Return the rules around a call that failed: what was done then stands above what makes the call."""
        done = self.turn.tool_calls[: len(self.turn.tool_calls) - len(rest)]
        times = sum(one.name == call.name for one in done)
        when = f"failed.tool == '{call.name}'"
        if times > 1:
            when += f" and calls['{call.name}'] | length >= {times}"
        inner = self._steps(rest, results)
        first = [n for n, line in enumerate(inner) if line.startswith("- ")]
        if rest and (rest[0].name, rest[0].input) == (call.name, call.input):  # the same once more
            again = [f"- if: {flow(when)}", "  call: again"]
            return inner if "  call: again" in inner else [*inner[: first[-1]], *again, *inner[first[-1] :]]
        then = ["  then:", *_deeper(inner, 4)] if len(first) > 1 else _keys(inner, 2)
        return [f"- if: {flow(when)}", *then, making]

    def _certain(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return the results that a template can name: of calls around it, and of earlier turns.

        A name stands for the newest result, so those of tools that the turn calls again are not theirs any more.
        """
        index = self.rehearsal.turns.index(self.turn)
        earlier = {
            call.name: _value(call.output)
            for turn in self.rehearsal.turns[:index]
            for call in turn.tool_calls
            if not call.is_error
        }
        called = {call.name for call in self.turn.tool_calls}
        known = {name: value for name, value in earlier.items() if name not in called}
        known |= results
        return {name: value for name, value in known.items() if name.isidentifier() and name not in RESERVED}

    def _saying(self, results: Mapping[str, Any]) -> list[str]:
        turn, text = self.turn, self.turn.reply.strip()
        read = value_of(turn)
        if isinstance(read, Value):
            return [f"- output: {flow(self._filled(read.value, self._certain(results)))}"]
        lines = [f"- say: {block(self._templated(text, self._certain(results)), 4)}"] if text else []
        last = turn.replies[-1] if turn.replies else None
        if last and last.stop_reason == "refusal":
            category = str((last.stop_details or {}).get("category") or "other")
            lines.append(f"{'  ' if lines else '- '}refuse: {scalar(category)}")
        elif last and last.stop_reason in {"max_tokens", "stop_sequence"}:
            lines.append(f"  stop: {last.stop_reason}")
        tidy = "\n".join(" ".join(line.split()) for line in text.splitlines())
        if tidy != text or (self.script and self.script.style):
            lines.append("  style: false")
        return [part for line in lines for part in line.split("\n")]

    def _filled(self, value: Any, results: Mapping[str, Any]) -> Any:
        """Return an input with templates for the values that are certain; alone in a text they keep their type."""
        if isinstance(value, Mapping):
            return {key: self._filled(item, results) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, results) for item in value]
        if bound := next((name for name, text in self.values.items() if text == value), None):
            return f"{{{{ {bound} }}}}"
        found = [
            expression
            for expression, leaf in _expressions(results)
            if type(leaf) is type(value) and leaf == value and _is_telling(str(leaf))
        ]
        if len(found) == 1 and not isinstance(value, bool):
            return f"{{{{ {found[0]} }}}}"
        return _literal(value) if isinstance(value, str) else value

    def _templated(self, text: str, results: Mapping[str, Any]) -> str:
        """Return a text as a template: values that stand in it word for word are named, all else stays."""
        forms: dict[str, set[str]] = {value: {name} for name, value in self.values.items()}
        for expression, leaf in _expressions(results):
            for form, use in _forms(leaf, expression):
                if form not in self.values.values() and _is_telling(form):
                    forms.setdefault(form, set()).add(use)
        certain = {form: use for form, uses in forms.items() if len(uses) == 1 for use in uses}
        pieces = _around(text, certain)
        return "".join(f"{{{{ {certain[one]} }}}}" if n % 2 else _literal(one) for n, one in enumerate(pieces))


def _keys(rule: Sequence[str], indent: int) -> list[str]:
    """Return a single rule's lines without its dash, as more keys of the rule around it."""
    return _deeper([line[2:] for line in rule], indent)


def _deeper(lines: Sequence[str], indent: int) -> list[str]:
    return [f"{' ' * indent}{line}" if line.strip() else "" for line in lines]


def _pattern_value(pattern: str) -> str:
    """Return a pattern as a YAML value; one with backslashes in single quotes, where they stay as they are."""
    return (
        f"'{pattern.replace(chr(39), chr(39) * 2)}'" if "\\" in pattern and pattern.isprintable() else scalar(pattern)
    )


def _literal(text: str) -> str:
    """Return text that a template says as it stands."""
    return _OPENS.sub(lambda found: f"{{{{ '{found[0]}' }}}}", text)


def _around(text: str, values: Iterable[str]) -> list[str]:
    """Return a text cut around the values in it: every second piece is one."""
    longest = sorted(values, key=len, reverse=True)
    return re.split(f"({'|'.join(map(_token, longest))})", text) if longest else [text]


def _token(text: str) -> str:
    """Return a regular expression for a value that stands alone in a text, not inside a longer one."""
    return rf"(?<![\w-])(?<!\d[.,]){re.escape(text)}(?![\w-])(?![.,]\d)"


def _is_telling(text: str) -> bool:
    """Tell whether a value is so special that it stands in a text for no other reason: no `late`, no 2."""
    return len(text) > 1 and not re.fullmatch(r"[a-z]+|\d", text)


def _forms(leaf: Any, expression: str) -> Iterator[tuple[str, str]]:
    """Yield how a value may be written in a text, each with the expression that writes it so."""
    if isinstance(leaf, bool) or leaf is None:
        return
    yield str(leaf), expression
    if isinstance(leaf, float) and f"{leaf:.2f}" != str(leaf):
        yield f"{leaf:.2f}", f"{expression} | money"
    if isinstance(leaf, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", leaf):
        with suppress(ValueError):
            yield day_words(leaf), f"{expression} | day"


def _expressions(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every value in the results with the expression that names it."""
    for tool, result in results.items():
        for path, leaf in _leaves(result):
            steps = map(_step, path)
            yield tool + "".join(steps), leaf


def _step(key: str | int) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() and not iskeyword(key) else f"[{key!r}]"


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _value(output: str) -> Any:
    try:
        return orjson.loads(output)
    except orjson.JSONDecodeError:
        return output


def _text_of(message: JsonObject) -> str:
    content = message.get("content", "")
    if isinstance(content, str):
        return content
    return "\n".join(str(one.get("text", "")) for one in content if one.get("type") == "text")


def _inserted(path: Path, root: Path, rules: Sequence[str]) -> tuple[str, int, list[str]]:
    """Return the script's text with the rules in front of its own, the number of their first line, and the lines."""
    file = path.relative_to(root).as_posix()
    old = read_text(path, file).text if path.exists() else ""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", old)
    ending = "\r\n" if "\r\n" in old else "\n"
    keys = [number for number, line in enumerate(lines) if re.match(r"rules\s*:", line)]
    if not keys:
        added = ["rules:", *_deeper(rules, 2)]
        gap = "" if not old or old.endswith(("\n", "\r")) else ending
        return old + gap + ending.join(added) + ending, len(lines) + 1, added
    source = parse_yaml(read_text(path, file))
    head = lines[keys[0]]
    if source.value(("rules",)) and not re.fullmatch(r"rules\s*:\s*(#.*)?", head.rstrip("\r\n")):
        raise UsageError(f"{file}:{keys[0] + 1}: the rules are not written as a list of lines that begin with '- '.")
    dash, at = 2, keys[0] + 1
    if source.value(("rules",)):
        item = source.use_place(("rules", 0))
        dash = lines[item.line - 1][: item.column].index("-")
    else:
        lines[keys[0]] = f"rules:{ending}"
    added = _deeper(rules, dash)
    return "".join([*lines[:at], *(f"{line}{ending}" for line in added), *lines[at:]]), at + 1, added


def _write(path: Path, text: str) -> None:
    """Replace the file at once, byte-order mark and mode kept."""
    bom = b"\xef\xbb\xbf" if path.exists() and path.read_bytes().startswith(b"\xef\xbb\xbf") else b""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=".", suffix=".yaml", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bom + text.encode())
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
