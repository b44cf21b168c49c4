"""The stand-in's behaviour: what it says to a request. README.md in this folder says what it does and what it does
not."""

from .answer import answer

__all__ = ["answer"]
