"""Agreement with the fixtures of Vale rules, brought over by our own importer."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from evalkit.importing.vale import NoCounterpart, rule_text, to_rule
from evalkit.records import Assertion, TrialVerdict
from evalkit.suites.voice import read_voice
from evalkit.yamlsource import SourceText, parse_yaml
from tests.agreement.ours import read
from tests.agreement.tally import Tally
from tests.graders.build import grade_text


def our_rule(name: str, text: str) -> Assertion | None:
    """Return a Vale rule as an assertion, or None when the importer refuses it."""
    try:
        rule, _ = to_rule(name, parse_yaml(SourceText(f"{name}.yml", text)))
    except NoCounterpart:
        return None
    voice, problems = read_voice(parse_yaml(SourceText("voice.yaml", "rules:\n" + rule_text(rule))))
    assert voice is not None and not problems
    return voice.rules[0].requirement().assertion


def line_text(line: dict[str, Any]) -> str:
    """Return a line as it stands in a chat: headings are marked as Markdown does."""
    scopes = ast.literal_eval(line["scope"]) if line["scope"].startswith("[") else line["scope"]
    return f"# {line['block']}" if line["is_heading"] and scopes != "raw" else str(line["text"])


def test_vale(data: Path, tally: list[Tally]) -> None:
    """Each line gives an alert just when the authors of the rule say so."""
    rules = {row["rule"]: our_rule(row["rule"], row["yaml"]) for row in read(data, "vale/rules.jsonl")}
    row = Tally("Vale", "rule authors' fixtures")
    for line in read(data, "vale/lines.jsonl"):
        rule = rules[line["rule"]]
        assert rule is not None, line["rule"]
        ours = grade_text(rule, line_text(line)).verdict
        row.add(line["id"], ours=ours is TrialVerdict.PASSED, reference=not line["alert"])
    tally.append(row)
    assert row.agreement >= 0.998, row.disagreements()
