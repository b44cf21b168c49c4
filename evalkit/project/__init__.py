"""A new project: which files it has, written without overwriting any."""

from evalkit.project.start import Written, start_project

__all__ = ["Written", "start_project"]
