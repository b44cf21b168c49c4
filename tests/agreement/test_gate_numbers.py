"""Every number of gate-golden.json that the gate's mathematics gives, read from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit import stats
from evalkit.stats import Margins, Stratum

ABS = 6e-7


@pytest.fixture(scope="module")
def golden(data: Path) -> dict[str, Any]:
    """Return the file's entries, or skip."""
    file = data / "gate-golden.json"
    if not file.is_file():
        pytest.skip("the folder has no gate-golden.json")
    entries: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return entries


def test_tests_of_a_look(golden: dict[str, Any]) -> None:
    """Breadth, break, their union, and each case's plain and adjusted p."""
    sets = [entry for name, entry in golden.items() if name.startswith("tests_")]
    assert len(sets) >= 6
    for entry in sets:
        cases = [Stratum(*counts) for counts in entry["inputs"]["cases_a_kA_b_kB"]]
        found = stats.gate_p(cases)
        assert (found.breadth, found.breaks, found.p) == pytest.approx(
            (entry["p_breadth"], entry["p_break"], entry["p_pair"]), abs=ABS
        )
        assert stats.break_score(cases) == entry["score"]
        assert [stats.case_p(case) for case in cases] == pytest.approx(entry["case_p"], abs=ABS)
        assert stats.adjusted_case_p(cases) == pytest.approx(entry["case_p_adj"], abs=ABS)


def test_fisher(golden: dict[str, Any]) -> None:
    """One case's p."""
    for name, entry in golden.items():
        if name.startswith("fisher_"):
            one = entry["inputs"]
            assert stats.case_p(Stratum(one["a"], one["kA"], one["b"], one["kB"])) == pytest.approx(entry["p"], abs=ABS)


def test_proportions(golden: dict[str, Any]) -> None:
    """Intervals of one rate, and chances over several trials."""
    for name, entry in golden.items():
        one = entry["inputs"]
        if name.startswith("prop_"):
            counts = one["passes"], one["trials"]
            wilson, exact = stats.wilson_interval(*counts), stats.exact_interval(*counts)
            assert wilson == pytest.approx((entry["wilson95_lo"], entry["wilson95_hi"]), abs=ABS)
            assert exact == pytest.approx((entry["cp95_lo"], entry["cp95_hi"]), abs=ABS)
        elif name.startswith("passk_"):
            draw = one["passes"], one["trials"], one["k"]
            assert stats.all_pass_chance(*draw) == pytest.approx(entry["pass_hat_k"], abs=ABS)


def test_break_scores(golden: dict[str, Any]) -> None:
    """The tables of scores."""
    for k_a, k_b in ((5, 5), (10, 1)):
        table = golden[f"break_score_table_{k_a}_{k_b}"]
        for passes in range(k_a + k_b + 1):
            assert list(stats.break_scores(Margins(k_a, k_b, passes))) == table[f"t{passes}"]


def test_planning(golden: dict[str, Any]) -> None:
    """The smallest drop that is seen."""
    for name, entry in golden.items():
        if name.startswith("mde_"):
            one = entry["inputs"]
            shape = stats.SuiteShape(one["n"], one["v0"], one["pbar"])
            assert stats.detectable_drop(shape, one["kA"], one["kB"]) == pytest.approx(entry["mde"], abs=ABS)
