"""One case of a suite file to the cases that are played: its variants, assertions, fixtures, history and hash.

Knows how a case inherits from its suite; must not read files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalkit.graders import Requirement
from evalkit.records import CaseRecord, JsonObject
from evalkit.standin.faults import FAULTS
from evalkit.suites.fixtures import Fixtures, compile_fixtures, described_fixtures, own_first
from evalkit.suites.format import CaseFile, Expect, HistoryEntry, StepFile, SuiteFile, TurnFile
from evalkit.suites.requirements import Compiler, described
from evalkit.suites.values import Case, Simulation
from evalkit.suites.voice import Voice
from evalkit.yamlsource import ValuePath, did_you_mean


@dataclass(frozen=True)
class CaseContext:
    """What all cases of a suite share."""

    compiler: Compiler
    suite: SuiteFile
    fixtures: Fixtures
    expect: tuple[Requirement, ...]
    voice: Voice | None

    def expected(self, expect: Expect | None, path: ValuePath, turn: int | None = None) -> tuple[Requirement, ...]:
        """Return what an `expect` asks for; notes every rule that it switches off but that does not exist."""
        if expect is not None and expect.voice is not None:
            if self.suite.voice is None:
                message = "switches rules off, but the suite has no `voice` file; add one, or remove this."
                self.compiler.problem((*path, "voice"), message, key=True)
            for index, rule in enumerate(expect.voice.except_ if self.voice else ()):
                if self.voice and rule not in self.voice.ids:
                    message = f"no rule {rule!r} in {self.voice.source.file}{did_you_mean(rule, self.voice.ids)}"
                    self.compiler.problem((*path, "voice", "except", index), message)
        return self.compiler.expect(expect, path, turn)


def compile_case(context: CaseContext, file: CaseFile, index: int) -> list[Case]:
    """Return the case, or one for each of its variants."""
    compiler, path = context.compiler, ("cases", index)
    source = compiler.source
    own = compile_fixtures(compiler, file.tools, (*path, "tools"))
    requirements = _requirements(context, file, path)
    assertions = tuple(one.assertion for one in requirements)
    trials, min_pass = _trials(context, file, path)
    history = _history(compiler, file.history, (*path, "history"))
    script = _script(compiler, file.stand_in, (*path, "stand_in"))
    fixtures = own_first(own, context.fixtures)
    user = file.simulate
    simulation = Simulation(user.goal, user.persona, user.max_turns, user.model, tuple(user.stand_in)) if user else None
    if context.suite.voice is None and not assertions and not file.skip:
        message = f"case {file.id!r} expects nothing: no expect, no budget, no voice. It can't fail."
        compiler.problem((*path, "id"), message, "warning")
    elif not file.gate and not file.skip and not _expects(file):
        message = f"case {file.id!r} is only watched and expects nothing of its own yet; write its `expect`."
        compiler.problem((*path, "id"), message, "warning")
    cases = []
    for case_id, at, turns in _conversations(file, path):
        sha = _sha(
            {
                "turns": turns,
                "history": history,
                "script": script,
                "fixtures": described_fixtures(fixtures),
                "assertions": [described(one) for one in assertions],
                **({"simulate": asdict(simulation)} if simulation else {}),
            }
        )
        record = CaseRecord(
            suite=source.file,
            case_id=case_id,
            place=source.place(at),
            turns=turns,
            assertions=assertions,
            trials=trials,
            min_pass=min_pass,
            sha=sha,
            critical=file.critical,
            gated=file.gate,
            tags=tuple(file.tags),
            cluster=file.cluster or (file.id if file.variants else None),
            skip=file.skip,
            own_trials=file.trials is not None,
            min_rate=file.min_rate,
        )
        cases.append(Case(record, requirements, fixtures, history, script, file.from_ or "", simulation))
    return cases


def _expects(file: CaseFile) -> bool:
    """Say whether the case itself, or one of its turns, expects something."""
    parts = (file.expect, *(turn.expect for turn in file.turns or ()))
    return any(part is not None and part.model_fields_set for part in parts)


def _conversations(file: CaseFile, path: ValuePath) -> list[tuple[str, ValuePath, tuple[str, ...]]]:
    """Return id, path and user messages of each conversation a case stands for.

    A case without user messages can only score recorded conversations.
    """
    if file.variants:
        return [(f"{file.id}/{n}", (*path, "variants", n - 1), (text,)) for n, text in enumerate(file.variants, 1)]
    if file.turns:
        return [(file.id, (*path, "id"), tuple(turn.user for turn in file.turns))]
    return [(file.id, (*path, "id"), (file.user,) if file.user else ())]


def _requirements(context: CaseContext, file: CaseFile, path: ValuePath) -> tuple[Requirement, ...]:
    made: list[Requirement] = []
    for index, turn in enumerate(file.turns or ()):
        made.extend(context.expected(turn.expect, (*path, "turns", index, "expect"), index + 1))
    made.extend(context.expected(file.expect, (*path, "expect")))
    made.extend(context.expect)
    made.extend(_voice(context, file))
    made.extend(context.compiler.budget(context.suite.budget, file.budget, path))
    return tuple(made)


def _voice(context: CaseContext, file: CaseFile) -> list[Requirement]:
    """Return the brand-voice rules that apply to a case, each without the turns where it is switched off."""
    if context.voice is None:
        return []
    off = {*_excepted(context.suite.expect), *_excepted(file.expect)}
    turns: Sequence[TurnFile | None] = file.turns or (None,)
    made = []
    for rule in context.voice.rules:
        skipped = [n for n, turn in enumerate(turns, 1) if turn and rule.id in _excepted(turn.expect)]
        if rule.id not in off and len(skipped) < len(turns):
            made.append(rule.requirement(skipped))
    return made


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


def _history(compiler: Compiler, entries: list[HistoryEntry], path: ValuePath) -> tuple[JsonObject, ...]:
    messages = tuple(
        {"role": "user" if entry.user is not None else "assistant", "content": entry.user or entry.assistant}
        for entry in entries
    )
    for index, message in enumerate(messages):
        if message["role"] != ("user" if index % 2 == 0 else "assistant"):
            words = f"entry {index + 1} of 'history' is from the {message['role']}; the two take turns, user first."
            compiler.problem((*path, index), words)
            return messages
    if len(messages) % 2:
        words = "'history' ends with the user; expected the assistant's answer before the first turn."
        compiler.problem((*path, len(messages) - 1), words)
    return messages


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
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    ).hexdigest()
