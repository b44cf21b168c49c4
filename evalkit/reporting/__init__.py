"""Summary and verdict -> text, HTML, JSON. No clock, no network, no reading of runs."""

from evalkit.reporting.html import render_html
from evalkit.reporting.summary_json import render_summary, write_summary
from evalkit.reporting.terminal import Screen, render_run

__all__ = ["Screen", "render_html", "render_run", "render_summary", "write_summary"]
