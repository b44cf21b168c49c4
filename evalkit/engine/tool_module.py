"""The functions of a product, as `--tools` names them: imported, fitted as tools, fresh for every conversation.

Only the command line names a module, never a file of the project: suites and prompts are data. Knows modules and
functions; what a suite answers before them, and how a prompt's own definitions differ, is known elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evalkit.engine.functions import JoinedTools, Toolset, toolset_of
from evalkit.engine.tools import ToolOutcome
from evalkit.errors import UsageError
from evalkit.records import JsonObject, ToolsRecord

FACTORY = "evalkit_deps"
"""The function of the module that makes what a conversation's tools receive as `Context.deps`.

It takes nothing, or the inputs of the prompt that the conversation is held with; it may be async.
"""


@dataclass(frozen=True)
class ToolModule:
    """Functions that answer tool calls, with their tools as the API takes them; `record` is what a run says of them."""

    record: ToolsRecord
    definitions: tuple[JsonObject, ...]
    functions: JoinedTools
    make_deps: Callable[..., Any] | None = None

    def in_session(self, session_id: str, inputs: Mapping[str, Any]) -> SessionFunctions:
        """Return the functions for one conversation, held with a prompt of these inputs."""
        return SessionFunctions(self, session_id, inputs)


class SessionFunctions:
    """The functions in one conversation, with a context of its own that is made once, when it is first needed."""

    def __init__(self, module: ToolModule, session_id: str, inputs: Mapping[str, Any]) -> None:
        self._module = module
        self._session_id = session_id
        self._inputs = inputs
        self._making = asyncio.Lock()
        self._ready: JoinedTools | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._module.functions

    async def open(self) -> JoinedTools:
        """Make the context; UsageError when the functions need something else than the factory makes."""
        async with self._making:
            if self._ready is None:
                self._ready = await self._make()
            return self._ready

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call."""
        return await (await self.open()).call(name, tool_input)

    async def _make(self) -> JoinedTools:
        module, make = self._module, self._module.make_deps
        deps = make(*([dict(self._inputs)] if inspect.signature(make).parameters else [])) if make else None
        deps = await deps if inspect.isawaitable(deps) else deps
        try:
            return module.functions.in_session(deps, self._session_id)
        except TypeError as exc:
            raise UsageError(f"{module.record.module}: {exc} {FACTORY}() of that module makes it.") from exc


def load_tools(name: str) -> ToolModule:
    """Import `my_app.tools`, or the toolset, function or list of them at `my_app.tools:NAME`.

    The current folder comes first. Of a whole module the tools are the functions and toolsets of its `__all__`, or
    without one every public function that it defines. UsageError when it can't be imported or holds no tools.
    """
    module_name, _, attribute = name.partition(":")
    module = _import(name, module_name)
    make_deps = getattr(module, FACTORY, None)
    try:
        definitions, source = toolset_of(_attribute(module, attribute) if attribute else _tools_of(module))
    except TypeError as exc:
        hint = "" if attribute else f" What is no tool begins with _, or is left out of {module_name}.__all__."
        raise UsageError(f"{name}: {exc}{hint}") from exc
    if not definitions:
        raise UsageError(f"{name}: no public function is defined there; expected functions with a docstring.")
    functions = JoinedTools({str(definition["name"]): source for definition in definitions})
    if make_deps is None:
        try:
            functions.in_session(None, "")
        except TypeError as exc:
            msg = f"{name}: {exc} Define {FACTORY}() in {module_name}: it returns that for each conversation."
            raise UsageError(msg) from exc
    file = getattr(module, "__file__", None)
    sha = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    return ToolModule(ToolsRecord(name, sha), definitions, functions, make_deps)


def _import(name: str, module: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name and f"{module}.".startswith(f"{exc.name}."):
            msg = f"{name}: there is no module {exc.name!r}, neither in {here} nor installed beside evalkit."
            raise UsageError(msg) from exc
        raise UsageError(f"{name}: it can't be imported: {_why(exc)}") from exc
    except (Exception, SystemExit) as exc:
        raise UsageError(f"{name}: it can't be imported: {_why(exc)}") from exc


def _why(exc: BaseException) -> str:
    """Return what an exception says and the line that it comes from, in one line."""
    said = " ".join(f"{type(exc).__name__}: {exc}".split())
    if isinstance(exc, SyntaxError):
        return said
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{said} ({frame.filename}:{frame.lineno})"


def _tools_of(module: ModuleType) -> Iterator[Any]:
    """Yield what of a module is a tool, in its own order."""
    listed = getattr(module, "__all__", None)
    for name in vars(module) if listed is None else listed:
        value = getattr(module, name, None)
        if name == FACTORY or not (inspect.isroutine(value) or isinstance(value, Toolset)):
            continue
        if listed is not None or (inspect.isroutine(value) and not name.startswith("_") and _is_own(value, module)):
            yield value


def _is_own(function: Any, module: ModuleType) -> bool:
    """Tell whether a function is defined in a module, or in a package's own modules."""
    home = str(getattr(function, "__module__", ""))
    return home == module.__name__ or home.startswith(f"{module.__name__}.")


def _attribute(module: ModuleType, path: str) -> Any:
    value: Any = module
    for step in path.split("."):
        if not hasattr(value, step):
            raise TypeError(f"{module.__name__} has no {path!r}.")
        value = getattr(value, step)
    return [value] if inspect.isroutine(value) else value
