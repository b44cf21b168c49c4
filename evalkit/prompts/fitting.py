"""What of a prompt's settings a model does not take, and what is sent to it instead when the prompt is for another one.

One rule for each setting. `evalkit check` tells what the rules find at the prompt's own model. A model that a reference
brings (`support@v4+claude-haiku-5-5`) gets adapted settings: where there is only one way on, a setting is replaced or
left out, and the version says so; where its author would have to choose, the rule refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evalkit.prompts.models import ModelFacts, base_name, facts_of
from evalkit.records import Adaptation, JsonObject
from evalkit.wording import listed, number

SAMPLING = ("temperature", "top_p", "top_k")
LEAST_TOP_P = 0.95
"""The least that may be set while a model thinks."""
_PATHS: Mapping[str, tuple[str, ...]] = {"effort": ("output_config", "effort")}
"""Where a key of the front matter stands in a request, when that is not at the top under the same name."""


@dataclass(frozen=True)
class Settings:
    """What of a prompt version depends on its model: the request's fields and how a long conversation is kept short."""

    model: str
    params: JsonObject
    memory: JsonObject

    def changed(self, change: Adaptation) -> Settings:
        """Return the settings with what is sent instead."""
        return replace(self, params=_with(self.params, _path_of(change.key), change.sent))


@dataclass(frozen=True)
class Misfit:
    """A setting that a model does not take: its place in the front matter, what is wrong with it, and the way on.

    `change` is what is sent to a model that the prompt was not written for; None where only its author can choose.
    """

    key: tuple[str, ...]
    message: str
    change: Adaptation | None = None


def misfits(settings: Settings) -> Iterator[Misfit]:
    """Yield everything that the model does not take; nothing for a model that is not in the table."""
    facts = facts_of(settings.model)
    if facts is not None:
        for rule in _RULES:
            yield from rule(settings, facts)


def fit(settings: Settings) -> tuple[Settings, tuple[Adaptation, ...], tuple[Misfit, ...]]:
    """Return the settings as the model takes them, what was changed for it, and what could not be."""
    changes: list[Adaptation] = []
    refused: list[Misfit] = []
    facts = facts_of(settings.model)
    if facts is None:
        return settings, (), ()
    for rule in _RULES:
        for misfit in rule(settings, facts):
            if misfit.change is None:
                refused.append(misfit)
            else:
                changes.append(misfit.change)
                settings = settings.changed(misfit.change)
    return settings, tuple(changes), tuple(refused)


def _effort(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    effort = _read(settings.params, _path_of("effort"))
    if effort and facts.effort is None:
        yield Misfit(("effort",), f"{settings.model} takes no `effort`; remove it.", Adaptation("effort", effort, None))


def _max_tokens(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    most = settings.params.get("max_tokens", 0)
    if most > facts.output:
        message = f"max_tokens {number(most)} is more than {settings.model} can write; at most {number(facts.output)}."
        yield Misfit(("max_tokens",), message, Adaptation("max_tokens", most, facts.output))


def _thinking(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    thinking: JsonObject | None = settings.params.get("thinking")
    if thinking is None:
        return
    kind, budget, most = thinking["type"], thinking.get("budget_tokens"), settings.params.get("max_tokens", 0)
    at, budget_at = ("thinking",), ("thinking", "budget_tokens")
    if kind not in facts.thinking:
        message = f"{settings.model} does not take thinking {kind!r}; it takes {listed(facts.thinking, 'or')}."
        yield Misfit(at, message, Adaptation("thinking", thinking, _other_thinking(settings, facts)))
    elif kind == "enabled" and budget is None:
        yield Misfit(at, "thinking 'enabled' needs `budget_tokens`, at least 1024.")
    elif budget is not None and kind != "enabled":
        yield Misfit(budget_at, "`budget_tokens` belongs to thinking 'enabled'.")
    elif budget is not None and budget >= most:
        yield Misfit(budget_at, f"budget_tokens {budget} must be less than max_tokens {most}.")
    elif kind == "disabled" and _must_think(settings):
        yield Misfit(at, f"{settings.model} takes 'disabled' only with effort high or lower.")


def _must_think(settings: Settings) -> bool:
    """Say whether the model refuses to work at this effort without thinking (Opus 5; Anthropic's effort page)."""
    effort = _read(settings.params, _path_of("effort"))
    return base_name(settings.model) == "claude-opus-5" and effort in {"xhigh", "max"}


_CLOSEST: Mapping[str, tuple[str, ...]] = {
    "enabled": ("adaptive",),  # the budget becomes the model's own choice
    "disabled": ("between_tools", "adaptive"),
    "between_tools": ("disabled", "adaptive"),
    "adaptive": (),  # a model that does not choose itself would need a budget: it does not think
}


def _other_thinking(settings: Settings, facts: ModelFacts) -> JsonObject | None:
    """Return what comes closest to a kind of thinking that is not taken; None for a model that then does not think."""
    thinking: JsonObject = settings.params["thinking"]
    taken = [kind for kind in facts.thinking if kind != "disabled" or not _must_think(settings)]
    kind = next((kind for kind in _CLOSEST[thinking["type"]] if kind in taken), None)
    if kind is None:
        return None
    shown = {"display": thinking["display"]} if kind == "adaptive" and "display" in thinking else {}
    return {"type": kind, **shown}


def _sampling(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    """Yield what is wrong with sampling parameters, which a model may take under API version 2023-06-01 only.

    Source: platform.claude.com, API versions and the pages of the models, read November 2026.
    """
    given = {key: settings.params[key] for key in SAMPLING if key in settings.params}
    if not facts.sampling:
        for key, value in given.items():
            message = (
                f"{settings.model} takes no {key}: the API refuses sampling parameters since version 2026-10-21, and "
                "for this model before it too. Remove it; to see how much answers vary, give the suite more trials."
            )
            yield Misfit((key,), message, Adaptation(key, value, None))
        return
    if {"temperature", "top_p"} <= given.keys():
        yield Misfit(("top_p",), f"{settings.model} takes temperature or top_p, not both; remove one.")
    thinking = settings.params.get("thinking")
    thinks = facts.thinks if thinking is None else thinking["type"] != "disabled"
    allowed = {"temperature": given.get("temperature") == 1, "top_p": given.get("top_p", 0) >= LEAST_TOP_P}
    for key, value in given.items() if thinks else ():
        if not allowed.get(key):
            words = {"temperature": "only 1", "top_p": f"{LEAST_TOP_P} or more", "top_k": "none"}[key]
            message = (
                f"{key} {value:g}: while it thinks {settings.model} takes {words}; change it, or turn thinking off."
            )
            yield Misfit((key,), message, Adaptation(key, value, None))


def _forced_tools(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    choice = settings.params.get("tool_choice") or {}
    if choice.get("type") not in {"any", "tool"}:
        return
    advice = "ask for the call in the text, or choose a model that can be."
    if facts.forced_tools == "rejected":
        yield Misfit(("tool_choice",), f"{settings.model} can't be forced to call a tool; {advice}")
    elif (settings.params.get("thinking") or {}).get("type") == "enabled":
        message = "a tool can't be forced while thinking is 'enabled'; give up one of the two."
        yield Misfit(("tool_choice",), message)


def _memory(settings: Settings, facts: ModelFacts) -> Iterator[Misfit]:
    compact = settings.memory.get("compact")
    if compact is None:
        return
    if not facts.compacts:
        message = f"{settings.model} does not compact conversations; use `summary`, or a newer model."
        yield Misfit(("memory",), message)
    elif compact["above_tokens"] >= facts.context:
        message = (
            f"memory.compact begins above {number(compact['above_tokens'])} tokens, and {settings.model} holds "
            f"{number(facts.context)}; choose less."
        )
        yield Misfit(("memory",), message)


_RULES: tuple[Callable[[Settings, ModelFacts], Iterator[Misfit]], ...] = (
    _effort,
    _max_tokens,
    _thinking,
    _sampling,
    _forced_tools,
    _memory,
)


def _path_of(key: str) -> tuple[str, ...]:
    return _PATHS.get(key, (key,))


def _read(params: JsonObject, path: tuple[str, ...]) -> Any:
    value: Any = params
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _with(params: JsonObject, path: tuple[str, ...], value: Any) -> JsonObject:
    """Return the fields with one of them set, or left out where the value is None; an object left empty goes too."""
    step, *rest = path
    inner = _with(params.get(step) or {}, tuple(rest), value) if rest else value
    kept = dict(params)
    if inner in (None, {}):
        kept.pop(step, None)
    else:
        kept[step] = inner
    return kept
