"""Builds runs in memory for the tests of analysis, gate and reports: small words for the records' types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.records import (
    Assertion,
    CaseRecord,
    Failure,
    Finding,
    Judgement,
    Level,
    Place,
    PromptVersion,
    Request,
    RunEnd,
    RunHeader,
    Score,
    Source,
    Span,
    SuiteRecord,
    ToolCall,
    Transcript,
    Trial,
    TrialKey,
    TrialScore,
    TrialVerdict,
    Turn,
    Usage,
)

SUITE = "suites/lamps.yaml"
REF = "support@v2"
MODEL = "claude-sonnet-5-5"
SHA = "3f9c1a2" + "0" * 57
PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED


def prompt(text: str = "You are Mo.", **changes: Any) -> PromptVersion:
    """A prompt version."""
    values: dict[str, Any] = {
        "sha": SHA,
        "ref": REF,
        "description": "Support for a lamp shop.",
        "model": MODEL,
        "params": {"max_tokens": 700},
        "system": ({"type": "text", "text": text},),
        "tools": ({"name": "find_lamp", "description": "Find a lamp.", "input_schema": {"type": "object"}},),
        "text": text,
    }
    return PromptVersion(**{**values, **changes})


def suite(path: str = SUITE, **gate: float) -> SuiteRecord:
    """A suite with this gate."""
    return SuiteRecord(path, "ab" * 32, "Lamps and shades.", REF, SHA, trials=3, gate=gate)


def case(case_id: str, **changes: Any) -> CaseRecord:
    """A case with three trials of which two must pass."""
    values: dict[str, Any] = {
        "suite": SUITE,
        "place": Place(SUITE, 12, 5),
        "turns": ("Is the lamp in stock?",),
        "assertions": (),
        "trials": 3,
        "min_pass": 2,
    }
    return CaseRecord(case_id=case_id, **{**values, **changes})


def assertion(label: str = 'says "in stock"', **changes: Any) -> Assertion:
    """An assertion, by default of the kind its label begins with."""
    values: dict[str, Any] = {"kind": label.split(maxsplit=1)[0], "params": {}, "place": Place(SUITE, 20, 14)}
    return Assertion(label=label, **{**values, **changes})


def voice(rule: str, verdict: TrialVerdict = FAILED, level: Level = Level.WARNING, **finding: Any) -> Score:
    """The score of a brand-voice rule."""
    about = assertion(f"voice/{rule}", kind="voice.existence", rule=rule, level=level)
    return Score(about, Finding(verdict, **finding))


def score(verdict: TrialVerdict, label: str = 'says "in stock"', **finding: Any) -> Score:
    """The score of an error-level assertion."""
    return Score(assertion(label), Finding(verdict, **finding))


def usage(**tokens: int) -> Usage:
    """Two hundred fresh tokens, a thousand cached, sixty out."""
    return Usage(**{"input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 60, **tokens})


def request(n: int = 1, turn: int = 1, text: str = "Yes, it is in stock.", **changes: Any) -> Request:
    """A complete request that answered with text."""
    values: dict[str, Any] = {
        "body": {"model": MODEL, "max_tokens": 700, "messages": []},
        "content": ({"type": "text", "text": text},),
        "stop_reason": "end_turn",
        "usage": usage(),
        "message_id": f"msg_{turn}{n}",
        "request_id": f"req_{turn}{n}",
        "cost_usd": 0.001,
        "first_token_ms": 400.0,
        "total_ms": 1200.0,
    }
    return Request(n=n, turn=turn, **{**values, **changes})


def failed_request(n: int = 1, turn: int = 1, **changes: Any) -> Request:
    """A request that got no complete reply."""
    name = changes.pop("request_id", "req_down")
    failure = Failure("overloaded_error", "Overloaded", status=529, request_id=name)
    empty: dict[str, Any] = {
        "content": (),
        "usage": None,
        "cost_usd": None,
        "stop_reason": None,
        "first_token_ms": None,
        "total_ms": None,
        "request_id": name,
    }
    return request(n, turn, **{"failure": failure, **empty, **changes})


def turn(n: int = 1, reply: str = "Yes, it is in stock.", user: str = "Is the lamp in stock?") -> Turn:
    """A turn of one request."""
    return Turn(n, user, (request(n, n, reply),))


def tool_turn(reply: str = "The Alma lamp is in stock.", n: int = 1, **call: Any) -> Turn:
    """A turn that looks something up, then answers."""
    block = {"type": "tool_use", "id": f"toolu_{n}", "name": "find_lamp", "input": {"name": "Alma"}}
    said = {"type": "text", "text": "Let me look."}
    values: dict[str, Any] = {"output": '{"stock": 4}', "is_error": False, "origin": f"{SUITE}:31", **call}
    done = ToolCall(f"toolu_{n}", "find_lamp", {"name": "Alma"}, ms=0.2, request_n=1, **values)
    asking = request(1, n, content=(said, block), stop_reason="tool_use")
    return Turn(n, "Is the Alma lamp in stock?", (asking, request(2, n, reply)), (done,))


def trial(case_id: str, n: int, *scores: Score, turns: Sequence[Turn] | None = None, **changes: Any) -> Trial:
    """A finished trial with these scores; its verdict follows from them."""
    key = TrialKey(changes.pop("suite", SUITE), case_id, REF, n)
    transcript = Transcript(key.session_id, SHA, tuple(turns if turns is not None else [turn()]), **changes)
    return Trial(key, transcript, TrialScore(verdict_of(scores), scores))


def verdict_of(scores: Sequence[Score]) -> TrialVerdict:
    """Failed when an error-level score failed, not measured without a measured score, else passed."""
    if any(each.fails_trial for each in scores):
        return FAILED
    return PASSED if any(each.finding.verdict is not NOT_MEASURED for each in scores) else NOT_MEASURED


def down(case_id: str, n: int, suite: str = SUITE) -> Trial:
    """A trial that got no reply."""
    key = TrialKey(suite, case_id, REF, n)
    transcript = Transcript(
        key.session_id, SHA, (Turn(1, "Is the lamp in stock?", (failed_request(request_id=f"req_down{n}"),)),)
    )
    return Trial(key, transcript, TrialScore(NOT_MEASURED, (), "turn 1: overloaded_error (status 529): Overloaded"))


def trials(case_id: str, marks: str, suite: str = SUITE) -> list[Trial]:
    """Trials by mark: `p` passed, `f` failed, `n` no reply, `.` not run."""
    made = {
        "p": lambda n: trial(case_id, n, score(PASSED), suite=suite),
        "f": lambda n: trial(case_id, n, score(FAILED, observed="nothing of it", expected="in stock"), suite=suite),
        "n": lambda n: down(case_id, n, suite),
    }
    return [made[mark](n) for n, mark in enumerate(marks, 1) if mark != "."]


def marked(text: str, part: str, turn: int = 1) -> Span:
    """The span of a part of a reply."""
    start = text.index(part)
    return Span(turn, start, start + len(part))


FINISHED = RunEnd("finished", "2026-11-22T07:15:43Z", 48.2)
STAND_IN = Source("stand-in")
LIVE = Source("live")


@dataclass(frozen=True)
class MadeUpRun:
    """A run as `analyse` takes it."""

    cases: Sequence[CaseRecord]
    played: Sequence[Trial]
    suites: Sequence[SuiteRecord] = field(default_factory=lambda: (suite(pass_rate=0.9),))
    source: Source = STAND_IN
    end: RunEnd | None = FINISHED
    prompt: PromptVersion = field(default_factory=prompt)
    command: tuple[str, ...] = ("evalkit", "run")

    @property
    def header(self) -> RunHeader:
        """The header with the run's source."""
        return RunHeader(
            "20261122-071455-7c1e",
            "2026-11-22T07:14:55Z",
            self.source,
            self.command,
            settings={"jobs": 8},
            versions={"evalkit": "0.1.0", "anthropic": "2.12.0"},
            git_commit="8d" * 20,
            prices="genai-prices 0.2.3 (2026-11-20)",
        )

    @property
    def prompts(self) -> Mapping[str, PromptVersion]:
        """The one prompt."""
        return {self.prompt.sha: self.prompt}

    @property
    def judge_tests(self) -> Sequence[Judgement]:
        """No judge was tried."""
        return ()

    def trials(self) -> Iterator[Trial]:
        """The trials, one by one."""
        yield from self.played


def run_of(marks: Mapping[str, str], **changes: Any) -> MadeUpRun:
    """A run whose cases have these trials: `{"a": "ppf"}`."""
    cases = [case(case_id) for case_id in marks]
    played = [each for case_id, of_case in marks.items() for each in trials(case_id, of_case)]
    return MadeUpRun(changes.pop("cases", cases), played, **changes)
