"""What Tab offers: commands, prompt references, suites, files. Looks at names on disk; loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.repl.commands.names import COMMANDS

if TYPE_CHECKING:
    from evalkit.repl.chat import Chat


def complete(text: str, root: Path, chat: Chat | None) -> Iterable[tuple[str, str]]:
    """Return what the last word of a line may become, with what it means."""
    if not text.startswith("/") or "\n" in text:
        return []
    command, space, rest = text.partition(" ")
    if not space:
        return [(f"/{one.name}", one.does) for one in COMMANDS if f"/{one.name}".startswith(command)]
    word = rest.split(" ")[-1]
    return [(value, meaning) for value, meaning in _arguments(command, rest, root, chat) if value.startswith(word)]


def _arguments(command: str, rest: str, root: Path, chat: Chat | None) -> Iterator[tuple[str, str]]:
    first = " " not in rest
    match command:
        case "/prompt" if first:
            yield from references(root)
        case "/vs" if first:
            yield from references(root)
            yield from (("off", "one version only"), ("a", "go on with A"), ("b", "go on with B"))
        case "/vs":
            yield "blind", "hide the names until you have answered"
        case "/save" if first:
            yield from suites(root)
        case "/load" if first:
            yield from suites(root)
            yield from records(root)
            yield from files(rest)
        case "/tools" if first:
            yield "fail", "break the next call of a tool"
        case "/tools" if chat is not None:
            yield from ((str(tool["name"]), "") for tool in chat.session.setting.prompt.tools)
        case "/model" if first and chat is not None:
            yield chat.session.setting.prompt.model, "the prompt's own"
        case _:
            return


def references(root: Path) -> Iterator[tuple[str, str]]:
    """Yield every prompt and version below prompts/."""
    for entry in sorted((root / "prompts").glob("*")):
        if entry.is_dir():
            yield entry.name, "the live version"
            yield from ((f"{entry.name}@{file.stem}", "") for file in sorted(entry.glob("v*.md")))
        elif entry.suffix == ".md":
            yield entry.stem, ""


def suites(root: Path) -> Iterator[tuple[str, str]]:
    """Yield every YAML file below suites/ that is not a voice file by its name."""
    for file in sorted((root / "suites").rglob("*.y*ml")):
        if file.stem != "voice":
            yield file.relative_to(root).as_posix(), "suite"


def records(root: Path) -> Iterator[tuple[str, str]]:
    """Yield runs and chats, newest first."""
    yield "last#", "the newest run"
    found = [*(root / "reports").glob("*/run.jsonl"), *(root / "reports" / "chat").glob("*/run.jsonl")]
    for file in sorted(found, key=lambda one: one.parent.name, reverse=True)[:20]:
        yield f"{file.parent.relative_to(root).as_posix()}#", "run" if file.parent.parent.name != "chat" else "chat"


def files(typed: str) -> Iterator[tuple[str, str]]:
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
