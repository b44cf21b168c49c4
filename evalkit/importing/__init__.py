"""Recorded conversations of other programs become run folders, which are scored like any other run."""

from evalkit.importing.importer import ImportCounts, ImportSettings, import_transcripts

__all__ = ["ImportCounts", "ImportSettings", "import_transcripts"]
