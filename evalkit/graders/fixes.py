"""What could be written instead of a found text: the fixers of a voice rule, in words. Nothing is changed by them.

Names and parameters are Vale's (vale.sh/docs, fixers): replace, remove, edit; suggest and convert need a dictionary or
a script and say nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evalkit.reading.patterns import Undecided, compile_pattern, replace_all
from evalkit.records import JsonObject

NAMES = ("replace", "remove", "edit", "suggest", "convert")

_EDITS: Mapping[str, tuple[int, Callable[..., str]]] = {
    "regex": (2, lambda found, pattern, template: replace_all(pattern, found, template)),
    "trim": (1, lambda found, letters: found.strip(letters)),
    "trim_left": (1, lambda found, letters: found.lstrip(letters)),
    "trim_right": (1, lambda found, letters: found.rstrip(letters)),
    "remove": (1, lambda found, letters: found.translate(dict.fromkeys(map(ord, letters)))),
    "truncate": (1, lambda found, end: found.partition(end)[0]),
}
EDITS = tuple(_EDITS)
"""Every way to edit, the first parameter of `edit`."""


def action_fault(name: str, params: Sequence[str]) -> str:
    """Return why an action can't be told, as the end of a sentence; empty when it can."""
    if name not in NAMES:
        return f"has the unknown name {name!r}; expected {', '.join(NAMES)}."
    if name != "edit":
        return ""
    way, *values = params or ("",)
    if way not in EDITS:
        return f"edits by {way!r}; expected {', '.join(EDITS)}."
    wanted = _EDITS[way][0]
    if len(values) != wanted:
        return f"has {len(values)} values behind {way!r}; expected {wanted}."
    try:
        compile_pattern(values[0] if way == "regex" else "")
    except Undecided as undecided:
        return f"can't edit: {undecided}"
    return ""


def fix_of(params: JsonObject, found: str, preferred: Sequence[str] = ()) -> str:
    """Return how a rule's action would mend a found text, as the end of a message; empty without such an action.

    `preferred` are the wordings that a substitution has for it. Raises Undecided when an edit's pattern takes too long.
    """
    action = params.get("action") or {}
    match action.get("name"):
        case "remove":
            return "; leave it out"
        case "replace":
            return _instead(action.get("params") or preferred)
        case "edit":
            name, *values = action["params"]
            return _instead([_EDITS[name][1](found, *values)])
    return ""


def _instead(texts: Sequence[str]) -> str:
    shown = " or ".join(f'"{text}"' for text in texts if text.strip())
    return f"; write {shown} instead" if shown else ""
