"""Agreement with promptfoo's `contains`."""

from __future__ import annotations

from pathlib import Path

from tests.agreement.ours import holds, read, transcript
from tests.agreement.tally import Tally


def test_promptfoo(data: Path, tally: list[Tally]) -> None:
    """`contains` is a text found character by character."""
    row = Tally("promptfoo", "promptfoo contains")
    for result in read(data, "promptfoo/classification.jsonl"):
        kind, wanted = result["expected"].split(":", 1)
        assert kind == "contains"
        messages = [{"role": "user", "content": result["input"]}, {"role": "assistant", "content": result["output"]}]
        ours = holds(transcript({"id": result["id"], "messages": messages}), {"says": [{"exact": wanted}]})
        row.add(result["id"], ours=ours, reference=result["passed"])
    tally.append(row)
    assert row.agreement == 1.0, row.disagreements()
