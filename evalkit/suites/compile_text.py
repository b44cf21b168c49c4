"""What a reply must say and hold to assertions, in the words graders take.

Knows the table of kinds and parameters; must not know how a grader decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalkit.reading import LANGUAGES, primary
from evalkit.records import Assertion, Problem
from evalkit.suites.compiled import Found, pattern_of, pattern_problem
from evalkit.suites.text_schema import WAYS, Counts, Limits, TextExpect, Wanted
from evalkit.yamlsource import Source, ValuePath, did_you_mean


def compile_text(
    source: Source, expect: TextExpect, path: ValuePath, found: Found, *, others: bool
) -> Iterator[Assertion]:
    """Yield the assertions about the text of replies; adds what is wrong with it."""
    loosely = {"normalise": list(expect.normalise)} if expect.normalise else {}
    made = [*_texts(source, expect, path, found), *_edges(source, expect, path, found)]
    made += _form(source, expect, path, found)
    if expect.count is not None:
        made += _counts(source, expect.count, (*path, "count"), found)
    if loosely and not made and not others:
        message = "`normalise` says how texts are read, but nothing is expected of a text here."
        found.problems.append(source.problem((*path, "normalise"), message, key=True))
    if expect.grounded is not None:
        kinds = {"kinds": list(expect.grounded.kinds or ())}
        yield Assertion("grounded", kinds, source.key_place((*path, "grounded")), "grounded")
    for one in made:
        yield Assertion(one.kind, {**one.params, **loosely}, one.place, one.label)


def _texts(source: Source, expect: TextExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    for kind, texts in (("says", expect.says), ("never_says", expect.never_says)):
        for index, wanted in enumerate(texts or ()):
            at = (*path, kind, index)
            yield Assertion(
                kind, _wanted(source, wanted, at, found), source.place(at), f"{kind} {shown_wanted(wanted)}"
            )
    if expect.says_any:
        params = [_wanted(source, one, (*path, "says_any", n), found) for n, one in enumerate(expect.says_any)]
        label = "says_any " + ", ".join(map(shown_wanted, expect.says_any))
        yield Assertion("says_any", {"texts": params}, source.key_place((*path, "says_any")), label)


def _edges(source: Source, expect: TextExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    for kind, wanted in (("starts_with", expect.starts_with), ("ends_with", expect.ends_with)):
        if wanted is not None:
            at = (*path, kind)
            params = _wanted(source, wanted, at, found)
            yield Assertion(kind, params, source.key_place(at), f"{kind} {shown_wanted(wanted)}")


def _form(source: Source, expect: TextExpect, path: ValuePath, found: Found) -> Iterator[Assertion]:
    def place(key: str) -> Any:
        return source.key_place((*path, key))

    for key in ("format", "case", "postscript"):
        value = getattr(expect, key)
        if value is not None:
            yield Assertion(key, {key: value}, place(key), f"{key} {value}")
    if expect.paragraph is not None:
        params = expect.paragraph.model_dump()
        yield Assertion("paragraph", params, place("paragraph"), f"paragraph {params['n']}")
    if expect.language is not None:
        found.problems.extend(language_problem(source, expect.language, (*path, "language")))
        kind = "language.user" if expect.language == "user" else "language"
        yield Assertion(kind, {"language": expect.language}, place("language"), f"language {expect.language}")


def language_problem(source: Source, language: str, path: ValuePath) -> Iterator[Problem]:
    """Yield what is wrong with a language's code."""
    if language != "user" and primary(language) not in LANGUAGES:
        hint = did_you_mean(language, LANGUAGES)
        known = ", ".join(sorted(LANGUAGES))
        yield source.problem(path, f"unknown language {language!r}{hint}; known: user, {known}")


def _counts(source: Source, counts: Counts, path: ValuePath, found: Found) -> Iterator[Assertion]:
    for index, letters in enumerate(counts.letters or ()):
        yield _count(source, (*path, "letters"), letters, {"unit": "letters", "of": letters.of}, f"{index or ''}")
    if counts.sections is not None:
        about = counts.sections.model_dump(include={"separator", "heading", "distinct"})
        yield _count(source, (*path, "sections"), counts.sections, {"unit": "sections", **about})
    for index, text in enumerate(counts.texts or ()):
        at = (*path, "texts", index)
        wanted = _wanted(source, text.of, (*at, "of"), found)
        yield _count(source, at, text, {"unit": "texts", "of": wanted}, shown_wanted(text.of))
    for unit in ("words", "capitals", "sentences", "paragraphs", "bullets", "emphasis", "titles", "placeholders"):
        limits: Limits | None = getattr(counts, unit)
        if limits is not None:
            yield _count(source, (*path, unit), limits, {"unit": unit})


def _count(source: Source, path: ValuePath, limits: Limits, params: dict[str, Any], detail: str = "") -> Assertion:
    label = " ".join(part for part in ("count", str(params["unit"]), detail) if part)
    return Assertion("count", {**params, **limits.bounds}, source.key_place(path), label)


def _wanted(source: Source, wanted: Wanted, path: ValuePath, found: Found) -> dict[str, Any]:
    """Return a text as graders take it: `text` and the way it is found."""
    way, text = next((way, value) for way in WAYS if (value := getattr(wanted, way)) is not None)
    if way == "exact":
        return {"text": text, "exact": True, "ignore_case": wanted.ignore_case}
    pattern = pattern_of(text)
    at = (*path, way) if isinstance(source.value(path), dict) else path
    if way == "word":
        if pattern is not None:
            message = "a regular expression says itself what a word is (\\b); write it without `word`."
            found.problems.append(source.problem(at, message))
        return {"text": text, "regex": False, "word": True}
    if pattern is None:
        if not text.strip():
            found.problems.append(source.problem(at, "an empty text is in every reply; write what must be said."))
        return {"text": text, "regex": False}
    problem = pattern_problem(source, at, pattern)
    found.problems.extend([problem] if problem else [])
    return {"text": pattern, "regex": True}


def shown_wanted(wanted: Wanted) -> str:
    """Return a text as labels show it."""
    way, text = next((way, value) for way in WAYS if (value := getattr(wanted, way)) is not None)
    shown = text if way == "text" and pattern_of(text) is not None else f'"{text}"'
    return shown if way == "text" else f"{way} {shown}"
