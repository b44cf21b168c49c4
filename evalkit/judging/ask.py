"""Asks a judge model about a finished conversation and tells each answer as it comes, so that it can be written down.

Knows the engine and the judge's question; knows nothing of runs, files or verdicts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from evalkit.engine import Ask, Replies
from evalkit.engine.requests import ask_aside, side_request
from evalkit.engine.structured import NoValue, read_structured
from evalkit.graders import judge
from evalkit.graders.judge_question import SCHEMA, WORDING, build_question, exhibit_id, exhibit_of
from evalkit.records import Assertion, JsonObject, Judgement, Level, Score, Transcript

RECOUNT_VOTES = 2
"""How many more votes are cast before a judge's no fails a trial of a critical case."""


async def run_judges(
    transcript: Transcript, assertions: Sequence[Assertion], replies: Replies
) -> AsyncGenerator[Judgement]:
    """Ask every judge criterion's questions about a conversation and tell each answer.

    What the transcript holds already is never asked again.
    """
    for assertion in assertions:
        for turn in judge.questions(transcript, assertion) if assertion.kind in judge.KINDS else ():
            async with aclosing(_vote(transcript, assertion.params, turn, replies)) as votes:
                async for vote in votes:
                    transcript = replace(transcript, judgements=(*transcript.judgements, vote))
                    yield vote


def recount_due(scores: Sequence[Score], transcript: Transcript) -> tuple[Assertion, ...]:
    """Return the judge criteria that alone fail a trial, or whose recount has begun; none when more than they fail it.

    A judge's noise is not the model's behaviour: before a no alone fails a critical trial, the same reply is judged
    again.
    """
    blamed = [each for each in scores if each.fails_trial or _is_recounted(transcript, each.assertion)]
    if any(each.assertion.kind not in judge.KINDS for each in blamed):
        return ()
    return tuple(each.assertion for each in blamed)


async def run_recount(
    transcript: Transcript, assertions: Sequence[Assertion], replies: Replies
) -> AsyncGenerator[Judgement]:
    """Judge what was answered with no twice more than usual and tell each answer; then the majority of all decides."""
    for assertion in assertions:
        usual = int(assertion.params["votes"])
        more = {**assertion.params, "votes": usual + RECOUNT_VOTES}
        for turn in judge.questions(transcript, assertion):
            begun = len(judge.votes_on(transcript, assertion.params, turn)) > usual
            if begun or judge.answer_of(transcript, assertion.params, turn) is False:
                async with aclosing(_vote(transcript, more, turn, replies)) as cast:
                    async for vote in cast:
                        transcript = replace(transcript, judgements=(*transcript.judgements, vote))
                        yield vote


def _is_recounted(transcript: Transcript, assertion: Assertion) -> bool:
    """Whether a criterion that may fail a trial has more votes about a turn than it asks for."""
    if assertion.kind not in judge.KINDS or assertion.level is not Level.ERROR:
        return False
    turns = judge.questions(transcript, assertion)
    return any(len(judge.votes_on(transcript, assertion.params, turn)) > assertion.params["votes"] for turn in turns)


async def _vote(
    transcript: Transcript, params: JsonObject, turn: int | None, replies: Replies
) -> AsyncGenerator[Judgement]:
    """Let the judge vote until one answer has the majority, or all votes are cast."""
    model, criterion = str(params["model"]), str(params["criterion"])
    cast = [*judge.votes_on(transcript, params, turn)]
    while len(cast) < int(params["votes"]) and judge.answer_of(transcript, params, turn) is None:
        vote = await ask_judge(transcript, criterion, turn, model, replies)
        vote = replace(vote, vote=len(cast) + 1)
        cast.append(vote)
        transcript = replace(transcript, judgements=(*transcript.judgements, vote))
        yield vote
        if vote.request.failure is not None:
            return  # the engine has been patient already


async def ask_judge(
    transcript: Transcript, criterion: str, turn: int | None, model: str, replies: Replies
) -> Judgement:
    """Ask one question and return the answer; a reply that can't be read is an answer of None with its reason."""
    exhibit = exhibit_of(transcript, turn)
    body = build_question(model, criterion, turn, exhibit)
    request = await ask_aside(replies, Ask(1, 1, body, "judge"))
    read = read_structured(request, SCHEMA)
    value = {} if isinstance(read, NoValue) else read.value
    return Judgement(
        criterion=criterion,
        turn=turn,
        model=model,
        wording=WORDING,
        exhibit=exhibit_id(exhibit),
        vote=1,
        answer=value.get("answer"),
        request=side_request(request),
        quote=value.get("quote", ""),
        reason=read.reason if isinstance(read, NoValue) else value["reason"],
    )
