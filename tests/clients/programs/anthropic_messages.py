"""The package `anthropic`: messages, whole and streamed, with tools and errors."""

import json
import sys

import anthropic

URL, MODEL = sys.argv[1:3]
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASKED = [{"role": "user", "content": "Where is the tower?"}]

client = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0)
whole = client.messages.create(model=MODEL, max_tokens=64, messages=ASKED, system="Be brief.")
with client.messages.stream(model=MODEL, max_tokens=64, messages=ASKED) as stream:
    streamed = "".join(stream.text_stream)
    final = stream.get_final_message()
called = client.messages.create(model=MODEL, max_tokens=64, messages=ASKED, tools=[WEATHER])
with client.messages.stream(model=MODEL, max_tokens=64, messages=ASKED, tools=[WEATHER]) as stream:
    streamed_call = stream.get_final_message()
calls = [block for block in called.content if block.type == "tool_use"]
answered = client.messages.create(
    model=MODEL,
    max_tokens=64,
    tools=[WEATHER],
    messages=[
        *ASKED,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in called.content]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "7 degrees"}]}
                for call in calls
            ],
        },
    ],
)
try:
    client.messages.create(model="nobody", max_tokens=64, messages=ASKED)
    refused = ""
except anthropic.NotFoundError as error:
    refused = error.body["error"]["type"]
print(
    json.dumps(
        {
            "text": whole.content[0].text,
            "tokens": whole.usage.input_tokens + whole.usage.output_tokens,
            "stop": whole.stop_reason,
            "streamed": streamed,
            "streamed_tokens": final.usage.input_tokens + final.usage.output_tokens,
            "calls": [[call.name, call.input] for call in calls],
            "called_stop": called.stop_reason,
            "streamed_calls": [
                [block.name, block.input] for block in streamed_call.content if block.type == "tool_use"
            ],
            "answered": answered.content[0].text,
            "refused": refused,
        }
    )
)
