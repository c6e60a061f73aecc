"""Requests that need what was asked before them."""

import pytest

from orchestrator.conversation.follow_up import context_of, dependence
from orchestrator.conversation.turns import turn_of


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("why is that?", "bare"),
        ("Yes, please go on", "bare"),
        ("no, that\u2019s not what I meant", "bare"),
        ("commit it", "pointing"),
        ("and in Spanish?", "pointing"),
        ("what about tomorrow", "pointing"),
        ("another word for happy", "none"),
        ("is a phd worth it", "none"),
        ("knock knock", "none"),
        ("What's the capital of France?", "none"),
        ("10 factorial", "none"),
        ("thanks", "none"),
        ("is it so? " * 9, "none"),
        ("", "none"),
    ],
)
def test_a_request_depends_on_others_where_it_tells_no_subject(query: str, kind: str) -> None:
    """A short one; a long one says by itself what it is about."""
    assert dependence(query) == kind


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
        (("go on", "why?", "really?", "and then?", "so?"), ["and then?", "really?", "why?"]),
        (("x" * 5000 + " long one here now", "go"), ["x" * 1000]),
        (("alone",), []),
    ],
)
def test_the_context_reaches_back_to_a_request_that_stands_by_itself(said: tuple[str, ...], context: list[str]) -> None:
    """Latest first, three at most, each cut."""
    assert context_of(turn_of(conversation(*said))) == context
