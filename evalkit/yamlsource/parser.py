"""YAML text to nodes; strict where YAML is not.

Knows YAML's events and which of them a data file may hold: one document, plain values, keys given once, anchors that
stand before their aliases. An alias shares the nodes of its anchor, and what it would come to written out is counted,
so that nothing can multiply. Tags are refused: a file is data. Knows no file format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from evalkit.errors import FileProblems
from evalkit.records import Problem
from evalkit.yamlsource.nodes import ListNode, MapNode, Node, Plain, ScalarNode, Spot, merged, resolve
from evalkit.yamlsource.schema import did_you_mean
from evalkit.yamlsource.source import Source
from evalkit.yamlsource.text import MAX_BYTES, SourceText, read_text, visible

MAX_DEPTH = 50
MAX_NODES = 1_000_000
MAX_ALIASED = 100_000
"""So many values may come into a file by its aliases: a thousand cases that share a hundred values each."""
MAX_PROBLEMS = 1_000
MERGE = "<<"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What libyaml says, and what the author of a data file can do about it.
_ADVICE = {
    "mapping values are not allowed in this context": (
        "mapping values are not allowed here; quote text that holds ': ', or start a new line"
    ),
}


def parse_yaml(text: SourceText) -> Source:
    """Parse a text strictly.

    Raises FileProblems where its rest can't be understood: a syntax error, too deep, too many values.
    """
    builder = _Builder(visible(text))
    try:
        events: Iterator[yaml.Event] = yaml.parse(text.text, Loader=_LOADER)
        for event in events:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise FileProblems([*builder.problems, _syntax_problem(text, error)]) from error
    except yaml.YAMLError as error:
        raise FileProblems([*builder.problems, text.problem(text.place(0), f"not YAML: {error}.")]) from error
    return Source(text, builder.root, tuple(builder.problems))


def load_yaml(path: Path, file: str, limit: int = MAX_BYTES) -> Source:
    """Read and parse a YAML file, named `file` in messages; raises FileProblems when it can't be parsed to its end."""
    return parse_yaml(read_text(path, file, limit))


def _syntax_problem(source: SourceText, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark else 0
    problem = re.sub(r"\s+", " ", str(error.problem or "not YAML"))
    words = _ADVICE.get(problem, problem)
    if error.context == "while scanning a quoted scalar" and error.context_mark and "end of stream" in problem:
        words, index = "this quote is never closed", error.context_mark.index
    elif "cannot start any token" in problem and source.text[index : index + 1] == "\t":
        words = "a tab can't be used for indentation; use spaces"
    elif "cannot start any token" in problem:
        words = f"{source.text[index : index + 1]!r} can't begin a value; put the text in quotes"
    elif error.context and problem not in _ADVICE:
        words = f"{words} ({error.context})"
    return source.problem(source.place(index), f"{words}.")


class _Key(NamedTuple):
    """A mapping's key that still waits for its value; `text` is None where the key itself was refused."""

    text: str | None
    node: ScalarNode
    is_merge: bool = False


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet, with the key that waits for its value.

    `before` is how many values the file had when it began, `height` how many levels it holds, itself included. `merged`
    is what stands at its key `<<`, which is `merge`.
    """

    node: ListNode | MapNode
    before: int
    anchor: str | None
    height: int = 1
    key: _Key | None = None
    merge: ScalarNode | None = None
    merged: Node | None = None


class _Anchored(NamedTuple):
    """What an anchor names: how many values it comes to, written out, on how many levels; no node while it is open."""

    at: int
    node: Node | None
    size: int = 0
    height: int = 0


def _index(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


class _Builder:
    """Collects events into nodes without recursion."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0
        self._aliased = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event to the tree."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(event, "a second document starts here; one file holds one. Remove the '---' line.")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def _node(self, event: yaml.NodeEvent) -> None:
        self._grow(event, 1, 1)
        if tag := getattr(event, "tag", None):
            self._report(event, f"tag {tag!r} can't be used; a suite is data. Put text in quotes instead.")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = ScalarNode(self.source, _index(event), resolve(event.value) if event.implicit[0] else event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = ListNode(self.source, _index(event))
        else:
            node = MapNode(self.source, _index(event))
        anchor = self._named(event)
        self._place(event, node)
        if isinstance(node, ScalarNode):
            self._end_anchor(anchor, node, 1, 1)
        else:
            self._open.append(_Open(node, self._count - 1, anchor))

    def _named(self, event: yaml.NodeEvent) -> str | None:
        """Note the anchor of a node that begins."""
        name = event.anchor
        if name is None:
            return None
        if name in self._anchors:
            first = self.source.place(self._anchors[name].at).line
            self._report(
                event, f"anchor '&{name}' is given twice (first on line {first}); names of anchors must differ."
            )
            return None
        self._anchors[name] = _Anchored(_index(event), None)
        return str(name)

    def _end_anchor(self, name: str | None, node: Node, size: int, height: int) -> None:
        if name is not None:
            self._anchors[name] = _Anchored(self._anchors[name].at, node, size, height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        """Put what an anchor names where its alias stands."""
        name, spot = str(event.anchor), Spot(self.source, _index(event))
        found = self._anchors.get(name)
        if found is None or found.node is None:
            self._grow(event, 1, 1)
            if found is None:
                hint = did_you_mean(name, self._anchors)
                self._report(event, f"no anchor '&{name}' stands before this alias{hint}; write it where the value is.")
            else:
                self._report(event, f"alias '*{name}' stands inside its own anchor; a value can't hold itself.")
            self._place(event, ScalarNode(*spot, ""))
            return
        self._aliased += found.size
        if self._aliased > MAX_ALIASED:
            self._stop(
                event, f"aliases come to more than {MAX_ALIASED:,} values, written out; share less, or split the file."
            )
        self._grow(event, found.size, found.height)
        self._place(event, found.node.used_by(spot))

    def _grow(self, event: yaml.Event, size: int, height: int) -> None:
        """Count values that are added here, with the levels that they take."""
        self._count += size
        if self._count > MAX_NODES:
            self._stop(event, f"more than {MAX_NODES:,} values in one file; split it.")
        if len(self._open) + height > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep; flatten it.")
        if self._open:
            self._open[-1].height = max(self._open[-1].height, height + 1)

    def _place(self, event: yaml.NodeEvent, node: Node) -> None:
        """Add a node to what is open: as an item, as a key, or as the value of the key before it."""
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent.node, ListNode):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._key(event, node)
        else:
            key, parent.key = parent.key, None
            self._entry(parent, parent.node, key, node)

    def _key(self, event: yaml.NodeEvent, node: Node) -> _Key:
        if isinstance(node, ScalarNode):
            text = node.value.source if isinstance(node.value, Plain) else node.value
            unquoted = isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            return _Key(text, node, is_merge=unquoted and text == MERGE)
        braces = self.source.text[max(0, _index(event) - 1) : _index(event) + 1] == "{{"
        hint = " Put text with '{{ ... }}' in quotes." if braces else ""
        self._report(event, f"a list or mapping can't be a key; expected text.{hint}")
        return _Key(None, ScalarNode(self.source, _index(event), ""))

    def _entry(self, parent: _Open, mapping: MapNode, key: _Key, node: Node) -> None:
        """Add a key with its value to a mapping."""
        if key.text is None:
            return
        earlier = parent.merge if key.is_merge else mapping.keys.get(key.text)
        if earlier is not None:
            what = "write one list, '<<: [*a, *b]'" if key.is_merge else "YAML would keep only the last"
            message = f"key {key.text!r} is given twice here (first on line {earlier.place.line}); {what}."
            self._add(key.node.index, message)
        elif key.is_merge:
            parent.merge, parent.merged = key.node, node
        else:
            mapping.keys[key.text] = key.node
            mapping.items[key.text] = node

    def _close(self) -> None:
        """End a list or mapping: put in what it merges, and keep it where it has an anchor."""
        done = self._open.pop()
        if isinstance(done.node, MapNode) and done.merged is not None:
            self._merge(done.node, done.merged)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, done.height + 1)
        self._end_anchor(done.anchor, done.node, self._count - done.before, done.height)

    def _merge(self, mapping: MapNode, value: Node) -> None:
        others = [item.used_by(*value.used) for item in value.items] if isinstance(value, ListNode) else [value]
        maps = [other for other in others if isinstance(other, MapNode)]
        for other in others:
            if not isinstance(other, MapNode):
                spot = other.used[-1] if other.used else other.spot
                self._add(spot.at, "'<<' takes a mapping, or a list of mappings, such as '<<: *name'.")
        whole = merged(mapping, maps)
        # In place: the mapping stands in its parent already, and its aliases come later.
        mapping.items, mapping.keys = whole.items, whole.keys

    def _report(self, event: yaml.Event, message: str) -> None:
        self._add(_index(event), message)

    def _add(self, index: int, message: str) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            raise FileProblems(self.problems)
        self.problems.append(self.source.problem(self.source.place(index), message))

    def _stop(self, event: yaml.Event, message: str) -> None:
        self._report(event, message)
        raise FileProblems(self.problems)
