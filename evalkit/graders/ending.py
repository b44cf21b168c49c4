"""The grader of how a reply ended: by itself, cut off, refused, or as something that can't be used."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from evalkit.graders.grader import Grader, all_hold, not_measured
from evalkit.graders.replies import complete_turns
from evalkit.records import Finding, Transcript, TrialVerdict, Turn
from evalkit.structured import ending_of

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
