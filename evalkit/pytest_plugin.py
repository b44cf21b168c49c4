"""Suites as pytest items: `pytest suites/` collects `suites/returns.yaml::no-order-number` and plays each case once.

Asks the stand-in unless told otherwise, whatever keys there are: a test run must not cost money by accident. Every
project with evalkit installed loads this module, so it imports nothing until a suite is to be collected.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from evalkit.records import CaseRecord, CaseSummary

STAND_IN = "stand-in"
REPORTS = "reports/pytest"
SOURCE = "evalkit source"
BLESSED = "evalkit baseline"
JUDGED = "evalkit unlabelled judge"


class CaseFailed(Exception):
    """A case that did not pass; the message is what the terminal shows of it."""


def dollars(text: str) -> float:
    """Read an amount of money; ValueError when it is none. argparse names the option and this function."""
    from evalkit.cli.terminal import dollars_of

    return dollars_of(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("evalkit", "suites of evalkit")
    group.addoption(
        "--evalkit-via",
        default=STAND_IN,
        metavar="SOURCE",
        help="Where replies come from: stand-in (free, the default), live (asks Claude and costs money), or a run.",
    )
    group.addoption("--evalkit-model", metavar="MODEL", help="Ask this model instead of the prompts' own.")
    group.addoption(
        "--evalkit-tools",
        metavar="MODULE",
        help="Python functions that answer the tool calls which the suites leave open, such as my_app.tools.",
    )
    group.addoption(
        "--evalkit-max-cost",
        type=dollars,
        metavar="USD",
        help="With --evalkit-via live: the most that one case may cost.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the YAML files below a project's suites/ folder that hold cases."""
    if file_path.suffix not in (".yaml", ".yml") or "suites" not in file_path.parts:
        return None
    root = _project_root(file_path)
    if root is None:
        return None
    from evalkit.suites.find import kind_of

    if kind_of(file_path, root) != "suite":
        return None
    collector: SuiteFile = SuiteFile.from_parent(parent, path=file_path)
    collector.root = root
    return collector


def _project_root(file: Path) -> Path | None:
    """Return the folder of the project that a file is a suite of: it holds both suites/ and prompts/."""
    for folder in file.parents:
        if folder.name == "suites" and (folder.parent / "prompts").is_dir():
            return folder.parent
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say where the replies came from, so that green is not taken for more than it is."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    told = {tuple(one) for report in reports for one in getattr(report, "user_properties", ())}
    blessed = sorted(suite for name, suite in told if name == BLESSED)
    if blessed:
        from evalkit.wording import first_of

        terminalreporter.write_line(
            f"evalkit: {first_of(blessed, 3)}: a baseline is there, and these items hold cases to what they "
            "state only; evalkit run compares."
        )
    for words in sorted(words for name, words in told if name == JUDGED):
        terminalreporter.write_line(f"evalkit: {words}.")
    if (SOURCE, STAND_IN) in told:
        terminalreporter.write_line(
            "evalkit: the stand-in model answered, which checks suites, tools and rules and says nothing about Claude; "
            "--evalkit-via live asks Claude itself."
        )


class SuiteFile(pytest.File):
    """A suite file; its cases are the items."""

    root: Path

    def collect(self) -> Iterator[CaseItem]:
        """Yield the cases; what is wrong in the file is an error of the collection."""
        from evalkit.suites import load_suite
        from evalkit.wording import unlabelled_judges

        suite = load_suite(self.path, self.root)
        blessed = _is_blessed(self.root, suite.path, self.config.getoption("--evalkit-via"))
        judged = unlabelled_judges({suite.path: suite.judge.unlabelled if suite.judge else None})
        for case in suite.cases:
            item: CaseItem = CaseItem.from_parent(self, name=case.record.case_id)
            item.case = case.record
            item.extra_keyword_matches.update(case.record.tags)
            item.user_properties.append((SOURCE, self.config.getoption("--evalkit-via")))
            item.user_properties.extend([(BLESSED, suite.path)] if blessed else [])
            item.user_properties.extend([(JUDGED, judged)] if judged else [])
            yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong in the files, without a traceback."""
        from evalkit.errors import EvalkitError

        return str(excinfo.value) if isinstance(excinfo.value, EvalkitError) else super().repr_failure(excinfo)


class CaseItem(pytest.Item):
    """One case with all its trials."""

    case: CaseRecord
    parent: SuiteFile

    def runtest(self) -> None:
        """Play the case once through the runner and raise what its verdict is."""
        if self.case.skip is not None:
            pytest.skip(self.case.skip)
        from evalkit.records import CaseVerdict

        summary, told = self._play()
        if summary.verdict is CaseVerdict.UNSTABLE:
            self.add_report_section("call", "evalkit", told)
            return
        if summary.verdict is CaseVerdict.PASS:
            return
        if not summary.gated:
            pytest.xfail(f"watched only: {summary.verdict}, {summary.why}")
        raise CaseFailed(told)

    def _play(self) -> tuple[CaseSummary, str]:
        """Return the case's summary, and what the terminal shows of it."""
        from evalkit.analysis import analyse
        from evalkit.cli.progress import NoProgress
        from evalkit.cli.project import load_config
        from evalkit.pricing import parse_prices, price_table, price_with
        from evalkit.records import CaseVerdict
        from evalkit.reporting import render_case
        from evalkit.runner import Invocation, Project, RunSettings, start_run
        from evalkit.store import RunReader, new_run_id

        root = self.parent.root
        config = load_config(root)
        asked = {
            "targets": (f"{self.case.suite}::{self.case.case_id}",),
            "via": self.config.getoption("--evalkit-via"),
            "model": self.config.getoption("--evalkit-model"),
            "tools": self.config.getoption("--evalkit-tools"),
            "max_cost_usd": self.config.getoption("--evalkit-max-cost"),
            "compare": False,
        }
        # The project's limits are those of a whole run; a single case has its own.
        settings = RunSettings.for_project({key: config[key] for key in ("jobs", "platform") if key in config}, asked)
        prices = parse_prices(config.get("prices", []))
        project = Project(root, price_with(prices), NoProgress, price_table(prices))
        folder = root / REPORTS / new_run_id(datetime.now(UTC))
        tools = ("--tools", settings.tools) if settings.tools else ()
        reader = RunReader(start_run(project, Invocation(settings, folder, ("pytest", self.nodeid, *tools))))
        if reader.end is not None and reader.end.reason == "interrupted":
            raise KeyboardInterrupt
        analysis = analyse(reader)
        summary = next(case for case in analysis.summary.cases if case.case_id == self.case.case_id)
        if summary.verdict is CaseVerdict.PASS:
            return summary, ""
        told = render_case(analysis.summary, summary, analysis.details.get(summary.key))
        return summary, f"{told}\n      records: {os.path.relpath(folder)}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what the terminal shows, without a traceback; a crash of evalkit keeps its own."""
        from evalkit.errors import EvalkitError

        if isinstance(excinfo.value, CaseFailed | EvalkitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the case stands."""
        return self.path, max(self.case.place.line - 1, 0), self.name


def _is_blessed(root: Path, suite: str, via: str) -> bool:
    """Return whether a suite has a baseline that was taken from this source."""
    from evalkit.baseline import baseline_name, load_baseline

    name = baseline_name(suite)
    found = load_baseline(root / name, name) if (root / name).is_file() else None
    return found is not None and found.conditions.source == via
