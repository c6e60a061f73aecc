"""What a local model takes of a chat body, and what it refuses."""

from typing import Any

import pytest

from orchestrator.experts.local.conversation import conversation
from orchestrator.experts.local.options import BadRequest, Options

USER = {"role": "user", "content": "hi"}


def test_options_are_read_under_the_names_of_the_api() -> None:
    """The rest of the body is ignored."""
    body = {"model": "x", "messages": [], "max_tokens": 9, "max_completion_tokens": 5, "temperature": 1, "stop": "\n"}
    options = Options.of({**body, "stream_options": {"include_usage": True}, "logit_bias": None, "tools": [{}]})
    assert (options.limit, options.temperature, options.stops, options.with_usage) == (5, 1.0, ("\n",), True)


def test_absent_options_and_nulls_leave_the_choice_to_the_expert() -> None:
    """Clients send nulls for what they do not set."""
    assert Options.of({}) == Options.of(dict.fromkeys(Options.model_fields))
    assert Options.of({}).limit is None


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"max_tokens": 0},
        {"max_tokens": "7"},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.5},
        {"seed": "x"},
        {"stop": ""},
        {"stop": ["a", ""]},
        {"stop": 3},
        {"stream_options": "yes"},
    ],
)
def test_option_that_cannot_be_followed_is_refused_by_name(fields: dict[str, Any]) -> None:
    """The message begins with the field."""
    (name,) = fields
    with pytest.raises(BadRequest) as refused:
        Options.of(fields)
    assert str(refused.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("stop", "says"),
    [(["x"] * 20, "at most 16"), (["a", ""], "at least 1"), ("", "at least 1"), ([3], "valid string")],
)
def test_refusal_says_what_is_wrong_with_the_form_that_was_sent(stop: object, says: str) -> None:
    """A list of stop texts is no failed attempt at a single one."""
    with pytest.raises(BadRequest, match=says):
        Options.of({"stop": stop})


def test_system_prompt_of_the_expert_goes_first_where_the_request_has_none() -> None:
    """Ours gives way to the client's, under either of its names."""
    assert conversation([USER], system="Be brief.")[0] == {"role": "system", "content": "Be brief."}
    own = [{"role": "developer", "content": "Be long."}, USER]
    assert conversation(own, system="Be brief.") == [{"role": "system", "content": "Be long."}, USER]


def test_parts_tools_and_their_results_become_text() -> None:
    """A template without tools knows text alone."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Is it"}, {"type": "text", "text": "raining?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain, 7 degrees"},
        {"role": "tool", "tool_call_id": "unheard of", "content": "?"},
    ]
    assert conversation(messages, system=None) == [
        {"role": "user", "content": "Is it\nraining?"},
        {"role": "assistant", "content": 'weather({"city": "Oslo"})'},
        {"role": "user", "content": "Result of weather: rain, 7 degrees"},
        {"role": "user", "content": "Result of the tool: ?"},
    ]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (None, "messages"),
        ([], "messages"),
        (["hi"], "messages[0]"),
        ([USER, {"content": "hi"}], "messages[1].role"),
        ([{"role": "wizard", "content": "hi"}], "wizard"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}], "cannot see images"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "takes text only"),
        ([{"role": "user", "content": [7]}], "takes text only"),
    ],
)
def test_message_that_a_text_model_cannot_take_is_refused_with_its_place(messages: Any, says: str) -> None:
    """Dropping an image in silence would answer another question."""
    with pytest.raises(BadRequest) as refused:
        conversation(messages, system=None)
    assert says in str(refused.value)


def test_odd_tool_calls_are_no_crash() -> None:
    """Whatever a client sends ends as text or as a refusal."""
    odd: list[Any] = [7, {}, {"function": "x"}, {"function": {"name": "f"}}]
    messages = [{"role": "assistant", "content": "so", "tool_calls": odd}, {"role": "assistant", "tool_calls": "none"}]
    assert conversation(messages, system=None)[0]["content"] == "so\nthe tool()\nthe tool()\nf()"
