"""The graders of how things ended: a reply (by itself, cut off, refused, unusable), and the conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.grader import Grader, Mention, all_hold, not_measured
from evalkit.graders.replies import complete_turns
from evalkit.records import Finding, Transcript, TrialVerdict, Turn
from evalkit.structured import ending_of
from evalkit.yamlsource import FileModel, Text, Texts, refusal

End = Literal[
    "end_turn",
    "stop_sequence",
    "max_tokens",
    "model_context_window_exceeded",
    "refusal",
    "tool_use",
    "pause_turn",
    "invalid_output",
    "too_many_requests",
]
"""The stop reasons of the API, and evalkit's own ends (`structured.Ending`).

Source: platform.claude.com, stop reasons, read November 2026.
"""

AnyEnds = Annotated[
    list[End],
    Field(min_length=1),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=End | list[End]),
]


class Ended(Grader):
    """Require how each reply ended: a stop reason of the API, or one of evalkit's own ends.

    Why: a reply that was cut off reads well until it stops. Example: `ended: [end_turn, stop_sequence]`.
    `invalid_output`: it is not the JSON that was asked for, after one repair. `too_many_requests`: the model would not
    stop calling tools. Instead of how the conversation came to its end, which is `outcome.closed_by`, it asks how each
    single reply did.
    """

    kind = "ended"
    ended: AnyEnds = Field(description="How the reply may end; one end, or several.", examples=["end_turn"])

    def label(self) -> str:
        return f"ended {' or '.join(self.ended)}"

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = complete_turns(transcript, turn)
        return all_hold([self._of_turn(one) for one in judged.turns], judged.missing)

    def _of_turn(self, turn: Turn) -> Finding:
        ending = ending_of(turn)
        if ending is None:
            return not_measured(f"turn {turn.n} does not say how its reply ended", turn.n)
        verdict = TrialVerdict.PASSED if ending in self.ended else TrialVerdict.FAILED
        details = turn.replies[-1].stop_details or {}
        note = ": ".join(str(part) for part in (details.get("category"), details.get("explanation")) if part)
        return Finding(verdict, ending, " or ".join(self.ended), turn=turn.n, note=note)


class Closing(FileModel):
    """What brings a conversation to its end."""

    called: ClassVar[str] = "closed_by"
    user_says: Text | None = Field(None, min_length=1, description="The last user message says this.", examples=["bye"])
    calls: Texts | None = Field(None, description="One of these tools was called.", examples=[["hand_over"]])

    @model_validator(mode="after")
    def _some_way(self) -> Closing:
        if self.user_says is None and self.calls is None:
            raise refusal("'closed_by' needs `user_says`, `calls` or both.")
        return self


class ClosedBy(Grader):
    """Require that the conversation came to its end: the user said the last word, or a closing tool was called.

    Why: a conversation that was cut off has no outcome. Example: `outcome: {closed_by: {user_says: "###STOP###",
    calls: [transfer]}}`. Instead of limiting its length, use `budget: {requests: ...}`; instead of how a single reply
    ended (by itself, cut off, refused), use `ended`.
    """

    kind = "outcome.closed_by"
    closed_by: Closing = Field(description="What closes the conversation.", examples=[{"calls": ["hand_over"]}])

    def mentions(self) -> Iterator[Mention]:
        yield from (Mention(name, ("closed_by", "calls", n)) for n, name in enumerate(self.closed_by.calls or ()))

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        mark, closing = self.closed_by.user_says, self.closed_by.calls or ()
        ways = [*([f"the user says {mark!r}"] if mark else []), *(f"{name} is called" for name in closing)]
        expected = " or ".join(ways)
        last = transcript.turns[-1] if transcript.turns else None
        if mark and last is not None and mark.casefold() in last.user.casefold():
            return Finding(TrialVerdict.PASSED, f"the user said {mark!r}", expected)
        called = next(
            (call.name for turn in transcript.turns for call in turn.tool_calls if call.name in closing), None
        )
        if called:
            return Finding(TrialVerdict.PASSED, f"{called} was called", expected)
        if transcript.failure is not None:
            return not_measured(f"the conversation broke off: {transcript.failure.kind}")
        return Finding(TrialVerdict.FAILED, "nothing closed it", expected, turn=last.n if last else None)
