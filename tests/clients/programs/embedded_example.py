"""All of them against the embedded example, whose experts are real: whole and streamed, the answer and who gave it."""

import asyncio
import json
import sys
from typing import Any

import anthropic
import litellm
import openai
from agents import Agent as SdkAgent
from agents import OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

URL, MODEL = sys.argv[1:3]
ASKED = "What is 17% of 4310?"
MESSAGES: Any = [{"role": "user", "content": ASKED}]
OPENAI = {"base_url": f"{URL}/v1", "api_key": "none", "max_retries": 0}
set_tracing_disabled(disabled=True)


def of_openai() -> list[str]:
    client = openai.OpenAI(**OPENAI)
    whole = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    chunks = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    response = client.responses.create(model=MODEL, input=ASKED)
    return [whole.choices[0].message.content, streamed, response.output_text, whole.model]


def of_litellm() -> list[str]:
    common = {"model": f"openai/{MODEL}", "api_base": f"{URL}/v1", "api_key": "none", "messages": MESSAGES}
    whole = litellm.completion(**common)
    streamed = litellm.stream_chunk_builder(list(litellm.completion(**common, stream=True)))
    return [answer.choices[0].message.content for answer in (whole, streamed)]


def of_anthropic() -> list[str]:
    client = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0)
    whole = client.messages.create(model=MODEL, max_tokens=64, messages=MESSAGES)
    with client.messages.stream(model=MODEL, max_tokens=64, messages=MESSAGES) as stream:
        streamed = "".join(stream.text_stream)
    return [whole.content[0].text, streamed, whole.model]


def of_langchain() -> list[str]:
    model = ChatOpenAI(model=MODEL, **OPENAI)
    return [model.invoke(ASKED).text, "".join(chunk.text for chunk in model.stream(ASKED))]


async def of_pydantic_ai() -> list[str]:
    agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="none")))
    async with agent.run_stream(ASKED) as streaming:
        pieces = [piece async for piece in streaming.stream_text(delta=True)]
    return [(await agent.run(ASKED)).output, "".join(pieces)]


async def of_agents_sdk() -> list[str]:
    client = openai.AsyncOpenAI(**OPENAI)
    found = []
    for kind in (OpenAIChatCompletionsModel, OpenAIResponsesModel):
        agent = SdkAgent(name="a", model=kind(MODEL, client))
        found.append((await Runner.run(agent, ASKED)).final_output)
        streaming = Runner.run_streamed(agent, ASKED)
        async for _ in streaming.stream_events():
            pass
        found.append(streaming.final_output)
    return found


async def main() -> dict[str, list[str]]:
    answered = {"openai": of_openai(), "litellm": of_litellm(), "anthropic": of_anthropic()}
    answered |= {"langchain": of_langchain(), "pydantic_ai": await of_pydantic_ai()}
    return answered | {"agents_sdk": await of_agents_sdk()}


print(json.dumps(asyncio.run(main())))
