"""Tokens to text: whole characters, no stop text, nothing lost."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.local.model import LoadedModel
from orchestrator.experts.local.text import AnswerText

TEXTS = st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]))


def from_bytes(tokens: Sequence[int]) -> str:
    """A decoder whose tokens are single bytes: every character beyond ASCII spans several."""
    return bytes(tokens).decode(errors="replace")


def said(text: str, stops: Sequence[str] = ()) -> tuple[list[str], bool]:
    """The pieces of an answer of that text, and whether a stop text ended it."""
    answer, pieces = AnswerText(from_bytes, stops), []
    for byte in text.encode():
        pieces.append(answer.add(byte))
        if answer.stopped:
            break
    return [*pieces, answer.close()], answer.stopped


@given(TEXTS)
def test_each_piece_is_a_whole_character_and_all_add_up(text: str) -> None:
    """Nothing is shown before its last byte is there, and nothing later."""
    pieces, _ = said(text)
    assert [piece for piece in pieces if piece] == list(text)


@given(TEXTS, st.lists(TEXTS.filter(bool), min_size=1, max_size=3))
def test_answer_ends_before_the_first_stop_text_to_be_completed(text: str, stops: list[str]) -> None:
    """Specified (OpenAI): the stop text is not part of the answer, also when it spans tokens."""
    ends = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    first_end = min(ends)[0] if ends else None
    expected = text if not ends else text[: min(place for end, place in ends if end == first_end)]
    pieces, stopped = said(text, stops)
    assert ("".join(pieces), stopped) == (expected, bool(ends))


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("one\nUser: two", ("\nUser:",), "one"),
        ("abab", ("abb", "abac"), "abab"),
        ("aab", ("ab",), "a"),
        ("caf\u00e9!", ("\u00e9",), "caf"),
        ("end", ("nd.",), "end"),
    ],
)
def test_what_only_looked_like_a_stop_text_is_given_back(text: str, stops: tuple[str, ...], expected: str) -> None:
    """Held text comes once it is clear that it stops nothing, at the latest at the end."""
    assert "".join(said(text, stops)[0]) == expected


def test_text_that_cannot_begin_a_stop_text_is_not_held() -> None:
    """Stop texts must not cost the stream its flow."""
    pieces, _ = said("abc.", ("\n\n",))
    assert pieces == ["a", "b", "c", ".", ""]


def test_character_cut_off_by_the_limit_is_dropped() -> None:
    """Half a character is no text."""
    answer = AnswerText(from_bytes)
    assert [answer.add(byte) for byte in "a\u20ac".encode()[:-1]] + [answer.close()] == ["a", "", "", ""]


@given(st.lists(st.integers(min_value=0, max_value=49_151), max_size=20))
def test_pieces_of_any_tokens_add_up_to_their_text(model: LoadedModel, tokens: list[int]) -> None:
    """With the real tokenizer, also for tokens that make no sense one after the other."""
    answer = AnswerText(model.text)
    pieces = [answer.add(token) for token in tokens]
    assert "".join(pieces) + answer.close() == model.text(tokens).rstrip("\ufffd")


def test_real_tokens_of_an_emoji_come_as_one_piece(model: LoadedModel) -> None:
    """Here one character is several tokens."""
    text = "Oslo \U0001f1f3\U0001f1f4 \u8349"
    answer = AnswerText(model.text)
    tokens = model.tokens(text)
    pieces = [answer.add(token) for token in tokens]
    assert "".join(pieces) == text
    assert len(tokens) > len([piece for piece in pieces if piece])
    assert not any("\ufffd" in piece for piece in pieces)
