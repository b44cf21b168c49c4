"""Writes the page of a production log in the style of the run report: sessions instead of cases."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from evalkit.records.log_summary import LogSummary
from evalkit.reporting.atomic import replacing
from evalkit.reporting.html import charts
from evalkit.reporting.html.environment import make_environment, policy, style
from evalkit.stats import share


def render_log_html(summary: LogSummary, out: Path) -> None:
    """Write the page to `out`, whole or not at all."""
    longest = charts.longest_time(summary.first_token, summary.whole_reply)
    page = (
        make_environment()
        .get_template("log.html.j2")
        .render(
            summary=summary,
            only_stand_in=all(source.startswith("stand-in") for source in summary.sources),
            error_share=share(summary.failed, summary.requests),
            cached_share=share(summary.read_tokens, summary.prompt_tokens),
            drawn={
                "longest": longest,
                "first": charts.strip(summary.first_token, longest),
                "whole": charts.strip(summary.whole_reply, longest),
            },
            style=Markup(style()),  # noqa: S704 - a file of this package
            policy=policy(),
        )
    )
    with replacing(out) as file:
        file.write(page.encode("utf-8"))
