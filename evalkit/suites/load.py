"""Suite files to suites: read, checked as far as the files alone allow, compiled.

Every problem of every file is found before anything is raised. A judge is advice until people's labels show that it can
be trusted, criterion by criterion: that is checked here too. Must not render prompts (`check.py` compares a suite with
its prompt) and must not run anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.errors import FileProblems
from evalkit.graders.judge import WORDING, Criterion
from evalkit.graders.statements import short_text
from evalkit.labels import AGREEMENT_FLOOR, LABELS_FLOOR, labels_file, measure_agreement, read_labels
from evalkit.records import Problem
from evalkit.suites.cases import CaseContext, compile_case
from evalkit.suites.compiler import Compiler, compile_fixtures, compile_world
from evalkit.suites.find import relative_name
from evalkit.suites.format import CaseFile, SuiteFile
from evalkit.suites.inputs import InputReader
from evalkit.suites.limits import GateFile, JudgeFile
from evalkit.suites.messages import MessageReader
from evalkit.suites.rows import with_rows
from evalkit.suites.values import Case, Gate, JudgeSettings, Suite
from evalkit.suites.voice import Voice, load_voice
from evalkit.yamlsource import (
    Source,
    SourceText,
    check_schema,
    find_beside,
    parse_yaml,
    raise_problems,
    read_below,
    seconds_of,
    with_includes,
)
from evalkit.yamlsource.nodes import ListNode


def load_suite(path: Path, root: Path) -> Suite:
    """Load one suite file; raises FileProblems with everything that is wrong in it and its voice file."""
    return load_suites([path], root)[0]


def load_suites(paths: Iterable[Path], root: Path) -> tuple[Suite, ...]:
    """Load suite files; raises FileProblems with everything that is wrong in all of them."""
    suites, problems = [], []
    for path in paths:
        suite, found = read_suite(path, root)
        problems += found
        suites += [suite] if suite else []
    raise_problems(dict.fromkeys(problems))
    return tuple(suites)


def read_suite(path: Path, root: Path) -> tuple[Suite | None, list[Problem]]:
    """Return a suite and its problems, warnings among them; the suite is None when it has an error."""
    try:
        return compile_suite(read_below(root, relative_name(path, root)), root)
    except FileProblems as error:
        return None, list(error.problems)


def compile_suite(text: SourceText, root: Path) -> tuple[Suite | None, list[Problem]]:
    """Return the suite that a text is as the file that it names; FileProblems where it is no YAML that can be read."""
    return _Loader(with_rows(with_includes(parse_yaml(text), root), root), root).load()


class _Loader:
    """Loads one suite; collects its problems."""

    def __init__(self, source: Source, root: Path) -> None:
        self._source = source
        self._root = root
        self._head, problems = check_schema(source, SuiteFile, without=("cases",))
        self._messages = MessageReader(root, source)
        self._compiler = Compiler(source, judge_settings(self._head.judge if self._head else None))
        self._problems = self._compiler.problems
        self._problems += [*source.problems, *problems]
        self._reader = InputReader(source, root, self._problems)

    def load(self) -> tuple[Suite | None, list[Problem]]:
        """Return the suite, or None, and all problems."""
        source, head, judge = self._source, self._head, self._compiler.judge
        files = self._case_files()
        if head is None:
            return None, self._problems
        voice, voice_file = self._voice(head.voice)
        context = self._context(head, voice, [file for _, file in files])
        cases = self._cases(context, files)
        self._problems += self._messages.problems
        self._problems += check_enforced(source, self._root, judge, cases)
        gate = head.gate or GateFile.model_validate({})
        self._check_max_trials(gate.max_trials, cases)
        if any(problem.severity == "error" for problem in self._problems):
            return None, self._problems
        suite = Suite(
            path=source.file,
            sha=source.text.sha,
            description=head.description,
            prompt_ref=head.prompt,
            inputs=context.inputs.values,
            gate=Gate(
                time_s=seconds_of(gate.time) if gate.time else None,
                max_increase=gate.max_increase.model_dump(exclude_none=True) if gate.max_increase else None,
                **gate.model_dump(exclude={"time", "max_increase"}),
            ),
            trials=head.trials,
            cases=tuple(cases),
            files={
                **{name: text.sha for name, text in source.texts.items()},
                **({voice_file: voice.source.text.sha} if voice else {}),
                **self._reader.files,
                **self._messages.files,
            },
            place=source.place(),
            fixtures=context.fixtures,
            world=context.world,
            voice_file=voice_file,
            rules=voice.described() if voice else {},
            mentions=(*self._compiler.mentions, *self._messages.mentions),
            judge=judge if criteria_of(cases) else None,
            source=source,
        )
        return suite, self._problems

    def _case_files(self) -> list[tuple[int, CaseFile]]:
        """Return the cases that are well-formed with their positions: one bad case hides nothing about the others."""
        cases = self._source.node(("cases",))
        if not isinstance(cases, ListNode):
            return []
        if not cases.items and not self._source.problems:
            self._compiler.problem(("cases",), "there are no cases; expected at least one.")
        files = []
        for index in range(len(cases.items)):
            case, problems = check_schema(self._source, CaseFile, ("cases", index))
            self._problems += problems
            files += [(index, case)] if case else []
        return files

    def _voice(self, name: str | None) -> tuple[Voice | None, str]:
        if name is None:
            return None, ""
        file, fault = find_beside(self._root, self._source.place(("voice",)).file, name)
        if fault:
            self._compiler.problem(("voice",), fault)
            return None, ""
        try:
            voice, problems = load_voice(self._root, file)
        except FileProblems as error:
            voice, problems = None, list(error.problems)
        self._problems += problems
        return voice, file

    def _context(self, head: SuiteFile, voice: Voice | None, files: Sequence[CaseFile]) -> CaseContext:
        compiler = self._compiler
        if head.min_pass is not None and head.min_pass > head.trials:
            message = f"min_pass {head.min_pass} is more than trials {head.trials}; no case could pass."
            compiler.problem(("min_pass",), message)
        if voice is not None:
            voice = voice.put_to(compiler.judge)
        fixtures = compile_fixtures(compiler, head.tools, ("tools",))
        inputs = self._reader.read(head.inputs, ("inputs",))
        world = compile_world(compiler, head.world, ("world",), (head, *files), over=files)
        world = replace(world, inputs=inputs.values) if world else None
        context = CaseContext(compiler, head, fixtures, (), voice, self._reader, inputs, self._messages, world)
        return replace(context, expect=context.expected(head.expect, ("expect",)))

    def _cases(self, context: CaseContext, files: Sequence[tuple[int, CaseFile]]) -> list[Case]:
        first: dict[str, int] = {}
        cases: list[Case] = []
        for index, file in files:
            for case in compile_case(context, file, index):
                case_id = case.record.case_id
                if first.setdefault(case_id, index) != index:
                    message = f"case id {case_id!r} is already used {self._where(first[case_id])}"
                    self._compiler.problem(("cases", index, "id"), message)
                cases.append(case)
        return cases

    def _where(self, index: int) -> str:
        """Return where the id of a case stands, in words: its row, its line in this file, or its place in another."""
        place, row = self._source.place(("cases", index, "id")), self._source.row(("cases", index))
        if row is not None:
            return f"by the row {row.file}:{row.line}"
        return f"on line {place.line}" if place.file == self._source.file else f"at {place}"

    def _check_max_trials(self, most: int | None, cases: Sequence[Case]) -> None:
        """Add a problem when not even the first look of a comparison would fit its limit."""
        gated = [case.record for case in cases if case.record.gated and case.record.skip is None]
        least = sum(case.trials for case in gated)
        if most is not None and most < least:
            message = (
                f"max_trials {most} is less than the first look takes ({least} trials of {len(gated)} cases); "
                "nothing could be compared."
            )
            self._compiler.problem(("gate", "max_trials"), message)


def judge_settings(file: JudgeFile | None) -> JudgeSettings:
    """Return a suite's judge, with what is left out filled in."""
    file = file or JudgeFile.model_validate({})
    return JudgeSettings(file.model, file.votes, file.enforce, WORDING)


def criteria_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """Return every statement that a judge answers in these cases, once, in order."""
    graders = (one.grader for case in cases for one in case.requirements)
    return tuple(dict.fromkeys(one.criterion for one in graders if isinstance(one, Criterion)))


def check_enforced(source: Source, root: Path, settings: JudgeSettings, cases: Iterable[Case]) -> list[Problem]:
    """Return a problem for each criterion that is enforced although labels don't show that its judge can be trusted.

    A suite that enforces its judge without labels has chosen to, and is only told when it no longer has to.
    """
    if not settings.enforce:
        return []
    path = ("judge", "enforce")
    try:
        labels = read_labels(root, labels_file(source.file))
    except FileProblems as error:
        return list(error.problems)
    criteria = criteria_of(cases)
    agreements = [measure_agreement(labels, one, settings.model, settings.wording) for one in criteria]
    if settings.unlabelled:
        if not agreements or not all(found.trusted for found in agreements):
            return []
        message = "labels vouch for this judge on every statement by now; write `enforce: true`."
        return [source.problem(path, message, "warning")]
    problems = []
    for found in agreements:
        if not found.trusted:
            rate = "" if found.agreement is None else f" and agreement {found.agreement:.2f}"
            about = f"{rate} on {short_text(found.criterion)!r}"
            message = (
                f"{settings.model!r} has {found.labels} labels{about}; enforcing a judge needs "
                f"{LABELS_FLOOR} labels and agreement {AGREEMENT_FLOOR:.2f} for this model and this wording. "
                "Label its answers with evalkit label; until then leave `enforce` out, or write "
                "`enforce: unlabelled` to let it fail trials all the same; then every verdict says so."
            )
            problems.append(source.problem(path, message))
    return problems
