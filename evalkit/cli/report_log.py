"""The log side of `evalkit report`: sums up what ProductionLog wrote, as text or JSON."""

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


def report_log(path: Path, kind: str, out: Path | None) -> None:
    """Print a log's summary, or write it to `out`; `json` instead of text when asked for."""
    from evalkit.analysis.logs import summarise_logs
    from evalkit.reporting.log_text import log_json, render_log
    from evalkit.store import record_files

    summary = summarise_logs(record_files(path))
    text = log_json(summary) + "\n" if kind == "json" else render_log(summary)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(str(out))
