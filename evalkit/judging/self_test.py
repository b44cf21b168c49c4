"""A judge's own test: three answers that no judge may let pass, tried before a run pays for anything else.

The criterion and the conversation are evalkit's own, because a team's criterion may well hold for an empty answer
("makes no promise"). Knows only how to ask; whether a run goes on is the runner's decision.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from evalkit.engine import Replies
from evalkit.graders.judge_question import WORDING
from evalkit.judging.ask import ask_judge
from evalkit.records import Judgement, Request, Transcript, Turn

CRITERION = "Tells the customer by which day the parcel will arrive."
_ASKED = "Hello, my parcel PR26-0418 was due yesterday. On which day will it get here?"
SELF_TEST_CASES = {
    "an empty answer": "",
    "an answer that only says it does not know": "I don't know.",
    "a confident answer about something else": (
        "Our stores in the city centre are open from nine to six on every day but Sunday, and the new rain jackets "
        "have arrived in five colours. They are waterproof, and members save ten per cent this week!"
    ),
}


async def run_self_test(model: str, replies: Replies, known: Sequence[Judgement] = ()) -> AsyncGenerator[Judgement]:
    """Ask about each answer that `known` does not tell of, and tell what the judge says; `vote` numbers the answers."""
    answered = {one.vote for one in known if _is_answer(one, model)}
    for number, answer in enumerate(SELF_TEST_CASES.values(), 1):
        if number not in answered:
            yield replace(await ask_judge(_conversation(answer), CRITERION, 1, model, replies), vote=number)


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


def _is_answer(judgement: Judgement, model: str) -> bool:
    return judgement.model == model and judgement.wording == WORDING and judgement.answer is not None


def _conversation(answer: str) -> Transcript:
    content = ({"type": "text", "text": answer},) if answer else ()
    return Transcript("", "", (Turn(1, _ASKED, (Request(1, 1, {}, content, stop_reason="end_turn"),)),))
