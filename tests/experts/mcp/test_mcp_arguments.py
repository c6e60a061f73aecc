"""Arguments: templates, replies of models, and schemas."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.mcp.arguments import Signature, filled, read_arguments

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


def test_the_query_stands_where_the_template_says() -> None:
    """Specified: inside strings however deep; other values and braces stay as they are."""
    template = {"a": "on {query}!", "b": [{"c": "{query}{query}"}, 7, None, True], "{query}": "{other} {}"}
    assert filled(template, "x{query}y") == {
        "a": "on x{query}y!",
        "b": [{"c": "x{query}yx{query}y"}, 7, None, True],
        "{query}": "{other} {}",
    }


@pytest.mark.parametrize(
    "reply",
    [
        '{"city": "Oslo"}',
        ' \n{"city": "Oslo"}\n',
        '```json\n{"city": "Oslo"}\n```',
        'Sure! Here {you} go: {"city": "Oslo"} Anything else? {"city": "Bergen"}',
        '{"city": NaN} {"city": "Oslo"}',
    ],
)
def test_the_first_object_of_a_reply_is_read(reply: str) -> None:
    """Specified: fences and text around it do not matter."""
    assert read_arguments(reply) == {"city": "Oslo"}


@pytest.mark.parametrize("reply", ["", "Oslo", '["Oslo"]', '{"city": "Os', '{"a":' * 20_000])
def test_a_reply_without_an_object_is_an_error(reply: str) -> None:
    """Specified: also when it is cut off, or nested to overflow a parser."""
    with pytest.raises(ValueError, match="no JSON object"):
        read_arguments(reply)


@given(st.text())
def test_any_reply_is_read_or_refused(reply: str) -> None:
    """Ours: a model's reply raises nothing else."""
    with suppress(ValueError):
        assert isinstance(read_arguments(reply), dict)


def test_a_problem_names_its_place() -> None:
    """Ours: what a model needs to mend its reply."""
    signature = Signature("weather", "", CITY)
    assert signature.problem({"city": "Oslo", "days": 2}) == ""
    assert signature.problem({"city": "Oslo", "days": 0}) == "$.days: 0 is less than the minimum of 1"
    assert signature.problem({}) == "$: 'city' is a required property"


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (CITY, "city"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, None),
        ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, None),
        ({"type": "object", "properties": {}, "required": ["a"]}, None),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]}, None),
    ],
)
def test_a_query_has_its_place_where_one_string_is_required(schema: dict[str, Any], name: str | None) -> None:
    """Specified: exactly one required property, and that a string."""
    assert Signature("tool", "", schema).only_string == name


def test_a_schema_that_is_none_is_an_error() -> None:
    """Ours: a server's mistake shows when its tool is looked at, not when it is called."""
    with pytest.raises(ValueError, match="not a JSON Schema"):
        Signature("tool", "", {"type": "objekt"})


def test_a_schema_never_makes_us_download_one() -> None:
    """Ours: a reference to another document is a problem, not a request."""
    signature = Signature("tool", "", {"type": "object", "properties": {"a": {"$ref": "https://localhost/schema"}}})
    assert "refers to what is not there" in signature.problem({"a": 1})
