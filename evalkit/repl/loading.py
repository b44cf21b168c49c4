"""Finds a conversation to go on from: a case, a trial of a run, a logged session, a chat, a transcript; the last chat.

Returns it up to before a reply, so that a new one can be asked for. Reads files; must not ask a model anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from evalkit.content import UserContent, sendable, sent_messages
from evalkit.engine import Conversation
from evalkit.engine.memory import notes_in
from evalkit.engine.tools import INVALID_INPUT
from evalkit.errors import FileProblems, UsageError
from evalkit.importing.chat_format import to_transcript
from evalkit.importing.importer import read_conversations
from evalkit.records import JsonObject, Problem, PromptVersion, ToolCall, Transcript, Trial, TrialVerdict, Turn
from evalkit.repl.attachments import same_message
from evalkit.repl.record import CASE, FOLDER
from evalkit.repl.session import Answer, Exchange
from evalkit.repl.setting import find_suite_file
from evalkit.repl.sources import CaseSteps
from evalkit.store import RUN_FILE, RunReader, find_record, read_session
from evalkit.suites import load_suite
from evalkit.suites.fixtures import Staged


@dataclass(frozen=True)
class StartingPoint:
    """A conversation up to before a reply.

    `waiting` is the message that has no reply yet, `first` are messages of a case to be played before it. `calls` are
    the recorded tool calls, whose results are given again. `left_out` is the recorded reply, `reasons` why it failed.
    `suite` is the suite it belongs to, `prompt` the version it was held with, `inputs` those of that version,
    `staged` the case whose tools answer.
    """

    origin: str
    what: str
    waiting: UserContent
    opening: tuple[JsonObject, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    first: tuple[UserContent, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    left_out: str = ""
    reasons: tuple[str, ...] = ()
    prompt: PromptVersion | None = None
    inputs: JsonObject = field(default_factory=dict)
    ref: str | None = None
    suite: str | None = None
    staged: Staged | None = None
    case: CaseSteps = field(default_factory=CaseSteps)


@dataclass(frozen=True)
class StoredConversation:
    """A whole conversation out of a record, as `load_conversation` and `add` take it."""

    origin: str
    transcript: Transcript
    prompt: PromptVersion | None
    trial: Trial | None = None


@dataclass(frozen=True)
class LastChat:
    """The newest chat of a project: its folder, the prompt it ended with, and its conversation."""

    folder: Path
    ref: str | None
    opening: tuple[JsonObject, ...]
    exchanges: tuple[Exchange, ...]
    origin: str


def load_conversation(name: str, root: Path) -> StartingPoint:
    """Return what `SUITE::CASE`, `RECORD#SESSION` or `FILE#N` names; UsageError when there is no such thing."""
    if "::" in name.partition("#")[0]:
        return _case(name, root)
    return _before_reply(find_conversation(name, root))


def find_conversation(name: str, root: Path) -> StoredConversation:
    """Return the recorded conversation that a name means; UsageError when there is none."""
    file, _, wanted = name.partition("#")
    path = next((one for one in (Path(file), root / file) if one.is_file()), None)
    if path is not None and not _is_record(path):
        return _transcript(name, path, wanted)
    record = find_record(file, root)
    folder = record.parent if record.name == RUN_FILE else record
    if (folder / RUN_FILE).is_file():
        return _trial(file, folder, wanted)
    stored = read_session(name, root)
    if stored.hashed:
        raise UsageError(f"{name}: this log holds hashes instead of texts; there is nothing to go on from.")
    prompt = stored.prompts[-1] if stored.prompts else None
    return StoredConversation(f"{file}#{stored.transcript.session_id}", stored.transcript, prompt)


def all_trials(folder: Path) -> Iterator[tuple[Trial, PromptVersion | None]]:
    """Yield every trial of a run or chat, ended or not, with its prompt version."""
    reader = RunReader(folder)
    for trial in reader.trials():
        yield trial, reader.prompts.get(trial.transcript.prompt_sha)
    for session in reader.open_sessions().values():
        prompt = reader.prompts.get(session.start.prompt_sha)
        yield session.trial(prompt), prompt


def without_system(messages: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    """Return messages without those of the system."""
    return tuple(message for message in messages if message.get("role") != "system")


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


def _trial(record: str, folder: Path, wanted: str) -> StoredConversation:
    """Return a trial by its session, or by its case: then one that failed, if one did."""
    trials = list(all_trials(folder))
    exact = [pair for pair in trials if pair[0].transcript.session_id == wanted]
    by_case, parts, chats = [], [], []
    if wanted:
        by_case = [
            pair for pair in trials if wanted in (pair[0].key.case_id, f"{pair[0].key.case_id}#{pair[0].key.trial}")
        ]
        parts = [pair for pair in trials if wanted in pair[0].transcript.session_id]
    else:
        chats = _sessions_of_chat(trials)
    found = exact or by_case or parts or chats[-1:]
    cases = {trial.key.case_id for trial, _ in found}
    if not found or (len(cases) > 1 and not exact):
        raise UsageError(f"{record}: {_which(wanted, [trial for trial, _ in found or trials])}")
    trial, prompt = next((pair for pair in found if _is_failed(pair[0])), found[0])
    return StoredConversation(f"{record}#{trial.transcript.session_id}", trial.transcript, prompt, trial)


def _sessions_of_chat(trials: Sequence[tuple[Trial, PromptVersion | None]]) -> list[tuple[Trial, PromptVersion | None]]:
    """Return the sessions of a chat in their order, without those of a second version."""
    return sorted((pair for pair in trials if pair[0].key.case_id == CASE), key=lambda pair: pair[0].key.trial)


def _is_failed(trial: Trial) -> bool:
    return trial.score is not None and trial.score.verdict is TrialVerdict.FAILED


def _which(wanted: str, trials: list[Trial]) -> str:
    """Return what to choose from: failed cases first, and in a chat its sessions."""
    failed = list(dict.fromkeys(trial.key.case_id for trial in trials if _is_failed(trial)))
    every = dict.fromkeys(trial.key.case_id if trial.key.suite else trial.transcript.session_id for trial in trials)
    names = failed or list(every)
    shown = ", ".join(f"#{name}" for name in names[:8]) + (", …" if len(names) > 8 else "")
    what = f"no one conversation is named {wanted!r}" if wanted else "which conversation?"
    return f"{what}; {'failed ones are' if failed else 'there are'} {shown or 'none'}."


def _transcript(name: str, path: Path, wanted: str) -> StoredConversation:
    """Return a conversation of a file of transcripts: line N, or the one with this id."""
    lines: list[bytes] = path.read_bytes().splitlines(keepends=True)
    try:
        whole = orjson.loads(b"".join(lines))  # one conversation, printed over several lines
        named = {"id": path.stem, **whole} if isinstance(whole, dict) else {"id": path.stem, "messages": whole}
        lines = [orjson.dumps(named)]
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
            return StoredConversation(f"{path.as_posix()}#{number}", to_transcript(found, prompt), None)
    if problems:
        raise FileProblems(problems)
    raise UsageError(f"{name}: no conversation {wanted!r}; there are {', '.join(ids[:8]) or 'none'}.")


def _before_reply(stored: StoredConversation) -> StartingPoint:
    """Cut a conversation before the reply that failed, or before its last one."""
    transcript, trial = stored.transcript, stored.trial
    if not transcript.turns:
        raise UsageError(f"{stored.origin}: nobody said anything there.")
    scores = [score for score in trial.score.scores if score.fails_trial] if trial and trial.score else []
    known = [score.finding.turn or min((span.turn for span in score.finding.spans), default=0) for score in scores]
    at = min((n for n in known if 1 <= n <= len(transcript.turns)), default=len(transcript.turns))
    cut = transcript.turns[at - 1]
    verdict = f", {trial.score.verdict}" if trial and trial.score else ""
    prompt = stored.prompt or _unknown_prompt("recorded")
    return StartingPoint(
        origin=stored.origin,
        what=f"{len(transcript.turns)} turns{verdict}; here before the reply of turn {at}",
        waiting=cut.said,
        opening=without_system(transcript.history),
        exchanges=exchanges_of(transcript, prompt)[: at - 1],
        calls=tuple(call for turn in transcript.turns for call in turn.tool_calls if call.origin != INVALID_INPUT),
        left_out=cut.reply,
        reasons=tuple(
            f"{score.assertion.label}: {score.finding.observed}"
            + (f"; expected {score.finding.expected}" if score.finding.expected else "")
            for score in scores
        ),
        prompt=stored.prompt,
        inputs=stored.prompt.inputs if stored.prompt else {},
        ref=stored.prompt.ref if stored.prompt else None,
        suite=trial.key.suite if trial and trial.key.suite.endswith((".yaml", ".yml")) else None,
    )


def _case(name: str, root: Path) -> StartingPoint:
    """Return the beginning of a suite's case: all its messages but the last are to be played."""
    file, _, case_id = name.partition("::")
    path = find_suite_file(file, root)
    if not path.is_file():
        raise UsageError(f"{file}: no such suite; expected a file such as suites/returns.yaml.")
    suite = load_suite(path, root)
    cases = {case.record.case_id: case for case in suite.cases}
    case = cases.get(case_id) or cases.get(f"{case_id}/1")
    if case is None or not case.messages:
        what = f"no case {case_id!r}" if case is None else f"case {case_id!r} has no user message"
        raise UsageError(
            f"{suite.path}: {what}; there are {', '.join(list(cases)[:8])}{', …' if len(cases) > 8 else ''}."
        )
    *first, last = case.messages
    replies = sum(message.get("role") == "assistant" for message in case.history)
    played = f"; {len(first)} of its {len(case.messages)} turns are played first" if first else ""
    return StartingPoint(
        origin=f"{suite.path}::{case.record.case_id}",
        what=f"a case{played}",
        waiting=last,
        opening=case.history,
        first=tuple(first),
        ref=suite.prompt_ref,
        suite=suite.path,
        staged=case,
        inputs=case.inputs.values,
        case=CaseSteps(case.script, replies),
    )


def last_chat(root: Path) -> LastChat:
    """Return the newest chat of the project; UsageError when there is none."""
    folders = [file.parent for file in (root / FOLDER).glob(f"*/{RUN_FILE}")]
    if not folders:
        raise UsageError(f"no chat in {FOLDER}/; begin one with: evalkit chat")
    folder = max(folders, key=lambda one: ((one / RUN_FILE).stat().st_mtime_ns, one.name))
    opening: tuple[JsonObject, ...] = ()
    chain: list[Exchange] = []
    ref: str | None = None
    # a session begins with what stood before it: what came after that in earlier ones was taken back, or asked again
    for trial, prompt in _sessions_of_chat(list(all_trials(folder))):
        ref, history = trial.key.prompt_ref, tuple(trial.transcript.history)
        exchanges = list(exchanges_of(trial.transcript, prompt or _unknown_prompt(ref)))
        places = [*(each.before.messages for each in chain), chain[-1].answer.after.messages if chain else opening]
        at = next((index for index, messages in enumerate(places) if list(messages) == list(history)), None)
        if at is None:  # it belongs to none of them
            opening, chain = history, exchanges
            continue
        first = exchanges[0] if exchanges else None
        asked = [each for each in chain[at:] if first is not None and same_message(each.said, first.said)]
        if first is not None and asked:  # the same message again: a retry
            exchanges[0] = Exchange(first.said, first.before, (*asked[-1].answers, *first.answers))
        chain[at:] = exchanges
    return LastChat(folder, ref, opening, tuple(chain), folder.relative_to(root).as_posix())


def exchanges_of(transcript: Transcript, prompt: PromptVersion) -> tuple[Exchange, ...]:
    """Return the turns of a recorded conversation as exchanges that can be gone on from."""
    made: list[Exchange] = []
    known: Sequence[JsonObject] = transcript.history
    notes = ""
    for turn in transcript.turns:
        if turn.replies:
            first = turn.replies[0].body
            notes = notes_in(first)
            before = Conversation(messages=without_system(first.get("messages", ()))[:-1])
            known, message_id = _said_until_end(turn), turn.replies[-1].message_id
        else:
            before = Conversation(messages=sent_messages(known))
            known, message_id = (*known, {"role": "user", "content": sendable(turn.said)}), None
        requests = sum(len(one.answer.turn.requests) for one in made)
        after = Conversation(sent_messages(known), turn.n, requests, message_id)
        before, after = (replace(each, notes=notes, prompt_sha=transcript.prompt_sha) for each in (before, after))
        made.append(Exchange(turn.said, before, (Answer(turn, after, prompt),)))
    return tuple(made)


def _said_until_end(turn: Turn) -> tuple[JsonObject, ...]:
    """Return the messages that stand after a turn: what its last request sent, and what was answered."""
    last = turn.replies[-1]
    sent = without_system(last.body.get("messages", ()))
    if last.content and last.stop_reason not in {"refusal", "max_tokens"}:
        content = [block for block in last.content if block.get("type") != "tool_use"]
    else:
        content = [block for block in last.content or last.partial if block.get("type") == "text" and block.get("text")]
    return (*sent, {"role": "assistant", "content": content}) if content else sent


def _unknown_prompt(ref: str) -> PromptVersion:
    """Return what stands for a prompt version that the record does not hold."""
    return PromptVersion("", ref, "", "", {}, (), ())
