"""A team's own graders in `expect`: found among the installed packages, their parameters checked where they stand.

Knows the suite file; what a grader is and how its parameters are read is in `graders/team.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.graders.team import Unusable, find_team_grader, params_problems, team_graders
from evalkit.records import Assertion, Level, Problem
from evalkit.suites.compiled import Found
from evalkit.suites.expect_schema import Expect, TeamCheck
from evalkit.yamlsource import Source, ValuePath, did_you_mean


def compile_team(source: Source, expect: Expect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    """Yield one assertion for each of a team's graders; adds a problem for each that can't be called like this."""
    for index, one in enumerate(expect.team or ()):
        at = (*path, "team", index)
        found.problems.extend(_problems(source, one, at))
        yield Assertion(
            "team",
            {"grader": one.grader, "with": one.with_},
            source.place(at),
            f"team {one.grader}",
            level=Level(one.level),
        )


def _problems(source: Source, one: TeamCheck, path: ValuePath) -> Iterator[Problem]:
    try:
        grader = find_team_grader(one.grader)
    except Unusable as exc:
        known = [] if one.grader in team_graders() else team_graders()
        hint = did_you_mean(one.grader, known) or (f"; there are {', '.join(known)}" if known else "")
        yield source.problem((*path, "grader"), f"{exc}{hint}.")
        return
    for bad in params_problems(grader, one.with_):
        is_key = bad.is_unknown
        where = "" if bad.is_unknown or not bad.path else f"{'.'.join(str(step) for step in bad.path)}: "
        hint = did_you_mean(str(bad.path[-1]), bad.known) if bad.is_unknown else ""
        yield source.problem(
            (*path, "with", *bad.path), f"grader {one.grader!r}: {where}{bad.message}{hint}.", key=is_key
        )
