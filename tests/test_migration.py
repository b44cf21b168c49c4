"""One prompt on two models: what it means beside the verdict, as facts and in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.gate import compare_run
from evalkit.pricing import cost_of
from evalkit.records import (
    Adaptation,
    Arm,
    Migration,
    ModelSide,
    Pair,
    Rate,
    RunComparison,
    Uses,
)
from evalkit.records.published import published
from evalkit.reporting.migration import migration_lines, short_lines, use_lines
from evalkit.runner import RunSettings
from evalkit.runner.contrast import SideBySide, compare_prompts
from evalkit.store import RunReader
from tests.runner.project import PROMPT, make_project

CASE = {"id": "a", "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": "Good day to you."}]}
OLD, NEW = "claude-opus-4-6", "claude-sonnet-5-5"
NOTHING = Pair(None, None)
USES = Uses(Pair(1.18, 0.24), Pair(2254, 2820), Pair(23, 29), Pair(0.9, 0.0), Pair(510, 310), Pair(4100, 2200))
BEFORE = ModelSide(OLD, OLD, Rate(5.0, 25.0, 0.5), (), "high", "off", 1376, 4096, 4.7)
AFTER = ModelSide(NEW, NEW, Rate(2.0, 10.0, 0.1), (), "high", "adaptive", 1796, 512, 3.6)
MIGRATION = Migration(BEFORE, AFTER, USES, 0.472)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> SideBySide:
    """The prompt of an older model, beside the same prompt on a newer one."""
    root = tmp_path_factory.mktemp("migration")
    project = make_project(root, cases=[CASE], trials=1)
    thinks = f"model: {OLD}\nmax_tokens: 9000\nthinking: {{type: enabled, budget_tokens: 2048}}\n"
    file = root / "prompts" / "bot" / "v1.md"
    file.write_text(PROMPT.replace("model: claude-sonnet-5-5\nmax_tokens: 300\n", thinks))
    return compare_prompts(project, RunSettings(prompt=f"bot+{NEW}", against_prompt="bot"), ("evalkit",))


def test_a_comparison_of_two_models_says_what_is_not_sent_as_written(played: SideBySide) -> None:
    """As fields of the record: the key, what stands in the file, what the model is sent."""
    (migration,) = played.contrast.migrations

    assert (migration.baseline.ref, migration.candidate.ref) == ("bot@v1", f"bot@v1+{NEW}")
    assert migration.baseline.adaptations == ()
    assert migration.candidate.adaptations == (
        Adaptation("thinking", {"type": "enabled", "budget_tokens": 2048}, {"type": "adaptive"}),
    )
    assert played.contrast.prompts[0].is_empty


def test_what_the_prices_do_is_told_apart_from_what_the_tokens_do(played: SideBySide) -> None:
    """The old conversations at the new prices, request by request; the rest of the bill's change is the tokens'."""
    (migration,) = played.contrast.migrations
    assert played.folder is not None
    trials = [trial for trial in RunReader(played.folder).trials() if trial.key.arm is Arm.BASELINE]
    costs = [cost_of(NEW, request.usage) for trial in trials for request in trial.transcript.requests if request.usage]

    expected = 100 * sum(cost.total for cost in costs if cost) / len(trials)
    assert migration.repriced_usd == pytest.approx(expected)
    assert (migration.uses.prompt_tokens.candidate or 0) > 1.2 * (migration.uses.prompt_tokens.baseline or 1)


def test_a_prefix_that_the_other_model_keeps_or_not_is_told(played: SideBySide) -> None:
    """The same text is too short for one model's cache and long enough for the other's."""
    (migration,) = played.contrast.migrations

    assert (migration.baseline.is_too_short, migration.candidate.is_too_short) == (True, False)
    assert migration.uses.cached.baseline == 0


def test_the_record_alone_tells_the_same(played: SideBySide) -> None:
    """The page, the comment and summary.json are made from the record, and hold the migration."""
    assert played.folder is not None
    told = compare_run(RunReader(played.folder)).told

    assert isinstance(told, RunComparison)
    assert told.migrations == played.contrast.migrations
    (json,) = published(told)["migrations"]
    assert json["candidate"]["adaptations"][0]["key"] == "thinking"
    assert json["baseline"]["is_too_short"] is True


def test_two_versions_on_one_model_are_no_migration(tmp_path: Path) -> None:
    """Nothing is said of models where both sides ask the same."""
    project = make_project(tmp_path, cases=[CASE], trials=1)
    named = RunSettings(prompt="bot+claude-sonnet-5-5", against_prompt="bot")

    assert compare_prompts(project, named, ("evalkit",)).contrast.migrations == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, ("model", "claude-opus-4-6 → claude-sonnet-5-5")),
        ({}, ("thinking", "off → adaptive")),
        ({}, ("a million tokens", "input $5.00 → $2.00, output $25.00 → $10.00, cache reads $0.50 → $0.10")),
        ({}, ("what the cost comes from", "the prices alone −60 % (to $0.47), tokens and cache −49 %")),
        ({}, ("tokens of a conversation", "read 2,254 → 2,820 (+25 %), written 23 → 29 (+26 %)")),
        ({}, ("tokenizer", "about 31 % more tokens for the same text, so a limit in tokens holds less of it")),
        (
            {"adaptations": (Adaptation("effort", "high", None),), "effort": None},
            ("not as written", "effort: high is left out, because claude-sonnet-5-5 does not take it"),
        ),
        ({"effort": "medium"}, ("effort", "high → medium")),
        (
            {"prefix_tokens": 300},
            (
                "too short to be cached",
                "about 300 tokens stand before the cache point, and claude-sonnet-5-5 keeps nothing shorter than 512",
            ),
        ),
        ({"retires": "2027-01-22"}, ("end of a model", "claude-sonnet-5-5 answers until 22 January 2027")),
        ({"rate": Rate(None, None, None)}, ("a million tokens", "input $5.00 → unknown, output $25.00 → unknown")),
    ],
)
def test_a_migration_reads_as_people_would_say_it(change: dict[str, object], line: tuple[str, str]) -> None:
    """One line for each thing that is not the same; what is the same is left out."""
    lines = migration_lines(replace(MIGRATION, candidate=replace(AFTER, **change)))  # type: ignore[arg-type]

    assert any(name == line[0] and words.startswith(line[1]) for name, words in lines), lines


def test_what_does_not_change_is_not_told() -> None:
    """Two models that count, think and work alike differ in nothing but name and use."""
    alike = replace(MIGRATION, candidate=replace(BEFORE, model=NEW, rate=Rate(None, None, None)), repriced_usd=None)
    names = [name for name, _ in migration_lines(replace(alike, baseline=replace(BEFORE, rate=Rate(None, None, None))))]

    assert names == ["model", "tokens of a conversation", "too short to be cached"]


def test_a_comment_has_a_migration_in_one_sentence() -> None:
    """Cost, cache and time before and after, and what is not sent as written."""
    dropped = replace(AFTER, adaptations=(Adaptation("max_tokens", 100_000, 64_000),))
    (sentence,) = short_lines([replace(MIGRATION, candidate=dropped)])

    assert sentence == (
        "claude-opus-4-6 → claude-sonnet-5-5: cost of 100 conversations $1.18 → $0.24 (−80 %); "
        "input from the cache 90 % → 0 %; first token 0.51 s → 0.31 s; whole conversation 4.10 s → 2.20 s; "
        "max_tokens: 100,000 becomes 64,000, because claude-sonnet-5-5 does not take 100,000"
    )


def test_what_nothing_is_known_of_is_left_out() -> None:
    """No dashes where a run had no prices and no times."""
    assert use_lines(Uses(NOTHING, NOTHING, NOTHING, Pair(0.5, None), NOTHING, NOTHING)) == [
        ("input from the cache", "50 % → –")
    ]
