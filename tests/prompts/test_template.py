"""Templates: names, includes, the cache point, and that nothing in them can hang or grow without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems
from evalkit.prompts.template import Template, parse_template, render_template
from evalkit.yamlsource import SourceText


def parse(text: str, **others: str) -> Template:
    texts = {"v1.md": text, **{name.replace("_", "."): other for name, other in others.items()}}
    return parse_template("v1.md", {name: SourceText(f"p/{name}", body) for name, body in texts.items()})


def refusal(text: str, **others: str) -> str:
    """Return why a template is refused: while it is parsed, or while it is rendered."""
    template = parse(text, **others)
    if template.problems:
        return str(FileProblems(template.problems))
    with pytest.raises(FileProblems) as caught:
        render_template(template, {"x": "ab", "n": "3"})
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ x | upper }} {{ x.title() }} {{ x[0] }}", "AB Ab a"),
        ("{% for w in x.split('b') %}[{{ w }}{{ loop.index }}]{% endfor %}", "[a1][2]"),
        ("{% for a, b in [('x', 1), ('y', 2)] %}{{ a }}{{ b }}{% endfor %}", "x1y2"),
        ("{% set s = namespace(n=0) %}{% for i in range(3) %}{% set s.n = s.n + i %}{% endfor %}{{ s.n }}", "3"),
        ("{% if n | int > 2 %}many{% else %}few{% endif %}", "many"),
        ("{{ 'a' ~ x ~ 1 }}{{ ['a', 'b'] | join('-') }}", "aab1a-b"),
        ("{% with y = x %}{{ y }}{% endwith %}{% set z %}<{{ x }}>{% endset %}{{ z }}", "ab<ab>"),
        ("{{ x | replace('a', 'cc') | indent(2) }} {{ 7 * 6 }} {{ 7 / 2 }} {{ 2.567 | round(1) }}", "ccb 42 3.5 2.6"),
        ("{% raw %}{{ x }}{% endraw %}{{ 'y' if x == 'ab' else 'z' }}", "{{ x }}y"),
        ("<b>&{{ x }}</b>", "<b>&ab</b>"),
    ],
)
def test_what_prompts_need_works(text: str, expected: str) -> None:
    """Conditions, loops, text functions and small sums are there, without escaping."""
    assert render_template(parse(text), {"x": "ab", "n": "3"}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% for a in 'abcdefghij' %}{% for b in 'abcdefghij' %}" * 5 + "x" + "{% endfor %}{% endfor %}" * 5,
        "{{ 'a' * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 99999999 * 99999999 * 99999999 }}",
        "{{ '%1000000000d' % 5 }}",
        "{{ x.ljust(1000000000) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ x.center(1000000000) }}",
        "{{ x | center(1000000000) }}",
        "{{ x | indent(1000000000) }}",
        "{{ x | format(1) }}",
        "{{ range(99999999) | list }}",
        "{{ lipsum(n=100000) }}",
        "{% set x = x ~ x %}" * 60 + "{{ x }}",
        "{% set x = x + x %}" * 60 + "{{ x }}",
        "{% set y = ['a'] %}" + "{% set y = y + y %}" * 60 + "{{ y | length }}",
        "".join(f"{{% set x{n + 1} %}}{{{{ x{n} }}}}{{{{ x{n} }}}}{{% endset %}}" for n in range(60)).replace(
            "x0", "x"
        ),
        "{% set x = x | replace('a', x) %}" * 60 + "{{ x }}",
        "{% set x = [x, x] %}" * 60 + "{{ x }}",
        "{% set x = [x, x] | join %}" * 60 + "{{ x }}",
        "{% set x = x.split('') %}",
        "{% for i in range(9999) %}" + "{{ x }}" * 500 + "{% endfor %}",
        "{% for i in range(9999) %}" + "y" * 5000 + "{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% for i in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
        "{% filter upper %}a{% endfilter %}",
        "{{ [[1]] }}",
        "{{ {} }}",
        "{{ x.__class__.__mro__ }}",
        "{{ x['__class__'] }}",
        "{{ self }}",
        "{{ namespace.__init__ }}",
        "{{ x | attr('__class__') }}",
        "{{ x | map('upper') | join }}",
        "{{ none }}",
        "{{ 1 / 0 }}",
        "{{ x.nothing }}",
        "{{ 'a' < 1 }}",
        "{% import 'v1.md' as a %}",
        "{% extends 'v1.md' %}",
        "{% block a %}{% endblock %}",
        "{" * 3000,
        "{{ " + "(" * 3000 + "x" + ")" * 3000 + " }}",
        "{{ " + "9" * 5000 + " }}",
        "{% if x %}" * 150 + "{% endif %}" * 150,
    ],
    ids=lambda text: text[:40],
)
def test_a_template_that_would_hang_grow_or_reach_out_is_refused(text: str) -> None:
    """Whatever it is, the answer is a problem with a sentence, and it comes at once."""
    words = refusal(text)

    assert words.startswith("p/v1.md")
    assert len(words) > 30


@given(st.text(st.sampled_from("{}%#-+ xif=endfor|()[]'\"\n.~*"), max_size=60))
def test_any_template_renders_or_is_a_problem(text: str) -> None:
    """Nothing but FileProblems comes out of a template, whatever its text."""
    template = parse(text)
    if not template.problems:
        try:
            assert isinstance(render_template(template, {"x": "ab"}), str)
        except FileProblems as error:
            assert error.problems


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a\n{% if x %}\nb", "p/v1.md:2:1"),
        ("a\n  {{ x | nope }}", "p/v1.md:2:10"),
        ("a\n\n{{ x.nope }}", "p/v1.md:3:1"),
        ("a {{ x", "p/v1.md:1:3"),
        ("{{ x }}\n{% endif %}", "p/v1.md:2:1"),
    ],
)
def test_an_error_names_the_line_of_the_tag(text: str, place: str) -> None:
    """Syntax and run-time errors are placed at the tag they come from."""
    assert refusal(text).startswith(f"{place}: error: ")


def test_an_error_in_an_included_file_names_that_file() -> None:
    """The line is that of the partial."""
    assert refusal('{% include "a.md" %}', a_md="fine\n{{ x.nope }}\n").startswith("p/a.md:2:1: error: ")


def test_names_are_found_with_line_and_column_in_every_file() -> None:
    """Each use of a name that the template does not set itself is known before anything is rendered."""
    template = parse(
        "{% set s = 1 %}{{ s }} {{ one }}\n{% for i in two.split() %}{{ i }}{{ loop.index }}{% endfor %}\n"
        '{% include "a.md" %} {{ "three" }} {{ s.four }}',
        a_md="x {% if five == 'six' %}{{ s }}{% endif %}",
    )

    assert {(use.name, str(use.place)) for use in template.uses} == {
        ("one", "p/v1.md:1:27"),
        ("two", "p/v1.md:2:13"),
        ("five", "p/a.md:1:9"),
    }


def test_names_before_the_cache_point_are_told_from_those_behind() -> None:
    """Uses above the marker, and in files included above it, belong to the cached part."""
    template = parse(
        '{{ a }}\n{% include "in.md" %}\n{{ b }}{# evalkit: cache here #}{{ c }}\n{% include "out.md" %}{{ a }}',
        in_md="{{ d }}",
        out_md="{{ e }}",
    )

    assert [(use.name, use.cached) for use in template.uses] == [
        ("a", True), ("b", True), ("c", False), ("a", False), ("d", True), ("e", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n{# evalkit: cache here #}\nb\n{# evalkit: cache here #}", "p/v1.md:4:1: error: a second cache point"),
        ("{% if x %}\na\n{# evalkit: cache here #}\n{% endif %}", "p/v1.md:3:1: error: {% if %} from line 1 spans"),
        ("{% for a in x %}{% endfor %}{% set y %}{# evalkit: cache here #}{% endset %}", "{% set %} from line 1 spans"),
        ("a\n{# evalkit: cache her #}", "p/v1.md:2:1: error: an evalkit comment that is not"),
        ("a {# evalkit cache here #}", "p/v1.md:1:3: error: an evalkit comment that is not"),
    ],
)
def test_a_wrong_cache_point_is_explained(text: str, words: str) -> None:
    """Twice, inside a block, or misspelt: each is an error at the comment."""
    assert words in str(FileProblems(parse(text).problems))


def test_a_cache_point_in_an_included_file_is_refused() -> None:
    """Only the prompt file itself says where the cache ends."""
    template = parse('{% include "a.md" %}', a_md="x\n{# evalkit: cache here #}")

    assert "p/a.md:2:1: error: the cache point stands in an included file" in str(FileProblems(template.problems))


@pytest.mark.parametrize(
    "text",
    [
        "{% if x %}a{% endif %}{# evalkit: cache here #}b",
        "{% set y = 1 %}{#- evalkit: cache here -#} b",
        "a{#evalkit:cache here#}b",
        "{% raw %}{% if %}{% endraw %}{# evalkit: cache here #}b",
        "{# {% if x %} #}{# evalkit: cache here #}b",
    ],
)
def test_a_cache_point_between_blocks_is_fine(text: str) -> None:
    """Closed blocks, plain sets, raw text and comments do not span it."""
    template = parse(text)

    assert template.problems == ()
    assert "\0evalkit cache point\0" in render_template(template, {"x": "1"})


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"a_md": '{% include "a.md" %}'}, "p/a.md:1:4: error: 'a.md' includes itself"),
        ({"a_md": '{% include "b.md" %}', "b_md": '{% include "a.md" %}'}, "'a.md' includes itself"),
        (
            {"a_md": '{% include "b.md" %}' * 15, "b_md": '{% include "c.md" %}' * 15, "c_md": "x"},
            "more than 200 includes",
        ),
    ],
)
def test_includes_that_go_round_or_multiply_are_refused(others: dict[str, str], words: str) -> None:
    """Neither a circle nor a tree of includes can grow without end."""
    assert words in str(FileProblems(parse('{% include "a.md" %}', **others).problems))
