"""The Jinja environment of the page: escaping on, the words of all reports as filters, styles and scripts as text.

Knows where the template files lie and what the page's security policy allows.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evalkit.graders.statements import short_text
from evalkit.records import CaseSummary, Place
from evalkit.reporting import wording
from evalkit.reporting.html.charts import prompt_per_trial
from evalkit.reporting.migration import adaptations_in_words
from evalkit.reporting.safe_text import one_line, shorten_middle, visible
from evalkit.wording import chance, duration, number, percent, plural, usd, usd_exact

PACKAGE = "evalkit.reporting.html"
REASON_ROOM = 140
SCRIPTS = ("index.js", "address.js", "query.js", "conversation.js", "case.js", "table.js", "keys.js", "start.js")


@cache
def make_environment() -> Environment:
    """Return the environment; undefined names are errors, every value is escaped."""
    env = Environment(
        loader=PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "usd": usd,
        "usd_exact": usd_exact,
        "percent": percent,
        "duration": duration,
        "number": number,
        "adaptations": adaptations_in_words,
        "plural": plural,
        "dots": wording.dots,
        "log_source": wording.log_source_in_words,
        "answers": wording.answers_in_words,
        "people": wording.criterion_in_words,
        "statement": short_text,
        "side_money": wording.side_money_in_words,
        "steadiness": wording.steadiness_in_words,
        "chance": chance,
        "trial_rate": wording.trial_rate_in_words,
        "visible": visible,
        "line": one_line,
        "pretty": _pretty,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "reason": short_reason,
        "where": lines_of,
        "row": wording.row_in_words,
        "slug": lambda text: text.replace(" ", "-"),
    }
    env.globals |= {"trials_in_words": wording.trials_in_words, "prompt_per_trial": prompt_per_trial}
    return env


def style(pictures: str = "") -> str:
    """Return the page's style sheet; `pictures` are rules with the bytes of pictures."""
    return _read("templates/report.css") + pictures


@cache
def script() -> str:
    """Return the page's script: its files one after another in one scope."""
    body = "\n".join(_read(f"script/{name}") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}\n}})();\n'


def policy(pictures: str = "") -> str:
    """Return the Content-Security-Policy: this style with its pictures, this script, nothing else, no network."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_digest(style(pictures))}'",
            *(("img-src data:",) if pictures else ()),
            f"script-src 'sha256-{_digest(script())}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def embed_json(value: Any) -> Markup:
    """Return JSON that can stand in a script element: without `<` nothing in it can end the element."""
    return Markup(orjson.dumps(value).decode().replace("<", "\\u003c"))  # noqa: S704 - the only way out is closed here


def short_reason(why: str) -> str:
    """Return a case's reason as its row shows it."""
    return shorten_middle(one_line(why), REASON_ROOM)


def line_of(place: Place) -> str:
    """Return file and line; the column is of no use in a table."""
    return one_line(f"{place.file}:{place.line}" if place.line else place.file)


def lines_of(case: CaseSummary) -> str:
    """Return where a case is written, and for which row of a table."""
    return ", ".join(filter(None, (line_of(case.place), wording.row_in_words(case))))


def _pretty(value: Any) -> str:
    plain = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=dict)
    return visible(plain.decode())


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _read(name: str) -> str:
    return resources.files(PACKAGE).joinpath(name).read_text("utf-8")
