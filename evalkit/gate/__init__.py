"""Summary, and the trials of two arms -> verdicts with reasons. Calls no model and reads no file."""

from evalkit.gate.absolute import judge

__all__ = ["judge"]
