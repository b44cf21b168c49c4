"""How many requests may be under way at once: grows while replies come well, shrinks when the server says 429."""

from __future__ import annotations

from dataclasses import dataclass

FIRST, LEAST, MOST = 8.0, 1.0, 4096.0
CUT = 0.7


@dataclass
class Window:
    """Doubles with each round of clean replies until the first cut, then grows by one a round (as TCP does)."""

    size: float = FIRST
    cut_at: float = float("-inf")
    doubling: bool = True

    def clean(self) -> None:
        """Grow after a clean reply that came while the window was full."""
        self.size = min(MOST, self.size + (1.0 if self.doubling else 1.0 / self.size))

    def refused(self, sent_at: float, now: float) -> None:
        """Shrink, once for all requests that were under way together."""
        if sent_at >= self.cut_at:
            self.size = max(LEAST, self.size * CUT)
            self.cut_at = now
            self.doubling = False
