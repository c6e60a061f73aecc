"""The package `langchain-openai`: a chat model, whole and streamed, with a bound tool."""

import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

URL, MODEL = sys.argv[1:3]
ASKED = [HumanMessage("Where is the tower?")]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    del city
    return "7 degrees"


model = ChatOpenAI(model=MODEL, base_url=f"{URL}/v1", api_key="none", max_retries=0, stream_usage=True)
whole = model.invoke(ASKED)
streamed = None
for chunk in model.stream(ASKED):
    streamed = chunk if streamed is None else streamed + chunk
able = model.bind_tools([get_weather])
called = able.invoke(ASKED)
streamed_call = None
for chunk in able.stream(ASKED):
    streamed_call = chunk if streamed_call is None else streamed_call + chunk
results = [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in called.tool_calls]
answered = able.invoke([*ASKED, called, *results])
embedder = OpenAIEmbeddings(
    model="minilm", base_url=f"{URL}/v1", api_key="none", check_embedding_ctx_length=False, max_retries=0
)
print(
    json.dumps(
        {
            "text": whole.text,
            "tokens": whole.usage_metadata["total_tokens"],
            "streamed": streamed.text,
            "streamed_tokens": streamed.usage_metadata["total_tokens"],
            "calls": [[call["name"], call["args"]] for call in called.tool_calls],
            "streamed_calls": [[call["name"], call["args"]] for call in streamed_call.tool_calls],
            "answered": answered.text,
            "dimensions": len(embedder.embed_query("a tower")),
        }
    )
)
