"""The OpenAI Agents SDK: an agent with a tool, over chat completions or over responses, whole and streamed."""

import asyncio
import json
import sys
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

URL, MODEL, WAY = sys.argv[1:4]
ASKED = "Where is the tower?"
set_tracing_disabled(disabled=True)
cities = []


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    cities.append(city)
    return "7 degrees"


async def main() -> dict[str, Any]:
    client = AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
    kind = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}[WAY]
    agent = Agent(name="a", instructions="Be brief.", model=kind(MODEL, client), tools=[get_weather])
    whole = await Runner.run(agent, ASKED, max_turns=4)
    found = {"text": whole.final_output, "cities": sorted(cities)}
    cities.clear()
    streaming = Runner.run_streamed(agent, ASKED, max_turns=4)
    kinds = [event.type async for event in streaming.stream_events()]
    return found | {"streamed": streaming.final_output, "streamed_cities": sorted(cities), "events": len(kinds)}


print(json.dumps(asyncio.run(main())))
