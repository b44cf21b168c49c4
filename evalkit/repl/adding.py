"""Cases from records without a chat: one conversation, or every case of a run that did not pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import NothingSelected, UsageError
from evalkit.records import JsonObject, Transcript, TrialVerdict
from evalkit.repl.loading import all_trials, find_recorded
from evalkit.repl.saving import Kept, save_cases
from evalkit.repl.setting import Setting, find_suite_file, load_setting
from evalkit.store import find_run
from evalkit.suites import load_suite
from evalkit.suites.append import Appended


@dataclass(frozen=True)
class Adding:
    """What is to be added: `source` to `suite`. `ref` and `inputs` are for a suite that is not there yet."""

    root: Path
    suite: str
    source: str
    case_id: str = ""
    ref: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    failing: bool = False


def add_cases(asked: Adding) -> Appended:
    """Add conversations to a suite as cases and return what was added. UsageError, FileProblems, NothingSelected."""
    if asked.failing:
        kept, ref = _failing(asked)
        return save_cases(_setting(asked, ref), kept, asked.suite)
    recorded = find_recorded(asked.source, asked.root)
    one = _kept(recorded.transcript, recorded.origin, asked.case_id)
    return save_cases(_setting(asked, recorded.prompt.ref if recorded.prompt else None), [one], asked.suite)


def _failing(asked: Adding) -> tuple[list[Kept], str]:
    """Return the first trial of each case that did not pass all its trials, as a case of the same id."""
    record, _, rest = asked.source.partition("#")
    if rest:
        raise UsageError(f"--failing takes a whole run; leave out #{rest}, or leave out --failing.")
    folder = find_run(record, asked.root)
    name = folder.relative_to(asked.root).as_posix() if folder.is_relative_to(asked.root) else record
    failed: dict[tuple[str, str], Kept] = {}
    refs: dict[str, None] = {}
    for trial, _ in all_trials(folder):
        refs[trial.key.prompt_ref] = None
        key = (trial.key.suite, trial.key.case_id)
        if trial.score is None or trial.score.verdict is TrialVerdict.PASSED or key in failed:
            continue
        if trial.transcript.turns:
            case_id = trial.key.case_id.replace("/", "-")
            failed[key] = _kept(trial.transcript, f"{name}#{trial.transcript.session_id}", case_id)
    if not failed:
        raise NothingSelected(f"{name}: every trial passed; there is nothing to add.")
    return list(failed.values()), next(iter(refs))


def _kept(transcript: Transcript, origin: str, case_id: str) -> Kept:
    opening: tuple[JsonObject, ...] = tuple(one for one in transcript.history if one.get("role") != "system")
    return Kept(transcript.turns, opening, case_id, origin)


def _setting(asked: Adding, ref: str | None) -> Setting:
    """Return what the cases are for: the suite's prompt, or that of a suite to be begun."""
    path = find_suite_file(asked.suite, asked.root)
    if path.is_file():
        suite = load_suite(path, asked.root)
        wanted = asked.ref or suite.prompt_ref
        return load_setting(wanted, asked.root, suite=str(path), given=asked.inputs)
    if not (asked.ref or ref):
        raise UsageError(f"{asked.suite} is not there yet, and {asked.source} names no prompt; add: --prompt REF")
    return load_setting((asked.ref or ref or "").partition("@")[0], asked.root, given=asked.inputs)
