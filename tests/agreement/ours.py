"""Our side: expectations as a suite would state them, compiled from YAML, and recorded messages as a transcript."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.graders import Requirement
from evalkit.importing.chat_format import parse_conversation, to_transcript
from evalkit.records import PromptVersion, Transcript, TrialVerdict
from evalkit.suites.compiler import Compiler
from evalkit.suites.format import Expect
from evalkit.suites.load import judge_settings
from evalkit.yamlsource import SourceText, check_schema, parse_yaml

_PROMPT = PromptVersion("sha", "recorded", "", "model", {}, (), ())


def read(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file."""
    with (folder / name).open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def assertions(expect: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """Return what an `expect` of a suite file compiles to; JSON is YAML, so it is written as JSON."""
    source = parse_yaml(SourceText("expect.yaml", json.dumps(expect, ensure_ascii=False)))
    model, problems = check_schema(source, Expect)
    compiler = Compiler(source, judge_settings(None))
    compiled = compiler.expect(model, ())
    assert not problems and not compiler.problems, [*problems, *compiler.problems, expect]
    return compiled


def transcript(record: Mapping[str, Any]) -> Transcript:
    """Return a recorded conversation as `evalkit import` reads it."""
    kept = {key: record[key] for key in ("id", "messages")}
    return to_transcript(parse_conversation(json.dumps(kept).encode()), _PROMPT)


def holds(conversation: Transcript, expect: Mapping[str, Any]) -> bool:
    """Return whether every assertion of an `expect` passes."""
    return all(one.score(conversation).finding.verdict is TrialVerdict.PASSED for one in assertions(expect))
