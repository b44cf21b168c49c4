"""What there is to label in a run: each question that a judge has answered, with the conversation it was shown.

Knows records and the judge's grader; nothing of how a person is asked or where labels are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from evalkit.graders import judge
from evalkit.records import Assertion, CaseKey, CaseRecord, Transcript, Trial


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
    for trial in trials:
        case = cases.get((trial.key.suite, trial.key.case_id))
        for assertion in case.assertions if case else ():
            for item in _items(trial, assertion) if assertion.kind in judge.KINDS else ():
                found.setdefault((item.exhibit, item.criterion), item)
    return tuple(sorted(found.values(), key=lambda item: item.order))


def _items(trial: Trial, assertion: Assertion) -> Iterator[LabelItem]:
    for turn in judge.questions(trial.transcript, assertion):
        votes = judge.votes_on(trial.transcript, assertion.params, turn)
        if votes:
            yield LabelItem(
                suite=trial.key.suite,
                case_id=trial.key.case_id,
                criterion=str(assertion.params["criterion"]),
                turn=turn,
                transcript=trial.transcript,
                exhibit=votes[-1].exhibit,
                model=votes[-1].model,
                wording=votes[-1].wording,
                judge=judge.answer_of(trial.transcript, assertion.params, turn),
            )
