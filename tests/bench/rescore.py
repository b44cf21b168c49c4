"""What scoring stored replies again costs: CPU a trial, all in and by grader, each held against twenty assertions.

Run with `make bench`. The sample suites, played on the stand-in first (about twenty assertions a trial, two to three
turns); made-up conversations of five turns (see `conversations.py`); where EVALKIT_AGREEMENT_DATA names the folder with
recorded verdicts, tau-bench's long ones too, their digits changed from one reading to the next, so that nothing that
was computed for one trial serves another. The goal is 20 s of CPU for 10,000 trials: 2 ms a trial.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.graders import Requirement
from evalkit.pricing import price_with
from evalkit.records import (
    RunHeader,
    ScoreLine,
    Source,
    SuiteRecord,
    Transcript,
    TrialEnd,
    TrialKey,
    TrialScore,
    TrialVerdict,
)
from evalkit.runner import Invocation, Project, RunSettings, start_run
from evalkit.scoring import score_trial
from evalkit.store import RunReader, RunWriter, trial_lines
from evalkit.suites import load_suites
from tests.bench.conversations import PROMPT, TURNS, conversation
from tests.runner.project import Silent

TRIALS = int(os.environ.get("RESCORE_TRIALS", "1000"))
PER_CASE = 20
EXPECT: dict[str, Any] = {
    "says": ["30 days", "/deliver(ed|y)/"],
    "says_any": ["your card", "anything else"],
    "never_says": ["refund has been issued", "as an AI", "/guaranteed? to arrive/"],
    "max_words": 160,
    "grounded": True,
    "tools": {
        "calls": [{"lookup_order": {}}, {"start_return": {"reason": "/longer/"}}],
        "never": ["cancel_order"],
        "max_calls": 6,
        "after": {"start_return": "lookup_order"},
        "max_redundant": 2,
    },
    "outcome": {
        "write_tools": ["start_return"],
        "writes": [{"start_return": {"order_id": "/^TN/", "reason": "/longer/"}}],
        "closed_by": {"user_says": "thank you"},
    },
}
BUDGET = {"cost_usd": 0.5}
WORDS = [
    "sorry for any inconvenience",
    "rest assured",
    "kindly",
    "please do not hesitate",
    "(?:very|really) (?:good|happy)",
]
SWAP = {"utili[sz]e": "use", "in order to": "to", "prior to": "before", "purchase": "buy", "assist": "help"}
RULES: list[dict[str, Any]] = [
    {"id": "no-empty-words", "extends": "existence", "message": "%s", "tokens": WORDS},
    {"id": "plain-words", "extends": "substitution", "message": "%s, not %s", "swap": SWAP},
    {"id": "calm", "extends": "occurrence", "message": "%s", "token": "!", "max": 2},
    {"id": "short", "extends": "length", "message": "%s", "max_words": 160, "max_sentence_words": 40},
    {"id": "easy", "extends": "readability", "message": "%s", "grade": 14},
    {"id": "own-links", "extends": "links", "message": "%s", "allow": ["tandle.example"]},
    {"id": "private", "extends": "personal_data", "message": "%s"},
    {"id": "secret", "extends": "leak", "message": "%s", "words": 12},
]  # fmt: skip


def write_project(root: Path, cases: int) -> None:
    """Write a suite of cases without user messages, each with the assertions above."""
    (root / "suites").mkdir()
    (root / "suites/voice.yaml").write_text(json.dumps({"rules": RULES}))
    suite = {
        "prompt": "shop",
        "voice": "voice.yaml",
        "trials": PER_CASE,
        "min_pass": 1,
        "budget": BUDGET,
        "expect": EXPECT,
        "cases": [{"id": f"talk-{number}"} for number in range(cases)],
    }
    (root / "suites/shop.yaml").write_text(json.dumps(suite))


def assertions_of(root: Path) -> Sequence[Requirement]:
    """Return the assertions of the project's first case."""
    (suite,) = load_suites([root / "suites/shop.yaml"], root)
    return suite.cases[0].requirements


def write_run(root: Path, trials: int) -> None:
    """Write a finished run of that many trials, round by round as a real one is."""
    with RunWriter(root / "reports/2026-11-22-stored") as writer:
        writer.append(RunHeader("2026-11-22-stored", "2026-11-22T09:00:00Z", Source("live", "api"), settings={}))
        writer.append(SuiteRecord("suites/shop.yaml", "ab" * 32, "", PROMPT.ref, PROMPT.sha, PER_CASE))
        writer.append(PROMPT)
        cases = trials // PER_CASE
        for number in range(trials):
            key = TrialKey("suites/shop.yaml", f"talk-{number % cases}", PROMPT.ref, number // cases + 1)
            write_trial(writer, key, conversation(number % cases, number // cases))


def write_trial(writer: RunWriter, key: TrialKey, told: Transcript) -> None:
    """Write the lines of one trial."""
    for line in trial_lines(key, key.session_id, told):
        writer.append(line)
    writer.append(TrialEnd(key.session_id))
    writer.append(ScoreLine(key.session_id, TrialScore(TrialVerdict.PASSED)))


def cpu_by_kind(transcripts: Iterable[Transcript], assertions: Sequence[Requirement]) -> dict[str, float]:
    """Return the CPU milliseconds a trial: all in (under the empty name), and by kind for every other trial.

    Trials come one after another, as they do from a stored run: none is still there when the next one is scored.
    """
    kinds: dict[str, list[Requirement]] = defaultdict(list)
    for assertion in assertions:
        kinds[assertion.assertion.kind].append(assertion)
    spent: dict[str, float] = defaultdict(float)
    counts = [0, 0]
    for number, transcript in enumerate(transcripts):
        counts[number % 2] += 1
        for kind, some in kinds.items() if number % 2 else [("", assertions)]:
            began = time.process_time()
            if kind:
                for assertion in some:
                    assertion.score(transcript)
            else:
                score_trial(transcript, assertions)
            spent[kind] += time.process_time() - began
    return {kind: seconds * 1000 / counts[bool(kind)] for kind, seconds in spent.items()}


def tau_conversations(folder: Path, readings: int) -> Iterator[Transcript]:
    """Yield the recorded conversations several times, with other digits each time."""
    from tests.agreement.ours import read, transcript

    systems = json.loads((folder / "tau/domains.json").read_text("utf-8"))["systems"]
    rows = list(read(folder, "tau/transcripts.jsonl"))
    for reading in range(readings):
        digits = str.maketrans("123456789", "".join(str((digit + reading) % 9 + 1) for digit in range(9)))
        for row in rows:
            told = json.loads(
                json.dumps({key: row[key] for key in ("id", "messages")}, ensure_ascii=False).translate(digits)
            )
            yield replace(transcript(told), system_text=systems[row["system_ref"]])


def print_lengths(assertions: Sequence[Requirement]) -> None:
    """Print what scoring a made-up trial of two to five turns costs; the sample suites' have two to three."""
    for turns in range(2, TURNS + 1):
        spent = cpu_by_kind(made_up(TRIALS, turns), assertions)[""]
        print(f"scoring made-up trials of {turns} turns: {shown(spent)}, {len(assertions)} assertions each")


def print_scoring(title: str, transcripts: Iterable[Transcript], assertions: Sequence[Requirement]) -> None:
    """Print what scoring these trials costs."""
    score_trial(conversation(0, -1), assertions)
    spent = cpu_by_kind(transcripts, assertions)
    print(f"{title}: {shown(spent.pop(''))}, {len(assertions)} assertions each, by kind")
    for kind, milliseconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {kind:<24}{milliseconds:8.3f} ms")


def shown(milliseconds: float) -> str:
    """Return a time per trial in words."""
    return f"{milliseconds:.2f} ms of CPU a trial, {milliseconds * 10:.0f} s for 10,000"


def made_up(trials: int, turns: int = TURNS) -> Iterator[Transcript]:
    """Yield made-up trials, round by round."""
    cases = trials // PER_CASE
    for number in range(trials):
        yield conversation(number % cases, number // cases, turns)


def run_suites(root: Path, via: str, name: str) -> Path:
    """Run the suites of a project, as `evalkit run --via VIA` does before it writes its report."""
    settings = RunSettings(via=via, trials=PER_CASE)
    return start_run(Project(root, price_with(), Silent), Invocation(settings, root / "reports" / name))


def print_rescoring(title: str, root: Path, via: str) -> None:
    """Print what scoring a stored run again costs: loading it and the suites, and writing the new one, included."""
    began = time.process_time()
    folder = run_suites(root, via, "again")
    spent = (time.process_time() - began) * 1000
    scored = [len(trial.score.scores) for trial in RunReader(folder).trials() if trial.score]
    print(
        f"{title}: {shown(spent / len(scored))}; {len(scored)} trials, {sum(scored) / len(scored):.0f} assertions each"
    )


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in ("prompts", "suites"):
            shutil.copytree(part, root / part)
        run_suites(root, "stand-in", "sample")
        print_rescoring("the sample suites' stored run", root, "reports/sample")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, TRIALS // PER_CASE)
        assertions = assertions_of(root)
        print_lengths(assertions)
        print_scoring("scoring made-up trials", made_up(TRIALS), assertions)
        recorded = os.environ.get("EVALKIT_AGREEMENT_DATA")
        if recorded:
            print_scoring("scoring tau conversations", tau_conversations(Path(recorded), 6), assertions)
        write_run(root, TRIALS)
        print_rescoring("a made-up stored run", root, "2026-11-22-stored")


if __name__ == "__main__":
    main()
