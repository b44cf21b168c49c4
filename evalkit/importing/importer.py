"""Turns a file of recorded conversations into a run folder, and into a suite that still lacks expectations.

The file is read twice, line by line: once to find everything that is wrong with it and what its conversations have in
common, once to write. Memory holds one conversation and a few words about each; nothing is left behind unless all of
it could be written.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from evalkit.errors import FileProblems, UsageError
from evalkit.importing.chat_format import Conversation, Malformed, parse_conversation, session_lines, to_transcript
from evalkit.records import Place, Problem, PromptVersion, RunEnd, RunHeader, Source, TrialKey
from evalkit.store import RUN_FILE, RunWriter
from evalkit.suites.writing import quoted

MOST_PROBLEMS = 1000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ImportSettings:
    """What to import and where to: `run_id` and `started` go into the header, `suite` is a suite file to write.

    `prompt_ref` is how the prompt is called in reports. `model` picks the conversations of one model.
    """

    file: Path
    folder: Path
    run_id: str
    started: str
    prompt_ref: str = "imported"
    model: str | None = None
    suite: Path | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportCounts:
    """How much was imported, and the models that the conversations were held with."""

    conversations: int
    cases: int
    models: tuple[str, ...]


@dataclass
class _Survey:
    """What the first reading found; a trial number is None where none was recorded."""

    digest: str = ""
    trials: dict[str, list[int | None]] = field(default_factory=dict)
    models: dict[str, None] = field(default_factory=dict)
    systems: set[bytes] = field(default_factory=set)
    system: str = ""
    left_out: dict[str, None] = field(default_factory=dict)

    @property
    def conversations(self) -> int:
        return sum(map(len, self.trials.values()))

    def add(self, conversation: Conversation) -> None:
        self.trials.setdefault(conversation.case_id, []).append(conversation.trial)
        self.models[conversation.model] = None
        self.systems.add(hashlib.sha256(conversation.system.encode()).digest())
        self.system = conversation.system


def import_transcripts(settings: ImportSettings) -> ImportCounts:
    """Write a run folder with every conversation of the file as a finished, ungraded trial.

    Trials of a case keep their recorded numbers when these are 1 to n; otherwise they are numbered in the order of the
    file. FileProblems lists every bad line; UsageError when there is nothing to import or the
    folder or suite exists already.
    """
    if (settings.folder / RUN_FILE).exists() or (settings.folder.exists() and any(settings.folder.iterdir())):
        raise UsageError(f"{settings.folder} is not empty; choose another folder with --out.")
    if settings.suite is not None and settings.suite.exists():
        raise UsageError(f"{settings.suite} exists already; choose another file with --suite.")
    survey = _survey(settings)
    if not survey.trials:
        if survey.left_out:
            others = ", ".join(survey.left_out)
            raise UsageError(f"no conversation with model {settings.model!r}; {settings.file} has {others}.")
        raise UsageError(f"{settings.file} holds no conversation; expected one JSON object a line.")
    partial = settings.folder.with_name(f".{settings.folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        outlines = _write_run(settings, survey, partial)
        if settings.suite is not None:
            heading = f"{survey.conversations} recorded conversations of {len(survey.trials)} cases"
            text = suite_text(f"{heading} from {settings.file.name}", settings.prompt_ref, outlines)
            settings.suite.parent.mkdir(parents=True, exist_ok=True)
            with settings.suite.open("x", encoding="utf-8") as file:
                file.write(text)
        partial.rename(settings.folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ImportCounts(survey.conversations, len(survey.trials), tuple(survey.models))


def read_conversations(lines: Iterable[bytes], file: str) -> Iterator[tuple[int, Conversation | Problem]]:
    """Yield each line's number with its conversation, or with what is wrong with it; empty lines are skipped."""
    seen: dict[str, int] = {}
    cases: dict[str, str] = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if not line.strip():
            continue
        place = Place(file, number, 1)
        try:
            conversation = parse_conversation(line)
        except Malformed as exc:
            yield number, Problem(place, str(exc))
            continue
        first = seen.setdefault(conversation.id, number)
        case = cases.setdefault(conversation.case_id, conversation.case)
        if first != number:
            yield number, Problem(place, f"id {conversation.id!r} is already used on line {first}; ids must differ.")
        elif case != conversation.case:
            named = f"cases {case!r} and {conversation.case!r} would both be named {conversation.case_id!r}"
            yield number, Problem(place, f"{named}; rename one.")
        else:
            yield number, conversation


def _survey(settings: ImportSettings) -> _Survey:
    survey, problems = _Survey(), list[Problem]()
    with settings.file.open("rb") as lines:
        survey.digest = hashlib.file_digest(lines, "sha256").hexdigest()
        lines.seek(0)
        for _, found in read_conversations(lines, str(settings.file)):
            if isinstance(found, Problem):
                problems.append(found)
                if len(problems) == MOST_PROBLEMS:
                    problems.append(
                        Problem(found.place, f"the first {MOST_PROBLEMS} problems are listed; more may follow.")
                    )
                    break
            elif settings.model not in (None, found.model):
                survey.left_out[found.model] = None
            else:
                survey.add(found)
    if problems:
        raise FileProblems(problems)
    return survey


def _write_run(settings: ImportSettings, survey: _Survey, folder: Path) -> dict[str, CaseOutline]:
    """Write the run's lines in file order and return what each case's conversations are like."""
    prompt = _prompt(settings, survey)
    numbers = {case_id: iter(_trial_numbers(recorded)) for case_id, recorded in survey.trials.items()}
    outlines: dict[str, CaseOutline] = {}
    with RunWriter(folder) as writer:
        source = Source("imported", settings.file.name)
        writer.append(RunHeader(settings.run_id, settings.started, source, command=settings.command))
        writer.append(prompt)
        for number, conversation in _wanted(settings):
            case_id = conversation.case_id
            key = TrialKey(settings.file.name, case_id, prompt.ref, next(numbers[case_id]))
            transcript = to_transcript(conversation, prompt)
            for line in session_lines(key, transcript, settings.started):
                writer.append(line)
            if settings.suite is not None:
                users = tuple(turn.user for turn in transcript.turns)
                outline = CaseOutline(users, key.trial, f"{settings.file.name}:{number}")
                outlines[case_id] = outline.joined(outlines.get(case_id))
        writer.append(RunEnd("finished", settings.started, 0.0))
    return outlines


def _wanted(settings: ImportSettings) -> Iterator[tuple[int, Conversation]]:
    """Yield the conversations to import with their lines; a problem now means that the file changed in between."""
    with settings.file.open("rb") as lines:
        for number, found in read_conversations(lines, str(settings.file)):
            if isinstance(found, Problem):
                raise FileProblems([found])
            if settings.model in (None, found.model):
                yield number, found


def _trial_numbers(recorded: list[int | None]) -> list[int]:
    """Return the recorded numbers when they are 1 to n, else 1 to n in file order: a gap would be a missing trial."""
    in_order = list(range(1, len(recorded) + 1))
    known = [number for number in recorded if number is not None]
    return known if sorted(known) == in_order else in_order


def _prompt(settings: ImportSettings, survey: _Survey) -> PromptVersion:
    """Return the one prompt version of the run.

    Conversations with different system prompts or models still belong together; what they have in common is then that
    they come from this file.
    """
    is_one = len(survey.systems) == 1 and len(survey.models) == 1 and bool(survey.system)
    text = survey.system if len(survey.systems) == 1 else ""
    system = ({"type": "text", "text": text},) if text else ()
    model = next(iter(survey.models)) if len(survey.models) == 1 else "several models"
    identity: dict[str, object] = {"model": model, "params": {}, "system": system, "tools": ()}
    if not is_one:
        identity["file"] = survey.digest
    return PromptVersion(
        sha=hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        ref=settings.prompt_ref,
        description=f"As recorded in {settings.file.name}",
        model=model,
        params={},
        system=system,
        tools=(),
        files={settings.file.name: survey.digest},
        text=text,
    )


@dataclass(frozen=True)
class CaseOutline:
    """What the suite says of a case: its user messages (None when its recordings differ), highest trial, origin."""

    users: tuple[str, ...] | None
    trials: int
    origin: str

    def joined(self, earlier: CaseOutline | None) -> CaseOutline:
        """Return the outline of both recordings together."""
        if earlier is None:
            return self
        users = self.users if self.users == earlier.users else None
        return replace(earlier, users=users, trials=max(self.trials, earlier.trials))


def suite_text(description: str, prompt_ref: str, cases: Mapping[str, CaseOutline]) -> str:
    """Return YAML for a suite whose expectations the author still has to write."""
    trials = max(outline.trials for outline in cases.values())
    lines = [
        f"description: {quoted(description)}",
        f"prompt: {quoted(prompt_ref)}",
        "# voice: voice.yaml        # brand-voice rules, for every reply",
        f"trials: {trials}",
        "# expect:                  # what must be true of every conversation, for example:",
        "#   never_says: [as an AI]",
        "cases:",
    ]
    for case_id, outline in cases.items():
        lines += [f"  - id: {quoted(case_id)}", f"    from: {quoted(outline.origin)}"]
        if outline.trials != trials:
            lines.append(f"    trials: {outline.trials}")
        if outline.users is None:
            lines.append("    # the user says something else in each recording: each is scored as it is")
        elif len(outline.users) == 1:
            lines.append(f"    user: {quoted(outline.users[0])}")
        elif outline.users:
            lines += ["    turns:", *(f"      - user: {quoted(user)}" for user in outline.users)]
    return "\n".join(lines) + "\n"
