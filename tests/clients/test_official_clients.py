"""Clients that others wrote and nobody changed, against the real service: what they know from others works here."""

import pytest

from tests.clients.conftest import ANSWERED, CITIES, TEXT, Run

CALLS = [["get_weather", {"city": city}] for city in CITIES]


def test_openai_chats(run: Run) -> None:
    """Whole and streamed, with parallel tool calls and their results, a schema, log-probabilities and OpenAI's 404."""
    found = run("openai_chat")
    assert found["text"] == found["streamed"] == TEXT
    assert found["tokens"] == found["streamed_tokens"] > 0
    assert (found["logprobs"], found["deltas"]) == (3, 4)  # the first delta is empty
    assert found["calls"] == found["streamed_calls"] == CALLS
    assert found["answered"] == ANSWERED
    assert set(found["formed"]) == {"city"}
    assert found["refused"] == "model_not_found"
    assert found["models"][:4] == ["auto", "fuse", "guide", "writer"]


def test_openai_asks_for_responses(run: Run) -> None:
    """Whole and streamed with typed events, parallel tool calls and their results."""
    found = run("openai_responses")
    assert found["text"] == found["streamed"] == TEXT
    assert (found["status"], found["tokens"] > 0) == ("completed", True)
    assert found["kinds"][0] == "response.created"
    assert found["kinds"][-1] == "response.completed"
    assert "response.output_text.delta" in found["kinds"]
    assert found["calls"] == found["streamed_calls"] == CALLS
    assert "response.function_call_arguments.delta" in found["call_kinds"]
    assert (found["answered"], found["refused"]) == (ANSWERED, "model_not_found")


def test_openai_runs_a_batch(run: Run) -> None:
    """A file, a batch over it, its answers, the list, and the file gone."""
    found = run("openai_batch")
    assert (found["status"], found["completed"], found["ids"]) == ("completed", 3, ["r0", "r1", "r2"])
    assert found["texts"] == [TEXT] * 3
    assert found["listed"] == found["deleted"] is True


def test_anthropic_sends_messages(run: Run) -> None:
    """Whole and streamed, with tools, and errors in Anthropic's shape."""
    found = run("anthropic_messages")
    assert found["text"] == found["streamed"] == TEXT
    assert found["tokens"] == found["streamed_tokens"] > 0
    assert (found["stop"], found["called_stop"]) == ("end_turn", "tool_use")
    assert found["calls"] == found["streamed_calls"] == CALLS
    assert (found["answered"], found["refused"]) == (ANSWERED, "not_found_error")


def test_litellm_chats(run: Run) -> None:
    """As with any OpenAI-compatible service."""
    found = run("litellm_chat")
    assert found["text"] == found["streamed"] == TEXT
    assert found["tokens"] == found["streamed_tokens"] > 0
    assert found["calls"] == found["streamed_calls"] == CALLS
    assert found["refused"] == "NotFoundError"


@pytest.mark.parametrize("way", ["chat", "responses"])
def test_an_agent_of_the_agents_sdk_uses_its_tool(run: Run, way: str) -> None:
    """It calls the tool for both cities and ends with the answer, over both of OpenAI's ways."""
    found = run("agents_sdk", way)
    assert found["text"] == found["streamed"] == ANSWERED
    assert found["cities"] == found["streamed_cities"] == sorted(CITIES)
    assert found["events"] > 0


def test_an_agent_of_pydantic_ai_uses_its_tool(run: Run) -> None:
    """And one with a typed output gets it."""
    found = run("pydantic_ai_agent")
    assert found["text"] == found["streamed"] == ANSWERED
    assert found["cities"] == found["streamed_cities"] == sorted(CITIES)
    assert (found["plain"], found["typed"]) == (TEXT, True)


def test_langchain_chats(run: Run) -> None:
    """Whole and streamed, with a bound tool and its results; and it embeds."""
    found = run("langchain_chat")
    assert found["text"] == found["streamed"] == TEXT
    assert found["tokens"] == found["streamed_tokens"] > 0
    assert found["calls"] == found["streamed_calls"] == CALLS
    assert (found["answered"], found["dimensions"]) == (ANSWERED, 384)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_mcp_client_asks(run: Run, mode: str) -> None:
    """Over streamable HTTP, in the current version of the protocol and in the one before."""
    found = run("mcp_official", mode)
    assert {"ask", "route", "ask_expert", "search", "list_experts", "feedback"} <= set(found["tools"])
    assert (found["text"], found["error"]) == (TEXT, False)


def test_the_agents_sdk_is_a_host_of_our_tools(run: Run) -> None:
    """It lists them and asks."""
    found = run("mcp_host")
    assert "ask" in found["tools"]
    assert TEXT in found["text"] or json_escaped(TEXT) in found["text"]


def json_escaped(text: str) -> str:
    """As it stands within JSON that keeps to ASCII."""
    return text.encode("ascii", "backslashreplace").decode()


def test_all_of_them_ask_the_embedded_example(run: Run) -> None:
    """Specified: whole and streamed, against experts that are real: a tool of an MCP server has the exact answer."""
    found = run("embedded_example", service="example")
    assert set(found) == {"openai", "litellm", "anthropic", "langchain", "pydantic_ai", "agents_sdk"}
    answers = [answer for client in found.values() for answer in client]
    assert {answer for answer in answers if answer != "calculator"} == {"17% of 4310 = 732.7"}
    assert found["openai"][-1] == found["anthropic"][-1] == "calculator"
