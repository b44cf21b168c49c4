"""An earlier prompt version by its hash: among today's files, then in the history of the prompt's folder.

Knows where versions may be; a version that is found is exactly the one asked for, because its hash says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.prompts.git import revisions_of
from evalkit.prompts.refs import FOLDER, list_prompts
from evalkit.prompts.render import load_prompt
from evalkit.records import PromptVersion

REVISIONS = 30


def find_version(sha: str, ref: str, inputs: Mapping[str, str], root: Path, commit: str = "") -> PromptVersion | None:
    """Return the version with this hash, None when it is not to be found.

    Looked at, in this order: the reference itself, the other files of the prompt, the commit given, the newest commits
    that changed the prompt. Inputs that a version does not take or lacks rule it out.
    """
    for candidate in _references(ref, root, commit):
        try:
            version = load_prompt(candidate, inputs, root)
        except EvalkitError:
            continue  # a version that does not load is not the one that was measured
        if version.sha == sha:
            return version
    return None


def _references(ref: str, root: Path, commit: str) -> Iterator[str]:
    """Yield the references to try; history is asked for only when the files did not have it."""
    yield ref
    name = ref.partition("@")[0]
    yield from (f"{name}@{version}" for version in list_prompts(root).get(name, ()))
    if commit:
        yield f"{name}@{commit}"
    try:
        revisions = [*revisions_of(root, f"{FOLDER}/{name}", REVISIONS)]
        revisions += revisions_of(root, f"{FOLDER}/{name}.md", REVISIONS)
    except EvalkitError:
        return  # no git: there is no history
    yield from (f"{name}@{revision}" for revision in revisions)
