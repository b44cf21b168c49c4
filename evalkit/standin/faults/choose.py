"""Which fault strikes a request: the one a script step or a header names, or one drawn at the server's seeded rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b

from evalkit.standin.faults.table import FAULTS, Fault


@dataclass(frozen=True)
class FaultRates:
    """How often each fault strikes; the draw depends on nothing but seed, request bytes, trial and attempt.

    Raises ValueError for an unknown name, a rate outside 0 to 1, or rates that sum to more than 1.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            find_fault(name)
            if not 0 <= rate <= 1:
                raise ValueError(f"faults: rate of {name!r} is {rate}; expected 0 to 1.")
        if sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError(f"faults: the rates sum to {sum(self.rates.values()):g}; expected at most 1.")

    def draw(self, raw: bytes, trial: int, attempt: int) -> Fault | None:
        """Return the fault for one attempt of one request, or None."""
        if not self.rates:
            return None
        digest = blake2b(raw, digest_size=8, salt=b"%d" % (self.seed % 10**15), person=b"%d.%d" % (trial, attempt))
        point = int.from_bytes(digest.digest(), "big") / 2**64
        for name, rate in self.rates.items():
            if point < rate:
                return FAULTS[name]
            point -= rate
        return None


def find_fault(name: str) -> Fault:
    """Return a fault by name; raises ValueError that names the nearest one."""
    fault = FAULTS.get(name)
    if fault is None:
        near = get_close_matches(name, FAULTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(FAULTS)}."
        raise ValueError(f"faults: unknown fault {name!r}; {hint}")
    return fault
