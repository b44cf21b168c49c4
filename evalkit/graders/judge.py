"""Graders of the judge kinds: they read what a judge has answered and never ask.

A judge's answer is a recording like any other. Scoring again therefore costs nothing and finds the same for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from evalkit.graders.findings import not_measured
from evalkit.graders.replies import complete_turns, replied_turns
from evalkit.graders.rule import VoiceRule
from evalkit.records import Assertion, Finding, JsonObject, Judgement, Span, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import Count, Text, refusal

KINDS = ("judge", "voice.judge")
_GAP = re.compile(r"\s*(?:\.\.\.|…|\[\.\.\.\]|\[…\])\s*")
_SPACE = re.compile(r"\s+")
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " "})
_SHORTEST = 3


def questions(transcript: Transcript, assertion: Assertion) -> tuple[int | None, ...]:
    """Return what has to be asked about a conversation for a judge criterion: turns, or None for all of it.

    Nothing is asked about an empty or incomplete reply: the answer is known, or there is none.
    """
    if assertion.kind == "judge" and assertion.turn is None:
        judged = complete_turns(transcript, None)
        return (None,) if not judged.missing and any(turn.reply.strip() for turn in judged.turns) else ()
    skipped = frozenset(assertion.params.get("skip_turns") or ())
    turns = replied_turns(transcript, assertion.turn).turns
    return tuple(turn.n for turn in turns if turn.reply.strip() and turn.n not in skipped)


def statement(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that a judge holds a statement true, of one turn's reply or of the assistant's part in all of them.

    Why: some of what matters can't be said in words to find. Example: `judge: [Asks for the order number]`. It weighs
    only as much as people agree with it: advice, until labels allow `enforce`. Instead of asking a judge what a rule
    can see, write the rule.
    """
    judged = (complete_turns if assertion.turn is None else replied_turns)(transcript, assertion.turn)
    if judged.missing:
        return not_measured(judged.missing, assertion.turn)
    if not any(turn.reply.strip() for turn in judged.turns):
        return Finding(TrialVerdict.FAILED, "an empty reply", "a reply", turn=assertion.turn)
    return _decide(assertion.params, assertion.turn, transcript)


class JudgeRule(VoiceRule):
    """Require that a judge holds a brand-voice rule's message true of a reply.

    Why: tone is more than words. Example: `extends: judge` with `message: The first sentence answers the question`.
    Instead of a judge for words, sentences and lengths, use the rules that count.
    """

    kind = "voice.judge"
    given = VoiceRule.given | {"criterion", "model", "votes"}
    extends: Literal["judge"]
    criterion: SkipJsonSchema[Text] = Field("", description="The message, once it is known who judges it.")
    model: SkipJsonSchema[Text] = Field("", description="Which model judges.")
    votes: SkipJsonSchema[Count] = Field(1, description="How often it is asked.")

    @model_validator(mode="after")
    def _is_a_statement(self) -> JudgeRule:
        if self.good or self.bad:
            key = "good" if self.good else "bad"
            raise refusal("a judge is tried with evalkit label, not with `good` and `bad`.", key)
        return self

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        asked = {"criterion": self.criterion, "model": self.model, "votes": self.votes}
        return _decide(asked, turn.n, transcript)


def votes_on(transcript: Transcript, params: JsonObject, turn: int | None) -> tuple[Judgement, ...]:
    """Return the votes of a criterion's judge about a turn (None: the conversation), by its latest wording."""
    model, criterion = params["model"], params["criterion"]
    votes = [v for v in transcript.judgements if v.criterion == criterion and v.turn == turn and v.model == model]
    return tuple(vote for vote in votes if vote.wording == votes[-1].wording)


def answer_of(transcript: Transcript, params: JsonObject, turn: int | None) -> bool | None:
    """Return whether most votes say yes; None when no answer has a majority of the votes that were to be cast.

    More votes than the criterion asks for are a recount: then all of them count.
    """
    votes = votes_on(transcript, params, turn)
    counted = [vote.answer for vote in votes if not fault(transcript, vote)]
    return _majority(counted.count("yes"), counted.count("no"), max(int(params["votes"]), len(votes)))


def fault(transcript: Transcript, vote: Judgement) -> str:
    """Return why a vote does not count, or an empty text: no answer, or words quoted that nobody said."""
    if vote.answer is None:
        return vote.reason or "the judge gave no answer"
    if _found(vote.quote, _said(transcript, vote.turn)):
        return ""
    return f"the judge quoted words that are not in the conversation: {vote.quote[:120]!r}"


def _decide(params: JsonObject, turn: int | None, transcript: Transcript) -> Finding:
    votes = votes_on(transcript, params, turn)
    if not votes:
        return not_measured("no judge's answer is recorded; judges are asked in live runs only", turn)
    faults = [fault(transcript, vote) for vote in votes]
    counted = [vote for vote, wrong in zip(votes, faults, strict=True) if not wrong]
    yes, no = (sum(vote.answer == word for vote in counted) for word in ("yes", "no"))
    holds = _majority(yes, no, max(int(params["votes"]), len(votes)))
    if holds is None:
        why = next((wrong for wrong in faults if wrong), f"the judge's votes are split: {yes} yes, {no} no")
        return not_measured(why, turn)
    deciding = next(vote for vote in counted if vote.answer == ("yes" if holds else "no"))
    tally = f" ({yes if holds else no} of {len(votes)} votes)" if len(votes) > 1 else ""
    return Finding(
        TrialVerdict.PASSED if holds else TrialVerdict.FAILED,
        observed=f"{params['model']} says {deciding.answer}{tally}",
        expected=str(params["criterion"]),
        spans=_spans(deciding, transcript),
        turn=turn,
        note=deciding.reason,
    )


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


def _found(quote: str, said: str) -> bool:
    """Say whether every piece of a quote was said; white space, case and the shape of quotation marks don't matter."""
    pieces = list(_pieces(quote))
    text = _plain(said)
    return all(_plain(piece) in text for piece in pieces)


def _pieces(quote: str) -> Iterator[str]:
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
