"""How well made-up numbers are found: one number changed in each final answer of the passing conversations."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

from evalkit.records import Transcript, TrialVerdict, Turn
from tests.agreement.ours import assertions, read, transcript
from tests.agreement.tally import Tally
from tests.graders.build import grade

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SEED = 20261122


def changed(reply: str, found: re.Match[str], chance: random.Random) -> str:
    """Return a reply with one digit of a number replaced by another."""
    digits = [at for at in range(found.start(), found.end()) if reply[at].isdigit()]
    at = chance.choice(digits)
    others = [digit for digit in "0123456789" if digit != reply[at] and not (digit == "0" and at == found.start())]
    return reply[:at] + chance.choice(others) + reply[at + 1 :]


def said_instead(conversation: Transcript, turn: Turn, reply: str) -> Transcript:
    """Return the conversation with the text of one turn replaced."""
    content = ({"type": "text", "text": reply},)
    requests = (*(replace(one, content=()) for one in turn.requests[:-1]), replace(turn.requests[-1], content=content))
    turns = tuple(replace(one, requests=requests) if one is turn else one for one in conversation.turns)
    return replace(conversation, turns=turns)


def test_grounding(data: Path, tally: list[Tally]) -> None:
    """At least 95 of 100 changed answers are caught, at most 5 of 100 unchanged ones flagged."""
    systems = json.loads((data / "tau/domains.json").read_text("utf-8"))["systems"]
    passed = {row["id"] for row in read(data, "tau/verdicts.jsonl") if row["reward"] == 1.0}
    (asked,) = assertions({"grounded": True})
    unchanged, caught = Tally("grounding: unchanged", "stated by a source"), Tally("grounding: changed", "made up")
    chance = random.Random(_SEED)
    for row in read(data, "tau/transcripts.jsonl"):
        conversation = replace(transcript(row), system_text=systems[row["system_ref"]])
        turn = next((one for one in reversed(conversation.turns) if one.reply.strip()), None)
        if row["id"] not in passed or turn is None or not _NUMBER.search(turn.reply):
            continue
        about = replace(asked.assertion, turn=turn.n)
        unchanged.add(row["id"], ours=grade(conversation, about).finding.verdict is TrialVerdict.PASSED, reference=True)
        for _ in range(20):
            reply = changed(turn.reply, chance.choice(list(_NUMBER.finditer(turn.reply))), chance)
            verdict = grade(said_instead(conversation, turn, reply), about).finding.verdict
            caught.add(row["id"], ours=verdict is TrialVerdict.PASSED, reference=False)
    tally.extend([unchanged, caught])
    assert unchanged.agreement >= 0.95, unchanged.disagreements()
    assert caught.agreement >= 0.95, caught.agreement
