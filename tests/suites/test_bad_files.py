"""Every mistake an author can make, one file each: `data/suites_bad/*.yaml` say in their first lines what is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalkit.records import Problem
from evalkit.suites.check import check_project

FOLDER = Path(__file__).parent.parent / "data" / "suites_bad"
EXPECT = re.compile(r"# expect: (?P<line>\d+):(?P<column>\d+) (?P<words>.*)")


def expected(path: Path) -> list[tuple[int, int, str]]:
    """Return the places and beginnings of the messages that a file announces."""
    found = (EXPECT.fullmatch(line) for line in path.read_text("utf-8").splitlines())
    return [(int(match["line"]), int(match["column"]), match["words"]) for match in found if match]


def begins(problem: Problem, words: str) -> str:
    """Return the message as far as the announcement goes, so that the comparison shows both."""
    return problem.message[: len(words)]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_a_bad_file_gives_exactly_the_problems_it_announces(path: Path) -> None:
    """All problems are listed, each at its line and column, and nothing else is."""
    announced = sorted(expected(path))
    problems = [problem for problem in check_project(FOLDER, [path]).problems if problem.place.file == path.name]

    places = sorted((problem.place.line, problem.place.column, problem.message) for problem in problems)
    assert [
        (line, column, message[: len(words)])
        for (line, column, message), (_, _, words) in zip(places, announced, strict=False)
    ] == announced
    assert len(places) == len(announced), places[len(announced) :]
