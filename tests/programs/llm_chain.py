"""The llm library with its plug-in for Anthropic's models: a chain with one tool, streamed and not."""

import json

import llm

calls = []


def find_parcel(parcel_id: str) -> str:
    """Look a parcel up: where it is now. The parcel_id looks like PX-1234."""
    calls.append(parcel_id)
    return '{"place": "Leeds"}'


SYSTEM = "You help with parcels. Look a parcel up before you speak of it, for example: (find_parcel: in Leeds)."
named = [model.model_id for model in llm.get_models() if "anthropic" in type(model).__module__]
model = llm.get_model(next(name for name in named if "haiku-4-5" in name or "haiku-4.5" in name))


def chain(stream):
    answer = model.chain("Where is my parcel PX-1234?", system=SYSTEM, tools=[find_parcel], stream=stream, key="any")
    return answer.text()


print(json.dumps({"model": model.model_id, "plain": chain(False), "streamed": chain(True), "calls": calls}))
