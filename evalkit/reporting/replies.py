"""One reply of the model as text for the terminal: how it ended, what it said and called, what it took."""

from __future__ import annotations

import orjson

from evalkit.records import JsonObject, Request
from evalkit.reporting.safe_text import one_line, visible
from evalkit.wording import duration, number, usd


def render_reply(title: str, request: Request) -> str:
    """Return a title line and the reply below it; a failed request shows its failure and what had arrived."""
    blocks = request.content or request.partial
    return "\n".join([f"── {title}: {_facts(request)}", *(_block(block) for block in blocks), ""])


def _facts(request: Request) -> str:
    if request.failure is not None:
        return f"failed, {request.failure.kind}: {one_line(request.failure.message)}"
    usage = request.usage
    facts = [request.stop_reason or "no stop reason", duration(request.total_ms), usd(request.cost_usd)]
    if usage is not None:
        facts.append(
            f"{number(usage.prompt_tokens)} tokens in ({number(usage.cache_read_input_tokens)} from the cache), "
            f"{number(usage.output_tokens)} out"
        )
    return " · ".join(facts)


def _block(block: JsonObject) -> str:
    match block.get("type"):
        case "text":
            return visible(str(block.get("text", "")))
        case "tool_use" | "server_tool_use":
            return visible(f"→ {block.get('name')} {orjson.dumps(block.get('input')).decode()}")
        case kind:
            return f"[{kind}]"
