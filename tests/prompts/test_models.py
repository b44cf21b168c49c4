"""The table of models."""

from __future__ import annotations

import pytest

from evalkit.prompts.header import base_name, facts_of, known_models, retirement_of
from evalkit.standin.models import MODELS


def test_check_and_stand_in_know_the_same_models() -> None:
    """The two tables are written apart on purpose and agree on every figure they share."""
    for model in MODELS.values():
        facts = facts_of(model.id)
        assert facts is not None, model.id
        assert (facts.context, facts.output) == (model.context_tokens, model.output_tokens), model.id
        assert facts.cacheable == model.cache_minimum_tokens, model.id
        assert set(facts.thinking) == set(model.thinking), model.id
        assert facts.effort == (model.default_effort is not None), model.id
        assert facts.characters == model.characters_per_token, model.id
        assert retirement_of(model.id) == model.retires, model.id
    assert len(known_models()) == len(MODELS)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("anthropic/claude-opus-5-5", "claude-opus-5-5"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("gpt-9", "gpt-9"),
    ],
)
def test_a_platforms_spelling_means_the_same_model(model: str, name: str) -> None:
    """Prefixes, dates and platform versions do not hide which model it is."""
    assert base_name(model) == name
