"""What is made of a finished prompt version: the same with other tools, or on another model; and its identity.

Knows no files: a version out of a record is treated as one out of the project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from evalkit.errors import UsageError
from evalkit.prompts.fitting import Misfit, Settings, fit, misfits
from evalkit.records import JsonObject, PromptRef, PromptVersion


def identified(prompt: PromptVersion) -> PromptVersion:
    """Return the version with its two hashes: of what is sent, and of the version whatever its inputs."""
    sent = {"model": prompt.model, "params": prompt.params, "system": prompt.system, "tools": prompt.tools}
    if prompt.memory:
        sent["memory"] = prompt.memory
    return replace(prompt, sha=hash_of(sent), template_sha=hash_of({**sent, "system": prompt.body_sha}))


def with_tools(prompt: PromptVersion, tools: Sequence[JsonObject]) -> PromptVersion:
    """Return the prompt version with other tools, such as those of `tools_from`; its `sha` is another one."""
    return identified(replace(prompt, tools=tuple(tools)))


def with_model(prompt: PromptVersion, model: str) -> PromptVersion:
    """Return the prompt version as it is asked of another model, with `+MODEL` in its name.

    What that model does not take is adapted or left out, from what was written for the prompt's own model, and stands
    in `adaptations`. UsageError for what can't be decided here: see `refused_by`.
    """
    own = _as_written(prompt)
    ref = str(replace(PromptRef.read(prompt.ref), model=model))
    if model == own.model:
        return identified(replace(own, ref=ref))
    settings, changes, refused = fit(Settings(model, own.params, own.memory))
    if refused:
        raise UsageError(f"{ref}: {' '.join(misfit.message for misfit in refused)}")
    asked = replace(own, ref=ref, model=model, params=settings.params)
    return identified(replace(asked, own_model=own.model, own_params=own.params, adaptations=changes))


def refused_by(prompt: PromptVersion, model: str) -> tuple[Misfit, ...]:
    """Return which of the prompt's settings can't be sent to this model; to the prompt's own, none is adapted."""
    own = _as_written(prompt)
    settings = Settings(model, own.params, own.memory)
    return tuple(misfits(settings)) if model == own.model else fit(settings)[2]


def prefix_tokens(prompt: PromptVersion, characters: float) -> int | None:
    """Return about how many tokens of so many characters tools and text before the cache point are; None uncached."""
    first = prompt.system[0] if prompt.system else {}
    if "cache_control" not in first:
        return None
    tools = len(json.dumps(prompt.tools, ensure_ascii=False, default=dict)) if prompt.tools else 0
    return round((tools + len(first["text"])) / characters)


def _as_written(prompt: PromptVersion) -> PromptVersion:
    """Return the version for the model that its file names."""
    if not prompt.own_model:
        return prompt
    own = replace(prompt, model=prompt.own_model, params=prompt.own_params)
    return replace(own, own_model="", own_params={}, adaptations=())


def hash_of(value: object) -> str:
    """Return the hash of a JSON value in its order: equal hashes mean equal bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()
