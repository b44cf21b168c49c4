"""What becomes of a prompt's settings on a model that it was not written for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts import load_prompt, with_model
from evalkit.prompts.fitting import Settings, fit, misfits
from evalkit.prompts.models import known_models
from evalkit.records import Adaptation, PromptVersion
from evalkit.standin.protocol.validate import Terms, validate_request
from tests.project_files import PROMPT, write_project

TODAY = {"today": "2026-11-22"}
ENABLED = {"type": "enabled", "budget_tokens": 2048}


def adapted(model: str, **params: Any) -> tuple[dict[str, Any], tuple[Adaptation, ...]]:
    """Return the fields that a model is sent for these, and what was changed."""
    settings, changes, refused = fit(Settings(model, params, {}))
    assert not refused
    return dict(settings.params), changes


@pytest.mark.parametrize(
    ("model", "params", "sent"),
    [
        ("claude-haiku-4-5", {"output_config": {"effort": "high"}}, {}),
        (
            "claude-haiku-4-5",
            {"output_config": {"effort": "low", "format": {"type": "json_schema"}}},
            {"output_config": {"format": {"type": "json_schema"}}},
        ),
        ("claude-haiku-4-5", {"max_tokens": 100_000}, {"max_tokens": 64_000}),
        ("claude-sonnet-5-5", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "between_tools"}}),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "adaptive"}}),
        ("claude-haiku-5-5", {"thinking": {"type": "between_tools"}}, {"thinking": {"type": "disabled"}}),
        ("claude-opus-5-5", {"thinking": {"type": "between_tools"}}, {"thinking": {"type": "adaptive"}}),
        (
            "claude-sonnet-5-5",
            {"max_tokens": 9000, "thinking": {**ENABLED, "display": "omitted"}},
            {"max_tokens": 9000, "thinking": {"type": "adaptive", "display": "omitted"}},
        ),
        ("claude-haiku-4-5", {"thinking": {"type": "adaptive"}}, {}),
        ("claude-opus-5-5", {"temperature": 0.2, "top_k": 5}, {}),
        ("claude-sonnet-5-5", {"tool_choice": {"type": "auto"}}, {"tool_choice": {"type": "auto"}}),
        (
            "a-model-of-another-house",
            {"temperature": 0.2, "thinking": ENABLED},
            {"temperature": 0.2, "thinking": ENABLED},
        ),
    ],
)
def test_a_setting_that_a_model_does_not_take_is_replaced_or_left_out(
    model: str, params: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Where there is one way on it is taken, and nothing else is touched."""
    assert adapted(model, **params)[0] == sent


def test_what_is_changed_is_said_as_a_fact() -> None:
    """Key, what was written and what is sent: the words are made where it is shown."""
    _, changes = adapted("claude-haiku-4-5", max_tokens=100_000, output_config={"effort": "high"})

    assert changes == (Adaptation("effort", "high", None), Adaptation("max_tokens", 100_000, 64_000))


@pytest.mark.parametrize(
    ("model", "params", "memory", "words"),
    [
        ("claude-opus-5-5", {"tool_choice": {"type": "any"}}, {}, "can't be forced to call a tool"),
        (
            "claude-opus-4-6",
            {"max_tokens": 9000, "tool_choice": {"type": "tool", "name": "x"}, "thinking": ENABLED},
            {},
            "a tool can't be forced while thinking is 'enabled'",
        ),
        ("claude-haiku-4-5", {}, {"compact": {"above_tokens": 150_000}}, "does not compact conversations"),
        ("claude-opus-5-5", {}, {"compact": {"above_tokens": 1_000_000}}, "begins above 1,000,000 tokens"),
        (
            "claude-opus-5",
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            {},
            "takes 'disabled' only with effort high or lower",
        ),
        (
            "claude-haiku-4-5",
            {"max_tokens": 100_000, "thinking": {**ENABLED, "budget_tokens": 80_000}},
            {},
            "budget_tokens",
        ),
    ],
)
def test_what_only_the_author_can_choose_is_refused(
    model: str, params: dict[str, Any], memory: dict[str, Any], words: str
) -> None:
    """Leaving it out would change what the prompt means, or there are two ways on."""
    _, _, (refused,) = fit(Settings(model, params, memory))

    assert words in refused.message


def every_setting() -> list[dict[str, Any]]:
    """Return settings that some model takes, alone and together."""
    thinking = [None, ENABLED, *({"type": kind} for kind in ("adaptive", "disabled", "between_tools"))]
    return [
        {
            "max_tokens": most,
            **({"thinking": kind} if kind else {}),
            **({"output_config": {"effort": effort}} if effort else {}),
        }
        for most in (4_096, 128_000)
        for kind in thinking
        for effort in (None, "low", "max")
    ]


def test_what_is_adapted_has_no_misfit_and_is_adapted_once() -> None:
    """For every model: what fits is what the stand-in takes, and fitting it again changes nothing."""
    for name in known_models():
        for params in every_setting():
            settings, _, refused = fit(Settings(name, params, {}))
            if refused:
                continue
            assert not list(misfits(settings)), (name, params)
            assert fit(settings)[:2] == (settings, ()), (name, params)
            body = {
                **settings.params,
                "model": name,
                "messages": [{"role": "user", "content": "Hello."}],
                "stream": True,
            }
            validate_request(body, Terms())


def test_a_setting_that_is_refused_is_found_at_its_line(tmp_path: Path) -> None:
    """The message is what `check` says of a prompt that names the model itself."""
    root = write_project(tmp_path, v2=PROMPT.replace("effort: medium", "memory: compact"))

    with pytest.raises(FileProblems, match=r"v2.md:4:9: error: claude-haiku-4-5 does not compact conversations"):
        load_prompt("support+claude-haiku-4-5", TODAY, root)


def test_a_version_out_of_a_record_goes_from_model_to_model(tmp_path: Path) -> None:
    """Each model gets what the file says, not what was left of it for the one before; and the way back is the same."""
    root = write_project(tmp_path)
    own = load_prompt("support", TODAY, root)

    there = with_model(own, "claude-haiku-4-5")
    further = with_model(there, "claude-opus-5-5")
    back = with_model(further, own.model)

    assert (there.adaptations, there.ref) == ((Adaptation("effort", "medium", None),), "support@v2+claude-haiku-4-5")
    assert (further.adaptations, further.params, further.own_model) == ((), own.params, own.model)
    assert (back.sha, back.own_model) == (own.sha, "")


def test_a_version_out_of_a_record_can_be_refused_too(tmp_path: Path) -> None:
    """Without a file to point at, the version is named."""
    own = load_prompt("support", TODAY, write_project(tmp_path, v2=PROMPT.replace("effort: medium", "memory: compact")))
    assert isinstance(own, PromptVersion)

    with pytest.raises(UsageError, match=r"support@v2\+claude-haiku-4-5: claude-haiku-4-5 does not compact"):
        with_model(own, "claude-haiku-4-5")
