"""Summary and verdict -> text, HTML, JSON, JUnit, Markdown, CSV. No clock, no network, no reading of runs."""

from evalkit.reporting.annotations import render_annotations
from evalkit.reporting.csv_table import render_csv
from evalkit.reporting.finished_run import FinishedRun, Links
from evalkit.reporting.html import render_html
from evalkit.reporting.junit import render_junit
from evalkit.reporting.markdown import render_comment, render_information, render_job_summary, render_unaffected
from evalkit.reporting.summary import render_summary, write_summary
from evalkit.reporting.terminal import Screen, render_case, render_run

__all__ = [
    "FinishedRun",
    "Links",
    "Screen",
    "render_annotations",
    "render_case",
    "render_comment",
    "render_csv",
    "render_html",
    "render_information",
    "render_job_summary",
    "render_junit",
    "render_run",
    "render_summary",
    "render_unaffected",
    "write_summary",
]
