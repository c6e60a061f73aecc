"""The query inside a conversation."""

import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.conversation.harness import words_of
from orchestrator.conversation.turns import query_of


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


pieces = st.sampled_from(["<context>", "</context>", "<system-reminder>", "</system-reminder>", "a", " ", "\n"])


@given(st.lists(pieces, max_size=14).map("".join))
def test_harness_text_is_what_a_pattern_would_take_out(text: str) -> None:
    """The same as the plain (and quadratic) regular expression."""
    pattern = re.compile(r"<(system-reminder|environment_details|context)>.*?</\1>", re.DOTALL)
    assert query_of([{"role": "user", "content": text}]) == pattern.sub("", text).strip()


def calls_made(function: Callable[[], object]) -> int:
    """How many functions a call leads to, those written in C included."""
    made = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal made
        made += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize(
    "piece", ["<context>", "<context><system-reminder>", "<system-reminder></context>", "<task><context></task>"]
)
def test_a_body_of_unclosed_elements_costs_linear_work(piece: str) -> None:
    """Twice the text, about twice the work: the event loop waits for this."""
    work = [calls_made(lambda text=piece * copies: words_of(text)) for copies in (1000, 2000)]  # type: ignore[misc]
    assert work[1] <= 2.5 * work[0]
