"""Lines: cut anywhere, and too long."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.mcp.lines import Lines, Overlong


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_wherever_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    """Specified: what a read brings is no matter."""
    stream = b"".join(line + b"\n" for line in lines)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    split = Lines(20)
    found = [line for i, j in pairwise(places) for line in split.feed(stream[i:j])]
    assert found == lines
    assert split.size == 0


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(
    ("head", "tail", "answers"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"', b'"}}', 7),
        (b'{"result":{"x":"', b'"},"jsonrpc":"2.0","id":12}', 12),
        (b'{"result":{"id":3,"x":"', b'"},"jsonrpc":"2.0"}', None),
        (b'{"jsonrpc":"2.0","method":"m","params":{"x":"', b'"}}', None),
        (b"", b"", None),
    ],
)
def test_a_line_that_is_too_long_leaves_its_ends(step: int, head: bytes, tail: bytes, answers: int | None) -> None:
    """Ours: enough to say which request it would have answered; the lines around it are as they were."""
    long = head + b"x" * 5000 + tail
    stream = b"before\n" + long + b"\nafter\n"
    split = Lines(4000)
    found = [line for at in range(0, len(stream), step) for line in split.feed(stream[at : at + step])]
    [before, overlong, after] = found
    assert (before, after) == (b"before", b"after")
    assert isinstance(overlong, Overlong)
    assert (overlong.size, overlong.answers) == (len(long), answers)
