"""Agreement with tau-bench's reward: final state, required outputs, conversation ended; and pass^k of its trials."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

from tests.agreement.ours import holds, read, transcript
from tests.agreement.tally import Tally

STOP = "###STOP###"
IDS = ["reservation_id", "order_id", "user_id"]


def ended_and_said(case: Mapping[str, Any], closing: list[str]) -> dict[str, Any]:
    """Return what is expected beside the changes: the conversation ended, and each output was said."""
    outcome: dict[str, Any] = {"closed_by": {"user_says": STOP, "calls": closing}}
    said = [{"exact": output, "ignore_case": True} for output in case["outputs"]]
    return {"outcome": outcome} | ({"says": said, "normalise": ["commas"]} if said else {})


def by_writes(case: Mapping[str, Any], write_tools: list[str], closing: list[str]) -> dict[str, Any]:
    """Return a case as the calls that change something, seen in the transcript alone."""
    expect = ended_and_said(case, closing)
    writes = [{write["name"]: write["arguments"]} for write in case["gold_writes"]]
    expect["outcome"] |= {"write_tools": write_tools, "writes": writes}
    return expect


def by_state(case: Mapping[str, Any], write_tools: list[str], closing: list[str]) -> dict[str, Any]:
    """Return a case as the records that the tools return in the end."""
    expect = ended_and_said(case, closing)
    final: dict[str, Any] = {}
    for write in case["gold_writes"]:
        record = json.loads(write["result"])
        named = next(
            ({name: holder[name]} for holder in (record, write["arguments"]) for name in IDS if name in holder), {}
        )
        final[str(named)] = record | named
    expect["outcome"] |= {"write_tools": write_tools, "state": list(final.values()), "ids": IDS}
    return expect


def test_tau(data: Path, tally: list[Tally]) -> None:
    """The calls alone never pass a failed run; with the records that the tools return, hardly a verdict differs."""
    domains = json.loads((data / "tau/domains.json").read_text("utf-8"))
    cases = {row["case"]: row for row in read(data, "tau/cases.jsonl")}
    runs = {row["id"]: transcript(row) for row in read(data, "tau/transcripts.jsonl")}
    alone, records = Tally("tau: transcript alone", "reward"), Tally("tau: with records", "reward")
    for verdict in read(data, "tau/verdicts.jsonl"):
        case = cases[verdict["case"]]
        about = (case, domains["write_tools"][case["domain"]], domains["terminate_tools"])
        for row, expect in ((alone, by_writes(*about)), (records, by_state(*about))):
            row.add(verdict["id"], ours=holds(runs[verdict["id"]], expect), reference=verdict["reward"] == 1.0)
    tally.extend([alone, records])
    assert alone.agreement >= 0.99 and not alone.false_passes, alone.disagreements()
    assert records.agreement >= 0.999, records.disagreements()


def test_pass_hat_k_of_the_recorded_trials(data: Path, tally: list[Tally]) -> None:
    """Our verdicts give the same pass^k as the rewards, by the unbiased formula C(c, k) / C(n, k)."""
    domains = json.loads((data / "tau/domains.json").read_text("utf-8"))
    cases = {row["case"]: row for row in read(data, "tau/cases.jsonl")}
    runs = {row["id"]: transcript(row) for row in read(data, "tau/transcripts.jsonl")}
    ours: dict[tuple[str, str], list[bool]] = defaultdict(list)
    theirs: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for verdict in read(data, "tau/verdicts.jsonl"):
        case, key = cases[verdict["case"]], (verdict["case"], verdict["model"])
        about = (case, domains["write_tools"][case["domain"]], domains["terminate_tools"])
        ours[key].append(holds(runs[verdict["id"]], by_state(*about)))
        theirs[key].append(verdict["reward"] == 1.0)
    for k in range(1, 5):
        row = Tally(
            f"tau: pass^{k} {float(pass_hat(ours, k) or 0):.4f}", f"rewards {float(pass_hat(theirs, k) or 0):.4f}"
        )
        row.add(f"pass^{k}", ours=pass_hat(ours, k) == pass_hat(theirs, k), reference=True)
        tally.append(row)
        assert pass_hat(ours, k) == pass_hat(theirs, k)


def pass_hat(trials: Mapping[tuple[str, str], list[bool]], k: int) -> Fraction | None:
    """Return the mean over cases with at least k trials of the chance that k of them all pass; None without any."""
    shares = [Fraction(comb(sum(one), k), comb(len(one), k)) for one in trials.values() if len(one) >= k]
    return sum(shares, Fraction()) / len(shares) if shares else None
