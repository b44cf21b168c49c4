"""Prompts of any domain without a script: the stand-in makes no verdict about them, red or green."""

from __future__ import annotations

from pathlib import Path

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.pricing import price_with
from evalkit.records import CaseVerdict, RunVerdict
from evalkit.runner import Project
from evalkit.store import RunReader
from tests.runner.project import Silent, run

DOMAINS = {
    "bakery": ("You take cake orders.", "A cake for ten, please.", "Is there nut in it?", "Cancel my cake."),
    "clinic": ("You book visits.", "I need a visit.", "My chest hurts.", "Which pills should I take?"),
    "banco": ("Atiendes a clientes de un banco.", "¿Cuál es mi saldo?", "Bloquea mi tarjeta.", "Hola"),
    "code": ("You review Python code.", "def f(): return 1", "Why is it slow?", "Rewrite it in Rust."),
    "tutor": ("You teach fractions to children.", "What is 1/2 + 1/4?", "I don't get it.", "Just tell me."),
    "hotel": ("You are the night desk.", "A late check-out?", "The shower is cold.", "Where is breakfast?"),
    "legal": ("You sort letters for a law firm.", "They owe me rent.", "Can I sue?", "Draft the letter."),
    "garden": ("You advise on plants.", "My fern is brown.", "When do I prune roses?", "Is ivy poisonous?"),
    "game": ("You are a grumpy innkeeper.", "A room for the night.", "Tell me a rumour.", "I attack you."),
    "reise": ("Du planst Bahnreisen.", "Morgen nach Ulm.", "Geht es ohne Umstieg?", "Was kostet das?"),
}
EXPECTS = ({"never_says": ["zebra"]}, {"says": ["certainly"]}, {"max_words": 40})


def test_nothing_is_said_about_a_prompt_without_a_script(tmp_path: Path) -> None:
    """Thirty cases of ten prompts: each is not measured, and the run has no verdict."""
    (tmp_path / "suites").mkdir()
    for name, (system, *messages) in DOMAINS.items():
        (tmp_path / "prompts" / name).mkdir(parents=True)
        (tmp_path / "prompts" / name / "v1.md").write_text(
            f"---\nmodel: claude-sonnet-5-5\nmax_tokens: 300\n---\n{system}\n", "utf-8"
        )
        (tmp_path / "prompts" / name / "CURRENT").write_text("v1\n")
        cases = "".join(
            f"  - {{id: c{n}, user: {message!r}, expect: {expect}}}\n"
            for n, (message, expect) in enumerate(zip(messages, EXPECTS, strict=True))
        )
        (tmp_path / "suites" / f"{name}.yaml").write_text(f"prompt: {name}\ntrials: 1\ncases:\n{cases}", "utf-8")

    summary = analyse(RunReader(run(Project(tmp_path, price_with(), Silent)))).summary

    assert len(summary.cases) == 30
    assert {case.verdict for case in summary.cases} == {CaseVerdict.NOT_MEASURED}
    verdict = judge(summary)
    assert verdict.verdict is RunVerdict.NO_VERDICT
    assert int(verdict.exit_code) == 3
