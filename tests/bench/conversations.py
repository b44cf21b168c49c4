"""Made-up conversations of a shop, longer than most: five turns, replies of 60 to 120 words, tool results in JSON.

No two replies are alike: wordings, items and their order are drawn. Trials of one case share what a suite fixes for
them, the customer's messages and the tools' results; no two cases do.
"""

from __future__ import annotations

import json
import random
from typing import Any

from evalkit.records import PromptVersion, Request, ToolCall, Transcript, Turn, Usage

TURNS = 5
_PEOPLE = [
    "Mia Lee",
    "Noah Berg",
    "Ava Stone",
    "Leo Marsh",
    "Ida Holm",
    "Tom Reed",
    "Zoe Finch",
    "Max Lund",
]
_THINGS = [
    "brass lamp",
    "linen shade",
    "oak shelf",
    "wool throw",
    "desk clock",
    "glass vase",
    "steel kettle",
    "reading chair",
]
_OPENINGS = [
    "Thanks for waiting.",
    "Of course.",
    "Good news!",
    "I had a look.",
    "Here is what I found.",
    "Sure, happy to help.",
]
_ASIDES = [
    "You can follow the parcel on its page as soon as the carrier has scanned it",
    "If a part should be missing, just tell me which one and I will see what we can do",
    "Our returns desk looks at every item by hand, which is why it may take a moment",
    "The warranty covers the frame and the switch, but it doesn't cover the bulb",
    "Please keep the box until you are sure that you want to keep the item",
    "There is no fee for changing the address before the parcel leaves our house",
]
_ASKED = [
    "Hello, could you tell me where my order {order} is? I bought a {thing} for {price} dollars.",
    "Can I still send the {thing} back, and what would I get for it?",
    "Yes please, go ahead and start the return of {order}. I no longer need the {thing}.",
    "And when will the money be on my card? It was {price} in total I think.",
    "Great, that is all I wanted to know about {order}. Thank you!",
]
_SYLLABLES = ["bar", "den", "fol", "gra", "hum", "kes", "lin", "mor", "nap", "ros", "sil", "tor", "und", "vel", "wick"]
_PROMPT = " ".join(
    f"{number}. When a customer asks about a {thing}, look the order up first and say what the record shows; anything "
    f"over {number * 30} USD needs a receipt, and what is older than {number + 20} days is for the returns desk."
    for number, thing in enumerate(_THINGS * 3, 1)
)
PROMPT = PromptVersion(
    sha="5" * 64,
    ref="shop@v1",
    description="",
    model="claude-sonnet-5-5",
    params={"max_tokens": 700},
    system=({"type": "text", "text": f"You are Tess of Tandle. Today is 2026-11-22. {_PROMPT}"},),
    tools=(),
    text=f"You are Tess of Tandle. Today is 2026-11-22. {_PROMPT}",
)


def conversation(case: int, trial: int, most: int = TURNS) -> Transcript:
    """Return the conversation of a trial of a case, cut after `most` turns; the same numbers give the same one."""
    chance, said = random.Random(case), random.Random(f"{case} {trial}")
    order: dict[str, Any] = {
        "order_id": f"TN-{case:05d}",
        "customer": chance.choice(_PEOPLE),
        "placed": f"2026-{chance.randint(8, 10):02d}-{chance.randint(1, 28):02d}",
        "status": "delivered",
        "items": [
            {"sku": f"SK{chance.randint(1000, 9999)}", "name": thing, "price": chance.randint(900, 20000) / 100}
            for thing in chance.sample(_THINGS, 4)
        ],
        "address": {
            "street": f"{chance.randint(2, 99)} Harbor Street",
            "city": "Lowell",
            "zip": str(chance.randint(10000, 99999)),
        },
        "shipment": {
            "carrier": "Northway",
            "tracking": f"NW{chance.randint(10**8, 10**9)}",
            "weight_kg": chance.randint(1, 90) / 10,
        },
        "notes": [chance.choice(_ASIDES) for _ in range(3)],
    }
    history: list[dict[str, Any]] = []
    turns: list[Turn] = []
    for n, asked in enumerate(_ASKED[:most], 1):
        item = chance.choice(order["items"])
        user = asked.format(order=order["order_id"], thing=item["name"], price=item["price"])
        turns.append(_turn(n, user, _calls(n, order), _reply(order, item, said), history))
    return Transcript(f"suites/shop.yaml::talk-{case}@shop@v1#{trial}", PROMPT.sha, tuple(turns), (), PROMPT.text)


def _calls(n: int, order: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return the tool calls of a turn: name, input and result."""
    about = {"order_id": order["order_id"]}
    if n in (1, 2):
        return [("lookup_order", about, order)]
    if n == 3:
        return [("start_return", {**about, "reason": "no longer needed"}, {**order, "status": "return started"})]
    return []


def _reply(order: dict[str, Any], item: dict[str, Any], chance: random.Random) -> str:
    asides = chance.sample(_ASIDES, 2)
    street = f"{order['address']['street']}, {order['address']['city']}"
    courier, neighbour = ("".join(chance.choices(_SYLLABLES, k=3)) for _ in range(2))
    return (
        f"{chance.choice(_OPENINGS)} Said the {courier} to us: your order **{order['order_id']}** was placed on "
        f"{order['placed']} and has been delivered to {street}. {asides[0]}.\n\n"
        f"- {item['name'].capitalize()}: ${item['price']:.2f}\n- Weight: {order['shipment']['weight_kg']} kg\n"
        f"- Tracking number: {order['shipment']['tracking']}\n\n"
        f"You can return it within 30 days. {asides[1]}, {order['customer'].split()[0]}. Ask the {neighbour} as well. "
        "Is there anything else I can do for you?"
    )


def _turn(
    n: int,
    user: str,
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]],
    reply: str,
    history: list[dict[str, Any]],
) -> Turn:
    """Return a turn of as many requests as it takes, each sending what `history` has grown to."""
    history.append({"role": "user", "content": user})
    requests: list[Request] = []
    made: list[ToolCall] = []
    for at, (name, arguments, result) in enumerate(calls):
        call = {"type": "tool_use", "id": f"toolu_{n}{at}", "name": name, "input": arguments}
        requests.append(_request(n, len(requests), ({"type": "text", "text": "Let me look."}, call), history))
        made.append(
            ToolCall(
                f"toolu_{n}{at}", name, arguments, json.dumps(result), is_error=False, ms=9.5, request_n=requests[-1].n
            )
        )
        result_block = {"type": "tool_result", "tool_use_id": f"toolu_{n}{at}", "content": made[-1].output}
        history.append({"role": "user", "content": [result_block]})
    requests.append(_request(n, len(requests), ({"type": "text", "text": reply},), history))
    return Turn(n, user, tuple(requests), tuple(made))


def _request(n: int, at: int, content: tuple[dict[str, Any], ...], history: list[dict[str, Any]]) -> Request:
    body = {"model": PROMPT.model, "max_tokens": 700, "system": list(PROMPT.system), "messages": list(history)}
    history.append({"role": "assistant", "content": list(content)})
    used = Usage(input_tokens=40, cache_read_input_tokens=2400, output_tokens=130)
    return Request(
        n=10 * n + at,
        turn=n,
        body=body,
        content=content,
        stop_reason="tool_use" if len(content) > 1 else "end_turn",
        usage=used,
        cost_usd=0.0031,
        first_token_ms=410.0,
        total_ms=1890.0,
    )
