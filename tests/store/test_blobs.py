"""Pictures and documents in a record: written once, put back byte for byte, untouched by the hunt for secrets."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from evalkit.content import make_block, sendable
from evalkit.errors import NoVerdict
from evalkit.records import (
    CaseRecord,
    Place,
    PromptVersion,
    Request,
    RequestLine,
    RunHeader,
    RunLine,
    Source,
    TrialEnd,
    TrialKey,
    TrialStart,
    TurnStart,
)
from evalkit.store import RUN_FILE, Hasher, LogWriter, RunReader, RunWriter, read_session
from evalkit.store.reader import copy_sessions
from evalkit.store.scrubbing import Scrubber
from tests.content.pictures import png

PROMPT = PromptVersion("p" * 64, "claims@v1", "", "claude-sonnet-5-5", {"max_tokens": 9}, (), ())
HEADER = RunHeader("20261125-000000-aaaa", "2026-11-25T00:00:00Z", Source("stand-in"))
NOISE = png() + random.Random(7).randbytes(30_000)
PHOTO = make_block("image", NOISE, "photos/dent.png")
TERMS = make_block("document", b"Excess 250. " * 40, "terms.txt")
SAID: list[dict[str, Any]] = [{"type": "text", "text": "Look"}, PHOTO, TERMS]


def trial(number: int, suite: str = "suites/claims.yaml") -> list[RunLine]:
    """Return a trial of two turns that begins with a photo."""
    key = TrialKey(suite, "dent", "claims@v1", number)
    user: dict[str, Any] = {"role": "user", "content": sendable(SAID)}
    reply = {"type": "text", "text": "A dent."}
    later = [user, {"role": "assistant", "content": [reply]}, {"role": "user", "content": "Covered?"}]
    bodies = [{"model": PROMPT.model, "messages": messages} for messages in ([user], later)]
    requests = [Request(n, n, body, (reply,), "end_turn") for n, body in enumerate(bodies, 1)]
    return [
        TrialStart(key, key.session_id, PROMPT.sha),
        TurnStart(key.session_id, 1, "Look", content=tuple(SAID)),
        RequestLine(key.session_id, requests[0]),
        TurnStart(key.session_id, 2, "Covered?"),
        RequestLine(key.session_id, requests[1]),
        TrialEnd(key.session_id),
    ]


def write(folder: Path, *lines: RunLine, scrub: Scrubber | None = None) -> Path:
    """Write a run."""
    with RunWriter(folder, scrub) as writer:
        for line in (HEADER, PROMPT, *lines):
            writer.append(line)
    return folder


def test_a_hundred_trials_of_one_photo_hold_it_once(tmp_path: Path) -> None:
    """What each trial adds is as small as without a photo, and every request comes back byte for byte."""
    lines = [line for number in range(1, 101) for line in trial(number)]
    folder = write(tmp_path, *lines)

    text = (folder / RUN_FILE).read_bytes()
    assert text.count(PHOTO["source"]["data"].encode()) == 1
    assert text.count(b"Excess 250. Excess 250.") <= 20
    assert len(text) < len(PHOTO["source"]["data"]) + 100 * 4_000

    sent = [orjson.dumps(line.request.body) for line in lines if isinstance(line, RequestLine)]
    read = [request for one in RunReader(folder).trials() for request in one.transcript.requests]
    assert [orjson.dumps(request.body) for request in read] == sent


def test_a_turn_comes_back_with_its_files_and_their_names(tmp_path: Path) -> None:
    """Text and blocks stand side by side; a plain turn has no blocks."""
    [stored] = RunReader(write(tmp_path, *trial(1))).trials()
    first, second = stored.transcript.turns
    assert (first.user, list(first.content)) == ("Look", SAID)
    assert (second.user, second.content, second.said) == ("Covered?", (), "Covered?")


def test_what_looks_like_a_secret_in_a_photo_stays_and_in_a_document_goes(tmp_path: Path) -> None:
    """Base64 may hold the shape of a key by chance; a text that holds one is scrubbed like any other."""
    key = "AKIA" + "Z" * 16
    data = PHOTO["source"]["data"][:400] + key + PHOTO["source"]["data"][420:]
    photo = {**PHOTO, "source": {**PHOTO["source"], "data": data}}
    terms = make_block("document", f"The key is {key}. {'And so on. ' * 30}".encode(), "terms.txt")
    start, *_ = trial(1)
    turn = TurnStart(start.session_id, 1, "Look", content=(photo, terms))  # type: ignore[union-attr]
    folder = write(tmp_path, start, turn, TrialEnd(start.session_id))  # type: ignore[union-attr]

    [stored] = RunReader(folder).trials()
    kept_photo, kept_terms = stored.transcript.turns[0].content
    assert kept_photo == photo
    assert key not in kept_terms["source"]["data"]
    assert "secret removed" in kept_terms["source"]["data"]


def test_the_sessions_of_one_suite_are_copied_with_their_photos_only(tmp_path: Path) -> None:
    """What `bless --replies` keeps is a record of its own."""
    other = make_block("image", png() + random.Random(8).randbytes(9_000), "other.png")
    key = TrialKey("suites/other.yaml", "x", "claims@v1", 1)
    theirs: list[RunLine] = [
        CaseRecord("suites/other.yaml", "x", Place("suites/other.yaml"), ("",), (), 1, 1),
        TrialStart(key, key.session_id, PROMPT.sha),
        TurnStart(key.session_id, 1, "", content=(other, PHOTO)),
        TrialEnd(key.session_id),
    ]
    folder = write(tmp_path / "run", *theirs, *trial(1))

    copied = tmp_path / "copy"
    copied.mkdir()
    (copied / RUN_FILE).write_bytes(b"".join(copy_sessions(folder, "suites/claims.yaml")))

    [stored] = RunReader(copied).trials()
    assert list(stored.transcript.turns[0].content) == SAID
    assert other["source"]["data"].encode() not in (copied / RUN_FILE).read_bytes()


def test_a_photo_that_is_missing_from_the_file_is_damage(tmp_path: Path) -> None:
    """A conversation is never shown as if it had been held without it."""
    folder = write(tmp_path, *trial(1))
    lines = (folder / RUN_FILE).read_bytes().splitlines(keepends=True)
    (folder / RUN_FILE).write_bytes(b"".join(line for line in lines if not line.startswith(b'{"line":"blob"')))
    with pytest.raises(NoVerdict, match="damaged"):
        list(RunReader(folder).trials())


def test_each_log_file_can_be_read_alone_and_holds_a_photo_once(tmp_path: Path) -> None:
    """A session that goes on the next day says again what it needs."""
    days = iter(["2026-11-24"] * 3 + ["2026-11-25"] * 9)
    writer = LogWriter(tmp_path, HEADER, lambda: f"{next(days)}T10:00:00Z")
    start, *lines, _ = trial(1)
    writer.begin(start, PROMPT)  # type: ignore[arg-type]
    for line in lines:
        writer.append(line)  # type: ignore[arg-type]
    writer.close()

    files = sorted(tmp_path.glob("*.jsonl"))
    assert [file.read_bytes().count(PHOTO["source"]["data"].encode()) for file in files] == [1, 1]
    session_id = start.session_id  # type: ignore[union-attr]
    second = read_session(f"{files[1]}#{session_id}", tmp_path).transcript
    sent = [line.request.body for line in lines if isinstance(line, RequestLine)]
    assert [orjson.dumps(request.body) for request in second.requests] == [orjson.dumps(sent[-1])]
    whole = read_session(f"{tmp_path}#{session_id}", tmp_path).transcript
    assert [orjson.dumps(request.body) for request in whole.requests] == [orjson.dumps(body) for body in sent]


def test_a_log_of_hashes_keeps_neither_picture_nor_name(tmp_path: Path) -> None:
    """A file's name may say who somebody is."""
    writer = LogWriter(tmp_path, HEADER, lambda: "2026-11-25T10:00:00Z", Hasher(b"k"))
    start, *lines = trial(1)
    writer.begin(start, PROMPT)  # type: ignore[arg-type]
    for line in lines:
        writer.append(line)  # type: ignore[arg-type]
    writer.close()
    [file] = tmp_path.glob("*.jsonl")
    text = file.read_text()
    assert "dent" not in text.replace("::dent@", "").replace('"case_id":"dent"', "")
    assert "Excess" not in text
    assert base64.b64encode(png())[:40].decode() not in text


def test_a_log_remembers_no_more_pictures_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest session is let go; when it goes on it is started again with its messages, and nothing is lost."""
    monkeypatch.setattr("evalkit.store.writer.DATA_KEPT", len(PHOTO["source"]["data"]) * 2)
    writer = LogWriter(tmp_path, HEADER, lambda: "2026-11-25T10:00:00Z")
    told = [trial(number) for number in (1, 2, 3)]
    for lines in told:
        writer.begin(lines[0], PROMPT)  # type: ignore[arg-type]
        for line in lines[1:3]:
            writer.append(line)  # type: ignore[arg-type]
    first = told[0]
    request = first[4].request  # type: ignore[union-attr]
    start = first[0]
    history = tuple(request.body["messages"][:2])
    writer.begin(TrialStart(start.key, start.session_id, PROMPT.sha, history), PROMPT)  # type: ignore[union-attr]
    for line in first[3:5]:
        writer.append(line)  # type: ignore[arg-type]
    writer.close()

    stored = read_session(f"{tmp_path}#{start.session_id}", tmp_path).transcript  # type: ignore[union-attr]
    sent = [line.request.body for line in first if isinstance(line, RequestLine)]
    assert [orjson.dumps(one.body) for one in stored.requests] == [orjson.dumps(body) for body in sent]
    [file] = tmp_path.glob("*.jsonl")
    starts = [line for line in file.read_bytes().splitlines() if line.startswith(b'{"line":"session"')]
    assert sum(b"dent@claims@v1#1" in line for line in starts) == 2
    assert file.read_bytes().count(PHOTO["source"]["data"].encode()) == 1
