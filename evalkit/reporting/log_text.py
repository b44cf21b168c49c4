"""The summary of a production log as text for the terminal, and as JSON. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from evalkit.records import Times
from evalkit.records.log_summary import LogSummary
from evalkit.reporting.safe_text import one_line, shorten_middle
from evalkit.reporting.wording import log_source_in_words
from evalkit.stats import share
from evalkit.wording import duration, number, percent, plural, usd

ID_ROOM = 44


def log_json(summary: LogSummary) -> str:
    """Return the summary as indented JSON."""
    document = {**vars(summary), "sources": [log_source_in_words(source) for source in summary.sources]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def render_log(summary: LogSummary) -> str:
    """Return what a log amounts to: use, time, money, failures, prompt versions, the dearest sessions."""
    blocks = [_head(summary), _numbers(summary), _failures(summary), _prompts(summary), _dearest(summary)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(summary: LogSummary) -> str:
    kept = ", texts hashed" if summary.hashed else ""
    days = f"{_minute(summary.first)} to {_minute(summary.last)} UTC" if summary.first else "no time known"
    sources = ", ".join(map(log_source_in_words, summary.sources)) or "unknown source"
    return (
        f"{plural(summary.sessions, 'session')}, {plural(summary.turns, 'turn')}, "
        f"{plural(summary.requests, 'request')} · {days}\n"
        f"{sources}, {plural(summary.files, 'file')}{kept}"
    )


def _numbers(summary: LogSummary) -> str:
    errors = share(summary.failed, summary.requests)
    cached = f"{percent(share(summary.read_tokens, summary.prompt_tokens))} from the cache"
    unknown = f" and {plural(summary.unknown, 'bill')} at an unknown price" if summary.unknown else ""
    each = summary.session_cost
    money = "would cost" if summary.only_stand_in else "cost"
    rows = [
        (money, f"{usd(summary.cost_usd)}{unknown}; a session p50 {usd(each.p50)}, p95 {usd(each.p95)}"),
        ("first token", _times(summary.first_token)),
        ("whole reply", _times(summary.whole_reply)),
        ("tokens", f"{number(summary.prompt_tokens)} in ({cached}), {number(summary.output_tokens)} out"),
        ("tools", f"{plural(summary.tool_calls, 'call')}, {plural(summary.tool_errors, 'error')}"),
        ("errors", f"{percent(errors)} of requests failed for good, {plural(summary.retries, 'retry', 'retries')}"),
    ]
    if summary.abandoned:
        rows.append(("abandoned", f"{plural(summary.abandoned, 'turn')} without a reply: the customer left"))
    return _columns(rows)


def _failures(summary: LogSummary) -> str:
    rows = [
        ("failure", "failed", "retried", "per 1,000 requests", "first of its kind"),
        *(
            (
                failure.kind,
                number(failure.final),
                number(failure.retried),
                f"{1000 * (failure.final + failure.retried) / max(summary.requests, 1):.1f}",
                one_line(failure.message)[:80],
            )
            for failure in summary.failures
        ),
    ]
    return _columns(rows) if summary.failures else ""


def _prompts(summary: LogSummary) -> str:
    rows = [
        ("prompt", "sessions", "requests", "failed", "from cache", "cost", "a session"),
        *(
            (
                f"{use.ref} ({use.sha[:7]})" if use.sha else use.ref,
                number(use.sessions),
                number(use.requests),
                percent(share(use.failed, use.requests)),
                percent(use.read_share),
                usd(use.cost_usd),
                usd(use.cost_usd / use.sessions if use.cost_usd is not None else None),
            )
            for use in summary.prompts
        ),
    ]
    return _columns(rows)


def _dearest(summary: LogSummary) -> str:
    rows = [
        ("dearest sessions", "prompt", "turns", "requests", "cost"),
        *(
            (
                shorten_middle(one_line(row.session_id), ID_ROOM),
                row.prompt_ref,
                number(row.turns),
                number(row.requests),
                usd(row.cost_usd),
            )
            for row in summary.dearest
        ),
    ]
    return _columns(rows)


def _times(times: Times) -> str:
    return f"p50 {duration(times.p50)}, p95 {duration(times.p95)}"


def _minute(ts: str) -> str:
    return ts[:16].replace("T", " ")


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Return rows with their columns aligned."""
    table = [tuple(row) for row in rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )
