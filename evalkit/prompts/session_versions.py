"""One prompt as many versions: each session renders it with inputs of its own, without reading a file again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems, UsageError
from evalkit.prompts.source import (
    PromptSource,
    find_prompt,
    input_fault,
    render_prompt,
    undefined_names,
)
from evalkit.prompts.versions import with_tools
from evalkit.records import JsonObject, PromptVersion
from evalkit.yamlsource import did_you_mean, raise_problems


@dataclass(frozen=True)
class SessionVersions:
    """A prompt with the inputs that all sessions share and the tools that it does not declare itself.

    Where `source` is a version that was rendered already, it takes no inputs.
    """

    source: PromptSource | PromptVersion
    shared: Mapping[str, Any]
    added: Sequence[JsonObject]

    @classmethod
    def of(
        cls, prompt: str | PromptVersion, shared: Mapping[str, Any], root: Path, definitions: Sequence[JsonObject]
    ) -> SessionVersions:
        """Read a prompt and fit it to the tools that are there.

        FileProblems with what is wrong in its files; UsageError when a tool that it declares is not among
        `definitions`, or a shared input can't be used.
        """
        source = find_prompt(prompt, root) if isinstance(prompt, str) else prompt
        declared = {str(tool["name"]) for tool in _tools(source)}
        missing = sorted(declared - {str(definition["name"]) for definition in definitions})
        if missing:
            names = ", ".join(missing)
            raise UsageError(f"{source.ref}: no function was given for its tools {names}; pass them as tools=[…].")
        made = cls(source, dict(shared), [each for each in definitions if each["name"] not in declared])
        if isinstance(source, PromptSource) and source.header is not None:
            raise_problems([*source.problems, *undefined_names(source, source.header)])
        made._refuse(shared)
        if not made._required():  # what can be rendered now is: a mistake in the template must not wait for a customer
            made.rendered({})
        return made

    @property
    def name(self) -> str:
        """The prompt's name."""
        return self.source.name

    @property
    def model(self) -> str:
        """The model that is asked."""
        if isinstance(self.source, PromptVersion):
            return self.source.model
        return self.source.model or (self.source.header.model if self.source.header else "")

    def rendered(self, inputs: Mapping[str, Any]) -> PromptVersion:
        """Return the version that a session's inputs make, over the shared ones; UsageError when they can't be used."""
        self._refuse(inputs)
        lacking = [name for name in self._required() if name not in inputs]
        if lacking:
            raise UsageError(
                f"{self.source.ref}: input {', '.join(map(repr, lacking))} is required and was not given; "
                "pass it as inputs={…} to open_chatbot or session."
            )
        if isinstance(self.source, PromptVersion):
            version = self.source
        else:
            try:
                version = render_prompt(self.source, {**self.shared, **inputs})
            except FileProblems as exc:
                raise UsageError(str(exc)) from exc
        return with_tools(version, [*version.tools, *self.added]) if self.added else version

    def _required(self) -> list[str]:
        """Return the inputs that only a session can give."""
        if isinstance(self.source, PromptVersion) or self.source.header is None:
            return []
        declared = self.source.header.inputs.items()
        return [name for name, spec in declared if spec.required and name not in self.shared]

    def _refuse(self, inputs: Mapping[str, Any]) -> None:
        """Refuse inputs that are unknown or of another kind; all mistakes in one line."""
        if isinstance(self.source, PromptVersion):
            if inputs:
                msg = f"{self.source.ref} is rendered already; to give inputs, name the prompt: {self.source.ref!r}."
                raise UsageError(msg)
            return
        known = self.source.header.inputs if self.source.header else {}
        faults = []
        for name, value in inputs.items():
            if name not in known:
                listed = ", ".join(sorted(known)) or "none"
                faults.append(f"has no input {name!r}{did_you_mean(name, known)}; inputs: {listed}")
            elif fault := input_fault(self.source, name, value):
                faults.append(f"input {name!r} {fault}")
        if faults:
            raise UsageError(f"{self.source.ref}: {'; '.join(faults)}.")


def _tools(source: PromptSource | PromptVersion) -> Sequence[JsonObject]:
    return source.tools if isinstance(source, PromptVersion) else [tool.json for tool in source.tools]
