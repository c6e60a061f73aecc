"""The package `pydantic-ai`: an agent with a tool and one with a typed output, whole and streamed."""

import asyncio
import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

URL, MODEL = sys.argv[1:3]
ASKED = "Where is the tower?"


class Capital(BaseModel):
    """What the second agent answers."""

    city: str


async def main() -> dict[str, Any]:
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="none"))
    cities = []
    agent = Agent(model, system_prompt="Be brief.")

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        cities.append(city)
        return "7 degrees"

    whole = await agent.run(ASKED)
    found = {"text": whole.output, "cities": sorted(cities)}
    cities.clear()
    pieces = []
    async with agent.run_stream(ASKED) as streaming:
        pieces += [piece async for piece in streaming.stream_text(delta=True)]
    found |= {"streamed": "".join(pieces), "streamed_cities": sorted(cities)}
    plain = await Agent(model).run(ASKED)
    typed = await Agent(model, output_type=NativeOutput(Capital)).run(ASKED)
    return {**found, "plain": plain.output, "typed": isinstance(typed.output, Capital)}


print(json.dumps(asyncio.run(main())))
