"""The unmodified SDK as a client: messages, streams, tools, tokens, models, batches."""

from __future__ import annotations

import anthropic

MODEL = "claude-haiku-5-5"
HELLO = [{"role": "user", "content": "hello"}]


def test_create_returns_a_visibly_fake_message(client: anthropic.Anthropic) -> None:
    """The message names the model asked for and its id says stand-in."""
    message = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
    assert message.id.startswith("msg_standin_")
    assert (message.model, message.stop_reason, message.role) == (MODEL, "end_turn", "assistant")
    assert message.content[-1].text == "Trial 1: hello – naïve 🙂."


def test_stream_folds_to_the_message_of_create(client: anthropic.Anthropic) -> None:
    """The stream helper ends up with the same content and usage as a plain request."""
    plain = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
        streamed = stream.get_final_message()
    assert [b.to_dict() for b in streamed.content] == [b.to_dict() for b in plain.content]
    assert streamed.usage.to_dict() == plain.usage.to_dict()
