"""The ready-made brand-voice rules and statements for judges, and files that take them."""

from __future__ import annotations

import pytest

from evalkit.suites.voice import PACKS, check_examples, read_pack, read_voice
from evalkit.yamlsource import SourceText, parse_yaml


@pytest.mark.parametrize("name", PACKS)
def test_every_ready_made_rule_keeps_its_own_examples(name: str) -> None:
    """Each rule has an example that keeps it, and they and the bad ones are judged as they say."""
    voice, problems = read_voice(parse_yaml(read_pack(name)))
    assert voice is not None
    assert not problems
    assert not check_examples(voice)
    assert all(rule.grader.good for rule in voice.rules)


def test_a_voice_file_takes_rules_leaves_some_out_and_replaces_one() -> None:
    """Ready-made rules come first, placed at the line that names them; a rule with the same id takes their place."""
    text = "extends: [builtin/persona, builtin/punctuation]\nwithout: [emoji]\nrules:\n"
    text += "  - {id: one-question, extends: occurrence, message: x, token: '[?]', max: 2}\n"
    voice, problems = read_voice(parse_yaml(SourceText("voice.yaml", text)))
    assert voice is not None
    assert not problems
    assert "emoji" not in voice.ids
    assert voice.ids.count("one-question") == 1
    assert str(voice.rules[0].place) == "voice.yaml:1:11"
    assert voice.rules[-1].grader.params()["max"] == 2


def test_a_ready_made_rule_that_does_not_exist_cannot_be_left_out() -> None:
    """The message proposes the nearest."""
    text = "extends: [builtin/punctuation]\nwithout: [emojy]\n"
    _, problems = read_voice(parse_yaml(SourceText("voice.yaml", text)))
    assert "(did you mean 'emoji'?)" in problems[0].message
