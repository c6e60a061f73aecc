"""The event splitter: the same events however the stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.vllm.sse import EventSplitter, EventTooLong

STREAM = (
    b": a comment\r\n\r\n"
    b'data: {"a": "\xe2\x82\xac"}\n\n'
    b"event: note\r\nid: 7\r\ndata:no space\r\n\r\n"
    b"data: first line\rdata:  second line\r\r"
    b"retry: 3\n\n"
    b"data\n\n"
    b"data: [DONE]\r\n\r\n"
    b"data: never ended\n"
)
EVENTS = [b'{"a": "\xe2\x82\xac"}', b"no space", b"first line\n second line", b"", b"[DONE]"]


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
def test_events_do_not_depend_on_where_the_stream_is_cut(cuts: list[int]) -> None:
    """Specified (STYLE, 3.8): any cut gives the events of the whole."""
    splitter = EventSplitter()
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert [event for piece in pieces for event in splitter.feed(piece)] == EVENTS


def test_bytes_fed_one_by_one_give_the_same_events() -> None:
    """The hardest cut of all."""
    splitter = EventSplitter()
    assert [event for byte in STREAM for event in splitter.feed(bytes([byte]))] == EVENTS


def test_event_is_given_as_soon_as_its_empty_line_is_there() -> None:
    """A stream must not lag by one event, not even where a lone CR might become CRLF."""
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\r\n\r") == [b"a"]
    assert splitter.feed(b"\ndata: b\n\n") == [b"b"]


@pytest.mark.parametrize("flood", [b"data: " + b"x" * 200, b"data: x\n" * 40, b": comment " * 40])
def test_event_beyond_the_limit_is_an_error(flood: bytes) -> None:
    """A server that never ends an event must not fill the memory."""
    splitter = EventSplitter(max_event_bytes=100)
    with pytest.raises(EventTooLong):
        splitter.feed(flood)


def test_limit_is_for_one_event_and_not_for_the_stream() -> None:
    """Long streams of small events are the rule."""
    splitter = EventSplitter(max_event_bytes=20)
    assert splitter.feed(b"data: 0123456789\n\n" * 50) == [b"0123456789"] * 50
