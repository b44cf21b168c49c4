"""The ready-made brand-voice rules: which there are, and their files. Knows only names and texts."""

from __future__ import annotations

from importlib.resources import files

from evalkit.yamlsource import SourceText, decode

PACKS = (
    "builtin/persona",
    "builtin/refusals",
    "builtin/promises",
    "builtin/punctuation",
    "builtin/formality",
    "builtin/privacy",
    "builtin/sign_off",
)
"""Every pack of ready-made rules, as a voice file names it under `extends`."""


def read_pack(name: str) -> SourceText:
    """Return the text of a pack; its name in messages is the one it is extended by."""
    data = files("evalkit.suites").joinpath("packs", f"{name.removeprefix('builtin/')}.yaml").read_bytes()
    return decode(data, f"{name}.yaml")
