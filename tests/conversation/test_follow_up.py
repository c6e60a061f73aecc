"""Requests that need what was asked before them."""

import pytest

from orchestrator.conversation.follow_up import context_of, is_brief, points_back
from orchestrator.conversation.turns import turn_of


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("commit it", True),
        ("Yes, please", True),
        ("and the other one?", True),
        ("What's the capital of France?", False),
        ("10 factorial", False),
        ("explain why the sky is blue and why that does not hold for the planet Mars", False),
        ("", False),
    ],
)
def test_short_requests_with_a_pointing_word_point_back(query: str, points: object) -> None:
    """A long one says by itself what it is about."""
    assert points_back(query) is points


def test_three_words_are_brief() -> None:
    """In any script, punctuation apart."""
    assert is_brief("und auf Deutsch?")
    assert is_brief("наоборот")
    assert not is_brief("what is two plus two")


def conversation(*said: str) -> list[dict[str, str]]:
    messages = []
    for text in said:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
    return messages[:-1]


@pytest.mark.parametrize(
    ("said", "context"),
    [
        (("first subject of the day", "second subject of the day", "do it"), ["second subject of the day"]),
        (("a whole request stands here", "again", "and again"), ["again", "a whole request stands here"]),
        (("a", "b", "c", "d", "e"), ["d", "c", "b"]),
        (("x" * 5000 + " long one here now", "go"), ["x" * 1000]),
        (("alone",), []),
    ],
)
def test_the_context_reaches_back_to_a_request_that_stands_by_itself(said: tuple[str, ...], context: list[str]) -> None:
    """Latest first, three at most, each cut."""
    assert context_of(turn_of(conversation(*said))) == context
