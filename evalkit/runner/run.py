"""Runs a plan: trials side by side under the limits, everything recorded, ended cleanly whatever happens."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from evalkit.engine import Price, RequestFinished
from evalkit.engine.recorder import Now, utc_now
from evalkit.errors import NoVerdict
from evalkit.judging import failed_tests, run_self_test
from evalkit.prefix import cached_prefix, standing_body
from evalkit.records import (
    EndReason,
    Judgement,
    JudgementLine,
    PromptVersion,
    RunEnd,
    Stage,
    TrialScore,
    TrialVerdict,
)
from evalkit.runner.costs import Spending, cost_of_requests, estimate_trial
from evalkit.runner.opponents import Stages
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings
from evalkit.runner.project import Progress
from evalkit.runner.trial import OutOfMoney, RunContext, play_trial
from evalkit.source import OpenSource, open_source
from evalkit.store import OpenSession, ResponseCache, RunWriter


@dataclass
class RunState:
    """What an earlier, interrupted attempt of the same run has left: finished sessions, their verdicts, open ones."""

    finished: Mapping[str, TrialVerdict] = field(default_factory=dict)
    open: Mapping[str, OpenSession] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    judge_tests: tuple[Judgement, ...] = ()


class Runner:
    """Plays the trials of one plan into one writer, and those that its comparison asks for."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        writer: RunWriter,
        *,
        price: Price,
        progress: Progress,
        stages: Stages,
        state: RunState | None = None,
        cache: ResponseCache | None = None,
        now: Now = utc_now,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._writer = writer
        self._price = price
        self._now = now
        self._progress = progress
        self._state = state or RunState()
        self._cache = cache
        self._failed_fast = False
        self._warm = WarmUp()
        tests = cost_of_requests(test.request for test in self._state.judge_tests)
        self._total = Spending(settings.max_cost_usd, sum(self._state.spent.values()) + tests)
        self._suites = {
            suite.path: Spending(suite.gate.cost_usd, self._state.spent.get(suite.path, 0.0)) for suite in plan.suites
        }
        self._notes: dict[str, None] = {}
        self._stages = stages
        self._queue = deque(stages.first())

    async def run(self) -> RunEnd:
        """Play what is left of the plan and return the line that ends the run; it is written already."""
        began = time.monotonic()
        beside = sum(not planned.key.is_own for planned in self._queue)
        if beside:
            self._progress.added(beside)
        reason = await self._play_all()
        if reason == "finished" and self._notes:
            reason = "max_cost"
        end = RunEnd(reason, self._now(), round(time.monotonic() - began, 3), tuple(self._notes))
        self._writer.append(end)
        return end

    async def _play_all(self) -> EndReason:
        try:
            scripts = {script.sha: script for script in self._plan.scripts.values()}
            async with open_source(self._settings.via, self._settings.platform, scripts) as source:
                context = self._context(source)
                async with asyncio.timeout(self._max_time()):
                    with _cancelled_by_signals():
                        await self._test_judges(context)
                        await self._play_queue(context)
                        while not self._failed_fast and (more := self._stages.more(self._fits)):
                            self._queue.extend(more)
                            self._progress.added(len(more))
                            await self._play_queue(context)
        except TimeoutError:
            self._notes[f"stopped after {self._max_time():g} seconds"] = None
            return "max_time"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()  # the wish is granted: what follows only writes down how far the run came
            return "interrupted"
        except BaseExceptionGroup as group_error:
            # The group cancels the other workers when one fails, so the first is the cause.
            raise group_error.exceptions[0] from group_error
        return "fail_fast" if self._failed_fast else "finished"

    async def _play_queue(self, context: RunContext) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.jobs, len(self._queue))):
                group.create_task(self._work(context))

    def _context(self, source: OpenSource) -> RunContext:
        return RunContext(
            door=source.door,
            source=source.source,
            writer=self._writer,
            price=self._price,
            now=self._now,
            began=lambda planned: self._warm.began(planned.prompt),
            paid=self._paid,
            paid_aside=lambda planned, request: self._pay(planned, cost_of_requests([request])),
            retry=self._settings.retry,
            limits=self._settings.limits,
            limiter=source.limiter,
            draw=self._settings.draw,
            cache=self._cache,
            scripts=self._plan.scripts,
            functions=self._plan.functions,
        )

    async def _test_judges(self, context: RunContext) -> None:
        """Try each judge that will be asked on answers that no judge may let pass; NoVerdict when one does."""
        if context.source.kind != "live" or not self._queue:
            return
        for model in dict.fromkeys(planned.suite.judge.model for planned in self._queue if planned.suite.judge):
            known = [*self._state.judge_tests]
            async with aclosing(run_self_test(model, context.replies("judge's test", {}), known)) as tests:
                async for test in tests:
                    known.append(test)
                    self._writer.append(JudgementLine("", test, self._now()))
                    self._total.spent += cost_of_requests([test.request])
            failed = failed_tests(model, known)
            if failed:
                msg = f"the judge {model!r} failed its own test: {'; '.join(failed)}. Choose another model for `judge`."
                raise NoVerdict(msg)

    async def _work(self, context: RunContext) -> None:
        """Take trials from the queue until it is empty."""
        while self._queue:
            planned = self._queue.popleft()
            if not self._admit(planned):
                continue
            session_id, prompt = planned.key.session_id, planned.prompt
            await self._warm.wait(prompt, session_id)
            try:
                score = await play_trial(context, planned, self._state.open.get(session_id))
            except OutOfMoney:
                continue
            finally:
                self._warm.over(prompt, session_id)
                for spending in self._purses(planned):
                    spending.settle(session_id)
            self._stages.told(planned, score.verdict)
            if self._settings.fail_fast and _is_lost(planned, score):
                self._failed_fast = True
                self._queue.clear()  # what is running may end
            self._progress.trial(planned, score)

    def _fits(self, planned: PlannedTrial, count: int) -> bool:
        """Whether so many more trials can be paid for, as far as is known now."""
        estimate = estimate_trial(planned, self._price)
        return all(purse.fits(count, estimate) for purse in self._purses(planned))

    def _admit(self, planned: PlannedTrial) -> bool:
        """Reserve the trial's money everywhere, or note who could not pay and leave the trial out."""
        estimate = estimate_trial(planned, self._price)
        purses = self._purses(planned)
        if not all(purse.admit(planned.key.session_id, estimate) for purse in purses):
            self._note_empty(planned)
            for purse in purses:
                purse.release(planned.key.session_id)
            return False
        return True

    def _purses(self, planned: PlannedTrial) -> tuple[Spending, Spending]:
        return self._total, self._suites[planned.suite.path]

    def _paid(self, planned: PlannedTrial, event: RequestFinished) -> None:
        request = event.request
        self._progress.request(request)
        stored = self._state.open.get(planned.key.session_id)
        if stored and any(request.n == other.n for other in stored.requests):
            return  # paid for in an earlier attempt, and counted there
        self._pay(planned, cost_of_requests([request]))

    def _pay(self, planned: PlannedTrial, cost: float) -> None:
        for purse in self._purses(planned):
            purse.pay(planned.key.session_id, cost)
        if any(purse.exhausted for purse in self._purses(planned)):
            self._note_empty(planned)
            raise OutOfMoney

    def _note_empty(self, planned: PlannedTrial) -> None:
        total, suite = self._purses(planned)
        if total.cap is not None and total.cap <= (suite.cap if suite.cap is not None else total.cap):
            self._notes[f"stopped at ${total.cap:.2f} (--max-cost)"] = None
        else:
            self._notes[f"{planned.suite.path} stopped at ${suite.cap or 0:.2f} (gate.cost_usd)"] = None

    def _max_time(self) -> float | None:
        """Return the seconds the run may take: the command's word, else the longest that a suite allows."""
        if self._settings.max_time_s is not None:
            return self._settings.max_time_s
        return max((suite.gate.time_s for suite in self._plan.suites if suite.gate.time_s is not None), default=None)


def _is_lost(planned: PlannedTrial, score: TrialScore) -> bool:
    """Tell whether a trial breaks what a critical case promises: to pass always."""
    case = planned.case.record
    promised = planned.key.is_own or planned.key.stage is Stage.MUST_PASS
    return case.critical and case.gated and promised and score.verdict is TrialVerdict.FAILED


@contextmanager
def _cancelled_by_signals() -> Iterator[None]:
    """Let Ctrl-C, a polite kill or a closed terminal cancel the current work, so that what is done gets written.

    A second one kills.
    """
    loop, current = asyncio.get_running_loop(), asyncio.current_task()
    assert current is not None  # noqa: S101 - only called from a coroutine

    def stop(number: int) -> None:
        loop.remove_signal_handler(number)
        current.cancel()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


class WarmUp:
    """Cold caches: lets the first session of a prompt prefix through and holds the others back until its reply begins.

    The prefix is what stands up to the last cache point of tools and system prompt: sessions whose own inputs stand
    below it share it, and for a prompt that keeps nothing nobody waits. It can be read from the cache only once the
    first reply that writes it has begun; identical requests sent side by side all pay for writing it.
    Source: platform.claude.com, prompt caching, read 2026-09-26.
    """

    def __init__(self) -> None:
        self._prefixes: dict[str, bytes] = {}
        self._warm: dict[bytes, asyncio.Event] = {}
        self._leader: dict[bytes, str] = {}

    async def wait(self, prompt: PromptVersion, session_id: str) -> None:
        """Return at once for the first session of a prefix, for the others when the prefix is warm."""
        prefix = self._prefix(prompt)
        if not prefix:
            return
        if prefix not in self._warm:
            self._warm[prefix] = asyncio.Event()
            self._leader[prefix] = session_id
            return
        await self._warm[prefix].wait()

    def began(self, prompt: PromptVersion) -> None:
        """Say that a reply with this prompt's prefix began."""
        if prefix := self._prefix(prompt):
            self._warm[prefix].set()

    def over(self, prompt: PromptVersion, session_id: str) -> None:
        """Say that a session is over: the others must not wait for a leader that never got a reply."""
        prefix = self._prefix(prompt)
        if self._leader.get(prefix) == session_id:
            self._warm[prefix].set()

    def _prefix(self, prompt: PromptVersion) -> bytes:
        """Return the hash of what sessions with this prompt find in the cache; empty when nothing is kept there."""
        if prompt.sha not in self._prefixes:
            parts = cached_prefix(standing_body(prompt))
            whole = b"".join(part.data for part in parts)
            self._prefixes[prompt.sha] = hashlib.sha256(whole).digest() if parts else b""
        return self._prefixes[prompt.sha]
