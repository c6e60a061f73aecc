"""The query inside a conversation."""

import pytest

from orchestrator.query import query_of


@pytest.mark.parametrize(
    ("messages", "query"),
    [
        ([{"role": "user", "content": " hi "}], "hi"),
        ([{"role": "user", "content": "first"}, {"role": "assistant", "content": "a"}], "first"),
        ([{"role": "user", "content": "first"}, {"role": "user", "content": "second"}], "second"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{"role": "user", "content": "do it<system-reminder>be\nnice</system-reminder>"}], "do it"),
        (
            [
                {"role": "user", "content": "real"},
                {"role": "user", "content": "<system-reminder>only this</system-reminder>"},
            ],
            "real",
        ),
        ([{"role": "user", "content": "ask"}, {"role": "tool", "content": "result"}], "ask"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], ""),
        ([{"role": "system", "content": "only a system message"}], ""),
        ([{"role": "user", "content": None}], ""),
    ],
)
def test_the_query_is_what_the_user_last_asked(messages: list[dict[str, object]], query: str) -> None:
    """Parts are joined; harness text, tool results and other roles are not the query."""
    assert query_of(messages) == query
