"""The text of a suite for recorded conversations: its cases, and nothing yet of what must be true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evalkit.suites.yaml_text import quoted


@dataclass(frozen=True)
class CaseOutline:
    """What the suite says of a case: its user messages (None when its recordings differ), highest trial, origin."""

    users: tuple[str, ...] | None
    trials: int
    origin: str

    def joined(self, earlier: CaseOutline | None) -> CaseOutline:
        """Return the outline of both recordings together."""
        if earlier is None:
            return self
        users = self.users if self.users == earlier.users else None
        return replace(earlier, users=users, trials=max(self.trials, earlier.trials))


def suite_text(description: str, prompt_ref: str, cases: Mapping[str, CaseOutline]) -> str:
    """Return YAML for a suite whose expectations the author still has to write."""
    trials = max(outline.trials for outline in cases.values())
    lines = [
        f"description: {quoted(description)}",
        f"prompt: {quoted(prompt_ref)}",
        "# voice: voice.yaml        # brand-voice rules, for every reply",
        f"trials: {trials}",
        "# expect:                  # what must be true of every conversation, for example:",
        "#   never_says: [as an AI]",
        "cases:",
    ]
    for case_id, outline in cases.items():
        lines += _case_lines(case_id, outline, trials)
    return "\n".join(lines) + "\n"


def _case_lines(case_id: str, outline: CaseOutline, trials: int) -> list[str]:
    lines = [f"  - id: {quoted(case_id)}", f"    from: {quoted(outline.origin)}"]
    if outline.trials != trials:
        lines.append(f"    trials: {outline.trials}")
    if outline.users is None:
        lines.append("    # the user says something else in each recording: each is scored as it is")
    elif len(outline.users) == 1:
        lines.append(f"    user: {quoted(outline.users[0])}")
    elif outline.users:
        lines += ["    turns:", *(f"      - user: {quoted(user)}" for user in outline.users)]
    return lines
