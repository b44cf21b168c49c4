"""`evalkit label`: a person answers the judge's questions, without seeing what the judge said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalkit.cli.terminal import QUIT_KEYS, next_key

if TYPE_CHECKING:
    from evalkit.judging import LabelItem
    from evalkit.labels import Label
    from evalkit.records import Agreement, Enforce, JudgedRate

KEYS = "[y]es  [n]o  [s]kip  [u]ndo  [q]uit"


@click.command(
    epilog="""\b
Examples:
  evalkit label
  evalkit label reports/20261122-071455-7c1e -t returns"""
)
@click.argument("run", default="last", metavar="[RUN]")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Only cases with this tag (repeatable).")
@click.option("-k", "keyword", metavar="TEXT", help="Only cases whose id contains TEXT.")
def label(run: str, tags: tuple[str, ...], keyword: str | None) -> None:
    """Judge answers yourself, to see whether the judge agrees.

    Shows one reply and one criterion at a time; what the judge said stays hidden. Answers are kept in
    suites/NAME.labels.jsonl at once, so stopping loses nothing and going on repeats nothing.
    """
    from evalkit.cli.project import find_root
    from evalkit.errors import UsageError
    from evalkit.judging import items_to_label
    from evalkit.store import RunReader, find_run

    root = find_root()
    reader = RunReader(find_run(run, root))
    cases = {
        (case.suite, case.case_id): case
        for case in reader.cases
        if (not tags or set(tags) & set(case.tags)) and (keyword or "").lower() in case.case_id.lower()
    }
    items = items_to_label(reader.trials(), cases)
    if not items:
        msg = (
            f"run {reader.header.run_id}: no judge has answered about these cases, so labels would have nothing to be "
            "compared with; run a suite with judge criteria with --via live first."
        )
        raise UsageError(msg)
    outside = [item.suite for item in items if not (root / item.suite).resolve().is_relative_to(root.resolve())]
    if outside:
        raise UsageError(f"{outside[0]}: lies outside the project {root}; labels are kept beside suites in it only.")
    desk = _Desk(root, {suite.path: suite.judge.get("enforce", False) for suite in reader.suites})
    desk.work(items)
    click.echo(agreement_table(desk.findings(items)))


@dataclass
class _Desk:
    """Asks the person and keeps the answers; `done` holds the items that were answered in this sitting.

    `enforce` says, by suite, what a judge's no may do there.
    """

    root: Path
    enforce: Mapping[str, Enforce]
    done: list[LabelItem] = field(default_factory=list)

    def work(self, items: Sequence[LabelItem]) -> None:
        """Ask about every item that has no label yet, until there is none or the person stops."""
        from evalkit.labels import labels_file, take_back_label

        known = {suite: self._labels(suite) for suite in {item.suite for item in items}}
        left = [item for item in items if not self._is_labelled(item, known[item.suite])]
        click.echo(f"{len(items) - len(left)} of {len(items)} answers labelled already.")
        while left:
            item = left[0]
            click.echo(_shown(item, len(left)))
            key = next_key()
            if key in QUIT_KEYS:
                break
            if key in ("y", "n"):
                self._keep(item, "yes" if key == "y" else "no")
                self.done.append(left.pop(0))
            elif key == "s":
                left.pop(0)  # it comes again in the next sitting
            elif key == "u" and self.done:
                left.insert(0, self.done.pop())
                take_back_label(self.root, labels_file(left[0].suite))
            else:
                click.echo(f"{key!r} is none of {KEYS}.")

    def findings(self, items: Iterable[LabelItem]) -> list[tuple[Agreement, Enforce, JudgedRate]]:
        """Return how far the judges of these items agree with people, what their no may do, and their pass rates."""
        from evalkit.labels import correct_rate, measure_agreement

        answers: dict[tuple[str, str, str, str], dict[str, bool]] = {}
        for item in items:
            known = answers.setdefault((item.suite, item.criterion, item.model, item.wording), {})
            known.update({} if item.judge is None else {item.exhibit: item.judge})
        found = []
        for (suite, *asked), known in answers.items():
            labels = self._labels(suite)
            rate = correct_rate(known, labels, *asked)
            found.append((measure_agreement(labels, *asked), self.enforce.get(suite, False), rate))
        return found

    def _labels(self, suite: str) -> tuple[Label, ...]:
        from evalkit.labels import labels_file, read_labels

        return read_labels(self.root, labels_file(suite))

    def _is_labelled(self, item: LabelItem, labels: Sequence[Label]) -> bool:
        """Tell whether an item is labelled; a label beside another judge's answer counts for this one too."""
        same = [one for one in labels if (one.exhibit, one.criterion) == (item.exhibit, item.criterion)]
        if same and not any((one.model, one.wording) == (item.model, item.wording) for one in same):
            self._keep(item, same[-1].label)
        return bool(same)

    def _keep(self, item: LabelItem, answer: Literal["yes", "no"]) -> None:
        from evalkit.engine.recorder import utc_now
        from evalkit.labels import Label, append_label, labels_file

        judge: Literal["yes", "no"] | None = None if item.judge is None else "yes" if item.judge else "no"
        one = Label(item.exhibit, item.criterion, answer, item.model, item.wording, judge, utc_now())
        append_label(self.root, labels_file(item.suite), one)


def agreement_table(findings: Sequence[tuple[Agreement, Enforce, JudgedRate]]) -> str:
    """Return for each criterion labels, agreement, Cohen's kappa and base rates, and the corrected pass rate."""
    from evalkit.graders.statements import short_text
    from evalkit.labels import CORRECTED_FROM
    from evalkit.reporting.wording import agreement_in_words, rate_in_words
    from evalkit.wording import plural

    lines = ["", "Agreement of the judge with people:"]
    for agreement, enforce, rate in findings:
        told = agreement_in_words(agreement, enforce)
        lines += [f"  {short_text(agreement.criterion)}", f"    {agreement.model}: {told}"]
        so_far = f"{rate.labels} of this run's {plural(rate.answers, 'answer')} labelled"
        lines.append(f"    {rate_in_words(rate) or f'{so_far}; from {CORRECTED_FROM} on its pass rate is corrected'}")
    return "\n".join(lines)


def _shown(item: LabelItem, left: int) -> str:
    """Return the conversation up to what is judged, and the question."""
    from evalkit.content import readable, spoken
    from evalkit.reporting.safe_text import visible

    lines = ["", "─" * 78, f"{left} to go"]
    for part in spoken(item.transcript.history):
        lines.append(f"{part.role} (before)  {visible(readable(part.content))}")
        lines += [f"  tool     {call.get('name')}: {visible(part.result_of(call)[0])[:200]}" for call in part.calls]
    for turn in item.transcript.turns:
        if item.turn is None or turn.n <= item.turn:
            lines.append(f"\nCustomer   {visible(readable(turn.said))}")
            lines += [f"  tool     {call.name}: {visible(call.output)[:200]}" for call in turn.tool_calls]
            lines.append(f"Assistant  {visible(turn.reply)}")
    about = "the last reply" if item.turn is not None else "the whole conversation"
    lines += ["", f"About {about}, is this true?", f"  {visible(item.criterion)}", KEYS]
    return "\n".join(lines)
