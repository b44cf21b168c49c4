"""A recorded conversation as a transcript."""

from __future__ import annotations

from typing import Any

from evalkit.importing.chat_format import NO_RESULT, parse_conversation, to_transcript
from evalkit.records import PromptVersion, Transcript
from tests.importing.recorded import asks, line, recording, result, says, user

PROMPT = PromptVersion("p" * 64, "imported", "", "m", {}, ({"type": "text", "text": "Be kind."},), (), text="Be kind.")
SYSTEM = {"role": "system", "content": "Be kind."}


def transcript(*messages: dict[str, Any], prompt: PromptVersion = PROMPT) -> Transcript:
    return to_transcript(parse_conversation(line(recording(*messages, model="m"))), prompt)


def test_a_turn_reaches_until_the_next_user_message() -> None:
    """Requests count on, each assistant message is one, and a tool round belongs to its turn."""
    found = transcript(
        user("Where is it?"),
        says("Let me look.", asks("look", id=1)),
        result("gone"),
        says("Gone."),
        user("Oh."),
        says("Yes."),
    )
    assert [turn.user for turn in found.turns] == ["Where is it?", "Oh."]
    assert [[request.n for request in turn.requests] for turn in found.turns] == [[1, 2], [3]]
    assert [request.stop_reason for request in found.requests] == ["tool_use", "end_turn", "end_turn"]
    assert found.failure is None


def test_text_beside_a_tool_call_survives() -> None:
    """It stands before the call in the reply, and the user's view of the turn holds both texts."""
    found = transcript(user("?"), says("Let me look.", asks("look", id=1)), result("gone"), says("Gone.")).turns[0]
    assert found.reply == "Let me look.\n\nGone."
    assert [block["type"] for block in found.requests[0].content] == ["text", "tool_use"]


def test_several_calls_get_their_own_results() -> None:
    """Results are joined by id whatever their order, errors are kept, and go back in one user message."""
    calls = (asks("look", "a", id=1), asks("look", "b", id=2))
    found = transcript(user("?"), says(None, *calls), result("two", "b"), result("Error: one", "a"), says("ok"))
    made = found.turns[0].tool_calls
    assert [(call.id, call.output, call.is_error, call.request_n) for call in made] == [
        ("a", "Error: one", True, 1),
        ("b", "two", False, 1),
    ]
    blocks = found.requests[1].body["messages"][-1]["content"]
    assert [(block["tool_use_id"], block.get("is_error")) for block in blocks] == [("b", None), ("a", True)]


def test_an_id_that_is_used_again_belongs_to_the_later_call() -> None:
    """Some programs repeat ids; each result answers the call that was open."""
    round_trip = (says(None, asks("look", "a", id=1)), result("first", "a"))
    again = (says(None, asks("look", "a", id=2)), result("second", "a"))
    found = transcript(user("?"), *round_trip, *again)
    assert [call.output for call in found.turns[0].tool_calls] == ["first", "second"]


def test_a_call_without_a_result_is_there_all_the_same() -> None:
    """It was made, and its origin says that nothing came back in the recording."""
    (call,) = transcript(user("?"), says(None, asks("hand_over"))).turns[0].tool_calls
    assert (call.name, call.output, call.origin) == ("hand_over", "", NO_RESULT)


def test_messages_in_a_row_belong_together() -> None:
    """Two user messages are one turn's question, two assistant messages are two requests of one turn."""
    (turn,) = transcript(user("Hello"), user("Anyone?"), says("Yes."), says("Here.")).turns
    assert (turn.user, turn.reply, len(turn.requests)) == ("Hello\n\nAnyone?", "Yes.\n\nHere.", 2)


def test_a_conversation_may_end_with_the_user() -> None:
    """The goodbye is a turn without requests, and the conversation is complete."""
    found = transcript(user("Hi"), says("Hello."), user("bye"))
    assert (found.turns[-1].user, found.turns[-1].requests, found.failure) == ("bye", (), None)


def test_what_is_said_before_the_user_is_history() -> None:
    """A greeting by the assistant is no turn, and is part of every later request."""
    found = transcript(SYSTEM, says("Hi, I am Mo."), user("Hello"), says("Yes?"))
    greeting = {"role": "assistant", "content": [{"type": "text", "text": "Hi, I am Mo."}]}
    assert found.history == (greeting,)
    assert found.requests[0].body["messages"] == [greeting, {"role": "user", "content": "Hello"}]


def test_the_prompts_own_system_text_is_sent_as_system() -> None:
    """Only another conversation's own system text is kept in its history."""
    own = transcript(SYSTEM, user("Hello"), says("Yes?"))
    assert (own.history, own.requests[0].body["system"]) == ((), [{"type": "text", "text": "Be kind."}])
    other = transcript({**SYSTEM, "content": "Be quick."}, user("Hello"), says("Yes?"))
    assert (other.history, other.system_text) == (({"role": "system", "content": "Be quick."},), "Be quick.")


def test_an_empty_reply_stays_a_reply() -> None:
    """An assistant message without text or call is a request that said nothing."""
    (turn,) = transcript(user("Hi"), says("")).turns
    assert (len(turn.requests), turn.requests[0].content, turn.requests[0].stop_reason) == (1, (), "end_turn")
