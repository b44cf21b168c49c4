"""A mirror of one of the server's token buckets: what we believe is left of it. Arithmetic; the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH = 1e-6  # rounding of the clock must not cost another round of waiting


@dataclass
class Bucket:
    """A rate limit of `limit` per minute that refills evenly.

    `level` is what may still be used: the server's last word less everything since. `ceiling` is the same without our
    reserves for what is not known yet; giving back a reserve never lifts the level above it.
    """

    limit: float
    level: float
    ceiling: float
    at: float
    per_s: float

    @classmethod
    def seen(cls, limit: float, remaining: float, unseen: float, now: float) -> Bucket:
        """Return the mirror for a limit seen for the first time; `unseen` is in flight and may not be counted in it."""
        return cls(limit, remaining - unseen, remaining, now, limit / 60)

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` is there; 0 when it is there now. A whole minute's worth is enough."""
        self._refill(now)
        missing = min(amount, self.limit) - self.level
        return missing / self.per_s if missing > ENOUGH else 0.0

    def take(self, amount: float, now: float) -> None:
        """Use up or reserve an amount."""
        self._refill(now)
        self.level -= amount
        self.ceiling -= amount

    def correct(self, reserved: float, used: float, now: float) -> None:
        """Replace a reserve by what was really used."""
        self._refill(now)
        if used > reserved:
            self.take(used - reserved, now)
        else:
            self.level = min(self.level + reserved - used, max(self.level, self.ceiling))

    def believe(self, remaining: float, unseen: float, rounding: float, now: float) -> None:
        """Take the server's word: it counted at least what it had seen, at most everything that is in flight."""
        self._refill(now)
        self.ceiling = min(remaining, self.limit)
        self.level = min(self.ceiling, max(self.level, remaining - unseen - rounding))

    def refused(self, amount: float, retry_after_s: float, now: float) -> None:
        """Believe a refusal: `amount` is there only when the server says so."""
        self._refill(now)
        self.level = min(self.level, amount - retry_after_s * self.per_s)

    def slow_down(self, full_in_s: float, remaining: float) -> None:
        """Lower the speed when the server needs longer to fill up than a minute's limit would; never raise it.

        Times are whole seconds on both ends, so a second is taken off before they count.
        """
        missing = self.limit - remaining
        if missing > 0 and full_in_s > 1:
            self.per_s = min(self.limit / 60, missing / (full_in_s - 1))

    def _refill(self, now: float) -> None:
        gained = (now - self.at) * self.per_s
        self.level = min(self.limit, self.level + gained)
        self.ceiling = min(self.limit, self.ceiling + gained)
        self.at = now
