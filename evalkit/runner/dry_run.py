"""What a run would ask and cost, told without asking anything."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.engine import Price
from evalkit.records import Usage
from evalkit.runner.estimate import estimate_requests, estimate_trial
from evalkit.runner.opponents import find_opponents
from evalkit.runner.plan import PlannedTrial, make_plan
from evalkit.runner.project import Project
from evalkit.runner.settings import RunSettings
from evalkit.runner.staged import Stages
from evalkit.source import LIVE, STAND_IN, describe_source


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
        trials = Stages(plan, find_opponents(plan, settings, project.root, source)).first()
    forecasts = []
    for suite in plan.suites:
        of_suite = [trial for trial in trials if trial.suite.path == suite.path]
        cases = [case.record for each, case in plan.cases if each.path == suite.path]
        prompt = plan.prompts[suite.path]
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
