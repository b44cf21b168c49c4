"""What a request will count against the token limits, learned from those before it. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT = 0.2
"""How much the newest request moves the mean."""
FIRST_TOKENS_PER_BYTE = 0.35
FIRST_OUTPUT_TOKENS = 300.0


@dataclass
class Learned:
    """A running mean and how far single values stray from it."""

    mean: float
    stray: float = 0.0
    count: int = 0

    def learn(self, value: float) -> None:
        """Move towards a new value; the first one replaces the guess."""
        weight = WEIGHT if self.count else 1.0
        self.count += 1
        self.stray += WEIGHT * (abs(value - self.mean) * (weight < 1) - self.stray)
        self.mean += weight * (value - self.mean)

    def cautious(self) -> float:
        """Return a value that few will exceed."""
        return self.mean + 2 * self.stray


class Estimates:
    """Estimates of one model class: uncached input by the size of the body, output by what replies took so far.

    Cache reads don't count as input, so the tokens a byte of body counts for are far fewer once the cache is warm;
    that is learned, not computed.
    """

    def __init__(self) -> None:
        self._per_byte = Learned(FIRST_TOKENS_PER_BYTE)
        self._output = Learned(FIRST_OUTPUT_TOKENS)

    def input_tokens(self, size: int) -> float:
        """Return the input tokens that a body of `size` bytes will count."""
        return self._per_byte.cautious() * size

    def output_tokens(self) -> float:
        """Return the output tokens that a reply will count."""
        return self._output.cautious()

    def learn_input(self, size: int, tokens: int) -> None:
        """Learn what a body really counted."""
        self._per_byte.learn(tokens / max(1, size))

    def learn_output(self, tokens: int) -> None:
        """Learn what a reply really took."""
        self._output.learn(tokens)
