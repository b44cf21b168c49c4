"""report.html: the page of a run in one file."""

from evalkit.reporting.html.page import render_html

__all__ = ["render_html"]
