"""What holds for all graders together."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evalkit.graders.registry import BY_KIND
from evalkit.records import Transcript, TrialVerdict, Turn
from tests.graders.build import OVERLOADED, assertion, call, grade, request, used

PARAMS: dict[str, dict[str, Any]] = {
    "says": {"says": ["order"]},
    "says_any": {"says_any": ["ord", "/l.?te/"]},
    "never_says": {"never_says": ["/sorr(y|ies)/"]},
    "max_words": {"max_words": 4},
    "max_sentences_per_paragraph": {"max_sentences_per_paragraph": 1},
    "tools.none": {},
    "tools.calls": {"calls": [{"look": {"n": 1}}, "book"]},
    "tools.never": {"never": ["book"]},
    "tools.max_calls": {"max_calls": 1},
    "tools.min_calls": {"min_calls": 1},
    "tools.times": {"times": {"look": {"max": 1}}},
    "tools.after": {"after": {"book": ["look"]}},
    "tools.before": {"before": {"look": ["book"]}},
    "tools.recovers": {"recovers": {"hand_over": ["book"]}},
    "tools.max_redundant": {"max_redundant": 0},
    "outcome.writes": {"write_tools": ["book"], "writes": [{"book": {"n": 1}}]},
    "outcome.state": {"write_tools": ["book"], "state": []},
    "outcome.closed_by": {"closed_by": {"user_says": "bye", "calls": ["book"]}},
    "count": {"count": {"words": {"min": 2, "max": 3}}},
    "starts_with": {"starts_with": "sorry"},
    "ends_with": {"ends_with": "Fine."},
    "format": {"format": "json"},
    "json": {"json": {"fields": {"a[0]": 1}}},
    "ended": {"ended": ["end_turn"]},
    "case": {"case": "lower"},
    "postscript": {"postscript": "P.S."},
    "paragraph": {"paragraph": {"n": 1, "first_word": "late"}},
    "grounded": {"grounded": True},
    "language": {"language": "en"},
    "voice.existence": {"tokens": ["sorry", "late"], "message": "No '%s'"},
    "voice.substitution": {"swap": {"order": "parcel"}, "message": "'%s' not '%s'"},
    "voice.occurrence": {"token": "!", "max": 1, "message": "calm"},
    "voice.repetition": {"tokens": [r"[^\\s]+"], "message": "'%s' twice"},
    "voice.consistency": {"either": {"sorry": "late"}, "message": "both"},
    "voice.conditional": {"first": "late", "second": "sorry", "message": "late"},
    "voice.capitalization": {"match": "$sentence", "scope": "sentence", "message": "case"},
    "voice.metric": {"formula": "words / sentences", "condition": "> 2", "message": "%s"},
    "voice.readability": {"metrics": ["Flesch-Kincaid"], "grade": 3, "message": "%s"},
    "voice.language": {"language": "en", "message": "English"},
    "voice.links": {"allow": [], "message": "link"},
    "voice.leak": {"words": 4, "message": "leak"},
    "voice.personal_data": {"kinds": ["mail", "phone", "card", "iban"], "message": "data"},
    "voice.length": {"max_words": 5, "max_sentence_words": 3, "message": "long"},
    "voice.judge": {"criterion": "Is kind", "model": "m", "votes": 1},
    "judge": {"criterion": "Is kind", "model": "m", "votes": 1},
    "team": {"team": [{"grader": "not_installed"}]},
    "budget.cost_usd": {"cost_usd": 0.015},
    "budget.requests": {"requests": 2},
    "budget.output_tokens": {"output_tokens": 15},
    "budget.cache_hit": {"cache_hit": 0.5},
    "budget.cold_cache_hit": {"cold_cache_hit": 0.5},
    "budget.cache_kept": {"cache_kept": 0.5},
    "budget.turn_cache_kept": {"turn_cache_kept": 0.5},
    "budget.prefix_kept": {"prefix_kept": True},
    "budget.miss_reasons": {"miss_reasons": []},
    "budget.turn_cost_usd": {"turn_cost_usd": 0.005},
    "budget.cost_as_first_usd": {"cost_as_first_usd": 0.005},
    "budget.turn_cost_as_first_usd": {"turn_cost_as_first_usd": 0.005},
    "budget.first_token_ms": {"first_token_ms": 15},
    "budget.time_ms": {"time_ms": 15},
}

replies = st.lists(st.sampled_from(["sorry", "late!", "order", "Fine.", "\n", "é"]), max_size=8).map(" ".join)
calls = st.lists(st.builds(call, st.sampled_from(["look", "book"]), st.just({"n": 1})), max_size=3).map(tuple)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Draw conversations of up to three turns, the last of which may have failed or be unanswered."""
    turns: list[Turn] = []
    for n in range(1, draw(st.integers(0, 3)) + 1):
        known = draw(st.booleans())
        measured = {
            "cost_usd": 0.01,
            "usage": used(input_tokens=9, output_tokens=9),
            "first_token_ms": 9.0,
            "total_ms": 9.0,
        }
        turns.append(Turn(n, "q", (request(n, n, draw(replies), **(measured if known else {})),), draw(calls)))
    n = len(turns) + 1
    ending = draw(st.sampled_from(["complete", "failed", "unanswered"]))
    if ending == "failed":
        turns.append(Turn(n, "q", (request(n, n, None, failure=OVERLOADED, stop_reason=None),)))
    if ending == "unanswered":
        turns.append(Turn(n, "bye"))
    return Transcript("s", "p", tuple(turns))


def test_every_kind_is_tried_here() -> None:
    """The laws below are checked for each grader there is."""
    assert set(PARAMS) == set(BY_KIND)


@given(transcripts(), st.sampled_from(sorted(PARAMS)), st.none() | st.integers(1, 4))
def test_grading_obeys_the_laws(transcript: Transcript, kind: str, turn: int | None) -> None:
    """Twice gives the same; spans lie in replies; unmeasured says why; failures say what was seen and expected."""
    asked = assertion(kind, PARAMS[kind], turn)
    score = grade(transcript, asked)
    assert score == grade(transcript, asked)
    found = score.finding
    for span in found.spans:
        assert 0 <= span.start < span.end <= len(transcript.turns[span.turn - 1].reply)
    if found.verdict is TrialVerdict.NOT_MEASURED:
        assert found.note
    if found.verdict is TrialVerdict.FAILED:
        assert found.observed
        assert found.expected


ABOUT_THE_END = frozenset({"outcome.closed_by"})
"""A conversation that goes on has not ended, so that a further turn may take its end away."""


@given(transcripts(), st.sampled_from(sorted(PARAMS.keys() - ABOUT_THE_END)))
def test_a_failed_last_turn_never_makes_a_new_failure(transcript: Transcript, kind: str) -> None:
    """Cutting a conversation off can take an answer away, never turn a pass into a failure."""
    asked = assertion(kind, PARAMS[kind])
    n = len(transcript.turns) + 1
    broken = Turn(n, "q", (request(n, n, None, failure=OVERLOADED, stop_reason=None),))
    cut = Transcript("s", "p", (*transcript.turns, broken))
    before, after = grade(transcript, asked).finding.verdict, grade(cut, asked).finding.verdict
    assert not (before is TrialVerdict.PASSED and after is TrialVerdict.FAILED)


def test_graders_load_no_heavy_package() -> None:
    """`check` starts fast: the difference package is loaded only when a difference is shown."""
    heavy = "{'deepdiff', 'anthropic', 'pandas', 'scipy', 'py3langid', 'numpy'}"
    code = f"import sys, evalkit.graders, evalkit.scoring; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
