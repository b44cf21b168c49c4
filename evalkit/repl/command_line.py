"""What a person may ask of a chat: the options it begins with, the commands typed in it, what Tab offers.

Light on purpose: completion works before anything is loaded. What a command does stands in `commands.FUNCTIONS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.records import PromptVersion


@dataclass(frozen=True)
class ChatOptions:
    """The prompt, where replies come from, and what the chat begins with.

    `ref` None means the only prompt of the project, or the one that `load` or `resume` was held with. `suite` limits
    the fixtures to one suite. `model` is asked instead of the prompt's own. `attach` names the first message's files.
    `via` None means live where a key is set. `config` is `[tool.evalkit]`. `tools` names the functions that answer the
    tool calls which the suites leave open.
    """

    root: Path
    ref: str | None = None
    model: str | None = None
    via: str | None = None
    suite: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    attach: tuple[str, ...] = ()
    load: str | None = None
    versus: str | None = None
    blind: bool = False
    resume: bool = False
    tools: str | None = None
    command: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """One command: its name, its arguments as the help shows them, what it does, and its other names."""

    name: str
    takes: str
    does: str
    also: tuple[str, ...] = ()


COMMANDS = (
    Command("help", "", "this list", ("?",)),
    Command("prompt", "[REF]", "show the prompt, or switch its version and keep the conversation"),
    Command("model", "[ID]", "show the model, or switch it and keep the conversation"),
    Command("set", "[NAME [VALUE]]", "show the prompt's inputs, or change one: text, JSON or @FILE"),
    Command("vs", "REF [blind]", "send every message to this version too; /vs a or b goes on with one, off ends it"),
    Command("undo", "[N]", "take back the last N exchanges; your message is on the line again", ("rewind",)),
    Command("retry", "", "another reply to the same message; the last one counts"),
    Command("edit", "", "write the next message in $EDITOR; after /undo the one taken back"),
    Command("attach", "[FILE | off]", "send a picture, PDF or text with the next message; alone it lists them"),
    Command("clear", "", "new conversation, same prompt", ("new",)),
    Command("why", "", "every voice rule on the last reply, and why the cache missed"),
    Command("tools", "[fail NAME]", "the last calls in full; fail breaks the next call of a tool"),
    Command("cost", "", "tokens, dollars, cache and times, per turn and in all"),
    Command("save", "[SUITE [ID]]", "keep the conversation as a case of a suite"),
    Command("load", "FILE[#N]", "a record, a transcript or SUITE::CASE, up to before the last reply"),
    Command("exit", "", "leave; Ctrl-D too", ("quit", "bye")),
)
KEYS = (
    'Several lines: paste them, or end a line with \\, or write """ before and after.',
    "Ctrl-C stops a reply and keeps what came; Ctrl-R searches earlier messages; Tab completes.",
    "A message that begins with / is sent as it is when a space stands before it.",
)
SHOWN = 60
"""Characters of an input's value in a list."""
LEAVE = frozenset({"exit", "quit", "bye"})
_BY_NAME: Mapping[str, Command] = {name: one for one in COMMANDS for name in (one.name, *one.also)}


@dataclass(frozen=True)
class CommandLine:
    """A line that is a command; `command` is None for an unknown word, and `hint` says what may have been meant."""

    command: Command | None
    rest: str
    word: str
    hint: str = ""


def read_command(text: str) -> CommandLine | None:
    """Return the command in a line, or None when the line is a message."""
    if text.strip().lower() in LEAVE:
        return CommandLine(_BY_NAME["exit"], "", text.strip())
    match = re.match(r"/(\S*)\s*(.*)", text, re.DOTALL)
    if match is None:
        return None
    word, rest = match[1], match[2].strip()
    command = _BY_NAME.get(word.lower())
    if command is not None:
        return CommandLine(command, rest, word)
    close = get_close_matches(word.lower(), [one.name for one in COMMANDS], n=1, cutoff=0.6)
    return CommandLine(None, rest, word, f"did you mean /{close[0]}?" if close else "/help lists the commands.")


def help_text() -> str:
    """Return the list of commands and keys."""
    width = max(len(f"/{one.name} {one.takes}") for one in COMMANDS)
    lines = [
        f"  {f'/{one.name} {one.takes}'.ljust(width)}  {one.does}"
        + (f" (also {', '.join(f'/{name}' for name in one.also)})" if one.also else "")
        for one in COMMANDS
    ]
    return "\n".join([*lines, "", *(f"  {line}" for line in KEYS)])


def complete(text: str, root: Path, prompt: PromptVersion | None) -> Iterable[tuple[str, str]]:
    """Return what the last word of a line may become, with what it means.

    Looks at names on disk; `prompt` is the version that is talked to, None while it is being loaded.
    """
    if not text.startswith("/") or "\n" in text:
        return []
    command, space, rest = text.partition(" ")
    if not space:
        return [(f"/{one.name}", one.does) for one in COMMANDS if f"/{one.name}".startswith(command)]
    word = rest.split(" ")[-1]
    return [(value, meaning) for value, meaning in _arguments(command, rest, root, prompt) if value.startswith(word)]


def _arguments(command: str, rest: str, root: Path, prompt: PromptVersion | None) -> Iterator[tuple[str, str]]:
    first = " " not in rest
    match command:
        case "/prompt" if first:
            yield from _references(root)
        case "/vs" if first:
            yield from _references(root)
            yield from (("off", "one version only"), ("a", "go on with A"), ("b", "go on with B"))
        case "/vs":
            yield "blind", "hide the names until you have answered"
        case "/save" if first:
            yield from _suites(root)
        case "/load" if first:
            yield from _suites(root)
            yield "last#", "the newest run"
            found = [*(root / "reports").glob("*/run.jsonl"), *(root / "reports" / "chat").glob("*/run.jsonl")]
            for folder in sorted((file.parent for file in found), key=lambda one: one.name, reverse=True)[:20]:
                yield f"{folder.relative_to(root).as_posix()}#", "chat" if folder.parent.name == "chat" else "run"
            yield from _files(rest)
        case "/attach" if first:
            yield "off", "drop what is attached"
            yield from _files(rest)
        case "/tools" if first:
            yield "fail", "break the next call of a tool"
        case "/tools" if prompt is not None:
            yield from ((str(tool["name"]), "") for tool in prompt.tools)
        case "/set" if first and prompt is not None:
            yield from ((name, shortened(value)) for name, value in prompt.inputs.items())
        case "/model" if first and prompt is not None:
            from evalkit.prompts.models import known_models  # loaded with the prompt

            own = prompt.own_model or prompt.model
            yield own, "the prompt's own"
            yield from ((name, "") for name in known_models() if name != own)
        case _:
            return


def shortened(value: Any) -> str:
    """Return an input's value on a short line: text as it is, everything else as JSON."""
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _references(root: Path) -> Iterator[tuple[str, str]]:
    """Yield every prompt and version below prompts/."""
    for entry in sorted((root / "prompts").glob("*")):
        if entry.is_dir():
            yield entry.name, "the live version"
            yield from ((f"{entry.name}@{file.stem}", "") for file in sorted(entry.glob("v*.md")))
        elif entry.suffix == ".md":
            yield entry.stem, ""


def _suites(root: Path) -> Iterator[tuple[str, str]]:
    """Yield every YAML file below suites/ that is not a voice file by its name."""
    for file in sorted((root / "suites").rglob("*.y*ml")):
        if file.stem != "voice":
            yield file.relative_to(root).as_posix(), "suite"


def _files(typed: str) -> Iterator[tuple[str, str]]:
    """Yield the files and folders that what was typed may become."""
    folder, slash, _ = typed.rpartition("/")
    base = Path(folder + slash) if slash else Path()
    try:
        entries = sorted(base.iterdir())
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith("."):
            yield f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}", ""
