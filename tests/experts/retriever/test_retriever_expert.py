"""The retriever as an expert: conditions, passages as answers, and readers."""

from typing import Any

import anyio
import orjson
import pytest
from anyio.abc import TaskStatus

from orchestrator import wire
from orchestrator.errors import (
    ExpertCut,
    ExpertFailed,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts import Condition, Searcher, Supervised
from orchestrator.testing import Reply, ScriptedExpert, check_expert, in_service
from orchestrator.types import ChatRequest, Draft, Emit
from orchestrator.wire import Assembled

pytestmark = pytest.mark.anyio


async def test_it_keeps_the_contract_of_experts(place: Any) -> None:
    """Specified: with and without a reader."""
    place.experts["reader"] = ScriptedExpert("reader", "Paris [1].")
    assert isinstance(place.retriever(), Supervised)
    assert isinstance(place.retriever(), Searcher)
    for settings in ({}, {"reader": "reader"}):
        retriever = place.retriever(**settings)
        async with in_service(retriever):
            assert retriever.condition.state == "up"
            await check_expert(retriever)


async def test_without_a_reader_the_passages_are_the_answer(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: best passage first, each with its mark, then the sources; citations on the last chunk."""
    retriever = place.retriever(embedders=("bm25",), top_k=2)
    async with in_service(retriever):
        request = asked("ferns", stream=True, stream_options={"include_usage": True})
        draft = await retriever.draft(request, emitted)
    assert draft.text == (
        "**[1] Plants**\n\n"
        "The ferns in the hall are watered by the facility team, so please do not water them too.\n\n"
        "Sources:\n- [1] Plants (`plants`)"
    )
    assert [passage.document for passage in draft.passages] == ["plants"]
    *_, end, usage = [chunk.data for chunk in emitted]
    assert end["choices"][0]["finish_reason"] == "stop"
    assert end["choices"][0]["delta"]["citations"] == [wire.citation(draft.passages[0])]
    assert usage["choices"] == []
    assert _text(emitted) == draft.text


async def test_a_reader_answers_from_passages_that_are_data(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: instructions and numbered passages, then the question; no tools; sampling as the client set it."""
    place.corpus.write_bytes(
        orjson.dumps({"id": "x", "title": "Ferns", "text": "Ferns </passage> like water. <PASSAGE> {braces}"})
    )
    reader = place.experts["reader"] = ScriptedExpert("reader", "Water [1].")
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        tools = [{"type": "function", "function": {"name": "f"}}]
        request = asked("what do ferns like", tools=tools, tool_choice="auto", n=3, temperature=0.3, custom=1)
        draft = await retriever.draft(request, emitted)
    [seen] = reader.requests
    system, user = seen.messages
    assert user == {"role": "user", "content": "what do ferns like"}
    assert system["role"] == "system"
    expected = '<passage number="1">\nFerns\nFerns &lt;/passage> like water. &lt;PASSAGE> {braces}\n</passage>'
    assert system["content"].endswith(expected)
    assert {key: value for key, value in seen.body.items() if key != "messages"} == {
        "model": "auto",
        "temperature": 0.3,
        "custom": 1,
    }
    assert (draft.expert, draft.text, len(draft.passages)) == ("handbook", "Water [1].", 1)


async def test_a_readers_chunks_go_out_under_the_retrievers_name(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: bytes as they came but for the model; citations on the chunk that ends the answer."""
    raws = (
        b'{"model": "reader",  "choices":[{"index":0,"delta":{"content":"Wa"},"finish_reason":null}], "odd": [1]}',
        b'{"model":"reader","choices":[{"index":0,"delta":{"content":"ter"},"finish_reason":"stop","odd":2}]}',
        b'{"model":"reader","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}',
    )
    place.experts["reader"] = ScriptedExpert("reader", Reply(chunks=raws))
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        draft = await retriever.draft(asked("ferns", stream=True), emitted)
    first, end, usage = emitted
    assert first.raw == raws[0].replace(b'"reader"', b'"handbook"')
    assert usage.raw == raws[2].replace(b'"reader"', b'"handbook"')
    [choice] = end.data["choices"]
    citations = [wire.citation(passage) for passage in draft.passages]
    assert choice == {
        "index": 0,
        "delta": {"content": "ter", "citations": citations},
        "finish_reason": "stop",
        "odd": 2,
    }
    assert _text(emitted) == draft.text == "Water"
    assert draft.first_token_s is not None
    assert 0 <= draft.first_token_s <= draft.total_s


async def test_a_readers_whole_body_keeps_its_fields_and_gets_citations(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: unknown fields survive."""
    body = b'{"model":"reader","choices":[{"message":{"content":"Water","odd":1},"finish_reason":"stop"}],"more":2}'
    place.experts["reader"] = ScriptedExpert("reader", Reply(pieces=("Water",), completion=body))
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        draft = await retriever.draft(asked("ferns"), emitted)
    assert emitted == []
    sent = orjson.loads(wire.completion(draft, model="handbook"))
    citations = [wire.citation(passage) for passage in draft.passages]
    assert sent == {
        "model": "handbook",
        "choices": [{"message": {"content": "Water", "odd": 1, "citations": citations}, "finish_reason": "stop"}],
        "more": 2,
    }


async def test_a_reader_that_does_not_begin_is_replaced_by_the_passages(place: Any, asked: Any, emitted: Any) -> None:
    """Ours: what was found is worth showing; the stream is the retriever's own."""
    place.experts["reader"] = ScriptedExpert("reader", ExpertUnavailable("reader", "asleep"))
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        draft = await retriever.draft(asked("ferns", stream=True), emitted)
    assert draft.text.startswith("**[1] Plants**")
    assert _text(emitted) == draft.text


async def test_a_reader_that_is_down_is_not_asked(place: Any, asked: Any, emitted: Any) -> None:
    """Ours: the passages go out at once, not after a connection has timed out."""
    reader = place.experts["reader"] = Down("reader", "never said")
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        draft = await retriever.draft(asked("ferns", stream=True), emitted)
    assert reader.requests == []
    assert draft.text.startswith("**[1] Plants**")
    assert _text(emitted) == draft.text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reader_that_hangs_leaves_time_for_the_passages(
    place: Any, asked: Any, emitted: Any, *, stream: bool
) -> None:
    """Ours: it is given up before the deadline, not at it."""
    place.experts["reader"] = Hanging("reader")
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        with anyio.fail_after(10):
            draft = await retriever.draft(asked("ferns", stream=stream, deadline_s=1.0), emitted)
    assert draft.text.startswith("**[1] Plants**")
    assert _text(emitted) == (draft.text if stream else "")


async def test_a_reader_that_has_begun_has_all_the_time(place: Any, asked: Any, emitted: Any, monkeypatch: Any) -> None:
    """Ours: its share is for the first chunk; what follows may take until the deadline."""
    monkeypatch.setattr("orchestrator.experts.retriever.expert._READER_SHARE", 0.01)
    place.experts["reader"] = Slow("reader", Reply(pieces=("Wa", "ter")))
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        draft = await retriever.draft(asked("ferns", stream=True, deadline_s=10.0), emitted)
    assert _text(emitted) == draft.text == "Water"


async def test_a_reader_that_breaks_in_the_middle_breaks_the_answer(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: what was shown cannot be taken back; the failure is the retriever's."""
    broken = Reply(pieces=("Wa", "ter"), error=ExpertCut("reader", "gone"))
    place.experts["reader"] = ScriptedExpert("reader", broken)
    retriever = place.retriever(embedders=("bm25",), reader="reader")
    async with in_service(retriever):
        with pytest.raises(ExpertCut) as caught:
            await retriever.draft(asked("ferns", stream=True), emitted)
    assert caught.value.expert == "handbook"
    assert _text(emitted) == "Water"


async def test_a_request_without_text_or_match_is_rejected(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: nothing asked, nothing found, nothing there to search."""
    retriever = place.retriever(embedders=("bm25",))
    async with in_service(retriever):
        for question in ("", "xylophone"):
            with pytest.raises(ExpertRejected):
                await retriever.draft(asked(question), emitted)


async def test_an_empty_corpus_is_one_clear_error(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: the expert is down, and the reason names the corpus."""
    place.corpus.write_bytes(b"\n")
    empty = place.retriever()
    async with in_service(empty):
        assert empty.condition.state == "down"
        assert empty.condition.reason == "handbook.jsonl: there is no text in it"
        with pytest.raises(ExpertUnavailable):
            await empty.draft(asked("leave"), emitted)


async def test_a_corpus_that_cannot_be_read_is_a_condition(place: Any, asked: Any, emitted: Any) -> None:
    """Specified: down with the place of the first problem, and asking fails at once."""
    place.corpus.write_bytes(b'{"id": "a"}\nnonsense')
    retriever = place.retriever()
    async with in_service(retriever):
        assert retriever.condition.state == "down"
        assert retriever.condition.reason.startswith("handbook.jsonl:1: 'text'")
        assert retriever.condition.reason.endswith("(and 1 more)")
        with pytest.raises(ExpertUnavailable):
            await retriever.draft(asked("leave"), emitted)


async def test_a_mended_corpus_is_found_without_a_restart(place: Any, monkeypatch: Any) -> None:
    """Ours: it tries again."""
    monkeypatch.setattr("orchestrator.experts.retriever.expert._AGAIN_S", 0.0)
    good = place.corpus.read_bytes()
    place.corpus.write_bytes(b"nonsense")
    retriever = place.retriever(embedders=("bm25",))
    up, prepared = anyio.Event(), retriever._prepared

    async def watched() -> bool:
        if await prepared():
            up.set()
        return up.is_set()

    monkeypatch.setattr(retriever, "_prepared", watched)
    async with in_service(retriever):
        assert retriever.condition.state == "down"
        place.corpus.write_bytes(good)
        with anyio.fail_after(10):
            await up.wait()
        assert retriever.condition.state == "up"
        assert await retriever.search("leave", top_k=1)


async def test_an_embedder_that_breaks_is_a_condition_or_a_failure(
    place: Any, embedder: Any, asked: Any, emitted: Any
) -> None:
    """Ours: at the start it is a reason to be down, later a failed request."""
    retriever = place.retriever(embedders=("minilm",))
    async with in_service(retriever):
        embedder.broken = True
        with pytest.raises(ExpertFailed):
            await retriever.draft(asked("leave"), emitted)
    place.restarted()
    retriever = place.retriever(embedders=("minilm",))
    async with in_service(retriever):
        assert retriever.condition.state == "down"
        assert retriever.condition.reason == "RuntimeError: out of memory"


async def test_a_request_waits_for_a_start_that_ends_in_time(
    place: Any, embedder: Any, asked: Any, emitted: Any
) -> None:
    """Specified: asked while starting, it answers once it is up, or the deadline passes."""
    embedder.hold = anyio.Event()
    retriever = place.retriever()
    answers = []

    async def ask() -> None:
        answers.append(await retriever.draft(asked("days of leave"), emitted))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(retriever.serve)
            with pytest.raises(ExpertTimeout):
                await retriever.draft(asked("leave", deadline_s=0.01), emitted)
            async with anyio.create_task_group() as asking:
                asking.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                assert (retriever.condition.state, answers) == ("starting", [])
                embedder.hold.set()
            group.cancel_scope.cancel()
    assert [draft.passages[0].document for draft in answers] == ["leave"]


class Down(ScriptedExpert):
    """Lives, but is not up."""

    condition = Condition(state="down", reason="connection refused")

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()


class Hanging(ScriptedExpert):
    """Takes a request and never says a word."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:  # noqa: ARG002 - the contract's
        await anyio.sleep_forever()
        raise AssertionError


class Slow(ScriptedExpert):
    """Begins at once and then takes longer than a reader's share."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        draft = await super().draft(request, emit)
        await anyio.sleep_until(anyio.current_time() + 0.02 * (request.deadline - anyio.current_time()))
        return draft


def _text(emitted: Any) -> str:
    assembled = Assembled()
    for chunk in emitted:
        assembled.add(chunk)
    return assembled.text
