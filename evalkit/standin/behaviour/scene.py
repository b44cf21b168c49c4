"""All that one decision looks at: the conversation, the instructions, the tools and the dice. Knows how often a rule
is kept; decides nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..reply import JsonObject
from .dialogue import Call, Dialogue, read_dialogue
from .instructions import Instructions, Strength, read_instructions
from .seed import Dice, dice_for
from .tables import load_table
from .toolbook import Toolbook, read_toolbook
from .words import stems

Mood = Literal["plain", "bad news", "closing"]


@dataclass(frozen=True)
class Passage:
    """A sentence or block of a source; `citation` is how the API would cite it, None where citations are off."""

    text: str
    citation: JsonObject | None


@dataclass(frozen=True)
class Move:
    """What to do next: calls, or sentences to say; `citation` is for the first of them."""

    say: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    mood: Mood = "plain"
    citation: JsonObject | None = None


@dataclass(frozen=True)
class Scene:
    """One request, read."""

    dialogue: Dialogue
    instructions: Instructions
    toolbook: Toolbook
    dice: Dice
    one_call_at_a_time: bool = False
    sources: tuple[Passage, ...] = ()

    @property
    def message(self) -> str:
        """Return the user's words in the open turn."""
        return self.dialogue.turn.user

    @property
    def asked(self) -> frozenset[str]:
        """Return the stems of the message."""
        return stems(self.message)

    def keeps(self, rule: str) -> bool:
        """Roll whether a rule of rules.yaml is kept in this request."""
        entry = load_table("rules")["rules"][rule]
        strength = self.instructions.rules[rule]
        return self.keeps_at(rule, strength, absent=float(entry.get("absent", 1.0)))

    def keeps_at(self, key: str, strength: Strength, absent: float = 1.0) -> bool:
        """Roll whether something stated this firmly is kept; `absent` is the habit's rate where nothing is stated."""
        rate = absent if strength == "absent" else float(load_table("rules")["rates"][strength])
        return self.dice.roll(key) >= rate

    def answered(self, call: Call) -> Call | None:
        """Return the newest successful call of the conversation that asked the same."""
        return next((done for done in self.dialogue.results() if done.same_as(call)), None)


def read_scene(request: JsonObject, trial: int) -> Scene:
    """Read a Messages API request for a trial."""
    dialogue = read_dialogue(request)
    return Scene(
        dialogue=dialogue,
        instructions=read_instructions(dialogue.system),
        toolbook=read_toolbook(request),
        dice=dice_for(request, trial),
        one_call_at_a_time=bool((request.get("tool_choice") or {}).get("disable_parallel_tool_use")),
    )
