"""A model for tests of live runs on loopback: talks like a bot, answers judges' questions, plays users."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.graders.judge import INSTRUCTIONS
from evalkit.standin import Cue, Reply, StandIn

Answer = tuple[str, str]
"""A judge's quote and its answer, yes or no."""


class JudgeModel:
    """Answers a judge's question by `judge`, from the statement and the conversation that it was shown."""

    def __init__(self, judge: Callable[[str, str], Answer | str], reply: str = "What is your order number?") -> None:
        self._judge = judge
        self._reply = reply
        self._lock = threading.Lock()
        self.questions: list[str] = []
        self.chats = 0

    def answer(self, request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        """Answer one request."""
        del trial, cue
        system = str((request.get("system") or [{}])[0].get("text", ""))
        asked = str(request["messages"][-1]["content"])
        with self._lock:
            if not system.startswith(INSTRUCTIONS[:40]):
                self.chats += 1
                return said(self._reply)
            self.questions.append(asked)
        statement = asked.partition("<statement>\n")[2].partition("\n</statement>")[0]
        shown = asked.partition("<conversation>\n")[2].partition("\n</conversation>")[0]
        found = self._judge(statement, shown)
        if isinstance(found, str):
            return said(found)
        return said(json.dumps({"quote": found[0], "reason": "Because.", "answer": found[1]}))


def said(text: str) -> Reply:
    """Return a reply of one text."""
    return Reply(({"type": "text", "text": text},))


def strict(statement: str, shown: str) -> Answer:
    """Say yes where the assistant asks for the order number, and no to everything else."""
    del statement
    words = "What is your order number?"
    return (words, "yes") if words in shown else ("", "no")


def use(monkeypatch: pytest.MonkeyPatch, server: StandIn) -> None:
    """Let live runs of this test end at a server."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
