"""What stands in the files of a project: places and what is wrong there, names of cases, prompt versions as sent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from posixpath import normpath
from typing import Annotated, Any, Literal

from evalkit.records.published import Key
from evalkit.records.transcript import JsonObject, output_schema

CaseKey = tuple[str, str]
"""Suite path and case id, which name a case within a run."""


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file; `line` and `column` count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def below(self, folder: str) -> Place:
        """Return the place as seen from above `folder` (`services/shop/`); an absolute place and none stay."""
        if not folder or not self.file or self.file.startswith("/"):
            return self
        return replace(self, file=normpath(folder + self.file))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or questionable) in a file of the project.

    `source_line` is the text of the line, so that a caret can be drawn under `place.column`. What is written at `place`
    may be `used` elsewhere, the nearest place first, and be filled from the `row` of a table; of a prompt's text only
    some `cases` may be concerned. The same thing written once and used in many places is one problem.
    """

    place: Place
    message: str
    severity: Literal["error", "warning"] = "error"
    source_line: str = field(default="", compare=False)
    used: tuple[Place, ...] = field(default=(), compare=False)
    row: Place | None = field(default=None, compare=False)
    cases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def sentence(self) -> str:
        """The message, with the places it does not stand at but is about."""
        about = [f"row {self.row.file}:{self.row.line}"] if self.row else []
        about += [f"used at {self.used[0]}"] if self.used else []
        more = f" and {len(self.cases) - 3} more" if len(self.cases) > 3 else ""
        about += [f"case{'s'[: len(self.cases) > 1]} {', '.join(self.cases[:3])}{more}"] if self.cases else []
        if not about:
            return self.message
        words = self.message.removesuffix(".")
        return f"{words} ({', '.join(about)}){self.message[len(words) :]}"


@dataclass(frozen=True)
class PromptRef:
    """A prompt's name as people write it: `support`, `support@v4` or `support@main`, each with `+MODEL` or without.

    `version` is a version file or a git revision, empty for the live version; `model` is the model that is asked
    instead of the prompt's own. The last `+` begins the model, which may hold an `@` of its own.
    """

    name: str
    version: str = ""
    model: str = ""

    @classmethod
    def read(cls, text: str) -> PromptRef:
        """Take a reference apart; whether it means anything is for `evalkit.prompts` to say."""
        prompt, plus, model = text.rpartition("+")
        name, _, version = (prompt if plus else text).partition("@")
        return cls(name, version, model if plus else "")

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        return f"{self.name}{version}{f'+{self.model}' if self.model else ''}"


@dataclass(frozen=True)
class Adaptation:
    """A setting of a prompt that another model than its own does not take; `sent` is None where it is left out."""

    key: Annotated[str, Key("The key in the prompt's front matter.", "effort")]
    written: Annotated[Any, Key("What stands there.", "high")]
    sent: Annotated[Any, Key("What is sent instead; null for nothing.", None)]


@dataclass(frozen=True)
class PromptVersion:
    """A system prompt with its tools and parameters, rendered: everything of a request but the messages.

    `sha` is the identity of what is sent: SHA-256 over the exact JSON of model, params, system, tools and, where there
    is one, memory. `template_sha` is that of the version, whatever its inputs: the same with the templates of the text
    and the defaults of the inputs (`body_sha`) in the place of the rendered text. One version has many renderings.
    `ref` is how a person names it (`support@v4`). `params` are the fields of the request body beside model, system,
    tools and messages (`max_tokens`, `output_config`, `thinking`, top-level `cache_control`). `system` holds the text
    blocks with their cache markers, `tools` the Messages API tool objects. `memory` is how a long conversation is kept
    short, empty for not at all: `{"window": N}`, `{"summary": {...}}` or `{"compact": {...}}`, every value filled in.
    `inputs` are the JSON values that the text was rendered with.
    `files` maps each source file to the SHA-256 of its bytes; `text` is the rendered system prompt as one string.

    Where the reference names another model than the file, `model` and `params` are what is asked and sent, `own_model`
    and `own_params` what the file says, and `adaptations` what differs; else these are empty.
    """

    sha: Annotated[str, Key("SHA-256 of the prompt as it is sent, with model, parameters and tools.", "3f9c1a20")]
    ref: Annotated[str, Key("How people name it.", "support@v4")]
    description: Annotated[str, Key("Its description.", "Returns and shipping")]
    model: Annotated[str, Key("The model it is for.", "claude-sonnet-5-5")]
    params: JsonObject
    system: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]
    inputs: JsonObject = field(default_factory=dict)
    files: JsonObject = field(default_factory=dict)
    text: str = ""
    memory: JsonObject = field(default_factory=dict)
    own_model: Annotated[
        str, Key("The model that its file names, where the reference names another; else empty.", "claude-opus-4-5")
    ] = ""
    own_params: JsonObject = field(default_factory=dict)
    adaptations: Annotated[
        tuple[Adaptation, ...],
        Key("What the other model does not take, and what is sent instead.", [{"key": "effort", "written": "high"}]),
    ] = ()
    template_sha: str = ""
    body_sha: str = ""

    @property
    def name(self) -> str:
        """The prompt's name, whatever version this is."""
        return PromptRef.read(self.ref).name

    @property
    def output_schema(self) -> JsonObject | None:
        """The JSON Schema that replies are held to; None where they are text."""
        return output_schema(self.params)
