"""The body of a prompt as a template: what it includes, which names it uses, where its cache point is, and its text.

Knows Jinja (through `sandbox.py`) and nothing of front matter, tools or the API. Every error carries the line of the
file it is in: the templates keep the line numbers of their files.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from evalkit.errors import FileProblems
from evalkit.prompts.sandbox import Budget, PromptEnvironment, refused_nodes
from evalkit.records import Place, Problem
from evalkit.yamlsource import SourceText

MAX_INCLUDES = 200
CACHE_POINT = "\0evalkit cache point\0"
_MARKER = re.compile(r"\{#(?P<left>[-+]?)\s*evalkit:\s*cache here\s*(?P<right>[-+]?)#\}")
_ALMOST = re.compile(r"\{#[-+]?\s*evalkit\b(?!:\s*cache here\s*[-+]?#\}).*?#\}", re.DOTALL)
_PAIRED = frozenset({"if", "for", "with", "filter", "macro", "call", "block", "autoescape"})
_ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    RecursionError,
    SyntaxError,
)


@dataclass(frozen=True)
class NameUse:
    """An input's name in a template: its place, and whether it stands before the cache point."""

    name: str
    place: Place
    cached: bool


@dataclass(frozen=True)
class Template:
    """A parsed body: the texts by name as they are rendered, the names it uses, where the cache point is."""

    main: str
    texts: Mapping[str, SourceText]
    uses: tuple[NameUse, ...] = ()
    marker: Place | None = None
    problems: tuple[Problem, ...] = field(default=())


class _Texts(jinja2.BaseLoader):
    """Hands the files of a prompt to Jinja under the names the template uses."""

    def __init__(self, texts: Mapping[str, SourceText]) -> None:
        self._texts = texts

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, None]:
        """Return a template's text; its file name is the one in messages."""
        if template not in self._texts:
            raise jinja2.TemplateNotFound(template)
        text = self._texts[template]
        return _padded(text), text.file, None


def _padded(text: SourceText) -> str:
    """Return the text with the lines above it empty, so that Jinja counts as the file does."""
    return "\n" * (text.first_line - 1) + text.text


def includes_of(text: SourceText) -> tuple[list[tuple[str, Place]], list[Problem]]:
    """Return the names a text includes, with their places, and what is wrong with them; none for unparsable text."""
    tree, problem = _parsed(text)
    if tree is None:
        return [], [problem] if problem else []
    found, problems = [], []
    for node in tree.find_all(nodes.Include):
        if isinstance(node.template, nodes.Const) and isinstance(node.template.value, str):
            found.append((node.template.value, _column(text, node.lineno, "include")))
        else:
            message = 'an include needs one file name in quotes, such as {% include "partials/voice.md" %}.'
            problems.append(text.problem(_column(text, node.lineno, "include"), message))
    return found, problems


@lru_cache(maxsize=256)
def _parsed(text: SourceText) -> tuple[nodes.Template | None, Problem | None]:
    environment = PromptEnvironment(_Texts({}), Budget())
    try:
        return environment.parse(_padded(text)), None
    except jinja2.TemplateSyntaxError as error:
        line = error.lineno
        return None, text.problem(Place(text.file, line, _first_column(text, line)), f"{_sentence(error)}")
    except RecursionError:
        return None, text.problem(text.place(0), "the template is nested too deeply.")
    except ValueError as error:
        return None, text.problem(text.place(0), f"the template can't be read: {error}.")


def _sentence(error: BaseException) -> str:
    words = str(getattr(error, "message", None) or error).strip()
    return words if words.endswith(".") else words + "."


def _first_column(text: SourceText, line: int) -> int:
    content = text.line(line)
    tag = re.search(r"\{[{%#]", content)
    return (tag.start() if tag else len(content) - len(content.lstrip())) + 1


def _column(text: SourceText, line: int, word: str) -> Place:
    """Return where a word stands on a line, which Jinja does not say: outside quotes and not as an attribute."""
    if not re.fullmatch(r"\w+", word):
        return Place(text.file, line, _first_column(text, line))
    content = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: " " * len(quoted[0]), text.line(line))
    starts = [tag.start() for tag in re.finditer(r"\{[{%]", content)] or [0]
    found = re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)").search(content, starts[0])
    return Place(text.file, line, found.start() + 1 if found else _first_column(text, line))


def parse_template(main: str, texts: Mapping[str, SourceText]) -> Template:
    """Parse a body (`texts[main]`) and everything it includes."""
    problems: list[Problem] = []
    trees: dict[str, nodes.Template] = {}
    for name, text in texts.items():
        tree, problem = _parsed(text)
        problems.extend([problem] if problem else [])
        if tree:
            trees[name] = tree
            problems.extend(text.problem(_column(text, n, word), words) for n, word, words in refused_nodes(tree))
    marker = _marker(texts, main, problems)
    texts = {**texts, main: _with_marker(texts[main], marker)}
    problems.extend(_include_problems(main, texts, trees))
    uses = _uses(main, texts, trees, marker) if main in trees else []
    return Template(main, texts, tuple(uses), marker, tuple(problems))


def _marker(texts: Mapping[str, SourceText], main: str, problems: list[Problem]) -> Place | None:
    """Return where the cache point is; adds what is wrong with it to the problems."""
    places = []
    for name, text in texts.items():
        for wrong in _ALMOST.finditer(text.text):
            message = "an evalkit comment that is not `{# evalkit: cache here #}`; that is the only one there is."
            problems.append(text.problem(text.place(wrong.start()), message))
        for found in _MARKER.finditer(text.text):
            if name == main:
                places.append(text.place(found.start()))
            else:
                message = "the cache point stands in an included file; move it into the prompt file itself."
                problems.append(text.problem(text.place(found.start()), message))
    text = texts[main]
    problems.extend(
        text.problem(again, f"a second cache point; the first is on line {places[0].line}. Keep one.")
        for again in places[1:]
    )
    if places and (spanning := _open_block(text, places[0])):
        name, line = spanning
        message = f"{{% {name} %}} from line {line} spans the cache point; end it above, or move the cache point."
        problems.append(text.problem(places[0], message))
    return places[0] if places else None


def _open_block(text: SourceText, marker: Place) -> tuple[str, int] | None:
    """Return the innermost block tag that is open at the cache point, with its line."""
    environment = PromptEnvironment(_Texts({}), Budget())
    opened: list[tuple[str, int]] = []
    tag: list[str] | None = None
    try:
        for line, kind, value in environment.lex(_padded(text)):
            if kind == "comment" and line == marker.line and "evalkit" in value:
                return opened[-1] if opened else None
            if kind == "block_begin":
                tag = []
            elif kind == "block_end" and tag:
                name = tag[0]
                if name.startswith("end"):
                    while opened and opened.pop()[0] != name.removeprefix("end"):
                        pass
                elif name in _PAIRED or (name == "set" and "=" not in tag):
                    opened.append((name, line))
                tag = None
            elif tag is not None and kind != "whitespace":
                tag.append(value)
    except jinja2.TemplateSyntaxError:
        return None  # reported where the template is parsed
    return None


def _with_marker(text: SourceText, marker: Place | None) -> SourceText:
    """Return the text with its cache point as an expression that renders to CACHE_POINT."""
    if marker is None:
        return text

    def expression(found: re.Match[str]) -> str:
        # Jinja knows `-` at an expression's ends, and `+` only at a comment's.
        left, right = found["left"].strip("+"), found["right"].strip("+")
        lines = "\n" * found[0].count("\n")
        return f"{{{{{left} {CACHE_POINT!a}{lines} {right}}}}}"

    replaced = _MARKER.sub(expression, text.text, count=1)
    return SourceText(text.file, replaced, text.sha, first_line=text.first_line)


def _include_problems(
    main: str, texts: Mapping[str, SourceText], trees: Mapping[str, nodes.Template]
) -> Iterator[Problem]:
    """Find includes that go round in circles or multiply."""
    count, path = 0, [main]

    def visit(name: str) -> Iterator[Problem]:
        nonlocal count
        for included, place in includes_of(texts[name])[0] if name in trees else []:
            count += 1
            if included in path:
                yield texts[name].problem(place, f"{included!r} includes itself.")
            elif count > MAX_INCLUDES:
                yield texts[name].problem(place, f"more than {MAX_INCLUDES} includes.")
                return
            elif included in texts:
                path.append(included)
                yield from visit(included)
                path.pop()

    yield from list(visit(main))[:1]


def _uses(
    main: str, texts: Mapping[str, SourceText], trees: Mapping[str, nodes.Template], marker: Place | None
) -> list[NameUse]:
    """Return every name the templates read but do not set, in order of files and lines."""
    stored = {node.name for tree in trees.values() for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    known = stored | {"range", "namespace", "loop"}
    # The files that are included, directly or not, before the cache point.
    above = set[str]()
    todo = [name for name, place in includes_of(texts[main])[0] if _before(place, marker)]
    while todo:
        name = todo.pop()
        if name not in above and name in trees:
            above.add(name)
            todo.extend(included for included, _ in includes_of(texts[name])[0])
    uses: dict[tuple[str, str, int], NameUse] = {}
    for name, tree in trees.items():
        for node in tree.find_all(nodes.Name):
            if node.ctx == "load" and node.name not in known and (node.name, name, node.lineno) not in uses:
                place = _column(texts[name], node.lineno, node.name)
                cached = _before(place, marker) if name == main else name in above
                uses[node.name, name, node.lineno] = NameUse(node.name, place, cached)
    return list(uses.values())


def _before(place: Place, marker: Place | None) -> bool:
    return marker is None or (place.line, place.column) < (marker.line, marker.column)


def render_template(template: Template, values: Mapping[str, Any]) -> str:
    """Return the text of a template, with CACHE_POINT where the cache point is; raises FileProblems."""
    environment = PromptEnvironment(_Texts(template.texts), Budget())
    try:
        return environment.concat(environment.get_template(template.main).generate(**values))
    except _ERRORS as error:
        raise FileProblems([_runtime_problem(template, error)]) from error


def _runtime_problem(template: Template, error: BaseException) -> Problem:
    """Return the problem at the template line an error came from, which Jinja puts into the traceback."""
    by_file = {text.file: text for text in template.texts.values()}
    text = template.texts[template.main]
    line = error.lineno or 0 if isinstance(error, jinja2.TemplateSyntaxError) else 0
    for frame, at in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename in by_file:
            text, line = by_file[frame.f_code.co_filename], at
    too_deep = isinstance(error, RecursionError | SyntaxError)
    words = "the template is nested too deeply." if too_deep else _sentence(error)
    place = Place(text.file, line, _first_column(text, line)) if line else text.place(0)
    return text.problem(place, words)
