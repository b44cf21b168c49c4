"""One case of a suite file to the cases that are played: its variants, requirements, fixtures, history and hash.

Knows where things stand in the file, which mappings hold graders' keys, and how a case inherits from its suite; what a
grader demands is its own affair. Must not read files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from evalkit.content import UserContent, files_in, text_of
from evalkit.graders import Requirement
from evalkit.graders.grounding import Grounded
from evalkit.graders.judge import JUDGE_KINDS
from evalkit.graders.outcome import WorldGrader
from evalkit.graders.registry import made_from
from evalkit.records import Assertion, CaseRecord, JsonObject, Level
from evalkit.standin.faults import FAULTS
from evalkit.suites.compiler import Compiler, Fixtures, compile_fixtures, compile_world
from evalkit.suites.fixtures import Stage, follow_calls
from evalkit.suites.format import (
    CaseFile,
    Expect,
    StepFile,
    SuiteFile,
    TurnFile,
)
from evalkit.suites.inputs import InputReader, SuiteInputs
from evalkit.suites.messages import MessageReader, identity_of
from evalkit.suites.values import Case, Fixture, Simulation
from evalkit.suites.voice import Voice
from evalkit.wording import listed
from evalkit.world import World
from evalkit.yamlsource import ValuePath, did_you_mean


@dataclass(frozen=True)
class CaseContext:
    """What all cases of a suite share."""

    compiler: Compiler
    suite: SuiteFile
    fixtures: Fixtures
    expect: tuple[Requirement, ...]
    voice: Voice | None
    reader: InputReader
    inputs: SuiteInputs
    messages: MessageReader
    world: World | None = None

    def expected(self, expect: Expect | None, path: ValuePath, turn: int | None = None) -> tuple[Requirement, ...]:
        """Return what an `expect` asks for; notes the rules in it that do not exist."""
        if expect is not None and expect.voice is not None:
            if self.suite.voice is None:
                message = "switches rules off, but the suite has no `voice` file; add one, or remove this."
                self.compiler.problem((*path, "voice"), message, key=True)
            for index, rule in enumerate(expect.voice.except_ if self.voice else ()):
                if self.voice and rule not in self.voice.ids:
                    message = f"no rule {rule!r} in {self.voice.source.file}{did_you_mean(rule, self.voice.ids)}"
                    self.compiler.problem((*path, "voice", "except", index), message)
        return self.compiler.expect(expect, path, turn)

    def check_outcome(self, expect: Expect | None, path: ValuePath) -> None:
        """Note what the outcome that is expected can't be in this world; of the suite's `expect` each case asks it."""
        if expect is None or expect.outcome is None:
            return
        for grader in made_from(expect.outcome, "outcome"):
            for fault in grader.faults_in(self.world) if isinstance(grader, WorldGrader) else ():
                self.compiler.fault((*path, "outcome"), fault)


def compile_case(context: CaseContext, file: CaseFile, index: int) -> list[Case]:
    """Return the case, or one for each of its variants."""
    compiler, path = context.compiler, ("cases", index)
    source = compiler.source
    own, shared = compile_fixtures(compiler, file.tools, (*path, "tools")), context.fixtures
    fixtures = {tool: (*own.get(tool, ()), *shared.get(tool, ())) for tool in dict.fromkeys([*shared, *own])}
    world = compile_world(compiler, file.world, (*path, "world"), (context.suite, file), base=context.world)
    context = replace(context, world=world)
    context.check_outcome(context.suite.expect, ("expect",))
    context.check_outcome(file.expect, (*path, "expect"))
    requirements = _requirements(context, file, path)
    assertions = tuple(one.assertion for one in requirements)
    trials, min_pass = _trials(context, file, path)
    history = context.messages.history(file.history, (*path, "history"))
    script = _script(compiler, file.stand_in, (*path, "stand_in"))
    user = file.simulate
    simulation = Simulation(user.goal, user.persona, user.max_turns, user.model, tuple(user.stand_in)) if user else None
    _warn_of_no_demand(context, file, path, assertions)
    demanded = _demanded(script, fixtures, assertions, simulation, world)
    cases = []
    for case_id, at, messages, inputs in _conversations(context, file, path):
        before = [message["content"] for message in history if message["role"] == "user"]
        context.messages.check_size([*before, *messages], at)
        _warn_of_blind_facts(context, requirements, [*before, *messages], at)
        said = {"turns": identity_of(messages), "history": identity_of(history)}
        asked = {**said, **({"inputs": inputs.values} if inputs.values else {})}
        record = CaseRecord(
            suite=source.file,
            case_id=case_id,
            place=source.place(at),
            turns=tuple(map(text_of, messages)),
            assertions=assertions,
            trials=trials,
            min_pass=min_pass,
            sha=_sha({**demanded, **asked}),
            critical=file.critical,
            gated=file.gate,
            tags=tuple(file.tags),
            cluster=file.cluster or (file.id if file.variants else None),
            skip=file.skip,
            own_trials=file.trials is not None,
            min_rate=file.min_rate,
            row=source.row(path),
        )
        staged = replace(world, inputs=inputs.values) if world else None
        origin = file.from_ or ""
        graded = _in_world(requirements, Stage(fixtures, staged))
        cases.append(Case(record, graded, fixtures, messages, history, script, origin, simulation, inputs, staged))
    return cases


def _demanded(
    script: Sequence[JsonObject],
    fixtures: Mapping[str, Sequence[Fixture]],
    assertions: Iterable[Assertion],
    simulation: Simulation | None,
    world: World | None,
) -> dict[str, Any]:
    """Return what a case demands beside what is said in it, without places and names.

    A baseline's trials are of a case for as long as this is the same.
    """
    return {
        "script": script,
        "fixtures": {
            tool: [[one.when, one.returns, one.error, one.times, one.delay_ms] for one in entries]
            for tool, entries in sorted(fixtures.items())
        },
        "assertions": [
            {"kind": one.kind, "params": one.params, "turn": one.turn, "level": one.level.value} for one in assertions
        ],
        **({"simulate": asdict(simulation)} if simulation else {}),
        **({"world": [world.entities, world.written]} if world else {}),
    }


def _in_world(requirements: Iterable[Requirement], stage: Stage) -> tuple[Requirement, ...]:
    """Return requirements with what those about the outcome have to know of the case's world."""
    if stage.world is None:
        return tuple(requirements)
    follow = partial(follow_calls, stage)
    return tuple(
        replace(one, grader=one.grader.in_world(follow)) if isinstance(one.grader, WorldGrader) else one
        for one in requirements
    )


def _warn_of_no_demand(context: CaseContext, file: CaseFile, path: ValuePath, demanded: Sequence[Assertion]) -> None:
    """Warn of a case that can't fail, and of one that is only watched and demands nothing of its own."""
    own = (file.expect, *(turn.expect for turn in file.turns or ()))
    if file.skip:
        return
    from_row = context.compiler.source.row(path) is not None
    case = "the case" if from_row else f"case {file.id!r}"  # said once, not for every row
    if context.suite.voice is None and not demanded:
        message = f"{case} expects nothing: no expect, no budget, no voice. It can't fail."
    elif not file.gate and not any(expect and expect.model_fields_set for expect in own):
        message = f"{case} is only watched and expects nothing of its own yet; write its `expect`."
    elif file.gate and _is_advice(demanded):
        message = (
            f"only a judge could fail {case}, and this suite's judge only advises, so it can't fail. Label "
            "the judge's answers (evalkit label) and write `judge: {enforce: true}`, let it gate without labels by "
            "`judge: {enforce: unlabelled}`, or add something that a rule can see, such as `says`."
        )
    else:
        return
    context.compiler.problem((*path, "id"), message, "warning", key=from_row)


def _is_advice(demanded: Sequence[Assertion]) -> bool:
    """Tell whether nothing but a judge is asked what a reply must do, and the judge may fail nothing."""
    judged = any(one.kind in JUDGE_KINDS for one in demanded)
    return judged and not any(one.level is Level.ERROR for one in demanded)


def _warn_of_blind_facts(
    context: CaseContext, requirements: Sequence[Requirement], said: Sequence[UserContent], path: ValuePath
) -> None:
    """Warn of pictures and PDFs whose facts nobody can check, where the reply's facts are to have a source."""
    unread = [file.name for content in said for file in files_in(content) if not file.is_readable]
    if unread and any(isinstance(one.grader, Grounded) for one in requirements):
        names = listed(list(dict.fromkeys(unread)))
        message = f"`grounded` can't read {names}, so that facts from there are not measured; say what it `shows`."
        context.compiler.problem(path, message, "warning")


def _conversations(
    context: CaseContext, file: CaseFile, path: ValuePath
) -> Iterator[tuple[str, ValuePath, tuple[UserContent, ...], SuiteInputs]]:
    """Yield id, path, user messages and inputs of each conversation a case stands for.

    A case without user messages can only score recorded conversations.
    """
    inputs, reader = context.inputs.under(context.reader.read(file.inputs, (*path, "inputs"))), context.messages
    for n, variant in enumerate(file.variants or (), 1):
        at = (*path, "variants", n - 1)
        own = context.reader.read(variant.inputs, (*at, "inputs"))
        yield f"{file.id}/{n}", at, (reader.message(variant.user, at),), inputs.under(own)
    if not file.variants:
        said = [reader.message(turn.user, (*path, "turns", n, "user")) for n, turn in enumerate(file.turns or ())]
        said += [reader.message(file.user, (*path, "user"))] if file.user else []
        yield file.id, (*path, "id"), tuple(said), inputs


def _requirements(context: CaseContext, file: CaseFile, path: ValuePath) -> tuple[Requirement, ...]:
    """Return what its turns, the case, its suite, the brand voice (where it is not switched off) and the budget ask."""
    turns: Sequence[TurnFile | None] = file.turns or (None,)
    made: list[Requirement] = []
    for n, turn in enumerate(turns, 1):
        made += context.expected(turn.expect, (*path, "turns", n - 1, "expect"), n) if turn else ()
    made += context.expected(file.expect, (*path, "expect"))
    made += context.expect
    off = {*_excepted(context.suite.expect), *_excepted(file.expect)}
    for rule in context.voice.rules if context.voice else ():
        skipped = [n for n, turn in enumerate(turns, 1) if turn and rule.id in _excepted(turn.expect)]
        if rule.id not in off and len(skipped) < len(turns):
            made.append(rule.requirement(skipped))
    made += context.compiler.budget(context.suite.budget, file.budget, path)
    return tuple(made)


def _excepted(expect: Expect | None) -> Sequence[str]:
    return expect.voice.except_ if expect and expect.voice else ()


def _trials(context: CaseContext, file: CaseFile, path: ValuePath) -> tuple[int, int]:
    """Return how often a case is played and how often it must pass; critical cases must pass always."""
    suite = context.suite
    trials = file.trials or suite.trials
    min_pass = file.min_pass or suite.min_pass or trials // 2 + 1
    if min_pass > trials and not file.critical:
        if file.min_pass:
            message = f"min_pass {min_pass} is more than trials {trials}; the case could not pass."
            context.compiler.problem((*path, "min_pass"), message)
        elif file.trials:
            message = f"trials {trials} is less than the suite's min_pass {min_pass}; give the case its own min_pass."
            context.compiler.problem((*path, "trials"), message)
    if file.critical and file.min_pass and file.min_pass != trials:
        message = f"a critical case must pass all its {trials} trials; remove min_pass, or critical."
        context.compiler.problem((*path, "min_pass"), message)
    if file.min_rate is not None and not file.critical:
        message = "min_rate is what a critical case's trials are to prove; add critical: true, or remove it."
        context.compiler.problem((*path, "min_rate"), message)
    return trials, trials if file.critical else min_pass


def _script(compiler: Compiler, steps: list[StepFile], path: ValuePath) -> tuple[JsonObject, ...]:
    script: list[dict[str, Any]] = []
    for index, step in enumerate(steps):
        at = (*path, index)
        if step.call is not None:
            compiler.mention(step.call, (*at, "call"), key=False)
            script.append({"call": step.call, "input": step.input or {}})
            continue
        if step.fault is not None and step.fault not in FAULTS:
            hint = did_you_mean(step.fault, FAULTS) or f"; there are {', '.join(FAULTS)}"
            compiler.problem((*at, "fault"), f"the stand-in has no fault {step.fault!r}{hint}")
        for number, call in enumerate(step.calls or ()):
            compiler.mention(call.call, (*at, "calls", number, "call"), key=False)
        script.append(step.model_dump(exclude_none=True, include={"calls", "say", "fault", "times"}))
    return tuple(script)


def _sha(value: JsonObject) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
