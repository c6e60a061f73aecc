"""The package `openai`: responses, whole and streamed, with tools and errors."""

import json
import sys

import openai

URL, MODEL = sys.argv[1:3]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
ASKED = "Where is the tower?"

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
whole = client.responses.create(model=MODEL, input=ASKED, instructions="Be brief.")
with client.responses.stream(model=MODEL, input=ASKED) as stream:
    kinds = [event.type for event in stream]
    streamed = stream.get_final_response()
called = client.responses.create(model=MODEL, input=ASKED, tools=[WEATHER])
with client.responses.stream(model=MODEL, input=ASKED, tools=[WEATHER]) as stream:
    call_kinds = [event.type for event in stream]
    streamed_call = stream.get_final_response()
calls = [item for item in called.output if item.type == "function_call"]
answered = client.responses.create(
    model=MODEL,
    tools=[WEATHER],
    input=[
        {"role": "user", "content": ASKED},
        *(call.model_dump(exclude_none=True) for call in calls),
        *({"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees"} for call in calls),
    ],
)
try:
    client.responses.create(model="nobody", input=ASKED)
    refused = ""
except openai.NotFoundError as error:
    refused = error.code
print(
    json.dumps(
        {
            "text": whole.output_text,
            "tokens": whole.usage.total_tokens,
            "status": whole.status,
            "streamed": streamed.output_text,
            "kinds": list(dict.fromkeys(kinds)),
            "calls": [[call.name, json.loads(call.arguments)] for call in calls],
            "streamed_calls": [
                [item.name, json.loads(item.arguments)] for item in streamed_call.output if item.type == "function_call"
            ],
            "call_kinds": list(dict.fromkeys(call_kinds)),
            "answered": answered.output_text,
            "refused": refused,
        }
    )
)
