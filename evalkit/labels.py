"""What people say about the replies that a judge was asked about, and how far the judge agrees with them.

A label belongs to one exhibit (the conversation as it was judged, by its hash) and one criterion, and remembers what
the judge answered, so that agreement can be told from this file alone. Labels stand in `suites/NAME.labels.jsonl` and
are committed. Knows no judge and no suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from evalkit.errors import FileProblems
from evalkit.records import Agreement, JudgedRate, Place, Problem

LABELS_FLOOR = 50
AGREEMENT_FLOOR = 0.85
"""A judge may fail a trial from this many labels and this agreement on (github.com/zeroclaw-labs/zeroclaw/issues/9227,
read November 2026)."""
CORRECTED_FROM = 10
"""From so many labels on answers of a run its pass rate is corrected; below, an interval is all width."""
Answer = Literal["yes", "no"]
_Z_95 = 1.959964


@dataclass(frozen=True)
class Label:
    """One person's answer, and the answer of the judge that `model` and `wording` name (None: it gave none)."""

    exhibit: str
    criterion: str
    label: Answer
    model: str
    wording: str
    judge: Answer | None
    at: str = ""


def labels_file(suite: str) -> str:
    """Return where the labels of a suite stand: `suites/a.labels.jsonl` for `suites/a.yaml`."""
    return f"{suite.rsplit('.', 1)[0]}.labels.jsonl"


def read_labels(root: Path, file: str) -> tuple[Label, ...]:
    """Return the labels of a file, the last word on each exhibit, criterion and judge; none when there is no file.

    Raises FileProblems with every line that is no label.
    """
    path = root / file
    if not path.exists():
        return ()
    labels: dict[tuple[str, ...], Label] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        try:
            label = _label(orjson.loads(raw))
        except (ValueError, TypeError, KeyError) as exc:
            problems.append(Problem(Place(file, number, 1), f"is no label ({exc}); restore or remove the line."))
            continue
        labels[label.exhibit, label.criterion, label.model, label.wording] = label
    if problems:
        raise FileProblems(problems)
    return tuple(labels.values())


def append_label(root: Path, file: str, label: Label) -> None:
    """Write one label at the end of its file."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as out:
        out.write(orjson.dumps(asdict(label), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))


def take_back_label(root: Path, file: str) -> None:
    """Remove the last line of a label file, whole or not at all."""
    path = root / file
    lines = path.read_bytes().splitlines(keepends=True)
    rest = path.with_name(f".{path.name}.new")
    rest.write_bytes(b"".join(lines[:-1]))
    rest.replace(path)


def measure_agreement(labels: Iterable[Label], criterion: str, model: str, wording: str) -> Agreement:
    """Return how far a judge agrees with people on one criterion."""
    own = [label for label in labels if (label.criterion, label.model, label.wording) == (criterion, model, wording)]
    pairs = [(label.label, label.judge) for label in own if label.judge is not None]
    agreed = sum(person == judge for person, judge in pairs)
    kappa, interval = cohens_kappa(pairs)
    return Agreement(
        criterion=criterion,
        model=model,
        labels=len(pairs),
        agreed=agreed,
        people_yes=sum(person == "yes" for person, _ in pairs),
        judge_yes=sum(judge == "yes" for _, judge in pairs),
        kappa=kappa,
        kappa_interval=interval,
        trusted=len(pairs) >= LABELS_FLOOR and agreed >= AGREEMENT_FLOOR * len(pairs),
    )


def correct_rate(
    answers: Mapping[str, bool], labels: Iterable[Label], criterion: str, model: str, wording: str
) -> JudgedRate:
    """Return how often a judge says yes in a run, corrected by the labels on answers of that run.

    `answers` are what the judge made of each exhibit. Labels on other runs don't count here: how a judge errs depends
    on what it is shown, so only a sample of these very answers says how often it errs on them. It is a sample because
    `evalkit label` asks in an order that knows neither case nor verdict.
    """
    own = {
        label.exhibit: label.label == "yes"
        for label in labels
        if (label.criterion, label.model, label.wording) == (criterion, model, wording) and label.exhibit in answers
    }
    yes = sum(answers.values())
    others = [answer for exhibit, answer in answers.items() if exhibit not in own]
    pairs = [(person, answers[exhibit]) for exhibit, person in own.items()]
    from evalkit.stats import powered_rate  # here, because scipy takes longer than a whole check

    found = powered_rate(pairs, sum(others), len(others)) if len(pairs) >= CORRECTED_FROM else None
    if found is None:
        return JudgedRate(len(answers), yes, len(own))
    return JudgedRate(len(answers), yes, len(own), found.rate, (found.low, found.high))


def cohens_kappa(pairs: Sequence[tuple[str, str | None]]) -> tuple[float | None, tuple[float, float] | None]:
    """Return Cohen's kappa with its 95 % interval; None where chance alone would agree always, or nothing is labelled.

    The interval is the large-sample one: Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969), eq. 13.
    """
    n = len(pairs)
    if not n:
        return None, None
    share = {pair: pairs.count(pair) / n for pair in set(pairs)}
    words = {word for pair in pairs for word in pair}
    rows = {word: sum(p for (left, _), p in share.items() if left == word) for word in words}
    columns = {word: sum(p for (_, right), p in share.items() if right == word) for word in words}
    by_chance = sum(rows[word] * columns[word] for word in words)
    if by_chance > 1 - 1e-12:
        return None, None
    observed = sum(p for (left, right), p in share.items() if left == right)
    kappa = (observed - by_chance) / (1 - by_chance)
    spread = _variance(share, (rows, columns), observed, by_chance) / n
    half = _Z_95 * max(0.0, spread) ** 0.5
    return kappa, (max(-1.0, kappa - half), min(1.0, kappa + half))


def _variance(
    share: Mapping[tuple[str, str | None], float],
    margins: tuple[Mapping[str | None, float], Mapping[str | None, float]],
    observed: float,
    by_chance: float,
) -> float:
    """Return n times the variance of kappa."""
    rows, columns = margins
    agree = sum(
        p * ((1 - by_chance) - (columns[left] + rows[left]) * (1 - observed)) ** 2
        for (left, right), p in share.items()
        if left == right
    )
    differ = sum(p * (columns[left] + rows[right]) ** 2 for (left, right), p in share.items() if left != right)
    correction = (observed * by_chance - 2 * by_chance + observed) ** 2
    return (agree + (1 - observed) ** 2 * differ - correction) / (1 - by_chance) ** 4


def _label(obj: dict[str, Any]) -> Label:
    label = Label(**obj)
    texts = (label.exhibit, label.criterion, label.model, label.wording, label.at)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a value is no text")
    if label.label not in ("yes", "no") or label.judge not in ("yes", "no", None):
        raise ValueError("an answer is neither yes nor no")
    return label
