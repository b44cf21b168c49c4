"""Finds a conversation to go on from: a case, a trial of a run, a logged session, a chat, a transcript.

Returns it up to before a reply, so that a new one can be asked for. Reads files; must not ask a model anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from evalkit.errors import FileProblems, UsageError
from evalkit.importing.importer import read_conversations
from evalkit.importing.sessions import to_transcript
from evalkit.records import JsonObject, Problem, PromptVersion, ToolCall, Transcript, Trial, TrialVerdict
from evalkit.repl.connection import Script
from evalkit.repl.exchange import Exchange, exchanges_of
from evalkit.repl.setting import Fixtures, find_suite_file
from evalkit.store import RUN_FILE, RunReader, find_record, read_session
from evalkit.suites import load_suite


@dataclass(frozen=True)
class Loaded:
    """A conversation up to before a reply.

    `waiting` is the message that has no reply yet, `first` are messages of a case to be played before it. `calls` are
    the recorded tool calls, whose results are given again. `left_out` is the recorded reply, `reasons` why it failed.
    `suite` is the suite it belongs to, `prompt` the version it was held with.
    """

    origin: str
    what: str
    waiting: str
    opening: tuple[JsonObject, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    first: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    left_out: str = ""
    reasons: tuple[str, ...] = ()
    prompt: PromptVersion | None = None
    ref: str | None = None
    suite: str | None = None
    fixtures: Fixtures | None = None
    script: Script = field(default_factory=Script)


@dataclass(frozen=True)
class Recorded:
    """A whole recorded conversation, as `load_conversation` and `add` take it."""

    origin: str
    transcript: Transcript
    prompt: PromptVersion | None
    trial: Trial | None = None


def load_conversation(name: str, root: Path) -> Loaded:
    """Return what `SUITE::CASE`, `RECORD#SESSION` or `FILE#N` names; UsageError when there is no such thing."""
    if "::" in name.partition("#")[0]:
        return _case(name, root)
    return _before_reply(find_recorded(name, root))


def find_recorded(name: str, root: Path) -> Recorded:
    """Return the recorded conversation that a name means; UsageError when there is none."""
    file, _, wanted = name.partition("#")
    path = next((one for one in (Path(file), root / file) if one.is_file()), None)
    if path is not None and not _is_record(path):
        return _transcript(name, path, wanted)
    record = find_record(file, root)
    folder = record.parent if record.name == RUN_FILE else record
    if (folder / RUN_FILE).is_file():
        return _trial(name, folder, wanted)
    stored = read_session(name, root)
    if stored.hashed:
        raise UsageError(f"{name}: this log holds hashes instead of texts; there is nothing to go on from.")
    prompt = stored.prompts[-1] if stored.prompts else None
    return Recorded(f"{file}#{stored.transcript.session_id}", stored.transcript, prompt)


def all_trials(folder: Path) -> Iterator[tuple[Trial, PromptVersion | None]]:
    """Yield every trial of a run or chat, ended or not, with its prompt version."""
    reader = RunReader(folder)
    for trial in reader.trials():
        yield trial, reader.prompts.get(trial.transcript.prompt_sha)
    for session in reader.open_sessions().values():
        prompt = reader.prompts.get(session.start.prompt_sha)
        yield session.trial(prompt.text if prompt else ""), prompt


def is_failed(trial: Trial) -> bool:
    """Tell whether a trial was graded and did not pass."""
    return trial.score is not None and trial.score.verdict is TrialVerdict.FAILED


def _is_record(path: Path) -> bool:
    """Tell whether a file holds the lines of a record, by its first line."""
    if path.suffix == ".gz":
        return True
    with path.open("rb") as lines:
        first = next((line for line in lines if line.strip()), b"")
    try:
        obj = orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return isinstance(obj, dict) and "line" in obj


def _trial(name: str, folder: Path, wanted: str) -> Recorded:
    """Return a trial by its session, or by its case: then one that failed, if one did."""
    trials = list(all_trials(folder))
    record = name.partition("#")[0]
    exact = [pair for pair in trials if pair[0].transcript.session_id == wanted]
    by_case = [
        pair
        for pair in trials
        if wanted and wanted in (pair[0].key.case_id, f"{pair[0].key.case_id}#{pair[0].key.trial}")
    ]
    parts = [pair for pair in trials if wanted and wanted in pair[0].transcript.session_id]
    chats = [pair for pair in trials if pair[0].key.case_id == "chat"] if not wanted else []
    found = exact or by_case or parts or sorted(chats, key=lambda pair: pair[0].key.trial)[-1:]
    cases = {pair[0].key.case_id for pair in found}
    if not found or (len(cases) > 1 and not exact):
        raise UsageError(f"{record}: {_which(wanted, [pair[0] for pair in found or trials])}")
    trial, prompt = next((pair for pair in found if is_failed(pair[0])), found[0])
    return Recorded(f"{record}#{trial.transcript.session_id}", trial.transcript, prompt, trial)


def _which(wanted: str, trials: list[Trial]) -> str:
    failed = list(dict.fromkeys(trial.key.case_id for trial in trials if is_failed(trial)))
    every = dict.fromkeys(_name_of(trial) for trial in trials)
    names = failed or list(every)
    shown = ", ".join(f"#{name}" for name in names[:8]) + (", …" if len(names) > 8 else "")
    what = f"no one conversation is named {wanted!r}" if wanted else "which conversation?"
    return f"{what}; {'failed ones are' if failed else 'there are'} {shown or 'none'}."


def _name_of(trial: Trial) -> str:
    """Return how a trial is named behind `#`: by its case, in a chat by its session."""
    return trial.transcript.session_id if not trial.key.suite else trial.key.case_id


def _transcript(name: str, path: Path, wanted: str) -> Recorded:
    """Return a conversation of a file of transcripts: line N, or the one with this id."""
    lines: list[bytes] = path.read_bytes().splitlines(keepends=True)
    try:
        whole = orjson.loads(b"".join(lines))  # one conversation, printed over several lines
        lines = [
            orjson.dumps(
                {"id": path.stem, **whole} if isinstance(whole, dict) else {"id": path.stem, "messages": whole}
            )
        ]
    except orjson.JSONDecodeError:
        pass
    problems: list[Problem] = []
    ids: list[str] = []
    for number, found in read_conversations(lines, str(path)):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        ids.append(found.id)
        if wanted in {found.id, str(number)} or not wanted:
            prompt = PromptVersion("", path.name, "", found.model, {}, (), (), text=found.system)
            return Recorded(f"{path.as_posix()}#{number}", to_transcript(found, prompt), None)
    if problems:
        raise FileProblems(problems)
    raise UsageError(f"{name}: no conversation {wanted!r}; there are {', '.join(ids[:8]) or 'none'}.")


def _before_reply(recorded: Recorded) -> Loaded:
    """Cut a conversation before the reply that failed, or before its last one."""
    transcript, trial = recorded.transcript, recorded.trial
    if not transcript.turns:
        raise UsageError(f"{recorded.origin}: nobody said anything there.")
    scores = [score for score in trial.score.scores if score.fails_trial] if trial and trial.score else []
    known = [score.finding.turn or min((span.turn for span in score.finding.spans), default=0) for score in scores]
    at = min((n for n in known if 1 <= n <= len(transcript.turns)), default=len(transcript.turns))
    prompt = recorded.prompt or PromptVersion("", "recorded", "", "", {}, (), ())
    opening = tuple(message for message in transcript.history if message.get("role") != "system")
    cut = transcript.turns[at - 1]
    verdict = f", {trial.score.verdict}" if trial and trial.score else ""
    return Loaded(
        origin=recorded.origin,
        what=f"{len(transcript.turns)} turns{verdict}; here before the reply of turn {at}",
        waiting=cut.user,
        opening=opening,
        exchanges=exchanges_of(transcript, prompt)[: at - 1],
        calls=tuple(call for turn in transcript.turns for call in turn.tool_calls if call.origin != "invalid input"),
        left_out=cut.reply,
        reasons=tuple(
            f"{score.assertion.label}: {score.finding.observed}"
            + (f"; expected {score.finding.expected}" if score.finding.expected else "")
            for score in scores
        ),
        prompt=recorded.prompt,
        ref=recorded.prompt.ref if recorded.prompt else None,
        suite=trial.key.suite if trial and trial.key.suite.endswith((".yaml", ".yml")) else None,
    )


def _case(name: str, root: Path) -> Loaded:
    file, _, case_id = name.partition("::")
    path = find_suite_file(file, root)
    if not path.is_file():
        raise UsageError(f"{file}: no such suite; expected a file such as suites/returns.yaml.")
    suite = load_suite(path, root)
    cases = {case.record.case_id: case for case in suite.cases}
    case = cases.get(case_id) or cases.get(f"{case_id}/1")
    if case is None or not case.record.turns:
        what = f"no case {case_id!r}" if case is None else f"case {case_id!r} has no user message"
        raise UsageError(
            f"{suite.path}: {what}; there are {', '.join(list(cases)[:8])}{', …' if len(cases) > 8 else ''}."
        )
    *first, last = case.record.turns
    replies = sum(message.get("role") == "assistant" for message in case.history)
    played = f"; {len(first)} of its {len(case.record.turns)} turns are played first" if first else ""
    return Loaded(
        origin=f"{suite.path}::{case.record.case_id}",
        what=f"a case{played}",
        waiting=last,
        opening=case.history,
        first=tuple(first),
        ref=suite.prompt_ref,
        suite=suite.path,
        fixtures=case.fixtures,
        script=Script(case.script, replies),
    )
