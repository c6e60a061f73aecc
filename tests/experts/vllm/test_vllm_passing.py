"""Chunks that are passed on in the socket's callback: no task is woken, and nothing is lost where that cannot go on."""

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from orchestrator.errors import ExpertFailed, ExpertTimeout
from orchestrator.experts.vllm.sse import EventSplitter
from orchestrator.testing import FakeVLLM, Garbage, Numbered, Stall, in_service, traced
from orchestrator.types import Chunk
from tests.experts.vllm.conftest import Hire
from tests.experts.vllm.test_vllm_expert import asking

pytestmark = pytest.mark.anyio


class Client:
    """An `emit` whose short way takes a chunk unless it is one of `full` (counted from 0)."""

    def __init__(self, *, full: frozenset[int] = frozenset()) -> None:
        self.texts: list[str] = []
        self.waited: list[int] = []
        self._full = full

    async def __call__(self, chunk: Chunk) -> None:
        self.waited.append(len(self.texts))
        await anyio.lowlevel.checkpoint()
        self._add(chunk)

    def now(self, chunk: Chunk) -> bool:
        if len(self.texts) in self._full:
            return False
        self._add(chunk)
        return True

    def _add(self, chunk: Chunk) -> None:
        choices = chunk.data["choices"]
        self.texts.append("".join(choice["delta"].get("content") or "" for choice in choices))


@pytest.fixture
async def server() -> AsyncIterator[FakeVLLM]:
    async with FakeVLLM() as one:
        one.answer = Numbered("a", tokens=30)
        one.pace_s = 0.001
        yield one


@pytest.mark.parametrize("full", [frozenset(), frozenset({2, 3, 11, 30}), frozenset(range(100))])
async def test_what_the_short_way_refuses_goes_the_ordinary_one_in_its_place(
    hire: Hire, server: FakeVLLM, full: frozenset[int]
) -> None:
    """The first chunk always waits its turn; the draft has what the client has."""
    client, expert = Client(full=full), hire("a", model="fake-model", replicas=[server.url])
    with anyio.fail_after(10):
        async with in_service(expert):
            draft = await expert.draft(asking(stream=True), client)
    assert "".join(client.texts) == draft.text
    assert traced(draft.text).whole
    assert client.waited[0] == 0
    assert full & set(range(1, len(client.texts))) <= set(client.waited)


async def test_an_event_that_is_no_chunk_ends_a_stream_that_was_passed_on(hire: Hire, server: FakeVLLM) -> None:
    """The short way refuses it, and the ordinary one says what is wrong."""
    server.fault = Garbage(after=9)
    client, expert = Client(), hire("a", model="fake-model", replicas=[server.url])
    with anyio.fail_after(10):
        async with in_service(expert):
            with pytest.raises(ExpertFailed, match="chunk"):
                await expert.draft(asking(stream=True), client)
    assert len(client.texts) == 9


async def test_silence_counts_from_the_last_chunk_that_was_passed_on(hire: Hire, server: FakeVLLM) -> None:
    """Each chunk gives the next one its time anew; then silence ends the stream."""
    server.pace_s, server.fault = 0.04, Stall(after=10)
    client = Client()
    expert = hire("a", model="fake-model", replicas=[server.url], read_timeout_s=0.25)
    with anyio.fail_after(10):
        async with in_service(expert):
            with pytest.raises(ExpertTimeout):
                await expert.draft(asking(stream=True), client)
    assert len(client.texts) == 10


def test_a_piece_after_half_an_event_is_not_one() -> None:
    """It goes the general way, which puts the halves together."""
    splitter = EventSplitter()
    assert splitter.one(b"data: a\n\n") == b"a"
    assert splitter.feed(b"data: b") == []
    assert splitter.one(b"data: c\n\n") is None
    assert splitter.feed(b"data: c\n\n") == [b"bdata: c"]
