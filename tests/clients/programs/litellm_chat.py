"""The package `litellm`: chat completions of an OpenAI-compatible service, whole and streamed, with tools."""

import json
import sys
from typing import Any

import litellm

URL, MODEL = sys.argv[1:3]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
COMMON = {
    "model": f"openai/{MODEL}",
    "api_base": f"{URL}/v1",
    "api_key": "none",
    "messages": [{"role": "user", "content": "Where is the tower?"}],
    "num_retries": 0,
}

whole = litellm.completion(**COMMON)
chunks = list(litellm.completion(**COMMON, stream=True, stream_options={"include_usage": True}))
streamed = litellm.stream_chunk_builder(chunks)
called = litellm.completion(**COMMON, tools=[WEATHER])
streamed_call = litellm.stream_chunk_builder(list(litellm.completion(**COMMON, tools=[WEATHER], stream=True)))


def calls_of(answer: Any) -> list[Any]:
    calls = answer.choices[0].message.tool_calls
    return [[call.function.name, json.loads(call.function.arguments)] for call in calls]


try:
    litellm.completion(**{**COMMON, "model": "openai/nobody"})
    refused = ""
except litellm.NotFoundError as error:
    refused = type(error).__name__
print(
    json.dumps(
        {
            "text": whole.choices[0].message.content,
            "tokens": whole.usage.total_tokens,
            "streamed": streamed.choices[0].message.content,
            "streamed_tokens": streamed.usage.total_tokens,
            "calls": calls_of(called),
            "streamed_calls": calls_of(streamed_call),
            "refused": refused,
        }
    )
)
