"""The official SDK, any version from 0.x on: a tool conversation plain and streamed, counting, models, a batch."""

import json

import anthropic

MODEL = "claude-haiku-5-5"
TOOL = {
    "name": "find_parcel",
    "description": "Look a parcel up: where it is now.",
    "input_schema": {
        "type": "object",
        "properties": {"parcel_id": {"type": "string", "description": "The parcel's number, for example PX-1234"}},
        "required": ["parcel_id"],
    },
}
SYSTEM = "You help with parcels. Look a parcel up before you speak of it, for example: (find_parcel: in Leeds)."
client = anthropic.Anthropic()


def reply(messages, streamed):
    asked = {"model": MODEL, "max_tokens": 500, "system": SYSTEM, "tools": [TOOL], "messages": messages}
    if not streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        for _ in stream:
            pass
        return stream.get_final_message()


def converse(streamed):
    messages = [{"role": "user", "content": "Where is my parcel PX-1234?"}]
    first = reply(messages, streamed)
    call = first.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": '{"place": "Leeds"}'}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = reply(messages, streamed)
    return {
        "call": [call.name, call.input],
        "reasons": [first.stop_reason, last.stop_reason],
        "said": last.content[-1].text,
    }


def batch():
    params = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    made = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    ended = client.messages.batches.retrieve(made.id)
    (line,) = client.messages.batches.results(made.id)
    return [ended.processing_status, line.custom_id, line.result.type]


print(
    json.dumps(
        {
            "version": anthropic.__version__,
            "plain": converse(False),
            "streamed": converse(True),
            "counted": client.messages.count_tokens(
                model=MODEL, messages=[{"role": "user", "content": "Hello there"}]
            ).input_tokens,
            "models": len(list(client.models.list(limit=5))),
            "batch": batch(),
        }
    )
)
