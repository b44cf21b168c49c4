"""Bringing Vale styles over."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from evalkit.cli.main import cli
from evalkit.errors import UsageError
from evalkit.importing.vale import import_vale_styles
from evalkit.suites.voice import load_voice

STYLES = {
    "Shop/Hype.yml": "extends: existence\nmessage: Hype '%s'\nlevel: error\nignorecase: true\ntokens: [wow, '(wow']\n",
    "Shop/Terms.yml": "extends: substitution\nmessage: '%s %s'\nswap: {'e-mail': email}\naction: {name: replace}\n",
    "Shop/Spelling.yml": "extends: spelling\nmessage: Is '%s' right?\n",
    "Shop/Odd.yml": "extends: existence\nmessage: x\ntokens: [x]\ncolour: red\n",
    "Shop/Alt.yml": "extends: existence\nmessage: x\nscope: alt\ntokens: [x]\n",
    "Shop/Long.yml": "extends: occurrence\nmessage: Long\nscope: [sentence, alt]\ntoken: '\\b(\\w+)\\b'\nmax: 3\n",
    "Shop/Trail.yml": "extends: existence\nmessage: x\ntokens: [x]\naction: {name: edit, params: [split, ' ', '0']}\n",
    "Shop/meta.json": "{}",
}


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    for name, text in STYLES.items():
        path = tmp_path / "styles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "styles"


def test_rules_come_over_and_the_others_are_named(styles: Path) -> None:
    """Each rule that stays behind, and each that changes, is reported with its reason."""
    brought = import_vale_styles(styles)
    assert brought.rules == ("Shop.Hype", "Shop.Long", "Shop.Terms", "Shop.Trail")
    left = dict(brought.left)
    assert sorted(left) == ["Shop.Alt", "Shop.Odd", "Shop.Spelling"]
    assert left["Shop.Spelling"] == "rules of kind 'spelling' can't be brought over: it needs a dictionary."
    assert left["Shop.Odd"] == "key 'colour' of a rule of kind 'existence' is not known here."
    changed = dict(brought.changed)
    assert changed["Shop.Hype"].startswith("'(wow' is not a regular expression")
    assert changed["Shop.Trail"].startswith("its action edits by 'split'; expected regex, trim")
    assert changed["Shop.Long"] == "its scope alt does not exist in a chat; sentence stays."


def test_what_is_written_is_a_voice_file(styles: Path, tmp_path: Path) -> None:
    """The file loads without a problem and holds Vale's defaults: case counts, text without code."""
    done = CliRunner().invoke(cli, ["import", "vale", str(styles), "--out", str(tmp_path / "voice.yaml")])
    assert done.exit_code == 0, done.output
    assert "4 rules in" in done.output
    voice, problems = load_voice(tmp_path, "voice.yaml")
    assert voice is not None
    assert not problems
    terms = next(rule for rule in voice.rules if rule.id == "Shop.Terms")
    params = terms.grader.model_dump()
    assert (params["swap"], params["ignorecase"], params["scope"]) == (
        {"e-mail": "email"},
        False,
        "text",
    )
    assert params["action"] == {"name": "replace", "params": []}


def test_a_folder_without_styles_is_a_mistake(tmp_path: Path) -> None:
    """There must be something to bring."""
    with pytest.raises(UsageError, match=r"holds no \.yml file"):
        import_vale_styles(tmp_path)
