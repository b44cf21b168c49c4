"""Whole outputs of one small run, compared with files: a change of the page or the text shows up as a diff.

`UPDATE_GOLDEN=1 python -m pytest tests/reporting/test_golden.py` accepts what is rendered now; review the diff.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from pathlib import Path

from evalkit.analysis import analyse
from evalkit.gate import judge
from evalkit.reporting import Screen, render_html, render_run, render_summary
from evalkit.reporting.html.environment import script, style
from tests.made_up_run import (
    FAILED,
    PASSED,
    MadeUpRun,
    assertion,
    case,
    down,
    marked,
    score,
    suite,
    tool_turn,
    trial,
    trials,
    voice,
)

GOLDEN = Path(__file__).parent.parent / "golden"


def small_run() -> MadeUpRun:
    """Three cases: one that broke a critical rule, one that passed with a warning, one without a reply."""
    answer = tool_turn("The Alma lamp is in stock, absolutely guaranteed.")
    never = score(FAILED, 'never_says "guaranteed"', spans=(marked(answer.reply, "guaranteed"),))
    held = score(PASSED, "tools.calls find_lamp")
    played = [trial("stock", n, never if n < 3 else score(PASSED), held, turns=[answer]) for n in (1, 2, 3)]
    played += [trial("price", n, score(PASSED), voice("brief", observed="140 words")) for n in (1, 2, 3)]
    cases = [
        case("stock", critical=True, tags=("product",), assertions=(assertion('never_says "guaranteed"'),)),
        case("price", tags=("product",)),
        case("opening-hours", skip="no fixture yet"),
        case("delivery"),
    ]
    return MadeUpRun(cases, [*played, *trials("delivery", "p"), down("delivery", 2)], suites=(suite(pass_rate=0.9),))


def check(name: str, actual: str) -> None:
    """Compare with the golden file, or rewrite it when asked."""
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(actual, "utf-8")
    assert actual == golden.read_text("utf-8")


def scrubbed(page: str) -> str:
    """The page without what is a file of its own, and with its conversations readable."""
    page = page.replace(style(), "[style]").replace(script(), "[script]")
    page = re.sub(r"sha256-[\w+/=]+", "sha256-[hash]", page)
    return re.sub(r'(id="group-\d+">)([^<]*)', lambda found: found[1] + readable(found[2]), page)


def readable(group: str) -> str:
    """A packed group as indented JSON."""
    return json.dumps(json.loads(gzip.decompress(base64.b64decode(group))), indent=1, ensure_ascii=False)


def test_page(tmp_path: Path) -> None:
    """The page of the small run is the golden one."""
    run = small_run()
    summary = analyse(run).summary
    render_html(summary, judge(summary), run.trials(), tmp_path / "report.html")
    check("report.html", scrubbed((tmp_path / "report.html").read_text("utf-8")))


def test_terminal() -> None:
    """The text of the small run is the golden one."""
    analysis = analyse(small_run())
    gate = judge(analysis.summary)
    text = render_run(analysis.summary, gate, analysis.details, screen=Screen(100), report="reports/x/report.html")
    check("terminal.txt", text)


def test_summary() -> None:
    """The summary of the small run is the golden one."""
    summary = analyse(small_run()).summary
    check("summary.json", render_summary(summary, judge(summary)).decode())
