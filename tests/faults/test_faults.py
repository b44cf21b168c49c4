"""Every fault of the stand-in in 30 % of all requests: what becomes of the trials. `make faults` prints the matrix.

With FAULT_TRIALS=200 (as `make faults` sets it) each fault meets 200 two-turn trials; the normal tests play fewer.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.analysis import summarise
from evalkit.pricing import price_with
from evalkit.records import Request, Trial, TrialVerdict
from evalkit.standin.faults import FAULTS, FaultRates
from tests.faults.play import Played, play

COUNT = int(os.environ.get("FAULT_TRIALS", "12"))
RATE = 0.3
QUICK_S = 0.5
"""The idle limit where the server falls silent. There a slow machine looks like the fault; elsewhere it must not."""

# How each fault shows in the record: the failure's kind, and whether the broken try had cost something by then.
TRANSIENT = {
    "overloaded": ("overloaded_error", False),
    "rate_limited": ("rate_limit_error", False),
    "ramp_limited": ("rate_limit_error", False),
    "server_error": ("api_error", False),
    "unavailable": ("api_error", False),
    "timeout_504": ("timeout_error", False),
    "conflict": ("conflict_error", False),
    "overloaded_mid_stream": ("overloaded_error", True),
    "error_first_event": ("overloaded_error", False),
    "malformed_json": ("malformed_stream", True),
    "truncated": ("truncated_stream", True),
    "dropped": ("connection_error", True),
    "reset_before_headers": ("connection_error", False),
    "no_answer": ("timeout_error", False),
    "stall": ("stalled_stream", True),
    "html_200": ("malformed_stream", False),
    "empty_200": ("truncated_stream", False),
    "json_200_when_streaming": ("malformed_stream", False),
}
SILENT = {"no_answer", "stall"}
HARMLESS = {"error_after_stop", "unknown_events", "slow_first_byte", "slow_loris", "split_utf8"}
PERMANENT = {
    "spend_limit": "rate_limit_error",
    "bad_request": "invalid_request_error",
    "unauthorized": "authentication_error",
    "billing": "billing_error",
    "forbidden": "permission_error",
    "model_not_found": "not_found_error",
    "too_large": "request_too_large",
}
OTHER_ENDINGS = {
    "refusal",
    "refusal_mid_tool",
    "max_tokens_mid_tool",
    "context_exceeded",
    "pause_turn",
    "empty_end_turn",
    "bad_tool_json",
}


@pytest.fixture(scope="module")
def matrix() -> Iterator[list[str]]:
    """Collect the rows and print them at the end (seen with `pytest -s`)."""
    rows: list[str] = []
    yield rows
    print(f"\n\n{COUNT} two-turn trials, each fault in {RATE:.0%} of all requests\n")
    print("| fault | trials | passed | failed | not measured | requests | tries | abandoned tries cost |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


def requests_of(played: Played) -> list[Request]:
    """Return all requests of a run."""
    return [request for trial in played.trials for request in trial.transcript.requests]


def verdict(trial: Trial) -> TrialVerdict:
    """Return a trial's verdict."""
    assert trial.score is not None
    return trial.score.verdict


def row(fault: str, played: Played) -> str:
    """Return a line of the matrix."""
    found = Counter(verdict(trial) for trial in played.trials)
    requests = requests_of(played)
    attempts = [attempt for request in requests for attempt in request.attempts]
    verdicts = [found[each] for each in (TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED)]
    money = sum(attempt.cost_usd or 0.0 for attempt in attempts)
    numbers = [len(played.trials), *verdicts, len(requests), len(requests) + len(attempts)]
    return f"| {fault} | {' | '.join(str(number) for number in numbers)} | ${money:.4f} |"


def test_every_fault_of_the_stand_in_has_its_place_in_the_matrix() -> None:
    """A new fault must say here what it leads to."""
    assert set(TRANSIENT) | HARMLESS | set(PERMANENT) | OTHER_ENDINGS == set(FAULTS)


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_loses_and_falsifies_nothing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: list[str]
) -> None:
    """All trials pass, every reply that the server made is accounted for, and abandoned streams are paid for."""
    kind, costs = TRANSIENT[fault]
    idle_s = QUICK_S if fault in SILENT else 60.0

    played = play(tmp_path, monkeypatch, FaultRates({fault: RATE}, seed=1), COUNT, idle_s)

    matrix.append(row(fault, played))
    requests = requests_of(played)
    attempts = [attempt for request in requests for attempt in request.attempts]
    assert (len(played.trials), played.end.reason) == (COUNT, "finished")
    assert {verdict(trial) for trial in played.trials} == {TrialVerdict.PASSED}
    assert {len(trial.transcript.requests) for trial in played.trials} == {3}
    meant = [attempt for attempt in attempts if attempt.failure.kind == kind]
    slow = {attempt.failure.kind for attempt in attempts} - {kind}
    assert slow <= ({"timeout_error", "stalled_stream"} if fault in SILENT else set())
    assert {attempt.usage is not None for attempt in meant} == {costs}
    assert all((attempt.cost_usd or 0.0) > 0 for attempt in meant) is costs
    composed = len(requests) + (0 if FAULTS[fault].error else len(attempts))
    assert played.answered == composed or slow


@pytest.mark.parametrize("fault", sorted(HARMLESS))
def test_a_harmless_fault_costs_not_even_a_try(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: list[str]
) -> None:
    """What only looks odd on the wire changes nothing."""
    played = play(tmp_path, monkeypatch, FaultRates({fault: RATE}, seed=1), COUNT)

    matrix.append(row(fault, played))
    assert {verdict(trial) for trial in played.trials} == {TrialVerdict.PASSED}
    assert len(played.trials) == COUNT
    assert played.answered == len(requests_of(played)) == 3 * COUNT


@pytest.mark.parametrize("fault", PERMANENT)
def test_a_permanent_fault_ends_its_own_trial_as_not_measured(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: list[str]
) -> None:
    """The struck trial names the reason, is tried once only, and no other trial notices."""
    played = play(tmp_path, monkeypatch, FaultRates({fault: RATE}, seed=1), COUNT)

    matrix.append(row(fault, played))
    assert (len(played.trials), played.end.reason) == (COUNT, "finished")
    assert {verdict(trial) for trial in played.trials} == {TrialVerdict.PASSED, TrialVerdict.NOT_MEASURED}
    for trial in played.trials:
        struck = trial.transcript.failure
        assert (verdict(trial) is TrialVerdict.NOT_MEASURED) is (struck is not None)
        assert struck is None or struck.kind == PERMANENT[fault]
        assert struck is None or (trial.score is not None and struck.kind in trial.score.reason)
        assert all(not request.attempts for request in trial.transcript.requests)


@pytest.mark.parametrize("fault", sorted(OTHER_ENDINGS))
def test_a_reply_that_ends_differently_is_a_measured_reply(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: list[str]
) -> None:
    """Refusals, cut replies and broken tool input are what the model did: measured, never lost, never tried again."""
    played = play(tmp_path, monkeypatch, FaultRates({fault: RATE}, seed=1), COUNT)

    matrix.append(row(fault, played))
    assert (len(played.trials), played.end.reason) == (COUNT, "finished")
    assert all(request.failure is None and not request.attempts for request in requests_of(played))


def test_all_transient_faults_at_once_leave_the_totals_of_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: list[str]
) -> None:
    """The summary's money is that of all tries in the record, abandoned ones too, each priced from its own usage."""
    loud = [fault for fault in TRANSIENT if fault not in SILENT]
    rates = FaultRates(dict.fromkeys(loud, RATE / len(loud)), seed=2)

    played = play(tmp_path, monkeypatch, rates, COUNT)

    matrix.append(row("all of them", played))
    price = price_with()
    paid = [(request.usage, request.cost_usd) for request in requests_of(played)]
    paid += [(attempt.usage, attempt.cost_usd) for request in requests_of(played) for attempt in request.attempts]
    expected = sum(price("claude-sonnet-5-5", usage) or 0.0 for usage, _ in paid if usage)
    assert {verdict(trial) for trial in played.trials} == {TrialVerdict.PASSED}
    assert sum(cost or 0.0 for _, cost in paid) == pytest.approx(expected)
    assert summarise(played.reader).money.cost_usd == pytest.approx(expected)
