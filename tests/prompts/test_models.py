"""The table of models."""

from __future__ import annotations

from datetime import date

import pytest

from evalkit.prompts.models import base_name, facts_of, known_models, problems_of_model, retirement_of
from evalkit.standin.models import MODELS, model_info


def test_check_and_stand_in_know_the_same_models() -> None:
    """The two tables are written apart on purpose and agree on every figure they share."""
    for model in MODELS.values():
        facts = facts_of(model.id)
        assert facts is not None, model.id
        assert (facts.context, facts.output) == (model.context_tokens, model.output_tokens), model.id
        assert facts.cacheable == model.cache_minimum_tokens, model.id
        assert set(facts.thinking) == set(model.thinking), model.id
        assert facts.effort == model.default_effort, model.id
        assert facts.thinks == model.thinks_by_default, model.id
        assert facts.forced_tools == model.forced_tool_choice, model.id
        assert facts.sampling == model.sampling, model.id
        assert facts.compacts == model.compaction, model.id
        assert facts.characters == model.characters_per_token, model.id
        assert str(retirement_of(model.id) or "") == (model.retires or ""), model.id
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


def test_every_model_takes_a_format_for_its_output() -> None:
    """So there is no rule for a model that does not; the first one that does not needs a rule in fitting.py."""
    assert all(model_info(model)["capabilities"]["structured_outputs"]["supported"] for model in MODELS.values())


def test_every_model_takes_pictures_and_pdfs() -> None:
    """So `check` has no rule for a model that does not; the first one needs its fact here and a rule for suites."""
    for kind in ("image_input", "pdf_input"):
        assert all(model_info(model)["capabilities"][kind]["supported"] for model in MODELS.values())


@pytest.mark.parametrize(
    ("model", "today", "words", "severity"),
    [
        ("claude-sonnet-4-5", date(2026, 11, 29), "is deprecated: it answers until 30 November 2026.", "warning"),
        ("claude-sonnet-4-5", date(2026, 11, 30), "is retired: it has not answered since 30 November 2026.", "error"),
        ("claude-opus-4-5-20251101", date(2027, 1, 21), "it answers until 22 January 2027.", "warning"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", date(2027, 1, 22), "has not answered since", "error"),
        ("claude-haiku-5.5", date(2026, 11, 24), "(did you mean 'claude-haiku-5-5'?); its limits can't be", "warning"),
        ("llama-4-scout", date(2026, 11, 24), "is not in the table of models; its limits can't be checked.", "warning"),
    ],
)
def test_a_models_end_is_told_by_the_day(model: str, today: date, words: str, severity: str) -> None:
    """Before its last day a model is deprecated, from then on retired; one that nobody knows is said to be unknown."""
    ((message, found),) = problems_of_model(model, today)

    assert words in message
    assert found == severity


def test_nothing_is_said_of_a_model_that_stays() -> None:
    """A model without a last day has no problem."""
    assert list(problems_of_model("claude-haiku-5-5", date(2030, 1, 1))) == []
