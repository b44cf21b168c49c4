"""Counting where two verdicts agree."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Our verdicts against a reference's: a false pass is ours alone, a false fail the reference's."""

    name: str
    reference: str
    n: int = 0
    false_passes: list[str] = field(default_factory=list)
    false_fails: list[str] = field(default_factory=list)

    def add(self, what: str, *, ours: bool, reference: bool) -> None:
        """Count one pair of verdicts."""
        self.n += 1
        if ours and not reference:
            self.false_passes.append(what)
        elif reference and not ours:
            self.false_fails.append(what)

    @property
    def agreement(self) -> float:
        """The share of pairs that agree."""
        return 1 - (len(self.false_passes) + len(self.false_fails)) / self.n if self.n else 0.0

    def line(self) -> str:
        """Return the row of the table."""
        wrong = f"{len(self.false_passes):>12}{len(self.false_fails):>12}"
        return f"{self.name:<34}{self.reference:<30}{self.n:>6}{self.agreement:>8.4f}{wrong}"

    def disagreements(self) -> str:
        """Return what disagrees, for the message of a failing test."""
        return f"false passes {self.false_passes[:20]}, false fails {self.false_fails[:20]}"
