"""Goes on with the last chat: puts its sessions together again to the conversation as it stood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.records import JsonObject, PromptVersion, Trial
from evalkit.repl.exchange import Exchange, exchanges_of
from evalkit.repl.loading import all_trials
from evalkit.repl.record import CASE, FOLDER
from evalkit.store import RUN_FILE


@dataclass(frozen=True)
class Earlier:
    """A chat that was held before: its folder, the prompt it ended with, and its conversation."""

    folder: Path
    ref: str | None
    opening: tuple[JsonObject, ...]
    exchanges: tuple[Exchange, ...]
    origin: str


def last_chat(root: Path) -> Earlier:
    """Return the newest chat of the project; UsageError when there is none."""
    folders = [file.parent for file in (root / FOLDER).glob(f"*/{RUN_FILE}")]
    if not folders:
        raise UsageError(f"no chat in {FOLDER}/; begin one with: evalkit chat")
    folder = max(folders, key=lambda one: ((one / RUN_FILE).stat().st_mtime_ns, one.name))
    sessions = sorted(
        (pair for pair in all_trials(folder) if pair[0].key.case_id == CASE), key=lambda pair: pair[0].key.trial
    )
    opening, exchanges, ref = join_sessions(sessions)
    return Earlier(folder, ref, opening, exchanges, f"{folder.relative_to(root).as_posix()}")


def join_sessions(
    sessions: list[tuple[Trial, PromptVersion | None]],
) -> tuple[tuple[JsonObject, ...], tuple[Exchange, ...], str | None]:
    """Return opening messages, exchanges and prompt reference after the last session.

    A session begins with what stood before it: what came after that in earlier sessions was taken back, or asked again.
    """
    opening: tuple[JsonObject, ...] = ()
    chain: list[Exchange] = []
    ref: str | None = None
    for trial, prompt in sessions:
        transcript = trial.transcript
        history = tuple(transcript.history)
        at = _position(history, opening, chain)
        if at is None:
            opening, chain = history, []
        else:
            dropped = chain[at:]
            del chain[at:]
            known = {each.user: each.answers for each in dropped}
            fresh = prompt or PromptVersion("", trial.key.prompt_ref, "", "", {}, (), ())
            for index, each in enumerate(exchanges_of(transcript, fresh)):
                earlier = known.get(each.user, ()) if index == 0 else ()
                chain.append(Exchange(each.user, each.before, (*earlier, *each.answers)))
            ref = trial.key.prompt_ref
            continue
        chain += exchanges_of(transcript, prompt or PromptVersion("", trial.key.prompt_ref, "", "", {}, (), ()))
        ref = trial.key.prompt_ref
    return opening, tuple(chain), ref


def _position(history: tuple[JsonObject, ...], opening: tuple[JsonObject, ...], chain: list[Exchange]) -> int | None:
    """Return how many exchanges stand before a session with this history, None when it belongs to none of them."""
    starts = [each.before.messages for each in chain]
    ends = chain[-1].answer.after.messages if chain else opening
    for index, messages in enumerate([*starts, ends]):
        if list(messages) == list(history):
            return index
    return None
