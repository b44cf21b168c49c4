"""How a reply keeps the brand-voice rules, and what of it did not. Grades one turn as a run would grade it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.graders import Requirement
from evalkit.records import Level, Score, Span, Transcript, TrialVerdict, Turn


@dataclass(frozen=True)
class VoiceVerdict:
    """What the rules say of one reply; spans count in it."""

    scores: tuple[Score, ...]

    @property
    def broken(self) -> tuple[Score, ...]:
        """The scores of the rules that the reply breaks."""
        return tuple(score for score in self.scores if score.finding.verdict is TrialVerdict.FAILED)

    @property
    def errors(self) -> int:
        """How many broken rules would fail a trial."""
        return sum(score.assertion.level is Level.ERROR for score in self.broken)

    @property
    def warnings(self) -> int:
        """How many broken rules are only counted."""
        return len(self.broken) - self.errors

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every match of a broken rule, in order."""
        return tuple(sorted({span for score in self.broken for span in score.finding.spans}))


def judge_voice(turn: Turn, rules: Sequence[Requirement]) -> VoiceVerdict | None:
    """Return what the rules say of a turn's reply; None when there are no rules or no whole reply."""
    if not rules or turn.failure is not None or not turn.reply.strip():
        return None
    transcript = Transcript("", "", (turn,))
    return VoiceVerdict(tuple(rule.score(transcript) for rule in rules))
