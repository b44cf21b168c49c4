"""What a trial may cost before anything of the kind was played: characters to tokens, tokens to dollars."""

from __future__ import annotations

import orjson

from evalkit.engine import Price
from evalkit.records import Usage
from evalkit.runner.plan import PlannedTrial

CHARACTERS_PER_TOKEN = 3.5  # a cautious mean for English text and JSON with the tokenizer of the 4.7+ models
REQUESTS_PER_TURN = 2  # a tool call and an answer
OUTPUT_TOKENS = 200


def estimate_requests(planned: PlannedTrial) -> int:
    """Return about how many requests a trial makes; of a user that a model plays, at the most."""
    simulate = planned.case.simulate
    return REQUESTS_PER_TURN * (simulate.max_turns if simulate else len(planned.case.record.turns))


def estimate_trial(planned: PlannedTrial, price: Price) -> float:
    """Return a rough cost of one trial in US dollars with a warm cache; 0.0 when the model's price is unknown."""
    prompt = planned.prompt
    prefix = len(prompt.text) + sum(len(orjson.dumps(tool)) for tool in prompt.tools)
    talk = sum(len(str(message)) for message in planned.case.history)
    requests = estimate_requests(planned)
    usage = Usage(
        input_tokens=int(talk / CHARACTERS_PER_TOKEN) + OUTPUT_TOKENS * requests,
        cache_read_input_tokens=int(prefix / CHARACTERS_PER_TOKEN) * requests,
        output_tokens=OUTPUT_TOKENS * requests,
    )
    return price(prompt.model, usage) or 0.0
