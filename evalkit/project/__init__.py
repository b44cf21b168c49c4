"""A new project: which files it has, written without overwriting any."""

from evalkit.project.start import ProjectFiles, start_project

__all__ = ["ProjectFiles", "start_project"]
