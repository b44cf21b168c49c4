"""Agreement with Google's instruction-following verifier, strict and loose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agreement.ours import holds, read, transcript
from tests.agreement.tally import Tally

LOOSE = ["asterisks", "first_line", "last_line"]
LANGUAGE = {"language:response_language", "change_case:english_capital", "change_case:english_lowercase"}
SENTENCES = {"length_constraints:number_sentences"}


def limits(relation: str, number: int) -> dict[str, int]:
    """Return `at least n` and `less than n` as min and max."""
    return {"min": number} if relation == "at least" else {"max": number - 1}


def character_by_character(text: str) -> dict[str, Any]:
    return {"exact": text, "ignore_case": True}


def our_expect(kind: str, given: dict[str, Any]) -> dict[str, Any]:  # noqa: C901, PLR0912 - one line for each of 25 types
    """Return an instruction as our expectation."""
    match kind.split(":")[1]:
        case "existence":
            return {"says": [character_by_character(word) for word in given["keywords"]]}
        case "frequency":
            counted = {"of": character_by_character(given["keyword"])}
            return {"count": {"texts": [{**counted, **limits(given["relation"], given["frequency"])}]}}
        case "forbidden_words":
            return {"never_says": [{"word": word} for word in given["forbidden_words"]]}
        case "letter_frequency":
            return {
                "count": {"letters": {"of": given["letter"], **limits(given["let_relation"], given["let_frequency"])}}
            }
        case "number_words":
            return {"count": {"words": limits(given["relation"], given["num_words"])}}
        case "number_sentences":
            return {"count": {"sentences": limits(given["relation"], given["num_sentences"])}}
        case "number_paragraphs":
            return {"count": {"sections": {"separator": "***", "exactly": given["num_paragraphs"]}}}
        case "nth_paragraph_first_word":
            first = {"n": given["nth_paragraph"], "first_word": given["first_word"]}
            return {"count": {"paragraphs": given["num_paragraphs"]}, "paragraph": first}
        case "number_bullet_lists":
            return {"count": {"bullets": given["num_bullets"]}}
        case "number_highlighted_sections":
            return {"count": {"emphasis": {"min": given["num_highlights"]}}}
        case "multiple_sections":
            return {"count": {"sections": {"heading": given["section_spliter"].strip(), "min": given["num_sections"]}}}
        case "title":
            return {"count": {"titles": {"min": 1}}}
        case "json_format":
            return {"format": "json"}
        case "constrained_response":
            answers = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
            return {"says_any": [{"exact": answer} for answer in answers]}
        case "number_placeholders":
            return {"count": {"placeholders": {"min": given["num_placeholders"]}}}
        case "postscript":
            return {"postscript": given["postscript_marker"]}
        case "end_checker":
            return {"ends_with": character_by_character(given["end_phrase"].strip())}
        case "quotation":
            return {"format": "quoted"}
        case "english_capital":
            return {"case": "upper", "language": "en"}
        case "english_lowercase":
            return {"case": "lower", "language": "en"}
        case "capital_word_frequency":
            return {"count": {"capitals": limits(given["capital_relation"], given["capital_frequency"])}}
        case "response_language":
            return {"language": given["language"]}
        case "no_comma":
            return {"never_says": [","]}
        case "repeat_prompt":
            return {"starts_with": character_by_character(given["prompt_to_repeat"].strip())}
        case "two_responses":
            return {"count": {"sections": {"separator": "******", "exactly": 2, "distinct": True}}}
    raise AssertionError(kind)


@pytest.mark.parametrize("reading", ["strict", "loose"])
def test_ifeval(data: Path, tally: list[Tally], reading: str) -> None:
    """Every type agrees as far as the reference is deterministic; language and sentences as far as detectors can."""
    rules = {row["case"]: row["rules"] for row in read(data, "ifeval/rules.jsonl")}
    replies = {row["id"]: transcript(row) for row in read(data, "ifeval/transcripts.jsonl")}
    rows = {
        name: Tally(f"IFEval {reading}: {name}", "google verifier")
        for name in ("other types", "language", "language alone", "sentences")
    }
    for verdict in read(data, "ifeval/verdicts.jsonl"):
        rule = rules[verdict["case"]][verdict["rule"]]
        kind = rule["instruction_id"]
        expect = our_expect(kind, rule["kwargs"]) | ({"normalise": LOOSE} if reading == "loose" else {})
        row = "language" if kind in LANGUAGE else "sentences" if kind in SENTENCES else "other types"
        ours = holds(replies[verdict["id"]], expect)
        for name in (row, "language alone") if kind == "language:response_language" else (row,):
            rows[name].add(f"{verdict['id']} {kind}", ours=ours, reference=verdict[reading])
    tally.extend(rows.values())
    assert rows["other types"].agreement == 1.0, rows["other types"].disagreements()
    assert rows["language"].agreement >= 0.98, rows["language"].disagreements()
    assert rows["sentences"].agreement >= 0.94, rows["sentences"].disagreements()
