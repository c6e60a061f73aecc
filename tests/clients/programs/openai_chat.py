"""The package `openai`: chat completions, whole and streamed, with tools, a schema, log-probabilities and errors."""

import json
import sys

import openai

URL, MODEL = sys.argv[1:3]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "capital",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
ASKED = [{"role": "user", "content": "Where is the tower?"}]

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
whole = client.chat.completions.create(model=MODEL, messages=ASKED, logprobs=True, seed=7, stop=["\n\n"])
with client.chat.completions.stream(model=MODEL, messages=ASKED, stream_options={"include_usage": True}) as stream:
    kinds = [event.type for event in stream]
    streamed = stream.get_final_completion()
called = client.chat.completions.create(model=MODEL, messages=ASKED, tools=[WEATHER], parallel_tool_calls=True)
with client.chat.completions.stream(model=MODEL, messages=ASKED, tools=[WEATHER]) as stream:
    streamed_call = stream.get_final_completion()
calls = called.choices[0].message.tool_calls
answered = client.chat.completions.create(
    model=MODEL,
    tools=[WEATHER],
    messages=[
        *ASKED,
        called.choices[0].message.model_dump(exclude_none=True),
        *({"role": "tool", "tool_call_id": call.id, "content": "7 degrees"} for call in calls),
    ],
)
formed = client.chat.completions.create(model=MODEL, messages=ASKED, response_format=SCHEMA)
try:
    client.chat.completions.create(model="nobody", messages=ASKED)
    refused = ""
except openai.NotFoundError as error:
    refused = error.code
print(
    json.dumps(
        {
            "text": whole.choices[0].message.content,
            "tokens": whole.usage.total_tokens,
            "logprobs": len(whole.choices[0].logprobs.content),
            "streamed": streamed.choices[0].message.content,
            "streamed_tokens": streamed.usage.total_tokens,
            "deltas": kinds.count("content.delta"),
            "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
            "streamed_calls": [
                [call.function.name, json.loads(call.function.arguments)]
                for call in streamed_call.choices[0].message.tool_calls
            ],
            "answered": answered.choices[0].message.content,
            "formed": json.loads(formed.choices[0].message.content),
            "refused": refused,
            "models": [model.id for model in client.models.list()],
        }
    )
)
