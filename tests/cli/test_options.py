"""Options whose values can't be meant are refused before anything is read or paid for."""

from __future__ import annotations

import pytest

from evalkit.cli.main import run_command


@pytest.mark.parametrize("command", ["run", "compare"])
@pytest.mark.parametrize("amount", ["nan", "inf", "-0.5", "1e999", "much"])
def test_a_limit_that_nothing_exceeds_is_no_limit(
    command: str, amount: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--max-cost nan` would let a run spend anything."""
    assert run_command([command, "--max-cost", amount]) == 2
    assert f"'{amount}' is no amount of dollars; expected something like 0.60." in capsys.readouterr().err
