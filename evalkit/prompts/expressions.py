"""Templates in data: Jinja in the sandbox of prompts, where what is missing is empty until it is printed.

Scripts of the stand-in and the tools of a world are written with them. Knows how a text, an expression or a value with
texts in it becomes something that can be filled in for one scope, within one budget; what the names in it mean is the
business of those who fill it in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from evalkit.prompts.sandbox import FILTERS, Budget, PromptEnvironment, refused_nodes
from evalkit.yamlsource import did_you_mean

Scope = Mapping[str, Any]
Value = Callable[[Scope], Any]
"""A value with its templates filled in from the names of a scope."""

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


class DataEnvironment(PromptEnvironment):
    """The sandbox of prompts, with more filters."""

    def __init__(self) -> None:
        super().__init__(jinja2.DictLoader({}), Budget())
        self.undefined = Missing
        self.filters = {**self.filters, **_OWN_FILTERS}


def day_words(value: Any, months: str = _MONTHS) -> str:
    """Return `2026-11-24` as `24 November`; `months` are twelve names with spaces between them."""
    found = date.fromisoformat(str(value)[:10])
    return f"{found.day} {months.split()[found.month - 1]}"


def days_until(value: Any, day: Any) -> int:
    """Return how many days after a date (`2026-11-24`) another one is; less than 0 when it is before."""
    return (date.fromisoformat(str(day)[:10]) - date.fromisoformat(str(value)[:10])).days


def values_of(entries: Iterable[Any], attribute: str) -> list[Any]:
    """Return a field of each of several objects."""
    return [entry[attribute] for entry in entries]


def total(entries: Iterable[Any], attribute: str = "") -> Any:
    """Return the sum of numbers, or of a field of objects."""
    return sum(values_of(entries, attribute) if attribute else entries)


_OWN_FILTERS: Mapping[str, Callable[..., Any]] = {
    "day": day_words,
    "money": lambda value: f"{float(value):.2f}",
    "days_until": days_until,
    "sum": total,
    "map": values_of,
}


class Templates:
    """Compiles the templates of one script or world, and says what is wrong with one."""

    def __init__(self) -> None:
        self._environment = DataEnvironment()

    def begin(self) -> Budget:
        """Give the templates of the next request or call a budget of their own, and return it."""
        self._environment.budget = Budget()
        return self._environment.budget

    def faults(
        self, text: str, known: Mapping[str, frozenset[str] | None], *, expression: bool = False
    ) -> Iterator[str]:
        """Yield what is wrong with a template, as sentences.

        `known` are the names that it may use, each with the entries below it where they are known.
        """
        try:
            tree = self._environment.parse(f"{{{{ {text} }}}}" if expression else text)
        except jinja2.TemplateSyntaxError as error:
            # of an expression Jinja says what ends the braces that are put around it
            why = (error.message or "").removesuffix(".").replace("'end of print statement'", "end")
            yield f"is not {'an expression' if expression else 'a template'}: {why}."
            return
        refused = [*refused_nodes(tree, {*FILTERS, *_OWN_FILTERS})]
        for _, _, reason in refused:
            yield reason.replace("in a prompt", "here").replace("in prompts", "here")
        if refused:  # Jinja can't look for the names of a template with a filter that there is not
            return
        for name in sorted(meta.find_undeclared_variables(tree) - known.keys() - self._environment.globals.keys()):
            yield f"uses {name!r}, which stands nowhere{did_you_mean(name, known)}."
        for owner, entry in _entries_in(tree):
            entries = known.get(owner)
            if entries is not None and entry not in entries:
                yield f"uses {owner}.{entry}, which stands nowhere{did_you_mean(entry, entries)}."

    def entries_of(self, name: str, text: str, *, expression: bool = False) -> tuple[str, ...]:
        """Return which entries of a name a template without faults uses: `code` of `{{ input.code }}` for `input`."""
        tree = self._environment.parse(f"{{{{ {text} }}}}" if expression else text)
        return tuple(dict.fromkeys(entry for owner, entry in _entries_in(tree) if owner == name))

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

    def value(self, value: Any, *, sparse: bool = False) -> Value:
        """Return what fills in the texts of a JSON value; a text that is one `{{ … }}` keeps the type of its value.

        Where that value is missing it is an error, or, if `sparse`, the entry is left out.
        """
        if isinstance(value, Mapping):
            entries = {key: self.value(item, sparse=sparse) for key, item in value.items()}
            return lambda scope: {
                key: made for key, item in entries.items() if not isinstance(made := item(scope), jinja2.Undefined)
            }
        if isinstance(value, list):
            items = [self.value(item, sparse=sparse) for item in value]
            return lambda scope: [made for item in items if not isinstance(made := item(scope), jinja2.Undefined)]
        if not isinstance(value, str):
            return lambda _: value
        if alone := _ONE_EXPRESSION.fullmatch(value):
            evaluate = self.expression(alone["inner"])
            return evaluate if sparse else lambda scope: _given(evaluate(scope))
        return self.text(value)


def is_missing(value: Any) -> bool:
    """Return whether what an expression came to is not there."""
    return isinstance(value, jinja2.Undefined)


def _entries_in(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    """Yield every `name.entry` of a template."""
    for found in tree.find_all(nodes.Getattr):
        if isinstance(found.node, nodes.Name):
            yield found.node.name, found.attr


def _given(value: Any) -> Any:
    """Return a value that goes into a tool's input or an output; an error where it is missing."""
    if isinstance(value, jinja2.Undefined):
        str(value)
    return value
