"""Voice files: brand-voice rules as YAML, the ready-made packs that they may extend, and their examples.

A rule of a voice file is a grader (`graders.registry`, mapping `voice`), told by its `extends`; kinds and keys are
Vale's and our own for chats. Knows where each rule stands and where it is switched off, not how it is graded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from importlib.resources import files
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders import Requirement
from evalkit.graders.judge import JudgeRule
from evalkit.graders.registry import graders_of
from evalkit.graders.rule import VoiceRule
from evalkit.records import JsonObject, Place, Problem, TrialVerdict
from evalkit.suites.values import JudgeSettings, Suite
from evalkit.yamlsource import (
    FileModel,
    Source,
    SourceText,
    Text,
    ValuePath,
    check_schema,
    decode,
    did_you_mean,
    parse_yaml,
    read_below,
    refusal,
    shown,
)

PACKS = (
    "builtin/persona",
    "builtin/refusals",
    "builtin/promises",
    "builtin/punctuation",
    "builtin/formality",
    "builtin/privacy",
    "builtin/sign_off",
)
"""Every pack of ready-made rules, as a voice file names it under `extends`."""

NOT_BUILT = {
    "script": "runs a program, and a voice file is data",
    "sequence": "needs parts of speech",
    "spelling": "needs a dictionary",
}
"""Vale's kinds that there is no rule for, and why."""

_KINDS = tuple(grader.key() for grader in graders_of("voice"))


def _known_kind(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for model in graders_of("voice"):
        for key in model.given & value.keys():
            raise refusal(f"unknown key {key!r} in a rule.", key)
    kind = value.get("extends")
    if not isinstance(kind, str) or kind in _KINDS:
        return value
    if kind in NOT_BUILT:
        why = f"not built yet: rules of kind {kind!r} ({NOT_BUILT[kind]})"
    else:
        why = f"unknown kind {kind!r}{did_you_mean(kind, _KINDS)}"
    raise refusal(f"{why}; there are {', '.join(_KINDS)}.", "extends")


if TYPE_CHECKING:
    AnyRule = VoiceRule
else:  # the kinds of rules are those that are registered
    _ONE_OF_THEM = reduce(or_, graders_of("voice"))
    AnyRule = Annotated[Annotated[_ONE_OF_THEM, Field(discriminator="extends")], BeforeValidator(_known_kind)]


def _known_pack(value: Any) -> Any:
    if not isinstance(value, str) or value not in PACKS:
        hint = did_you_mean(value, PACKS) if isinstance(value, str) else ""
        raise refusal(f"unknown rules {value!r}{hint}; there are {', '.join(PACKS)}.")
    return value


class VoiceFile(FileModel):
    """Brand-voice rules, applied to every reply of the assistant."""

    called: ClassVar[str] = "the voice file"
    description: Text = Field("", description="Whose voice it is.", examples=["How Tandle sounds"])
    extends: list[Annotated[Literal[PACKS], BeforeValidator(_known_pack)]] = Field(  # type: ignore[valid-type]
        [],
        description="Ready-made rules that hold too; a rule of this file with the same id replaces one of them.",
        examples=[["builtin/persona", "builtin/promises"]],
    )
    without: list[Text] = Field(
        [], description="Ids of ready-made rules that do not hold.", examples=[["persona-human"]]
    )
    rules: list[AnyRule] = Field(
        [],
        description="The rules.",
        examples=[[{"id": "calm", "extends": "existence", "tokens": ["rest assured"], "message": "Says '%s'"}]],
    )

    @model_validator(mode="after")
    def _without_what(self) -> VoiceFile:
        if self.without and not self.extends:
            raise refusal("`without` leaves out ready-made rules; name them with `extends` first.", "without")
        return self


@dataclass(frozen=True)
class FileRule:
    """A rule and where it stands; `path` leads to it in its own file, None for one of a pack."""

    grader: VoiceRule
    place: Place
    path: ValuePath | None = None

    @property
    def id(self) -> str:
        """Its id, unique in the file."""
        return self.grader.id

    @cached_property
    def everywhere(self) -> Requirement:
        """The rule as a requirement on every turn: one value for all cases, of which there may be thousands."""
        return Requirement.of(self.grader, self.place)

    def requirement(self, skip_turns: Collection[int] = ()) -> Requirement:
        """Return the rule as a requirement on every turn but the skipped ones."""
        if not skip_turns:
            return self.everywhere
        return Requirement.of(self.grader.model_copy(update={"skip_turns": sorted(skip_turns)}), self.place)


@dataclass(frozen=True)
class Voice:
    """A voice file: its rules in order, those of packs first."""

    source: Source
    rules: tuple[FileRule, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules."""
        return tuple(rule.id for rule in self.rules)

    def put_to(self, judge: JudgeSettings) -> Voice:
        """Return the rules with who answers those that a judge does."""
        rules = list(self.rules)
        for n, rule in enumerate(rules):
            if isinstance(rule.grader, JudgeRule):
                grader = rule.grader.put_to(judge.model, judge.votes, enforced=bool(judge.enforce))
                rules[n] = replace(rule, grader=grader)
        return replace(self, rules=tuple(rules))

    def described(self) -> Mapping[str, JsonObject]:
        """Return what reports say of each rule."""
        return {
            rule.id: {
                "kind": rule.grader.key(),
                "level": rule.grader.level,
                "message": rule.grader.message,
                "place": str(rule.place),
            }
            for rule in self.rules
        }


def read_pack(name: str) -> SourceText:
    """Return the text of a pack; its name in messages is the one it is extended by."""
    data = files("evalkit.suites").joinpath("packs", f"{name.removeprefix('builtin/')}.yaml").read_bytes()
    return decode(data, f"{name}.yaml")


def load_voice(root: Path, file: str) -> tuple[Voice | None, list[Problem]]:
    """Read the voice file `file` (relative to `root`); raises FileProblems when it can't be parsed."""
    return read_voice(parse_yaml(read_below(root, file)))


def read_voice(source: Source) -> tuple[Voice | None, list[Problem]]:
    """Return the rules of a parsed voice file, or None, and every problem."""
    parsed, problems = check_schema(source, VoiceFile)
    problems = [*source.problems, *problems]
    if parsed is None:
        return None, problems
    if not parsed.rules and not parsed.extends:
        problems.append(source.problem(("rules",), "there are no rules; expected at least one."))
    ready = _ready_made(source, parsed, problems)
    first: dict[str, int] = {}
    for index, rule in enumerate(parsed.rules):
        path = ("rules", index)
        if rule.id in first:
            line = source.place(("rules", first[rule.id])).line
            message = f"rule id {rule.id!r} is already used on line {line}; ids must differ."
            problems.append(source.problem((*path, "id"), message))
        first.setdefault(rule.id, index)
        problems += [source.problem((*path, *fault.path), fault.message, key=fault.on_key) for fault in rule.problems()]
    own = (FileRule(rule, source.place(("rules", index)), ("rules", index)) for index, rule in enumerate(parsed.rules))
    return Voice(source, (*(rule for rule in ready if rule.id not in first), *own)), problems


def _ready_made(source: Source, file: VoiceFile, problems: list[Problem]) -> list[FileRule]:
    """Return the rules of the packs a file extends, placed where the file names them."""
    rules: list[FileRule] = []
    for index, name in enumerate(file.extends):
        pack, found = read_voice(parse_yaml(read_pack(name)))
        problems += found
        place = source.place(("extends", index))
        rules += [FileRule(rule.grader, place) for rule in (pack.rules if pack else ())]
    known = [rule.id for rule in rules]
    for index, rule_id in enumerate(file.without):
        if rule_id not in known:
            message = f"no ready-made rule {rule_id!r}{did_you_mean(rule_id, known)}; there are {', '.join(known)}."
            problems.append(source.problem(("without", index), message))
    return [rule for rule in rules if rule.id not in file.without]


def check_examples(voice: Voice) -> list[Problem]:
    """Return a problem for every good example that breaks its rule and every bad one that keeps it.

    The rules of a file are tried, not those of packs: a rule is tested like code, where it is written.
    """
    return [problem for rule in voice.rules if rule.path is not None for problem in _try(voice.source, rule, rule.path)]


def _try(source: Source, rule: FileRule, path: ValuePath) -> Iterator[Problem]:
    examples = [("good", *one) for one in enumerate(rule.grader.good)]
    examples += [("bad", *one) for one in enumerate(rule.grader.bad)]
    for key, index, text in examples:
        keeps = key == "good"
        finding = rule.grader.grade_text(text)
        if finding.verdict is TrialVerdict.NOT_MEASURED:
            message = f"rule {rule.id!r} can't be tried on this example: {finding.observed or finding.note}."
        elif (finding.verdict is TrialVerdict.PASSED) == keeps:
            continue
        elif keeps:
            found = f" ({finding.observed})" if finding.observed else ""
            message = f"a good example breaks rule {rule.id!r}{found}; change the rule or the example."
        else:
            message = f"a bad example keeps rule {rule.id!r}: {shown(text)}; change the rule or the example."
        yield source.problem((*path, key, index), message)


def unused_rules(voice: Voice, suites: Iterable[Suite]) -> list[Problem]:
    """Return a warning for every rule that applies to no case of the suites that name this voice file."""
    file = voice.source.file
    using = [suite for suite in suites if file in suite.files]
    if not using:
        return [voice.source.problem((), "no suite names this voice file; its rules are never applied.", "warning")]
    cases = [case.record for suite in using for case in suite.cases]
    applied = {one.rule for case in cases for one in case.assertions if one.place.file == file}
    return [
        voice.source.problem_at(rule.place, f"rule {rule.id!r} is switched off in every case; remove it.", "warning")
        for rule in voice.rules
        if rule.id not in applied
    ]
