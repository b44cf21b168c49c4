"""A suite file as cases: what they inherit, what their assertions are, and what changes their hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import FileProblems
from evalkit.records import Assertion, Level
from evalkit.suites import Case, Suite, find_suites, find_voices, load_suite, load_suites
from tests.project_files import write_files

VOICE = """\
rules:
  - {id: brief, extends: length, message: Too long, max_words: 50, level: error}
  - {id: plain, extends: existence, message: "Says '%s'", tokens: [utilise], scope: first_sentence}
  - {id: swap, extends: substitution, message: "'%s' not '%s'", swap: {color: colour}, ignorecase: false}
  - {id: bang, extends: occurrence, message: Calm, token: "!", max: 1, level: suggestion}
"""
SUITE = """\
description: Returns
prompt: support@v2
voice: voice.yaml
inputs: {today: 2026-11-22, version: 1.10}
trials: 5
min_pass: 4
gate: {pass_rate: 0.9, cost_usd: 1, time: 10m}
budget: {cost_usd: 0.02, requests: 4, time_ms: 9000}
tools:
  lookup_order:
    - when: {order_id: TN-1}
      returns: {status: delivered, price: 1.50}
      delay_ms: 20
    - {error: down, times: 1}
expect: {never_says: [as an AI]}
cases:
  - id: whole
    tags: [a, b]
    critical: true
    cluster: c
    from: logs/x.jsonl#3
    history: [{user: Hi}, {assistant: Hello}]
    turns:
      - user: One
        expect: {says: ["30 days", '/free( of charge)?/'], voice: {except: [brief]}}
      - user: Two
        expect:
          says_any: [a, '/b/']
          max_words: 20
          tools:
            calls: [lookup_order, {lookup_order: {order_id: TN-1}}]
            order: exact
            never: [hand_over]
            max_calls: 3
    expect: {voice: {except: [swap]}}
    budget: {requests: 6, strict: true}
    tools:
      lookup_order:
        - returns: null
      hand_over:
        - returns: {ticket: H-1}
    stand_in:
      - {call: lookup_order, input: {order_id: TN-1}}
      - {calls: [{call: hand_over}, {call: lookup_order, input: {order_id: x}}]}
      - {fault: overloaded, times: 2}
      - {say: Done.}
  - id: ways
    gate: false
    trials: 7
    variants: [One?, Two?]
    expect: {tools: none}
  - id: later
    skip: no policy yet
    user: Hello
"""


def suite(tmp_path: Path, text: str = SUITE, voice: str = VOICE) -> Suite:
    root = write_files(tmp_path, {"suites/a.yaml": text, "suites/voice.yaml": voice})
    return load_suite(root / "suites/a.yaml", root)


def case(tmp_path: Path, case_id: str, text: str = SUITE, voice: str = VOICE) -> Case:
    return next(one for one in suite(tmp_path, text, voice).cases if one.record.case_id == case_id)


def short(assertions: tuple[Assertion, ...]) -> list[tuple[str, int | None, Any]]:
    return [(one.label, one.turn, one.params) for one in assertions if one.rule is None and "budget" not in one.kind]


def test_a_suite_knows_its_prompt_inputs_gate_and_files(tmp_path: Path) -> None:
    """Inputs are text as written, times are seconds, paths are relative to the project."""
    made = suite(tmp_path)

    assert (made.path, made.prompt_ref, made.description, made.trials) == ("suites/a.yaml", "support@v2", "Returns", 5)
    assert made.inputs == {"today": "2026-11-22", "version": "1.10"}
    assert (made.gate.pass_rate, made.gate.cost_usd, made.gate.time_s) == (0.9, 1.0, 600.0)
    assert sorted(made.files) == ["suites/a.yaml", "suites/voice.yaml"]
    assert made.files["suites/a.yaml"] == made.sha
    assert made.rules["brief"]["level"] == "error"


def test_a_case_is_compiled_into_one_assertion_for_each_requirement(tmp_path: Path) -> None:
    """Turn expectations name their turn, those of case and suite none; labels are short."""
    expected = [
        ('says "30 days"', 1, {"says": [{"text": "30 days"}]}),
        ("says /free( of charge)?/", 1, {"says": [{"text": "/free( of charge)?/"}]}),
        ('says_any "a", /b/', 2, {"says_any": [{"text": "a"}, {"text": "/b/"}]}),
        ("max_words 20", 2, {"max_words": 20}),
        (
            "tools.calls lookup_order, lookup_order",
            2,
            {"calls": ["lookup_order", {"lookup_order": {"order_id": "TN-1"}}], "order": "exact"},
        ),
        ("tools.never hand_over", 2, {"never": ["hand_over"]}),
        ("tools.max_calls 3", 2, {"max_calls": 3}),
        ('never_says "as an AI"', None, {"never_says": [{"text": "as an AI"}]}),
    ]
    assert short(case(tmp_path, "whole").record.assertions) == expected
    assert short(case(tmp_path, "ways/1").record.assertions)[0] == ("tools: none", None, {})


def test_each_assertion_knows_its_line(tmp_path: Path) -> None:
    """A text in a list has its own place, a call list that of its key, a rule that of the voice file."""
    places = {one.label: str(one.place) for one in case(tmp_path, "whole").record.assertions}

    assert places['says "30 days"'] == "suites/a.yaml:25:25"
    assert places["says /free( of charge)?/"] == "suites/a.yaml:25:36"
    assert places["tools.calls lookup_order, lookup_order"] == "suites/a.yaml:31:13"
    assert places["tools.never hand_over"] == "suites/a.yaml:33:21"
    assert places['never_says "as an AI"'] == "suites/a.yaml:15:23"
    assert places["voice/bang"] == "suites/voice.yaml:5:5"
    assert places["budget.requests"] == "suites/a.yaml:36:14"
    assert places["budget.cost_usd"] == "suites/a.yaml:8:10"


def test_brand_rules_apply_to_every_case_but_where_they_are_switched_off(tmp_path: Path) -> None:
    """A case can switch a rule off, a turn can for itself; a rule off in every turn is gone."""
    rules = {one.rule: one for one in case(tmp_path, "whole").record.assertions if one.rule}

    assert sorted(rules) == ["bang", "brief", "plain"]
    assert rules["brief"].params == {
        "id": "brief", "extends": "length", "max_words": 50, "message": "Too long", "skip_turns": [1],
    }  # fmt: skip
    assert (rules["brief"].kind, rules["brief"].level) == ("voice.length", Level.ERROR)
    assert rules["plain"].params == {
        "id": "plain", "extends": "existence", "message": "Says '%s'", "tokens": ["utilise"],
        "scope": "first_sentence",
    }  # fmt: skip
    assert (rules["plain"].level, rules["bang"].level) == (Level.WARNING, Level.SUGGESTION)
    assert rules["bang"].params == {
        "id": "bang", "extends": "occurrence", "token": "!", "max": 1, "message": "Calm",
    }  # fmt: skip
    swap = next(one for one in case(tmp_path, "ways/1").record.assertions if one.rule == "swap")
    assert swap.params == {
        "id": "swap", "extends": "substitution", "swap": {"color": "colour"}, "ignorecase": False,
        "message": "'%s' not '%s'",
    }  # fmt: skip


def test_a_case_overrides_its_suites_budget_key_by_key(tmp_path: Path) -> None:
    """Times are warnings unless `strict`; every other limit is an error."""
    whole = [one for one in case(tmp_path, "whole").record.assertions if one.kind.startswith("budget")]
    ways = {one.kind: one.level for one in case(tmp_path, "ways/1").record.assertions}

    assert [(one.label, one.params, one.level) for one in whole] == [
        ("budget.cost_usd", {"cost_usd": 0.02}, Level.ERROR),
        ("budget.requests", {"requests": 6}, Level.ERROR),
        ("budget.time_ms", {"time_ms": 9000, "strict": True}, Level.ERROR),
    ]
    assert (ways["budget.time_ms"], ways["budget.requests"]) == (Level.WARNING, Level.ERROR)


def test_a_case_that_is_critical_must_pass_every_trial(tmp_path: Path) -> None:
    """Trials and min_pass come from the suite, the case's own win, critical wins over both."""
    records = {one.record.case_id: one.record for one in suite(tmp_path).cases}

    assert [(name, one.trials, one.min_pass, one.critical) for name, one in records.items()] == [
        ("whole", 5, 5, True), ("ways/1", 7, 4, False), ("ways/2", 7, 4, False), ("later", 5, 4, False),
    ]  # fmt: skip
    assert (records["ways/1"].gated, records["later"].skip, records["whole"].tags) == (
        False,
        "no policy yet",
        ("a", "b"),
    )


@pytest.mark.parametrize(("trials", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (9, 5)])
def test_without_min_pass_more_than_half_must_pass(tmp_path: Path, trials: int, needed: int) -> None:
    """A suite that says only `trials` gets the majority."""
    text = f"prompt: a\ntrials: {trials}\ncases: [{{id: x, user: Hi, expect: {{tools: none}}}}]\n"

    assert case(tmp_path, "x", text).record.min_pass == needed


def test_variants_are_cases_of_one_cluster(tmp_path: Path) -> None:
    """They are numbered from 1, share the case's id as cluster unless one is given, and stand on their own lines."""
    one, two = case(tmp_path, "ways/1").record, case(tmp_path, "ways/2").record

    assert (one.turns, two.turns, one.cluster, two.cluster) == (("One?",), ("Two?",), "ways", "ways")
    assert one.place.column < two.place.column
    assert case(tmp_path, "whole").record.cluster == "c"


def test_a_case_answers_tools_before_its_suite_does(tmp_path: Path) -> None:
    """The first fixture that fits wins, so the case's own come first."""
    fixtures = case(tmp_path, "whole").fixtures

    assert [(one.returns, one.error, one.times) for one in fixtures["lookup_order"]] == [
        (None, None, None), ({"status": "delivered", "price": 1.5}, None, None), (None, "down", 1),
    ]  # fmt: skip
    assert (fixtures["lookup_order"][1].delay_ms, str(fixtures["lookup_order"][2].place)) == (20, "suites/a.yaml:14:7")
    assert [one.tool for one in fixtures["hand_over"]] == ["hand_over"]
    assert "hand_over" not in case(tmp_path, "ways/1").fixtures


def test_history_and_script_are_ready_to_be_sent(tmp_path: Path) -> None:
    """History is Messages API messages, the script is the stand-in's steps; where it came from is kept."""
    whole = case(tmp_path, "whole")

    assert whole.history == ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})
    assert whole.script == (
        {"call": "lookup_order", "input": {"order_id": "TN-1"}},
        {"calls": [{"call": "hand_over", "input": {}}, {"call": "lookup_order", "input": {"order_id": "x"}}]},
        {"fault": "overloaded", "times": 2},
        {"say": "Done."},
    )
    assert whole.origin == "logs/x.jsonl#3"


@pytest.mark.parametrize(
    "change",
    [
        ("user: Two", "user: Three"),
        ('"30 days"', '"31 days"'),
        ("max_calls: 3", "max_calls: 2"),
        ("status: delivered", "status: lost"),
        ("times: 1", "times: 2"),
        ("user: Hi", "user: Ho"),
        ("say: Done.", "say: No."),
        ("requests: 6", "requests: 7"),
        ("as an AI", "as a model"),
        ("except: [swap]", "except: [bang]"),
    ],
    ids=str,
)
def test_whatever_a_case_demands_is_in_its_hash(tmp_path: Path, change: tuple[str, str]) -> None:
    """A changed case is a new case for the baseline."""
    assert case(tmp_path, "whole", SUITE.replace(*change)).record.sha != case(tmp_path, "whole").record.sha


def test_a_changed_rule_changes_the_cases_it_applies_to(tmp_path: Path) -> None:
    """A rule that is switched off in a case can change without making that case new."""
    changed = VOICE.replace("color: colour", "gray: grey")

    assert case(tmp_path, "whole", voice=changed).record.sha == case(tmp_path, "whole").record.sha
    assert case(tmp_path, "ways/1", voice=changed).record.sha != case(tmp_path, "ways/1").record.sha


@pytest.mark.parametrize(
    "change",
    [
        ("trials: 5", "trials: 6"), ("tags: [a, b]", "tags: []"), ("description: Returns", "# a comment\n\n"),
        ("gate: {pass_rate: 0.9", "gate: {pass_rate: 0.8"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_change_the_demand_keeps_the_hash(tmp_path: Path, change: tuple[str, str]) -> None:
    """Moving a case, its tags, trials or the gate leave it the same case."""
    assert case(tmp_path, "whole", SUITE.replace(*change)).record.sha == case(tmp_path, "whole").record.sha


def test_the_problems_of_all_files_are_raised_together(tmp_path: Path) -> None:
    """Two broken suites and their voice file give one list, each problem once, in order of place."""
    bad = "prompt: a\nvoice: voice.yaml\ncases: [{id: x, user: Hi, tgas: []}]\n"
    root = write_files(tmp_path, {"suites/a.yaml": bad, "suites/b.yaml": bad, "suites/voice.yaml": "rules: [{id: x}]"})

    with pytest.raises(FileProblems) as caught:
        load_suites(find_suites(root), root)

    assert [str(problem.place) for problem in caught.value.problems] == [
        "suites/a.yaml:3:27", "suites/b.yaml:3:27", "suites/voice.yaml:1:9",
    ]  # fmt: skip


def test_suites_and_voice_files_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    """A voice file may have any name and lie in any folder; hidden folders and other files are left alone."""
    root = write_files(
        tmp_path,
        {
            "suites/b.yaml": SUITE, "suites/a/c.yml": SUITE,
            "suites/a/house.yaml": VOICE, "suites/voice.yaml": "rules: [",
            "suites/.schema/suite.yaml": "x", "suites/b.baseline.json": "{}", "suites/notes.txt": "x",
        },
    )  # fmt: skip

    assert [str(path.relative_to(root)) for path in find_suites(root)] == ["suites/b.yaml", "suites/a/c.yml"]
    assert [str(path.relative_to(root)) for path in find_voices(root)] == ["suites/voice.yaml", "suites/a/house.yaml"]


def test_a_suite_outside_the_project_or_behind_a_link_is_refused(tmp_path: Path) -> None:
    """Neither a path nor a link leads out of the project."""
    root = write_files(tmp_path / "project", {"suites/voice.yaml": VOICE})
    outside = write_files(tmp_path, {"a.yaml": SUITE}) / "a.yaml"
    (root / "suites/link.yaml").symlink_to(outside)

    with pytest.raises(FileProblems, match="is outside the project"):
        load_suite(outside, root)
    with pytest.raises(FileProblems, match=r"suites/link.yaml: error: is .*a symbolic link"):
        load_suite(root / "suites/link.yaml", root)


def test_a_voice_file_behind_a_link_is_refused(tmp_path: Path) -> None:
    """The voice file is part of the suite and held to the same rule."""
    root = write_files(tmp_path / "project", {"suites/a.yaml": SUITE})
    (root / "suites/voice.yaml").symlink_to(write_files(tmp_path, {"v.yaml": VOICE}) / "v.yaml")

    with pytest.raises(FileProblems, match=r"suites/voice.yaml: error: is .*a symbolic link"):
        load_suite(root / "suites/a.yaml", root)


def test_a_case_whose_only_check_is_the_voice_file_expects_something(tmp_path: Path) -> None:
    """No warning that it can't fail."""
    text = "prompt: a\nvoice: voice.yaml\ncases: [{id: x, user: Hi}]\n"

    assert len(case(tmp_path, "x", text).record.assertions) == 4
