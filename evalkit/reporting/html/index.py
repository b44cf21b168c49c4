"""What the page's script reads: the cases as columns of JSON, and their conversations in compressed groups.

The columns list, filter and sort cases without their conversations; `script/index.js` reads them and must change with
them. Conversations are packed as JSON, gzip and base64, some to a group, so that a page with thousands of them opens at
once. The groups are kept in a temporary file while the trials stream by, and remember where each trial went.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from evalkit.records import CaseKey, CaseSummary, CaseVerdict, Summary, TrialVerdict
from evalkit.reporting.finished_run import rerun_options
from evalkit.reporting.html.against import BesideBaseline
from evalkit.reporting.html.conversation import TrialView
from evalkit.reporting.html.environment import lines_of, short_reason
from evalkit.reporting.safe_text import one_line, visible

GROUP_TRIALS, GROUP_BYTES = 100, 1_000_000
VERDICTS = tuple(CaseVerdict)
TRIAL_LETTERS = {TrialVerdict.PASSED: "p", TrialVerdict.FAILED: "f", TrialVerdict.NOT_MEASURED: "n"}


@dataclass
class Packs:
    """Groups of conversations; `where` lists for each case the (group, position) of its trials, by trial number."""

    where: dict[CaseKey, list[tuple[int, int, int]]] = field(default_factory=dict)
    _file: IO[bytes] = field(default_factory=TemporaryFile)
    _lengths: list[int] = field(default_factory=list)
    _group: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, case: CaseKey, trial: TrialView) -> None:
        """Pack one conversation."""
        packed = orjson.dumps(trial)
        self.where.setdefault(case, []).append((trial.trial, len(self._lengths), len(self._group)))
        self._group.append(packed)
        self._size += len(packed)
        if len(self._group) >= GROUP_TRIALS or self._size >= GROUP_BYTES:
            self._close_group()

    def groups(self) -> Iterator[bytes]:
        """Yield the groups in order, as base64 text; nothing can be added after that."""
        if self._group:
            self._close_group()
        self._file.seek(0)
        for length in self._lengths:
            yield self._file.read(length)

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()

    def _close_group(self) -> None:
        whole = b"[" + b",".join(self._group) + b"]"
        text = base64.b64encode(gzip.compress(whole, compresslevel=6, mtime=0))
        self._file.write(text)
        self._lengths.append(len(text))
        self._group, self._size = [], 0


class _Names(dict[str, int]):
    """Strings by number, so that a name stands in the file once."""

    def number(self, name: str) -> int:
        """Return the number of a name, a new one if it has none yet."""
        return self.setdefault(one_line(name), len(self))


def index_cases(
    summary: Summary, cases: Sequence[CaseSummary], packs: Packs, was: Mapping[CaseKey, BesideBaseline]
) -> dict[str, Any]:
    """Return the columns, one entry per case in the order given; `at` says where each trial's conversation is packed.

    `verdict` counts in `verdicts`, which has "skipped" as its last entry. Costs are USD, times milliseconds. `was` and
    `change` are None in a run that was compared with nothing.
    """
    names, suites = _Names(), _Names()
    return {
        "run": summary.header.run_id,
        "verdicts": [*(verdict.value for verdict in VERDICTS), "skipped"],
        "id": [one_line(case.case_id) for case in cases],
        "suite": [suites.number(case.suite) for case in cases],
        "verdict": [len(VERDICTS) if case.skip is not None else VERDICTS.index(case.verdict) for case in cases],
        "why": [short_reason(case.why) for case in cases],
        "trials": ["".join(TRIAL_LETTERS[outcome.verdict] for outcome in case.trials) for case in cases],
        "needed": [case.min_pass for case in cases],
        "critical": [int(case.critical) for case in cases],
        "watched": [int(not case.gated) for case in cases],
        "was": [was[case.key].words if case.key in was else "" for case in cases] if was else None,
        "change": [was[case.key].chip if case.key in was else "" for case in cases] if was else None,
        "tags": [[names.number(tag) for tag in case.tags] for case in cases],
        "rules": [[names.number(rule) for rule in (*case.broken, *case.warned)] for case in cases],
        "cost": [_rounded(case.cost_usd, 8) for case in cases],
        "cached": [_rounded(case.cached_share, 4) for case in cases],
        "first": [_rounded(case.first_token_ms, 1) for case in cases],
        "time": [_rounded(case.total_ms, 1) for case in cases],
        "place": [lines_of(case) for case in cases],
        "options": visible(rerun_options(summary)),
        "at": [sorted(packs.where.get(case.key, [])) for case in cases],
        "names": list(names),
        "suites": list(suites),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
