"""pydantic-ai: an agent with one tool, run to its end and streamed."""

import asyncio
import json
import os

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

calls = []
provider = AnthropicProvider(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key="any")
SYSTEM = "You help with parcels. Look a parcel up before you speak of it, for example: (find_parcel: in Leeds)."
agent = Agent(AnthropicModel("claude-haiku-5-5", provider=provider), system_prompt=SYSTEM)


@agent.tool_plain
def find_parcel(parcel_id: str) -> dict[str, str]:
    """Look a parcel up: where it is now.

    Args:
        parcel_id: The parcel's number, for example PX-1234
    """
    calls.append(parcel_id)
    return {"place": "Leeds"}


async def main():
    plain = await agent.run("Where is my parcel PX-1234?")
    async with agent.run_stream("Where is my parcel PX-1234?") as stream:
        streamed = await stream.get_output()
    print(json.dumps({"calls": calls, "plain": plain.output, "streamed": streamed}))


asyncio.run(main())
