"""From a file of conversations to a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import FileProblems, UsageError
from evalkit.importing.chat_format import parse_conversation, to_transcript
from evalkit.importing.importer import read_conversations
from evalkit.records import TrialVerdict
from evalkit.store import RUN_FILE, RunReader
from tests.importing.recorded import asks, imported, line, recording, result, says, trials, user, write

HELLO = (user("Hällo 🎉"), says("Let me look.", asks("look", id="ü")), result("gone"), says("Gone."), user("bye"))


def test_a_run_holds_every_conversation_as_an_ungraded_trial(tmp_path: Path) -> None:
    """Keys, source and transcripts come back from the folder as they were recorded."""
    file = write(tmp_path / "log.jsonl", recording(*HELLO, id="a", case="late", model="m"), recording(*HELLO, id="b"))
    done = imported(file, prompt_ref="support@v3")
    assert (done.conversations, done.cases, done.models) == (2, 2, ("m", "unknown"))
    reader = RunReader(tmp_path / "run")
    assert (reader.header.source.kind, reader.header.source.detail) == ("imported", "log.jsonl")
    first, second = trials(tmp_path / "run")
    assert (first.key.case_id, first.key.prompt_ref, first.key.trial) == ("late", "support@v3", 1)
    assert (second.key.case_id, second.transcript.session_id) == ("b", "b")
    assert first.score is not None
    assert first.score.verdict is TrialVerdict.NOT_MEASURED
    assert first.transcript.turns[0].reply == "Let me look.\n\nGone."


def test_what_is_stored_is_what_was_converted(tmp_path: Path) -> None:
    """The store gives back the transcript with every body whole, though it writes nothing twice."""
    system = {"role": "system", "content": "Be kind."}
    entry = recording(system, *HELLO, user("more"), says("ok"), id="a", model="m")
    imported(write(tmp_path / "log.jsonl", entry))
    prompt = next(iter(RunReader(tmp_path / "run").prompts.values()))
    (trial,) = trials(tmp_path / "run")
    assert trial.transcript == to_transcript(parse_conversation(line(entry)), prompt)
    assert (tmp_path / "run" / RUN_FILE).read_text("utf-8").count("Be kind.") == 2  # the prompt's system and its text


def test_every_bad_line_is_listed_and_nothing_is_written(tmp_path: Path) -> None:
    """Problems carry file and line, good lines between them do not matter."""
    file = write(
        tmp_path / "log.jsonl",
        recording(user("x"), id="a"),
        b"{\n",
        b"\n",
        recording(id="c"),
        recording(user("x"), id="a"),
    )
    with pytest.raises(FileProblems) as caught:
        imported(file, suite=tmp_path / "suite.yaml")
    assert [problem.place.line for problem in caught.value.problems] == [2, 4, 5]
    assert "id 'a' is already used on line 1" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_two_cases_may_not_become_one(tmp_path: Path) -> None:
    """Names that differ only in characters a suite does not allow are refused."""
    file = write(
        tmp_path / "log.jsonl", recording(user("x"), id="1", case="a b"), recording(user("x"), id="2", case="a:b")
    )
    with pytest.raises(FileProblems, match="would both be named 'a-b'; rename one"):
        imported(file)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ([None, None], [1, 2]),
        ([0, 1], [1, 2]),
        ([2, 1], [2, 1]),
        ([3, 3], [1, 2]),
        ([None, 2], [1, 2]),
        ([5], [1]),
        ([3, 1, 2], [3, 1, 2]),
    ],
)
def test_trials_are_numbered(tmp_path: Path, recorded: list[int | None], expected: list[int]) -> None:
    """Recorded numbers are kept when they are 1 to n, else the file's order counts: no trial is missing in between."""
    entries = [recording(user("x"), id=str(at), case="c", trial=trial) for at, trial in enumerate(recorded)]
    imported(write(tmp_path / "log.jsonl", *entries))
    assert [trial.key.trial for trial in trials(tmp_path / "run")] == expected


def test_one_models_conversations_can_be_picked(tmp_path: Path) -> None:
    """Others are left out, and a name nobody has is an error that lists the names."""
    entries = [recording(user("x"), id=str(at), case="c", model=model) for at, model in enumerate("aba")]
    file = write(tmp_path / "log.jsonl", *entries)
    assert imported(file, model="a").conversations == 2
    assert [trial.key.trial for trial in trials(tmp_path / "run")] == [1, 2]
    with pytest.raises(UsageError, match=r"no conversation with model 'z'; .* has a, b\."):
        imported(file, model="z", folder=tmp_path / "other")


def test_a_run_has_one_prompt_version(tmp_path: Path) -> None:
    """One system prompt and model are an identity; different ones are held together by their file only."""
    kind, quick = ({"role": "system", "content": text} for text in ("Be kind.", "Be quick."))
    same = write(tmp_path / "same.jsonl", recording(kind, user("x"), id="1", model="m"))
    also = write(tmp_path / "also.jsonl", recording(kind, user("y"), id="1", model="m"))
    mixed = write(tmp_path / "mixed.jsonl", *(recording(s, user("x"), id=s["content"]) for s in (kind, quick)))
    for file in (same, also, mixed):
        imported(file, folder=tmp_path / file.stem)
    first, second, third = (RunReader(tmp_path / file.stem).prompts for file in (same, also, mixed))
    assert list(first) == list(second) != list(third)
    assert [prompt.text for prompt in (*first.values(), *third.values())] == ["Be kind.", ""]
    assert [trial.transcript.history[0]["content"] for trial in trials(tmp_path / "mixed")] == ["Be kind.", "Be quick."]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder with something in it and a suite that exists are refused before anything is read."""
    file = write(tmp_path / "log.jsonl", recording(user("x")))
    with pytest.raises(UsageError, match="is not empty; choose another folder"):
        imported(file, folder=tmp_path)
    with pytest.raises(UsageError, match="exists already; choose another file"):
        imported(file, suite=file)


def test_a_file_without_conversations_is_refused(tmp_path: Path) -> None:
    """An empty file is a mistake, not an empty run."""
    with pytest.raises(UsageError, match="holds no conversation; expected one JSON object a line"):
        imported(write(tmp_path / "log.jsonl", b"\n \n"))


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    """What Windows programs write reads the same."""
    entry = line(recording(user("x"), says("y"))).replace(b"\n", b"\r\n")
    assert imported(write(tmp_path / "log.jsonl", b"\xef\xbb\xbf", entry)).conversations == 1


def test_lines_are_read_one_after_the_other() -> None:
    """A large file is never held whole: the first conversation is there before the second line is read."""
    taken: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield line(recording(user("x"), id=str(number)))

    next(read_conversations(lines(), "log.jsonl"))
    assert taken == [0]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
messages = st.lists(st.builds(user, texts) | st.builds(says, st.none() | texts), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversation=messages)
def test_no_text_is_lost(conversation: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every user and assistant text, in any script, is found again in the stored transcript."""
    folder = tmp_path_factory.mktemp("import")
    imported(write(folder / "log.jsonl", recording(*conversation)))
    (trial,) = trials(folder / "run")
    kept = [text for turn in trial.transcript.turns for text in (turn.user, turn.reply)]
    for message in trial.transcript.history:
        content = message["content"]
        kept += [content] if isinstance(content, str) else [block["text"] for block in content]
    said = [message["content"] for message in conversation if message["content"]]
    assert all(any(text in one for one in kept) for text in said)
