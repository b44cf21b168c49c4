"""What a run costs: estimated before it is played, forecast for a dry run, held under its limits while it runs.

All in US dollars. An unknown price counts nothing here; a run with a limit refuses models without a price.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evalkit.content import weigh
from evalkit.engine import Price
from evalkit.prefix import cache_lifetime, cached_prefix, prompt_parts, standing_body
from evalkit.records import Request, SideRequest, Transcript, Usage
from evalkit.runner.opponents import Stages, find_opponents
from evalkit.runner.plan import PlannedTrial, RunSettings, make_plan
from evalkit.runner.project import Project, tell_models
from evalkit.source import LIVE, STAND_IN, describe_source
from evalkit.store import OpenSession, RunReader

CHARACTERS_PER_TOKEN = 3.5  # a cautious mean for English text and JSON with the tokenizer of the 4.7+ models
REQUESTS_PER_TURN = 2  # a tool call and an answer
OUTPUT_TOKENS = 200


def estimate_requests(planned: PlannedTrial) -> int:
    """Return about how many requests a trial makes; of a user that a model plays, at the most."""
    simulate = planned.case.simulate
    return REQUESTS_PER_TURN * (simulate.max_turns if simulate else len(planned.case.record.turns))


def estimate_trial(planned: PlannedTrial, price: Price) -> float:
    """Return a rough cost of one trial in US dollars with a warm cache; 0.0 when the model's price is unknown.

    What stands up to the prompt's last cache point is read from the cache by every request; what is the case's own
    below it is written by the first one and read by the others.
    """
    prompt = planned.prompt
    body = standing_body(prompt)
    shared = sum(len(part.data) for part in cached_prefix(body))
    own = sum(len(part.data) for part in prompt_parts(body)) - shared
    talk = weigh((*planned.case.history, *({"content": each} for each in planned.case.messages)))
    requests = estimate_requests(planned)
    is_kept = "cache_control" in prompt.params
    written = int(own / CHARACTERS_PER_TOKEN) if is_kept else 0
    plain = 0 if is_kept else int(own / CHARACTERS_PER_TOKEN) * requests
    lifetime = cache_lifetime(prompt.params)
    usage = Usage(
        input_tokens=talk.tokens_at(CHARACTERS_PER_TOKEN) + plain + OUTPUT_TOKENS * requests,
        ephemeral_5m_input_tokens=written if lifetime == "5m" else 0,
        ephemeral_1h_input_tokens=written if lifetime == "1h" else 0,
        cache_read_input_tokens=int(shared / CHARACTERS_PER_TOKEN) * requests + written * (requests - 1),
        output_tokens=OUTPUT_TOKENS * requests,
    )
    return price(prompt.model, usage) or 0.0


def cost_of_requests(requests: Iterable[Request | SideRequest]) -> float:
    """Return what requests cost with their abandoned tries; a reply from the cache was paid for by an earlier run."""
    return sum(
        (request.cost_usd or 0.0) + sum(attempt.cost_usd or 0.0 for attempt in request.attempts)
        for request in requests
        if not request.from_cache
    )


def cost_of_session(session: Transcript | OpenSession) -> float:
    """Return what a conversation has cost with what was asked beside it: of a simulated user, of judges."""
    beside = (each.request for each in (*session.simulated, *session.judgements))
    return cost_of_requests([*session.requests, *beside])


def spent_in(reader: RunReader) -> float:
    """Return what a run has cost so far, with everything that was asked beside its conversations."""
    tests = cost_of_requests(test.request for test in reader.judge_tests)
    trials = sum(cost_of_session(trial.transcript) for trial in reader.trials())
    return tests + trials + sum(map(cost_of_session, reader.open_sessions().values()))


@dataclass
class Spending:
    """The money of a run or of one suite in it, in US dollars; `cap` None means no limit.

    A trial is admitted when what is spent, what is reserved for running trials and what it may cost itself fit under
    the cap. The reserve for a trial is the mean of the finished ones, before that the planner's estimate.
    """

    cap: float | None = None
    spent: float = 0.0
    _reserved: dict[str, float] = field(default_factory=dict)
    _finished: int = 0

    def admit(self, session_id: str, estimate: float) -> bool:
        """Reserve money for a trial; False when it does not fit."""
        if not self.fits(1, estimate):
            return False
        self._reserved[session_id] = self._expected(estimate)
        return True

    def fits(self, trials: int, estimate: float) -> bool:
        """Tell whether so many more trials may be expected to fit under the cap."""
        expected = trials * self._expected(estimate)
        return self.cap is None or self.spent + sum(self._reserved.values()) + expected <= self.cap

    def _expected(self, estimate: float) -> float:
        return self.spent / self._finished if self._finished else estimate

    def pay(self, session_id: str, cost: float) -> None:
        """Book the cost of one request against its trial's reserve."""
        self.spent += cost
        if session_id in self._reserved:
            self._reserved[session_id] = max(0.0, self._reserved[session_id] - cost)

    def release(self, session_id: str) -> None:
        """Give back the reserve of a trial that was not played."""
        self._reserved.pop(session_id, None)

    def settle(self, session_id: str) -> None:
        """Free what a finished trial had left."""
        self._reserved.pop(session_id, None)
        self._finished += 1

    @property
    def exhausted(self) -> bool:
        """Whether the cap is reached, so that not even a running trial may go on."""
        return self.cap is not None and self.spent >= self.cap


@dataclass(frozen=True)
class SuiteForecast:
    """One suite of a run that was not played; `cost_usd` is a rough estimate, None when a price is unknown.

    `trials` holds the first look of a comparison, too; judges are not counted.
    """

    path: str
    prompt_ref: str
    model: str
    case_ids: tuple[str, ...]
    skipped: int
    trials: int
    requests: int
    cost_usd: float | None


def forecast_run(project: Project, settings: RunSettings) -> tuple[SuiteForecast, ...]:
    """Return what a run with these settings would begin with; raises what starting it would raise.

    A replay asks nobody: its requests and costs are zero.
    """
    plan = make_plan(settings, project.root)
    calls = settings.via in (LIVE, STAND_IN)
    trials = list(plan.trials)
    if calls:
        source = describe_source(settings.via, settings.platform)
        old = find_opponents(plan, settings, project.root, source)
        tell_models(project, plan, source, old)
        trials = Stages(plan, old).first()
    forecasts = []
    for suite in plan.suites:
        of_suite = [trial for trial in trials if trial.suite.path == suite.path]
        cases = [case.record for each, case in plan.cases if each.path == suite.path]
        prompt = plan.version_of(suite.path)
        forecasts.append(
            SuiteForecast(
                path=suite.path,
                prompt_ref=prompt.ref,
                model=prompt.model,
                case_ids=tuple(case.case_id for case in cases if not case.skip),
                skipped=sum(bool(case.skip) for case in cases),
                trials=len(of_suite),
                requests=sum(map(estimate_requests, of_suite)) if calls else 0,
                cost_usd=_cost(of_suite, project.price) if calls else 0.0,
            )
        )
    return tuple(forecasts)


def _cost(trials: list[PlannedTrial], price: Price) -> float | None:
    models = {trial.prompt.model for trial in trials}
    if any(price(model, Usage(input_tokens=1)) is None for model in models):
        return None
    return sum(estimate_trial(trial, price) for trial in trials)
