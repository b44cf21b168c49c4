"""What all brand-voice rules have: keys, scopes, exceptions, messages, and what could be written instead.

A rule is a grader whose mapping is an entry of a voice file's `rules`; the kinds are in `wordings.py`, `form.py` … .
Kinds, keys and fixers are Vale's (vale.sh/docs, read November 2026) and our own for chats; `ignorecase` is true by
default, unlike Vale's, as brand rules mean words wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from evalkit.graders.grader import Fault, ReplyGrader, all_hold, empty_reply, joined, not_measured, pattern_faults
from evalkit.graders.text import to_spans
from evalkit.reading import SCOPES, is_scope
from evalkit.reading.blocks import Block, scoped
from evalkit.reading.patterns import Undecided, compile_pattern, find_all, replace_all, shields
from evalkit.reading.sentences import Range
from evalkit.records import Finding, Level, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import FileModel, Flag, Text, did_you_mean, refusal

Patterns = Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1)]

_ACTIONS = ("replace", "remove", "edit", "suggest", "convert")
_EDITS: Mapping[str, tuple[int, Callable[..., str]]] = {
    "regex": (2, lambda found, pattern, template: replace_all(pattern, found, template)),
    "trim": (1, lambda found, letters: found.strip(letters)),
    "trim_left": (1, lambda found, letters: found.lstrip(letters)),
    "trim_right": (1, lambda found, letters: found.rstrip(letters)),
    "remove": (1, lambda found, letters: found.translate(dict.fromkeys(map(ord, letters)))),
    "truncate": (1, lambda found, end: found.partition(end)[0]),
}
"""Every way to edit, the first parameter of `edit`: how many values follow it, and what it makes of a found text."""


class Action(FileModel):
    """What could be written instead: told where the rule is broken, never carried out."""

    called: ClassVar[str] = "action"
    name: Text = Field(
        description="replace (by `params`, or by what a substitution prefers), remove or edit; suggest and convert "
        "need a dictionary or a script and say nothing.",
        examples=["replace"],
    )
    params: list[Text] = Field(
        [],
        description=f"Replacements, or how to edit ({', '.join(_EDITS)}) and with what.",
        examples=[["regex", "a(b)", "$1"]],
    )

    @model_validator(mode="after")
    def _can_be_told(self) -> Action:
        fault = action_fault(self.name, self.params)
        if fault:
            raise refusal(fault)
        return self

    def told(self, found: str, preferred: Sequence[str]) -> str:
        """Return how a found text would be mended, as the end of a message; empty where there is nothing to say.

        `preferred` are the wordings that a substitution has for it. Raises Undecided when an edit's pattern is slow.
        """
        texts: Sequence[str] = ()
        match self.name:
            case "remove":
                return "; leave it out"
            case "replace":
                texts = self.params or preferred
            case "edit":
                way, *values = self.params
                texts = [_EDITS[way][1](found, *values)]
        shown = " or ".join(f'"{text}"' for text in texts if text.strip())
        return f"; write {shown} instead" if shown else ""


def action_fault(name: str, params: Sequence[str]) -> str:
    """Return why an action can't be told, as the end of a sentence; empty when it can."""
    if name not in _ACTIONS:
        return f"has the unknown name {name!r}; expected {', '.join(_ACTIONS)}."
    if name != "edit":
        return ""
    way, *values = params or ("",)
    if way not in _EDITS:
        return f"edits by {way!r}; expected {', '.join(_EDITS)}."
    if len(values) != _EDITS[way][0]:
        return f"has {len(values)} values behind {way!r}; expected {_EDITS[way][0]}."
    try:
        compile_pattern(values[0] if way == "regex" else "")
    except Undecided as undecided:
        return f"can't edit: {undecided}"
    return ""


class VoiceRule(ReplyGrader):
    """What every rule has."""

    called: ClassVar[str] = "a rule"
    given = frozenset({"skip_turns"})
    placeholders: ClassVar[int] = 1
    """How many texts there are to put into the message."""

    id: Text = Field(
        pattern=r"^[\w][\w.-]{0,79}$", description="Its name, unique in the file.", examples=["no-empty-apology"]
    )
    message: Text = Field(
        min_length=1,
        description="Shown where it is broken; %s is the text that was found.",
        examples=["Empty apology: '%s'"],
    )
    level: Literal["error", "warning", "suggestion"] = Field(
        "warning",
        description="error fails the trial; warning (as in Vale the default) is counted, suggestion only shown.",
        examples=["error"],
    )
    description: Text = Field("", description="Why the rule exists.", examples=["Customers read it as a brush-off."])
    link: Text = Field("", description="Where it is written down.", examples=["https://example.com/voice#apology"])
    action: Action | None = Field(None, description="What could be written instead.", examples=[{"name": "remove"}])
    good: list[Text] = Field(
        [], description="Texts that keep the rule; `evalkit check` tries them.", examples=[["It is on its way."]]
    )
    bad: list[Text] = Field(
        [], description="Texts that break the rule; `evalkit check` tries them.", examples=[["Rest assured."]]
    )
    skip_turns: SkipJsonSchema[list[int]] = Field([], description="Turns in which a case switches the rule off.")

    def label(self) -> str:
        return f"voice/{self.id}"

    def severity(self) -> Level:
        return Level(self.level)

    def rule_id(self) -> str:
        return self.id

    def params(self) -> dict[str, Any]:
        return self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"level", "description", "link", "good", "bad"}
        )

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for path, pattern, on_key in self.patterns():
            yield from pattern_faults(path, pattern, on_key=on_key)
        if self.message.count("%s") > self.placeholders:
            yield Fault(("message",), "has more %s than there are texts to put in.")

    def patterns(self) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
        """Yield every regular expression of the rule, with where it stands and whether it is a key."""
        yield from ()

    def judge_turns(self, turns: Sequence[Turn], transcript: Transcript, missing: str) -> Finding:
        kept = [turn for turn in turns if turn.n not in self.skip_turns] if self.skip_turns else turns
        if turns and not kept and not missing:
            return Finding(TrialVerdict.PASSED, "switched off in every turn")
        return self.judge_where_on(kept, transcript, missing)

    def judge_where_on(self, turns: Sequence[Turn], transcript: Transcript, missing: str) -> Finding:
        """Judge the turns in which the rule is not switched off."""
        return super().judge_turns(turns, transcript, missing)

    def said(self, *values: str) -> str:
        """Return the message with its `%s` filled in order; values that no `%s` asks for are left out."""
        head, *rest = self.message.split("%s")
        filled = [head]
        for number, part in enumerate(rest):
            filled += [values[number] if number < len(values) else "%s", part]
        return "".join(filled)

    def mended(self, found: str, preferred: Sequence[str] = ()) -> str:
        """Return how the rule's action would mend a found text, as the end of a message; empty without an action."""
        return self.action.told(found, preferred) if self.action else ""

    def held(self, reply: str, turn: int, broken_at: Sequence[Range], expected: str, kept: str = "none") -> Finding:
        """Return that the rule is broken by what stands at these places, or, without any, that it is kept."""
        if not broken_at:
            return Finding(TrialVerdict.PASSED, kept, expected, turn=turn)
        texts = [reply[slice(*at)] for at in broken_at]
        note = joined((self.about(text) + self.mended(text) for text in texts), "\n")
        return Finding(TrialVerdict.FAILED, quoted_all(texts), expected, to_spans(tuple(broken_at), turn), turn, note)

    def about(self, found: str) -> str:
        """Return the message about a found text."""
        return self.said(found)


def _scope(value: Any) -> Any:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and not is_scope(one):
            raise refusal(f"unknown scope {one!r}{did_you_mean(one, SCOPES)}; there are {', '.join(SCOPES)}.")
    return value


class ScopedRule(VoiceRule):
    """A rule that may look at parts of the reply only, and that lets some found texts stand."""

    scope: Annotated[Text | list[Text], BeforeValidator(_scope)] = Field(
        "reply",
        description="What the rule looks at: the reply as it is, its text without code, sentences, headings and so on; "
        "~ leaves out, & joins.",
        examples=["sentence"],
    )
    ignorecase: Flag = Field(
        True, description="Whether upper and lower case are the same (Vale's default is false).", examples=[False]
    )

    def blocks(self, reply: str) -> Sequence[Block]:
        """Return the parts of a reply that the scope speaks of."""
        return scoped(reply, self.scope if isinstance(self.scope, str) else tuple(self.scope))


class Excepting(ScopedRule):
    """A rule that lets some of what it finds stand."""

    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["purchase order"]])

    def patterns(self) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
        yield from ((("exceptions", n), text, False) for n, text in enumerate(self.exceptions))

    def found(self, source: str, reply: str) -> Iterator[Range]:
        """Yield where a pattern matches in what the rule looks at, save empty matches and exceptions."""
        for block in self.blocks(reply):
            for at in find_all(source, block.text, ignore_case=self.ignorecase):
                if at[0] < at[1] and not self.is_excepted(block.text, at):
                    yield block.shifted(at)

    def is_excepted(self, text: str, at: Range) -> bool:
        """Return whether one of the exceptions lets a match stand."""
        if not self.exceptions:
            return False
        return shields(tuple(self.exceptions), text[slice(*at)], text, at, ignore_case=self.ignorecase)


class ConversationRule(ScopedRule):
    """A rule that judges all replies together. `judge_replies` gets turn numbers with their replies, in order."""

    def judge_replies(self, replies: Sequence[tuple[int, str]]) -> Finding:
        """Judge the replies, none of which is empty."""
        raise NotImplementedError

    def judge_where_on(self, turns: Sequence[Turn], transcript: Transcript, missing: str) -> Finding:
        if not turns:
            return all_hold([], missing)
        empty = next((turn for turn in turns if not turn.reply.strip()), None)
        if empty is not None:
            return all_hold([empty_reply(empty.n)], missing)
        try:
            return all_hold([self.judge_replies([(turn.n, turn.reply) for turn in turns])], missing)
        except Undecided as undecided:
            return all_hold([not_measured(str(undecided))], missing)


def quoted_all(texts: Iterable[str]) -> str:
    """Return the different texts in quotation marks, a handful of them."""
    return joined(f'"{text}"' for text in dict.fromkeys(texts))
