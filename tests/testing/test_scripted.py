"""The expert in memory."""

import anyio
import pytest

from orchestrator.errors import ExpertCut, ExpertOverloaded, ExpertTimeout
from orchestrator.testing import Reply, ScriptedExpert, check_expert
from orchestrator.types import ChatRequest, Chunk, Usage
from orchestrator.wire import Assembled

pytestmark = pytest.mark.anyio


def asking(*, stream: bool = False, left_s: float = 10.0, **fields: object) -> ChatRequest:
    """A small request."""
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream, **fields}
    return ChatRequest(body=body, deadline=anyio.current_time() + left_s)


class Kept(list[Chunk]):
    """An `emit` that keeps the chunks."""

    async def __call__(self, chunk: Chunk) -> None:
        self.append(chunk)


async def test_replies_come_in_order_and_the_last_one_stays() -> None:
    """Strings are replies, errors are raised."""
    expert = ScriptedExpert("a", "one", ExpertOverloaded("a", "busy"), Reply.of("two"))
    first = await expert.draft(asking(), Kept())
    with pytest.raises(ExpertOverloaded):
        await expert.draft(asking(), Kept())
    rest = [await expert.draft(asking(), Kept()) for _ in range(2)]
    assert [draft.text for draft in (first, *rest)] == ["one", "two", "two"]
    assert len(expert.requests) == 4


async def test_stream_comes_word_by_word_and_adds_up() -> None:
    """With usage where it is asked for."""
    kept = Kept()
    expert = ScriptedExpert("a", Reply(pieces=("It ", "rains"), usage=Usage(input_tokens=5, output_tokens=2)))
    draft = await expert.draft(asking(stream=True, stream_options={"include_usage": True}), kept)
    assembled = Assembled()
    for chunk in kept:
        assembled.add(chunk)
    assert (assembled.text, assembled.usage, draft.text) == ("It rains", draft.usage, "It rains")
    assert Reply.of("It rains now").pieces == ("It ", "rains ", "now")


async def test_whole_chunks_are_emitted_as_they_are() -> None:
    """For fields that no writer of ours knows."""
    raw = (b'{"model": "a", "x": 1, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}',)
    kept = Kept()
    draft = await ScriptedExpert("a", Reply(chunks=raw)).draft(asking(stream=True), kept)
    assert ([chunk.raw for chunk in kept], draft.text) == (list(raw), "hi")


async def test_error_at_the_end_comes_after_the_pieces() -> None:
    """A stream that is cut has no finish reason."""
    kept = Kept()
    expert = ScriptedExpert("a", Reply(pieces=("half",), error=ExpertCut("a", "cut")))
    with pytest.raises(ExpertCut):
        await expert.draft(asking(stream=True), kept)
    assert [chunk.data["choices"][0]["delta"].get("content") for chunk in kept] == ["", "half"]


async def test_script_waits_for_its_events_and_counts_who_leaves() -> None:
    """Tests hold an expert in the middle without sleeping."""
    between = anyio.Event()
    expert = ScriptedExpert("a", Reply(pieces=("x",), between=between))
    kept = Kept()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(stream=True), kept)
            await expert.asked.wait()
            assert expert.running == 1
            group.cancel_scope.cancel()
    assert (expert.running, expert.cancelled) == (0, 1)
    with pytest.raises(ExpertTimeout):
        await expert.draft(asking(left_s=0.01), kept)


async def test_scripted_keeps_the_contract_of_an_expert() -> None:
    """A double that broke it would hide what breaks it."""
    await check_expert(ScriptedExpert("a", "Paris is the capital."))
