"""Judges: asking them about a finished conversation, trying them out, and what there is of their answers to label.

Graders only read what a judge answered; here it is asked, and each answer is told as it comes, so that it can be
written down. Knows the engine and the judge's question; knows nothing of runs, files or verdicts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import sha256

from evalkit.engine import Ask, Replies
from evalkit.engine.requests import ask_aside, side_request
from evalkit.graders import Requirement, requirement_of
from evalkit.graders.judge import (
    JUDGE_KINDS,
    SCHEMA,
    WORDING,
    Criterion,
    build_question,
    exhibit_id,
    exhibit_of,
    files_shown,
)
from evalkit.records import CaseKey, CaseRecord, Judgement, Level, Request, Score, Transcript, Trial, Turn
from evalkit.structured import NoValue, Output, read_structured

RECOUNT_VOTES = 2
"""How many more votes are cast before a judge's no fails a trial of a critical case."""

SELF_TEST_CRITERION = "Tells the customer by which day the parcel will arrive."
SELF_TEST_CASES = {
    "an empty answer": "",
    "an answer that only says it does not know": "I don't know.",
    "a confident answer about something else": (
        "Our stores in the city centre are open from nine to six on every day but Sunday, and the new rain jackets "
        "have arrived in five colours. They are waterproof, and members save ten per cent this week!"
    ),
}
"""Three answers that no judge may let pass, tried before a run pays for anything else.

Criterion and conversation are evalkit's own: a team's criterion may well hold for an empty answer ("makes no promise").
"""

_SELF_TEST_MESSAGE = "Hello, my parcel PR26-0418 was due yesterday. On which day will it get here?"


async def run_judges(
    transcript: Transcript, requirements: Sequence[Requirement], replies: Replies
) -> AsyncGenerator[Judgement]:
    """Ask every judge criterion's questions about a conversation and tell each answer.

    What the transcript holds already is never asked again.
    """
    for criterion, turn in _criteria(requirements):
        for question in criterion.questions(transcript, turn):
            async with aclosing(_vote(transcript, criterion, question, replies)) as votes:
                async for vote in votes:
                    transcript = replace(transcript, judgements=(*transcript.judgements, vote))
                    yield vote


def recount_due(
    requirements: Sequence[Requirement], scores: Sequence[Score], transcript: Transcript
) -> tuple[Requirement, ...]:
    """Return the judge criteria that alone fail a trial, or whose recount has begun; none when more than they fail it.

    `scores` are those of the requirements, in order. A judge's noise is not the model's behaviour: before a no alone
    fails a critical trial, the same reply is judged again.
    """
    scored = zip(requirements, scores, strict=True)
    blamed = [one for one, score in scored if score.fails_trial or _is_recounted(transcript, one)]
    return tuple(blamed) if all(isinstance(one.grader, Criterion) for one in blamed) else ()


async def run_recount(
    transcript: Transcript, requirements: Sequence[Requirement], replies: Replies
) -> AsyncGenerator[Judgement]:
    """Judge what was answered with no twice more than usual and tell each answer; then the majority of all decides."""
    for criterion, turn in _criteria(requirements):
        more = criterion.model_copy(update={"votes": criterion.votes + RECOUNT_VOTES})
        for question in criterion.questions(transcript, turn):
            begun = len(criterion.votes_on(transcript, question)) > criterion.votes
            if begun or criterion.answer(transcript, question) is False:
                async with aclosing(_vote(transcript, more, question, replies)) as cast:
                    async for vote in cast:
                        transcript = replace(transcript, judgements=(*transcript.judgements, vote))
                        yield vote


async def ask_judge(
    transcript: Transcript, criterion: str, turn: int | None, model: str, replies: Replies
) -> Judgement:
    """Ask one question and return the answer; a reply that can't be read is an answer of None with its reason."""
    exhibit = exhibit_of(transcript, turn)
    body = build_question(model, criterion, turn, exhibit, files_shown(transcript, turn))
    request = await ask_aside(replies, Ask(1, 1, body, "judge"))
    read = read_structured(request, Output(SCHEMA))
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


async def run_self_test(model: str, replies: Replies, known: Sequence[Judgement] = ()) -> AsyncGenerator[Judgement]:
    """Ask about each answer that `known` does not tell of, and tell what the judge says; `vote` numbers the answers."""
    answered = {one.vote for one in known if (one.model, one.wording) == (model, WORDING) and one.answer is not None}
    for number, answer in enumerate(SELF_TEST_CASES.values(), 1):
        if number not in answered:
            content = ({"type": "text", "text": answer},) if answer else ()
            turn = Turn(1, _SELF_TEST_MESSAGE, (Request(1, 1, {}, content, stop_reason="end_turn"),))
            asked = await ask_judge(Transcript("", "", (turn,)), SELF_TEST_CRITERION, 1, model, replies)
            yield replace(asked, vote=number)


def failed_tests(model: str, judgements: Sequence[Judgement]) -> list[str]:
    """Return, in words, what a judge let pass or gave no answer to."""
    answers = {one.vote: one for one in judgements if one.model == model and one.wording == WORDING}
    failed = []
    for number, name in enumerate(SELF_TEST_CASES, 1):
        given = answers.get(number)
        if given is None or given.answer is None:
            failed.append(f"it gave no answer about {name}{f' ({given.reason})' if given else ''}")
        elif given.answer == "yes":
            failed.append(f"it let {name} pass")
    return failed


@dataclass(frozen=True)
class LabelItem:
    """One question: does `criterion` hold in turn `turn` (None: the conversation)? `judge` is what the judge said."""

    suite: str
    case_id: str
    criterion: str
    turn: int | None
    transcript: Transcript
    exhibit: str
    model: str
    wording: str
    judge: bool | None

    @property
    def order(self) -> str:
        """A place in the queue that says nothing about case, verdict or time."""
        return sha256(f"{self.exhibit}\n{self.criterion}".encode()).hexdigest()


def items_to_label(trials: Iterable[Trial], cases: Mapping[CaseKey, CaseRecord]) -> tuple[LabelItem, ...]:
    """Return the questions about these cases that a judge has answered, each exhibit once, shuffled by hash."""
    found: dict[tuple[str, str], LabelItem] = {}
    asked = {
        key: [*_criteria(requirement_of(one) for one in case.assertions if one.kind in JUDGE_KINDS)]
        for key, case in cases.items()
    }
    for trial in trials:
        for criterion, turn in asked.get((trial.key.suite, trial.key.case_id), ()):
            for question, votes, answer in criterion.answered(trial.transcript, turn):
                item = LabelItem(
                    suite=trial.key.suite,
                    case_id=trial.key.case_id,
                    criterion=criterion.criterion,
                    turn=question,
                    transcript=trial.transcript,
                    exhibit=votes[-1].exhibit,
                    model=votes[-1].model,
                    wording=votes[-1].wording,
                    judge=answer,
                )
                found.setdefault((item.exhibit, item.criterion), item)
    return tuple(sorted(found.values(), key=lambda item: item.order))


def _criteria(requirements: Iterable[Requirement]) -> Iterator[tuple[Criterion, int | None]]:
    """Yield those requirements that a judge answers, each with the turn it speaks of."""
    for one in requirements:
        if isinstance(one.grader, Criterion):
            yield one.grader, one.assertion.turn


def _is_recounted(transcript: Transcript, requirement: Requirement) -> bool:
    """Whether a criterion that may fail a trial has more votes about a turn than it asks for."""
    if requirement.assertion.level is not Level.ERROR:
        return False
    return any(
        len(criterion.votes_on(transcript, question)) > criterion.votes
        for criterion, turn in _criteria([requirement])
        for question in criterion.questions(transcript, turn)
    )


async def _vote(
    transcript: Transcript, criterion: Criterion, turn: int | None, replies: Replies
) -> AsyncGenerator[Judgement]:
    """Let the judge vote until one answer has the majority, or all votes are cast."""
    cast = len(criterion.votes_on(transcript, turn))
    while cast < criterion.votes and criterion.answer(transcript, turn) is None:
        vote = await ask_judge(transcript, criterion.criterion, turn, criterion.model, replies)
        cast += 1
        vote = replace(vote, vote=cast)
        transcript = replace(transcript, judgements=(*transcript.judgements, vote))
        yield vote
        if vote.request.failure is not None:
            return  # the engine has been patient already
