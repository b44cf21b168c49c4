"""The commands by name: what each takes and does, other names for them, and how a typed word is understood.

Light on purpose: completion needs it before anything is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Named:
    """One command: its name, its arguments as the help shows them, what it does, and its other names."""

    name: str
    takes: str
    does: str
    also: tuple[str, ...] = ()


COMMANDS = (
    Named("help", "", "this list", ("?",)),
    Named("prompt", "[REF]", "show the prompt, or switch its version and keep the conversation"),
    Named("model", "[ID]", "show the model, or switch it and keep the conversation"),
    Named("vs", "REF [blind]", "send every message to this version too; /vs a or b goes on with one, off ends it"),
    Named("undo", "[N]", "take back the last N exchanges; your message is on the line again", ("rewind",)),
    Named("retry", "", "another reply to the same message; the last one counts"),
    Named("edit", "", "write the next message in $EDITOR; after /undo the one taken back"),
    Named("clear", "", "new conversation, same prompt", ("new",)),
    Named("why", "", "every voice rule on the last reply, and why the cache missed"),
    Named("tools", "[fail NAME]", "the last calls in full; fail breaks the next call of a tool"),
    Named("cost", "", "tokens, dollars, cache and times, per turn and in all"),
    Named("save", "[SUITE [ID]]", "keep the conversation as a case of a suite"),
    Named("load", "FILE[#N]", "a record, a transcript or SUITE::CASE, up to before the last reply"),
    Named("exit", "", "leave; Ctrl-D too", ("quit", "bye")),
)
KEYS = (
    'Several lines: paste them, or end a line with \\, or write """ before and after.',
    "Ctrl-C stops a reply and keeps what came; Ctrl-R searches earlier messages; Tab completes.",
    "A message that begins with / is sent as it is when a space stands before it.",
)
LEAVE = frozenset({"exit", "quit", "bye"})
_BY_NAME: Mapping[str, Named] = {name: one for one in COMMANDS for name in (one.name, *one.also)}


@dataclass(frozen=True)
class Typed:
    """A command as it was typed; `named` is None for an unknown word, and `hint` says what may have been meant."""

    named: Named | None
    rest: str
    word: str
    hint: str = ""


def read_command(text: str) -> Typed | None:
    """Return the command in a line, or None when the line is a message."""
    if text.strip().lower() in LEAVE:
        return Typed(_BY_NAME["exit"], "", text.strip())
    match = re.match(r"/(\S*)\s*(.*)", text, re.DOTALL)
    if match is None:
        return None
    word, rest = match[1], match[2].strip()
    named = _BY_NAME.get(word.lower())
    if named is not None:
        return Typed(named, rest, word)
    close = get_close_matches(word.lower(), [one.name for one in COMMANDS], n=1, cutoff=0.6)
    return Typed(None, rest, word, f"did you mean /{close[0]}?" if close else "/help lists the commands.")


def help_text() -> str:
    """Return the list of commands and keys."""
    width = max(len(f"/{one.name} {one.takes}") for one in COMMANDS)
    lines = [
        f"  {f'/{one.name} {one.takes}'.ljust(width)}  {one.does}"
        + (f" (also {', '.join(f'/{name}' for name in one.also)})" if one.also else "")
        for one in COMMANDS
    ]
    return "\n".join([*lines, "", *(f"  {line}" for line in KEYS)])
