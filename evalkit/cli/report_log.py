"""The log side of `evalkit report`: sums up what ProductionLog wrote, as text and a page, or as JSON."""

from __future__ import annotations

from pathlib import Path

import click


def is_log(name: str) -> bool:
    """Tell whether a path is a production log: a file whose first line says so, or a folder of such files."""
    from evalkit.store import RUN_FILE, read_lines, record_files

    path = Path(name)
    if not path.exists() or path.name == RUN_FILE or (path / RUN_FILE).exists():
        return False
    for file in record_files(path):
        _, first = next(read_lines(file), (0, {}))
        if first.get("line") == "run":
            return bool((first.get("settings") or {}).get("log"))
    return False


def report_log(path: Path, kind: str, out: Path | None) -> Path | None:
    """Print a log's summary and write its page, or print (with `out`: write) it as JSON; return what was written."""
    from evalkit.analysis.logs import summarise_logs
    from evalkit.reporting.html.page import render_log_html
    from evalkit.reporting.log_text import log_json, render_log
    from evalkit.store import record_files

    summary = summarise_logs(record_files(path))
    if kind == "json" and out is None:
        click.echo(log_json(summary))
        return None
    if out is None:
        out = path / "report.html" if path.is_dir() else path.with_suffix(".html")
    if kind == "json":
        out.write_text(log_json(summary) + "\n", encoding="utf-8")
    else:
        click.echo(render_log(summary))
        render_log_html(summary, out)
    click.echo(str(out))
    return out
