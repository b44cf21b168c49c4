"""Recorded conversations of other programs become run folders, which are scored like any other run."""

from evalkit.importing.importer import Imported, ImportSettings, import_transcripts

__all__ = ["ImportSettings", "Imported", "import_transcripts"]
