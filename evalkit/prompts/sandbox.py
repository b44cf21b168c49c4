"""A Jinja environment in which no template can hang, eat memory or reach anything but its inputs.

Jinja's own sandbox stops access to Python; this one also bounds work, because a prompt may be a stranger's. Allowed are
text, inputs, if, for, set, with, include, and the filters and methods listed here. Every call, filter and loop turn (by
the size of the loop) counts against one budget, every text that is put together against another, and lists can't be
nested or printed, so that neither loops nor doubling grow beyond them. Templates are bounded by their own size besides
(`refs.py`), includes by their number (`template.py`) and by staying out of loops.

The counting filters take the context, because Jinja computes other filters of constants before it runs a template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import filters, nodes
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

from evalkit.wording import plural
from evalkit.yamlsource import did_you_mean

MAX_STEPS = 500_000
MAX_RANGE = 20_000
MAX_CHARACTERS = 2_000_000
MAX_NUMBER = 10**15
MAX_NODES = 50_000

_SCALARS = (str, int, float)
# Word lists: what a template may call, filter with and consist of; everything else is refused.
_METHODS = """
    upper lower title capitalize strip lstrip rstrip startswith endswith split splitlines count find
""".split()  # noqa: SIM905
_PLAIN_FILTERS = """
    abs capitalize count d default first float int last length lower max min sort title trim truncate unique upper
    wordcount
""".split()  # noqa: SIM905
_NODES = """
    Template Output TemplateData Name NSRef Const List Tuple Dict Pair Keyword For If Assign AssignBlock With Include
    CondExpr Filter Test Call Getitem Getattr Slice Concat Compare Operand Add Sub Mul Div FloorDiv Mod And Or
    Not Neg Pos
""".split()  # noqa: SIM905
_NAMES = {"CallBlock": "call", "FilterBlock": "filter", "Pow": "**"}


class TooMuch(jinja2.TemplateRuntimeError):
    """The template does more than a prompt may."""


class Budget:
    """Counts what one rendering has done."""

    def __init__(self) -> None:
        self._steps = 0
        self._characters = 0

    def step(self, count: int = 1) -> None:
        """Count loop steps, calls and filters."""
        self._steps += count
        if self._steps > MAX_STEPS:
            raise TooMuch(f"the template takes more than {MAX_STEPS:,} steps (loops, calls and filters)")

    def text(self, length: int) -> None:
        """Count characters that are about to be put together."""
        self._characters += length
        if self._characters > MAX_CHARACTERS:
            raise TooMuch(f"the template puts together more than {MAX_CHARACTERS:,} characters")


def refused_nodes(tree: nodes.Template, known: Collection[str] | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and reason of everything in a template that a prompt may not use; `known` are its filters."""
    known = FILTERS if known is None else known
    for count, node in enumerate(_descendants(tree)):
        if count > MAX_NODES:
            yield node.lineno, "", f"the template has more than {MAX_NODES:,} parts; split it."
            return
        kind = type(node).__name__
        if kind not in _NODES:
            name = _NAMES.get(kind, kind.lower())
            yield node.lineno, name, f"{name!r} can't be used in a prompt; text, if, for, set, with and include can."
        elif isinstance(node, nodes.For) and node.recursive:
            yield node.lineno, "for", "a loop can't be recursive in a prompt."
        elif isinstance(node, nodes.For) and node.find(nodes.Include):
            yield node.lineno, "for", "an include can't stand in a loop; put the loop into the included file."
        elif isinstance(node, nodes.List | nodes.Tuple | nodes.Dict) and not _is_constant(node):
            yield node.lineno, "", "a list in a prompt may hold only plain texts and numbers."
        elif isinstance(node, nodes.Filter) and node.name not in known:
            yield (
                node.lineno,
                node.name,
                f"no filter {node.name!r} in prompts; there are: {', '.join(sorted(known))}.",
            )


def _descendants(tree: nodes.Node) -> Iterator[nodes.Node]:
    open_nodes = [tree]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes.extend(node.iter_child_nodes())


def _is_constant(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return True
    kinds = (nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Const, nodes.TemplateData, nodes.Neg)
    return all(isinstance(part, kinds) for part in _descendants(node))


class Missing(jinja2.StrictUndefined):
    """What an input does not hold: an error that says what it holds, wherever it is used but in `is defined`."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        owner, name = self._undefined_obj, self._undefined_name
        if isinstance(owner, Mapping):
            keys = [str(key) for key in owner]
            has = ", ".join(keys[:20]) or "nothing"
            hint = did_you_mean(str(name), keys)
            advice = "" if hint else ". Ask `is defined` first where it may be missing"
            return f"this value has no {name!r}{hint}; it has {has}{advice}"
        if isinstance(owner, list | tuple):
            return f"there is no [{name!r}] in a list of {plural(len(owner), 'entry', 'entries')}"
        return super()._undefined_message


class PromptEnvironment(SandboxedEnvironment):
    """The environment of one rendering; `budget` bounds all templates in it together."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self, loader: jinja2.BaseLoader, budget: Budget) -> None:
        super().__init__(loader=loader, undefined=Missing, autoescape=False, finalize=_printable)
        self.budget = budget
        self.concat = self._counted  # type: ignore[method-assign]  # Jinja's hook: an instance attribute
        self.globals = {"range": self._range, "namespace": Namespace}
        self.filters = {**FILTERS, "evalkit_items": _items, "evalkit_concat": _concat}

    def _generate(self, source: nodes.Template, name: Any, filename: Any, defer_init: bool = False) -> str:
        # Loops and `~` count their work: their operands go through a filter of this module.
        for node in list(_descendants(source)):
            if isinstance(node, nodes.For):
                weight = nodes.Const(sum(1 for _ in _descendants(node)), lineno=node.lineno)
                node.iter = nodes.Filter(node.iter, "evalkit_items", [weight], [], None, None, lineno=node.lineno)
            for field, value in list(node.iter_fields()):
                if isinstance(value, nodes.Concat):
                    setattr(node, field, _concat_node(value))
                elif isinstance(value, list):
                    value[:] = [_concat_node(item) if isinstance(item, nodes.Concat) else item for item in value]
        source.set_environment(self)
        return super()._generate(source, name, filename, defer_init)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function or method of the lists above, for one step and the length of the text it works on."""
        self.budget.step()
        owner = getattr(obj, "__self__", None)
        self.budget.text(len(owner) if isinstance(owner, str) else 0)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add, multiply or divide within bounds."""
        numbers = all(isinstance(side, int | float) for side in (left, right))
        if not numbers and operator != "+":
            raise TooMuch(f"{operator!r} works on numbers only")
        if numbers and max(abs(left), abs(right)) > MAX_NUMBER:
            raise TooMuch(f"a number above {MAX_NUMBER:,}")
        if not numbers:
            self.budget.text(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an entry of a mapping, also one that is called like a method (`items`), else an attribute."""
        if isinstance(obj, Mapping) and attribute in obj:
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Take an entry or a slice, for one step and the length of what it is taken from."""
        self.budget.step()
        self.budget.text(len(obj) if isinstance(argument, slice) else 0)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow harmless text methods, and what loops, namespaces and mappings offer."""
        if isinstance(obj, str):
            return attr in _METHODS
        if isinstance(obj, dict):
            return attr in {"items", "keys", "values", "get"}
        if isinstance(obj, list | tuple | int | float):
            return attr in {"index", "count"}
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Leave `str.format` to `is_safe_attribute`, which refuses it: a width can be of any size."""
        del value
        return None

    def _counted(self, parts: Iterable[str]) -> str:
        pieces = []
        for part in parts:
            self.budget.text(len(part))
            pieces.append(part)
        return "".join(pieces)

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        if len(numbers) > MAX_RANGE:
            raise TooMuch(f"a range of more than {MAX_RANGE:,} numbers")
        return numbers


def _concat_node(node: nodes.Concat) -> nodes.Filter:
    return nodes.Filter(node.nodes[0], "evalkit_concat", node.nodes[1:], [], None, None, lineno=node.lineno)


def _printable(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Undefined, *_SCALARS)):
        return value
    if value is None:
        raise TooMuch("an empty value (null) can't be printed; ask for it with if, or give it a default")
    raise TooMuch(f"a {type(value).__name__} can't be printed; join its entries, print one of them, or use tojson")


@jinja2.pass_context
def _items(context: Context, value: Iterable[Any], weight: int = 1) -> list[Any]:
    """Return the entries of a list, for `weight` steps each."""
    budget = _budget(context)
    items = []
    for item in value:
        budget.step(weight)
        items.append(item)
    return items


@jinja2.pass_context
def _concat(context: Context, *values: Any) -> str:
    """Put texts together."""
    return _joined(_budget(context), values, "")


@jinja2.pass_context
def _join(context: Context, value: Iterable[Any], d: str = "") -> str:
    """Join the entries of a list with `d`."""
    return _joined(_budget(context), value, str(d))


def _joined(budget: Budget, values: Iterable[Any], between: str) -> str:
    pieces = []
    for value in values:
        pieces.append(str(_printable(value)))
        budget.step()
        budget.text(len(pieces[-1]) + len(between))
    return between.join(pieces)


@jinja2.pass_context
def _to_json(context: Context, value: Any, indent: int = 0) -> str:
    """Return a value as JSON, over several lines when they are indented."""
    if isinstance(value, Undefined):
        str(value)  # says what is missing
    text, budget = json.dumps(value, ensure_ascii=False, indent=min(int(indent), 8) or None), _budget(context)
    budget.step()
    budget.text(len(text))
    return text


@jinja2.pass_context
def _replace(context: Context, value: Any, old: str, new: str) -> str:
    """Replace every `old` by `new`."""
    text, budget = str(_printable(value)), _budget(context)
    budget.step()
    budget.text(len(text) + text.count(str(old)) * len(str(new)))
    return text.replace(str(old), str(new))


@jinja2.pass_context
def _indent(context: Context, value: Any, width: int = 4, first: bool = False) -> str:
    """Indent every line but the first by `width` spaces."""
    text, budget = str(_printable(value)), _budget(context)
    budget.step()
    budget.text(len(text) + min(max(int(width), 0), MAX_NUMBER) * (text.count("\n") + 1))
    lines = text.split("\n")
    space = " " * int(width)
    return "\n".join(space + line if line and (first or n) else line for n, line in enumerate(lines))


def _counted(name: str) -> Callable[..., Any]:
    """Return one of Jinja's filters, for one step and the length of what it is given."""
    original = filters.FILTERS[name]
    takes_environment = hasattr(original, "jinja_pass_arg")

    @jinja2.pass_context
    def counted(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        budget = _budget(context)
        budget.step()
        budget.text(len(value) if isinstance(value, str | list | tuple) else 0)
        if takes_environment:
            made = original(context.environment, value, *args, **kwargs)
            return list(made) if name == "unique" else made
        return original(value, *args, **kwargs)

    return counted


def _budget(context: Context) -> Budget:
    environment = context.environment
    assert isinstance(environment, PromptEnvironment)  # noqa: S101  these filters exist nowhere else
    return environment.budget


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _counted(name) for name in _PLAIN_FILTERS},
    "list": _items,
    "string": _concat,
    "round": lambda value, precision=0: round(float(value), min(max(int(precision), -15), 15)),
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "tojson": _to_json,
}
