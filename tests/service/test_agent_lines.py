"""JSON-RPC messages as lines: cut anywhere, bounded, and written whatever is in them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import INTERNAL_ERROR, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from orchestrator.service.mcp_lines import Lines, NoMessage, line_of, read_line

LONGEST = 12


@given(raw=st.binary(max_size=80).map(lambda raw: raw.replace(b"a", b"\n")), cuts=st.lists(st.integers(0, 80)))
def test_lines_are_the_same_however_they_are_cut(raw: bytes, cuts: list[int]) -> None:
    """Specified: the ends of pieces mean nothing; a line that is too long is told of once, an empty one not at all."""
    lines = Lines(longest=LONGEST)
    places = sorted({0, *(min(cut, len(raw)) for cut in cuts), len(raw)})
    found = [line for start, end in pairwise(places) for line in lines.feed(raw[start:end])]
    found += lines.end()
    expected = [None if len(line) > LONGEST else line for line in raw.split(b"\n")]
    assert found == [line for line in expected if line is None or line.strip()]


def test_a_line_without_end_is_not_kept() -> None:
    """Specified: memory has the bound that a line has."""
    lines = Lines(longest=LONGEST)
    assert [line for _ in range(1000) for line in lines.feed(b"x" * 10)] == [None]
    assert list(lines.feed(b"\nshort\n")) == [b"short"]
    assert list(lines.end()) == []


def test_a_request_is_read() -> None:
    """Specified: whatever its id is."""
    request = read_line(b'{"jsonrpc": "2.0", "id": "a", "method": "ping"}', longest=100)
    assert request == JSONRPCRequest(jsonrpc="2.0", id="a", method="ping")
    assert isinstance(read_line(b'{"jsonrpc": "2.0", "method": "m"}', longest=100), JSONRPCNotification)


def test_a_line_that_is_too_long_says_the_bound() -> None:
    """Ours: and the key of the configuration that moves it."""
    with pytest.raises(NoMessage) as refused:
        read_line(None, longest=100)
    assert "100 bytes (serve.max_body_bytes)" in refused.value.answer.error.message


def test_what_cannot_be_written_is_an_error_of_ours() -> None:
    """Known trap: half a surrogate is a text to Python and none to JSON; the server must outlive it."""
    written = json.loads(line_of(JSONRPCResponse(jsonrpc="2.0", id=3, result={"text": "\ud800"})))
    assert (written["id"], written["error"]["code"]) == (3, INTERNAL_ERROR)
