"""Graders of the judge kinds: they read what a judge has answered and never ask.

A judge's answer is a recording like any other. Scoring again therefore costs nothing and finds the same for ever.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from evalkit.graders.findings import not_measured
from evalkit.graders.grader import Grader, empty_reply
from evalkit.graders.replies import complete_turns, replied_turns
from evalkit.graders.rule import VoiceRule
from evalkit.records import Finding, Judgement, Level, Span, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import Text, ValuePath, refusal

_GAP = re.compile(r"\s*(?:\.\.\.|…|\[\.\.\.\]|\[…\])\s*")
_SPACE = re.compile(r"\s+")
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " "})
_SHORTEST = 3


class Criterion(Grader):
    """A statement that a judge holds true or not: what the two kinds have in common.

    The suite's `judge` says who answers it, how many votes are to be cast, and whether a no may fail a trial.
    """

    given = frozenset({"criterion", "model", "votes", "enforced"})
    criterion: SkipJsonSchema[str] = Field("", description="The statement.")
    model: SkipJsonSchema[str] = Field("", description="The judge.")
    votes: SkipJsonSchema[int] = Field(0, description="How many votes are to be cast; the majority decides.")
    enforced: SkipJsonSchema[bool] = Field(False, exclude=True, description="Whether a no may fail a trial.")

    @property
    @abstractmethod
    def statement(self) -> str:
        """What the file has as the statement."""

    @abstractmethod
    def questions(self, transcript: Transcript, turn: int | None) -> tuple[int | None, ...]:
        """Return what has to be asked about a conversation: turns, or None for all of it.

        Nothing is asked about an empty or incomplete reply: the answer is known, or there is none.
        """

    def put_to(self, model: str, votes: int, *, enforced: bool) -> Self:
        """Return the criterion with who answers it."""
        asked = {"criterion": self.statement, "model": model, "votes": votes, "enforced": enforced}
        return self.model_copy(update=asked)

    def votes_on(self, transcript: Transcript, turn: int | None) -> tuple[Judgement, ...]:
        """Return its judge's votes about a turn (None: the conversation), by the latest wording of the question."""
        about = (self.criterion, turn, self.model)
        votes = [vote for vote in transcript.judgements if (vote.criterion, vote.turn, vote.model) == about]
        return tuple(vote for vote in votes if vote.wording == votes[-1].wording)

    def answer(self, transcript: Transcript, turn: int | None) -> bool | None:
        """Return whether most votes say yes; None when no answer has a majority of the votes that were to be cast.

        More votes than the criterion asks for are a recount: then all of them count.
        """
        votes = self.votes_on(transcript, turn)
        counted = [vote.answer for vote in votes if not fault(transcript, vote)]
        return _majority(counted.count("yes"), counted.count("no"), max(self.votes, len(votes)))

    def decide(self, transcript: Transcript, turn: int | None) -> Finding:
        """Return what the votes about a turn (None: the conversation) come to."""
        votes = self.votes_on(transcript, turn)
        if not votes:
            return not_measured("no judge's answer is recorded; judges are asked in live runs only", turn)
        holds = self.answer(transcript, turn)
        faults = [fault(transcript, vote) for vote in votes]
        counted = [vote for vote, wrong in zip(votes, faults, strict=True) if not wrong]
        yes, no = (sum(vote.answer == word for vote in counted) for word in ("yes", "no"))
        if holds is None:
            why = next((wrong for wrong in faults if wrong), f"the judge's votes are split: {yes} yes, {no} no")
            return not_measured(why, turn)
        deciding = next(vote for vote in counted if vote.answer == ("yes" if holds else "no"))
        tally = f" ({yes if holds else no} of {len(votes)} votes)" if len(votes) > 1 else ""
        return Finding(
            TrialVerdict.PASSED if holds else TrialVerdict.FAILED,
            observed=f"{self.model} says {deciding.answer}{tally}",
            expected=self.criterion,
            spans=_spans(deciding, transcript),
            turn=turn,
            note=deciding.reason,
        )


class Judge(Criterion):
    """Require that a judge holds a statement true, of one turn's reply or of the assistant's part in all of them.

    Why: some of what matters can't be said in words to find. Example: `judge: [Asks for the order number]`. It weighs
    only as much as people agree with it: advice, until labels allow `enforce`. Instead of asking a judge what a rule
    can see, write the rule.
    """

    kind = "judge"
    judge: Annotated[list[Text], Field(min_length=1)] = Field(
        [],
        description="Statements that a judge model must hold true; advice unless the suite's judge has `enforce`.",
        examples=[["Asks whether to open the return"]],
    )

    @property
    def statement(self) -> str:
        return self.judge[0] if self.judge else self.criterion

    def label(self) -> str:
        return f'judge "{self.statement}"'

    def severity(self) -> Level:
        return Level.ERROR if self.enforced else Level.WARNING

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        return self.each_of("judge")

    def questions(self, transcript: Transcript, turn: int | None) -> tuple[int | None, ...]:
        if turn is None:
            judged = complete_turns(transcript, None)
            return (None,) if not judged.missing and any(turn.reply.strip() for turn in judged.turns) else ()
        return tuple(one.n for one in replied_turns(transcript, turn).turns if one.reply.strip())

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = (complete_turns if turn is None else replied_turns)(transcript, turn)
        if judged.missing:
            return not_measured(judged.missing, turn)
        if not any(one.reply.strip() for one in judged.turns):
            return empty_reply(turn)
        return self.decide(transcript, turn)


class JudgeRule(VoiceRule, Criterion):
    """Require that a judge holds a brand-voice rule's message true of a reply.

    Why: tone is more than words. Example: `extends: judge` with `message: The first sentence answers the question`.
    Instead of a judge for words, sentences and lengths, use the rules that count.
    """

    kind = "voice.judge"
    given = VoiceRule.given | Criterion.given
    extends: Literal["judge"]

    @model_validator(mode="after")
    def _is_a_statement(self) -> JudgeRule:
        if self.good or self.bad:
            key = "good" if self.good else "bad"
            raise refusal("a judge is tried with evalkit label, not with `good` and `bad`.", key)
        return self

    @property
    def statement(self) -> str:
        return self.message

    def severity(self) -> Level:
        return Level(self.level) if self.enforced else Level.WARNING

    def questions(self, transcript: Transcript, turn: int | None) -> tuple[int | None, ...]:
        turns = replied_turns(transcript, turn).turns
        return tuple(one.n for one in turns if one.reply.strip() and one.n not in self.skip_turns)

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        return self.decide(transcript, turn.n)


def fault(transcript: Transcript, vote: Judgement) -> str:
    """Return why a vote does not count, or an empty text: no answer, or words quoted that nobody said."""
    if vote.answer is None:
        return vote.reason or "the judge gave no answer"
    text = _plain(_said(transcript, vote.turn))  # white space, case and the shape of quotation marks don't matter
    if all(_plain(piece) in text for piece in _pieces(vote.quote)):
        return ""
    return f"the judge quoted words that are not in the conversation: {vote.quote[:120]!r}"


def _majority(yes: int, no: int, votes: int) -> bool | None:
    if 2 * yes > votes:
        return True
    return False if 2 * no > votes else None


def _said(transcript: Transcript, turn: int | None) -> str:
    """Return everything that a judge could quote, as one text."""
    texts: list[str] = []
    for message in transcript.history:
        content = message.get("content")
        texts += [content] if isinstance(content, str) else [str(block.get("text", "")) for block in content or ()]
    for each in transcript.turns:
        if turn is None or each.n <= turn:
            calls = (part for call in each.tool_calls for part in (call.name, str(dict(call.input)), call.output))
            texts += [each.user, each.reply, *calls]
    return "\n".join(texts)


def _pieces(quote: str) -> Iterator[str]:
    """Yield the pieces of a quote between dots that stand for words left out."""
    for piece in _GAP.split(quote):
        plain = piece.strip().strip("\"'“”‘’").strip()
        if len(plain) >= _SHORTEST:
            yield plain.replace('\\"', '"').replace("\\n", "\n")


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text.translate(_PLAIN)).strip().casefold()


def _spans(vote: Judgement, transcript: Transcript) -> tuple[Span, ...]:
    """Return where the first piece of the quote stands in a reply the vote is about, the latest such place."""
    turns: Sequence[Turn] = [turn for turn in transcript.turns if vote.turn in (None, turn.n)]
    for piece in _pieces(vote.quote):
        words = [re.escape(word) for word in piece.translate(_PLAIN).split()]
        for turn in reversed(turns):
            found = re.search(r"\s+".join(words), turn.reply.translate(_PLAIN), re.IGNORECASE)
            if found:
                return (Span(turn.n, found.start(), found.end()),)
    return ()
