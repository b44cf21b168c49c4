"""The templates of a script: Jinja in the sandbox of prompts, where what is missing is empty until it is printed.

Knows how a text, an expression or a value with texts in it becomes something that can be rendered for one request;
what the names in it mean is `play.py`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from evalkit.prompts.sandbox import FILTERS, Budget, PromptEnvironment, refused_nodes
from evalkit.yamlsource import did_you_mean

Scope = Mapping[str, Any]
Value = Callable[[Scope], Any]
"""A value of the script with its templates filled in for one request."""

ERRORS = (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What a template may raise while it is rendered."""

_ONE_EXPRESSION = re.compile(r"\s*\{\{(?P<inner>(?:(?!\{\{|\}\}).)*)\}\}\s*", re.DOTALL)
_MONTHS = "January February March April May June July August September October November December"


class Missing(jinja2.ChainableUndefined):
    """A value that is not there: false, empty, and an error as soon as it is printed."""

    __slots__ = ()

    def __str__(self) -> str:
        name = self._undefined_name
        raise jinja2.UndefinedError(f"{name!r} is missing here" if name else "a value is missing here")


class ScriptEnvironment(PromptEnvironment):
    """The sandbox of prompts, with a budget for each request and two more filters."""

    def __init__(self) -> None:
        super().__init__(jinja2.DictLoader({}), Budget())
        self.undefined = Missing
        self.filters = {**self.filters, **_OWN_FILTERS}


def day_words(value: Any, months: str = _MONTHS) -> str:
    """Return `2026-11-24` as `24 November`; `months` are twelve names with spaces between them."""
    found = date.fromisoformat(str(value)[:10])
    return f"{found.day} {months.split()[found.month - 1]}"


_OWN_FILTERS: Mapping[str, Callable[..., str]] = {"day": day_words, "money": lambda value: f"{float(value):.2f}"}


class Templates:
    """Compiles the templates of one script, and says what is wrong with one."""

    def __init__(self) -> None:
        self._environment = ScriptEnvironment()

    def begin(self) -> None:
        """Give the templates of the next request a budget of their own."""
        self._environment.budget = Budget()

    def faults(
        self, text: str, known: Mapping[str, frozenset[str] | None], *, expression: bool = False
    ) -> Iterator[str]:
        """Yield what is wrong with a template, as sentences.

        `known` are the names that it may use, each with the entries below it where they are known.
        """
        try:
            tree = self._environment.parse(f"{{{{ {text} }}}}" if expression else text)
        except jinja2.TemplateSyntaxError as error:
            yield f"is not a template: {(error.message or '').removesuffix('.')}."
            return
        yield from (
            reason.replace("in a prompt", "here") for _, _, reason in refused_nodes(tree, {*FILTERS, *_OWN_FILTERS})
        )
        for name in sorted(meta.find_undeclared_variables(tree) - known.keys() - self._environment.globals.keys()):
            yield f"uses {name!r}, which stands nowhere{did_you_mean(name, known)}."
        for found in tree.find_all(nodes.Getattr):
            owner = found.node.name if isinstance(found.node, nodes.Name) else ""
            entries = known.get(owner)
            if entries is not None and found.attr not in entries:
                yield f"uses {owner}.{found.attr}, which stands nowhere{did_you_mean(found.attr, entries)}."

    def text(self, text: str) -> Value:
        """Return what renders a template to text."""
        if "{" not in text:
            return lambda _: text
        # Compiled at its first use: most templates of a script are never needed.
        template = cache(lambda: self._environment.from_string(text))
        return lambda scope: self._environment.concat(template().generate(**scope))

    def expression(self, text: str) -> Value:
        """Return what evaluates an expression."""
        evaluate = cache(lambda: self._environment.compile_expression(text, undefined_to_none=False))
        return lambda scope: evaluate()(**scope)

    def value(self, value: Any) -> Value:
        """Return what fills in the texts of a JSON value; a text that is one `{{ … }}` keeps the type of its value."""
        if isinstance(value, Mapping):
            entries = {key: self.value(item) for key, item in value.items()}
            return lambda scope: {key: item(scope) for key, item in entries.items()}
        if isinstance(value, list):
            items = [self.value(item) for item in value]
            return lambda scope: [item(scope) for item in items]
        if not isinstance(value, str):
            return lambda _: value
        if alone := _ONE_EXPRESSION.fullmatch(value):
            evaluate = self.expression(alone["inner"])
            return lambda scope: _given(evaluate(scope))
        return self.text(value)


def _given(value: Any) -> Any:
    """Return a value that goes into a tool's input or an output; an error where it is missing."""
    if isinstance(value, jinja2.Undefined):
        str(value)
    return value
