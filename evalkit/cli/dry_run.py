"""What `evalkit run --dry-run` prints: suites, cases, requests and cost, and that nothing was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.runner.costs import SuiteForecast


def dry_run_lines(suites: Sequence[SuiteForecast], via: str, *, cases: bool = True) -> Iterator[str]:
    """Yield a line for each suite with its cases below, then the totals."""
    from evalkit.wording import number, plural, usd

    for suite in suites:
        skipped = f", {number(suite.skipped)} skipped" if suite.skipped else ""
        counted = f"{plural(len(suite.case_ids), 'case')}{skipped}, {plural(suite.trials, 'trial')}"
        cost = "cost unknown" if suite.cost_usd is None else f"about {usd(suite.cost_usd)}"
        yield f"{suite.path}   {suite.prompt_ref}, {suite.model}   {counted}, {_requests(suite.requests)}, {cost}"
        yield from (f"  {case_id}" for case_id in suite.case_ids if cases)
    real = "" if via == "live" else f" if it were live; {via} costs nothing"
    trials = plural(sum(suite.trials for suite in suites), "trial")
    yield (
        f"dry run: {trials}, {cost_in_words(suites)}{real}. Judges are not counted, and a comparison with a baseline "
        "may ask for more. Nothing was asked, and there is no verdict."
    )


def cost_in_words(suites: Sequence[SuiteForecast]) -> str:
    """Return how many requests that is, and about what they cost."""
    from evalkit.wording import usd

    costs = [suite.cost_usd for suite in suites]
    known = sum(cost for cost in costs if cost is not None)
    total = "cost unknown" if None in costs else f"about {usd(known)}"
    return f"{_requests(sum(suite.requests for suite in suites))}, {total}"


def _requests(count: int) -> str:
    return f"about {count:,} requests"
