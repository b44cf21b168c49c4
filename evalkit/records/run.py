"""What a run consists of: its header, the prompt versions and cases it measured, its trials and its end.

These are the lines of `run.jsonl` (`SCHEMA_VERSION` counts their changes), to JSON objects and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from evalkit.records.baseline import Arm, BaselineRecord, SourceKind, Stage
from evalkit.records.project import CaseKey, Place, PromptVersion
from evalkit.records.published import Key
from evalkit.records.score import UNLABELLED, Assertion, TrialScore
from evalkit.records.transcript import JsonObject, Judgement, Request, SimulatedMessage, ToolCall, Transcript

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1

EndReason = Literal["finished", "interrupted", "max_cost", "max_time", "fail_fast", "crashed"]


@dataclass(frozen=True)
class Source:
    """Where replies came from.

    `detail` is the host of an endpoint that is not Anthropic's own, the file that was imported, or the id of the run
    that was replayed (`baseline` for the replies that are kept with baselines). `origin` says of a replay where its
    replies came from first.
    """

    kind: SourceKind
    detail: str = ""
    origin: SourceKind | None = None

    @property
    def name(self) -> str:
        """Kind and detail as one name: `live, 127.0.0.1:4010`."""
        return f"{self.kind}, {self.detail}" if self.detail else self.kind


@dataclass(frozen=True)
class ToolsRecord:
    """The functions that answered tool calls: what `--tools` named, and the SHA-256 of that module's file."""

    module: str
    sha: str = ""


@dataclass(frozen=True)
class RunHeader:
    """The first line of a run: enough to repeat it. `started` is RFC 3339 UTC, `versions` maps package to version.

    `tools` is None where suites alone answered tool calls.
    """

    run_id: Annotated[str, Key("The run.", "20261122-071455-7c1e")]
    started: Annotated[str, Key("When it began, RFC 3339 UTC.", "2026-11-22T07:14:55Z")]
    source: Annotated[Source, Key("Where replies came from.", {"kind": "live", "detail": ""})]
    command: tuple[str, ...] = ()
    settings: JsonObject = field(default_factory=dict)
    versions: JsonObject = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool = False
    prices: str = ""
    tools: ToolsRecord | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class ScriptGap:
    """What the stand-in's script misses in a prompt: the entries of its `prompt:` that only the live version holds."""

    live_ref: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class SuiteRecord:
    """A suite as it was measured: its file, hash, prompt and gate.

    `judge` is empty without judge criteria, else it holds `model`, `votes`, `enforce` (`Enforce`) and `wording`.
    `script_gap` is None on live runs, and where the script misses nothing.
    """

    path: Annotated[str, Key("Its file in the project.", "suites/returns.yaml")]
    sha: Annotated[str, Key("SHA-256 of the file.", "5a1f09c2")]
    description: str
    prompt_ref: Annotated[str, Key("The prompt version it was played with.", "support@v4")]
    template_sha: Annotated[
        str, Key("SHA-256 of that version whatever its inputs: texts, model, parameters, tools.", "3f9c1a20")
    ]
    trials: Annotated[int, Key("Trials of a case that does not say how many.", 3)]
    gate: Annotated[JsonObject, Key("Its limits.", {"pass_rate": 0.95})] = field(default_factory=dict)
    rules: JsonObject = field(default_factory=dict)
    judge: JsonObject = field(default_factory=dict)
    script_gap: Annotated[
        ScriptGap | None,
        Key(
            "What the stand-in's script misses in this version and the live one has; null where nothing.",
            {"live_ref": "support@v4", "entries": ["asks_first"]},
        ),
    ] = None

    @property
    def unlabelled_judge(
        self,
    ) -> Annotated[
        str | None, Key("The judge that may fail trials although no labels vouch for it; null without one.", None)
    ]:
        """The judge that may fail trials although no labels vouch for it, by its model; None without one."""
        return str(self.judge["model"]) if self.judge.get("enforce") == UNLABELLED else None


@dataclass(frozen=True)
class CaseRecord:
    """A case as it was measured; `skip` holds the reason when it is not run.

    `prompt_sha` names the prompt version as it was rendered for the case. `own_trials` says that the case itself states
    how often it is played. `min_rate` is the pass rate (0 to 1) that the clean trials of a critical case are to prove;
    None when none was asked for. `row` is the row of a table that the case was made for, None for a case that is
    written out.
    """

    suite: str
    case_id: str
    place: Place
    turns: tuple[str, ...]
    assertions: tuple[Assertion, ...]
    trials: int
    min_pass: int
    sha: str = ""
    critical: bool = False
    gated: bool = True
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    skip: str | None = None
    own_trials: bool = False
    min_rate: float | None = None
    prompt_sha: str = ""
    row: Place | None = None

    @property
    def key(self) -> CaseKey:
        """What names the case within a run."""
        return self.suite, self.case_id


@dataclass(frozen=True, order=True)
class TrialKey:
    """Which attempt at which case with which prompt version; `trial` counts from 1 in each arm.

    Rounds of an arm are numbered through; closer looks and checks of it have numbers of their own.
    """

    suite: str
    case_id: str
    prompt_ref: str
    trial: int
    arm: Arm = Arm.CANDIDATE
    stage: Stage = Stage.ROUND

    @property
    def session_id(self) -> str:
        """The session's name in the record: `suites/a.yaml::case@support@v4#1`, `…#1/baseline/confirm`."""
        arm = "" if self.arm is Arm.CANDIDATE else f"/{self.arm}"
        stage = "" if self.stage in (Stage.ROUND, Stage.MORE) else f"/{self.stage}"
        return f"{self.suite}::{self.case_id}@{self.prompt_ref}#{self.trial}{arm}{stage}"

    @property
    def is_own(self) -> bool:
        """Whether it is one of the suite's own trials of the version under test; the others serve the comparison."""
        return self.arm is Arm.CANDIDATE and self.stage is Stage.ROUND


@dataclass(frozen=True)
class TrialStart:
    """The first line of a session: what is played, from which messages, with which prompt."""

    key: TrialKey
    session_id: str
    prompt_sha: str
    history: tuple[JsonObject, ...] = ()
    ts: str = ""


@dataclass(frozen=True)
class TurnStart:
    """A user message, written when it is sent; `content` holds its blocks where it holds more than text."""

    session_id: str
    turn: int
    user: str
    ts: str = ""
    content: tuple[JsonObject, ...] = ()


@dataclass(frozen=True)
class BlobLine:
    """What the `data` of a picture or document in later lines is: `{"blob": sha}` stands there for `data`.

    Each is written once to a file. `sha` is the SHA-256 of what was sent: base64, or the text of a plain document.
    """

    sha: str
    data: str


@dataclass(frozen=True)
class RequestLine:
    """A finished request of a session, complete or failed."""

    session_id: str
    request: Request
    ts: str = ""


@dataclass(frozen=True)
class ToolLine:
    """A finished tool call of a session."""

    session_id: str
    turn: int
    call: ToolCall


@dataclass(frozen=True)
class SimulatedLine:
    """What the model that plays the user of a session said, written before it is sent."""

    session_id: str
    message: SimulatedMessage
    ts: str = ""


@dataclass(frozen=True)
class JudgementLine:
    """A judge's answer about a session; with an empty `session_id` it is an answer of the judge's own test."""

    session_id: str
    judgement: Judgement
    ts: str = ""


@dataclass(frozen=True)
class TrialEnd:
    """The last line of a session: from here on it is never run again. `crash` is set when evalkit itself broke."""

    session_id: str
    crash: str | None = None


@dataclass(frozen=True)
class ScoreLine:
    """How a trial was graded; written once, after the trial's end."""

    session_id: str
    score: TrialScore


@dataclass(frozen=True)
class RunEnd:
    """Why and when the run ended; missing after a crash. `notes` are shown with the verdict."""

    reason: EndReason
    ended: str
    elapsed_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A whole trial put together from its lines; `score` is None until it was graded."""

    key: TrialKey
    transcript: Transcript
    score: TrialScore | None = None
    crash: str | None = None


RunLine = (
    RunHeader
    | SuiteRecord
    | BaselineRecord
    | PromptVersion
    | CaseRecord
    | BlobLine
    | TrialStart
    | TurnStart
    | RequestLine
    | ToolLine
    | SimulatedLine
    | JudgementLine
    | TrialEnd
    | ScoreLine
    | RunEnd
)


KINDS: dict[str, type[RunLine]] = {
    "run": RunHeader,
    "suite": SuiteRecord,
    "baseline": BaselineRecord,
    "prompt": PromptVersion,
    "case": CaseRecord,
    "blob": BlobLine,
    "session": TrialStart,
    "turn": TurnStart,
    "request": RequestLine,
    "tool": ToolLine,
    "simulated": SimulatedLine,
    "judgement": JudgementLine,
    "session_end": TrialEnd,
    "score": ScoreLine,
    "run_end": RunEnd,
}
_NAMES = {line_type: name for name, line_type in KINDS.items()}


def to_json(line: RunLine) -> dict[str, Any]:
    """Return the line as a shallow JSON object whose first key, `line`, names its kind.

    Nested values stay dataclasses; the JSON writer (orjson) writes those itself.
    """
    return {"line": _NAMES[type(line)], **{field.name: getattr(line, field.name) for field in fields(line)}}


@cache
def _adapter(kind: str) -> TypeAdapter[RunLine]:
    from pydantic import TypeAdapter  # every command loads the records, and few read a run

    return TypeAdapter(KINDS[kind])


def from_json(obj: dict[str, Any]) -> RunLine:
    """Return the line that a JSON object stands for; ValueError for a kind or a shape this version does not know."""
    kind = obj.get("line")
    if kind not in KINDS:
        msg = f"unknown kind of line {kind!r}"
        raise ValueError(msg)
    return _adapter(kind).validate_python({key: value for key, value in obj.items() if key != "line"})
