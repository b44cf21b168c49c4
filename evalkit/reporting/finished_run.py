"""What the reports for GitHub are made of: a finished run, its comparison, and the addresses to link to."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from evalkit.records import Decision, Details, GateResult, Information, Place, RunComparison, Summary


@dataclass(frozen=True)
class Links:
    """Where a reader gets more: `report` is the address of the page, `files` of the repository at this commit.

    `folder` is where the project stands inside the repository, `services/shop/`; empty at its top.
    """

    report: str = ""
    files: str = ""
    folder: str = ""

    def of(self, place: Place) -> str:
        """Return the address of a line; empty where none is known."""
        if not self.files or place.file.startswith(("/", "..")):
            return ""
        line = f"#L{place.line}" if place.line else ""
        return f"{self.files}/{quote(place.below(self.folder).file)}{line}"


@dataclass(frozen=True)
class FinishedRun:
    """A run with its verdict, the trials that show why cases did not pass, and how it stands beside its baselines.

    `information` tells of versions that are not live and were measured beside it.
    """

    summary: Summary
    gate: GateResult
    details: Details = field(default_factory=dict)
    comparison: RunComparison | None = None
    links: Links = field(default_factory=Links)
    information: tuple[Information, ...] = ()

    @property
    def decision(self) -> Decision | None:
        """What comparing it has come to."""
        return self.comparison.decision if self.comparison else None
