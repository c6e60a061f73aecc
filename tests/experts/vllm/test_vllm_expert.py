"""The vllm kind against a server that fakes vLLM: what passes, what is mapped, what is asked next."""

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertMisconfigured,
    ExpertMissing,
    ExpertOverloaded,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts import Condition, Expert
from orchestrator.experts.vllm import client
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import (
    Answer,
    Cut,
    Drop,
    FakeVLLM,
    Fault,
    Garbage,
    Hang,
    Hold,
    ScriptedExpert,
    Status,
    StreamError,
    check_expert,
    in_service,
)
from orchestrator.types import ChatRequest, Chunk, Usage

pytestmark = pytest.mark.anyio

Hire = Callable[..., VllmExpert]

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
RICH = Answer(
    pieces=("It", ' said "model": "x"', " 🗼"),
    reasoning=("hm", " well"),
    tool_calls=(TOOL_CALL,),
    finish_reason="tool_calls",
    extra={"system_fingerprint": None, "x_vendor": {"model": "inner", "deep": [1, 2.50]}},
)

ODD = b'{"choices": [{"message": {"content": 7}, "delta": {"content": 7}}]}'


def asking(*, left_s: float = 10.0, **fields: Any) -> ChatRequest:
    """A request with one user message; `fields` are further fields of its body."""
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    return ChatRequest(body={"model": "auto", "messages": messages, **fields}, deadline=anyio.current_time() + left_s)


class Kept:
    """An `emit` that keeps the chunks."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.first = anyio.Event()

    async def __call__(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.first.set()


async def nowhere(_: Chunk) -> None:
    raise AssertionError


async def test_whole_answer_keeps_every_byte(expert: VllmExpert, server: FakeVLLM) -> None:
    """Specified (DESIGN, 4): a single expert's answer is relayed as it was sent."""
    server.answer = RICH
    draft = await expert.draft(asking(logprobs=True), nowhere)
    assert draft.completion == server.sent[0]
    assert (draft.expert, draft.text, draft.finish_reason) == ("writer", RICH.text, "tool_calls")
    assert draft.usage == Usage(input_tokens=7, output_tokens=6)
    assert (draft.replica, draft.first_token_s) == (server.url, None)


async def test_stream_keeps_every_byte_but_the_model(expert: VllmExpert, server: FakeVLLM) -> None:
    """Specified: tool calls, logprobs, reasoning and unknown fields pass; `model` names the expert."""
    server.answer = RICH
    kept = Kept()
    draft = await expert.draft(asking(stream=True, logprobs=True, stream_options={"include_usage": True}), kept)
    *chunks, done = server.sent
    assert done == b"[DONE]"
    assert [chunk.raw for chunk in kept.chunks] == [raw.replace(b'"fake-model"', b'"writer"') for raw in chunks]
    assert (draft.text, draft.finish_reason, draft.completion) == (RICH.text, "tool_calls", None)
    assert draft.usage == Usage(input_tokens=7, output_tokens=6)
    assert draft.first_token_s is not None
    assert 0 <= draft.first_token_s <= draft.total_s


async def test_crlf_framing_changes_nothing(expert: VllmExpert, server: FakeVLLM) -> None:
    """Specified (STYLE, 3.8)."""
    server.newline = b"\r\n"
    kept = Kept()
    draft = await expert.draft(asking(stream=True), kept)
    assert draft.text == server.answer.text
    assert len(kept.chunks) == len(server.sent) - 1


async def test_model_of_the_answer_is_the_expert_whatever_the_server_calls_it(
    expert: VllmExpert, server: FakeVLLM
) -> None:
    """Servers echo paths, aliases and other names."""
    server.echo = '/models/"odd"\\name'
    kept = Kept()
    await expert.draft(asking(stream=True), kept)
    assert {chunk.data["model"] for chunk in kept.chunks} == {"writer"}


async def test_first_chunk_arrives_while_the_server_still_generates(expert: VllmExpert, server: FakeVLLM) -> None:
    """One chunk in, one chunk out: nothing is held back."""
    server.fault = hold = Hold(after=2)
    kept = Kept()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(stream=True), kept)
            await kept.first.wait()
            assert server.running == 1
            hold.release.set()
    assert len(kept.chunks) == len(server.sent) - 1


async def test_body_reaches_the_server_as_it_was_but_for_the_model(expert: VllmExpert, server: FakeVLLM) -> None:
    """Unknown fields and explicit nulls are the client's business."""
    request = asking(temperature=0.2, stop=None, chat_template_kwargs={"enable_thinking": False}, priority=-3)
    await expert.draft(request, nowhere)
    (recorded,) = server.requests
    assert recorded.body == {**request.body, "model": "fake-model"}
    assert recorded.headers["Accept-Encoding"] == "identity"
    assert recorded.headers["Content-Type"] == "application/json"
    assert "Authorization" not in recorded.headers


async def test_system_prompt_is_added_only_where_the_request_has_none(hire: Hire, server: FakeVLLM) -> None:
    """The client's own system prompt wins, also under its newer role."""
    expert = hire(model="fake-model", replicas=[server.url], system="Be brief.")
    user = {"role": "user", "content": "hi"}
    own = [{"role": "developer", "content": "Be long."}, user]
    await expert.draft(asking(messages=[user]), nowhere)
    await expert.draft(asking(messages=own), nowhere)
    sent = [recorded.body["messages"] for recorded in server.requests]
    assert sent == [[{"role": "system", "content": "Be brief."}, user], own]


async def test_api_key_goes_to_the_server_and_nowhere_else(hire: Hire) -> None:
    """A wrong key is named neither by the error nor by the expert."""
    async with FakeVLLM(api_key="sk-right") as server:
        right = hire("right", model="fake-model", replicas=[server.url], api_key="sk-right")
        wrong = hire("wrong", model="fake-model", replicas=[server.url], api_key="sk-wrong")
        await right.draft(asking(), nowhere)
        with pytest.raises(ExpertMisconfigured) as refused:
            await wrong.draft(asking(), nowhere)
    assert server.requests[0].headers["Authorization"] == "Bearer sk-right"
    shown = f"{refused.value!s} {refused.value!r} {vars(wrong)!r} {wrong.condition!r}"
    assert "credentials" in str(refused.value)
    assert "sk-wrong" not in shown


async def test_adapter_is_addressed_by_its_name_on_the_servers_of_its_base(hire: Hire) -> None:
    """With the base's key, and counted among the base's requests."""
    async with FakeVLLM(models=("fake-model", "sql-lora"), api_key="sk-right") as server:
        base = hire("coder", model="fake-model", replicas=[server.url], api_key="sk-right")
        adapter = hire("sql", base="coder", adapter="sql-lora")
        async with in_service(base, adapter):
            draft = await adapter.draft(asking(), nowhere)
            assert adapter.condition == base.condition
    assert (draft.expert, draft.replica) == ("sql", server.url)
    assert server.requests[0].body["model"] == "sql-lora"


async def test_adapter_whose_base_is_of_another_kind_is_down(hire: Hire, staff: dict[str, Expert]) -> None:
    """The configuration's mistake, told as a condition and an expert's error, not as a crash."""
    staff["script"] = ScriptedExpert("script")
    adapter = hire("sql", base="script", adapter="sql-lora")
    async with in_service(adapter):
        assert (adapter.condition.state, "'script'" in adapter.condition.reason) == ("down", True)
        with pytest.raises(ExpertUnavailable):
            await adapter.draft(asking(), nowhere)


@pytest.mark.parametrize(
    ("fault", "kind", "retry_after_s"),
    [
        (Status(code=429, headers={"Retry-After": "7"}), ExpertOverloaded, 7.0),
        (Status(code=503), ExpertUnavailable, None),
        (Status(code=503, headers={"Retry-After": "7"}), ExpertOverloaded, 7.0),
        (Status(code=400), ExpertRejected, None),
        (Status(code=500, body=b"oops"), ExpertFailed, None),
        (Status(code=307, headers={"Location": "http://127.0.0.1:9/"}), ExpertFailed, None),
        (Drop(), ExpertUnavailable, None),
        (Garbage(after=0), ExpertFailed, None),
        (Garbage(after=0, data=ODD), ExpertFailed, None),
        (Status(code=404), ExpertMissing, None),
        (StreamError(after=0), ExpertFailed, None),
        (Cut(after=0), ExpertCut, None),
    ],
)
async def test_each_fault_has_its_error_streamed_or_not(
    hire: Hire, server: FakeVLLM, fault: Fault, kind: type[ExpertError], retry_after_s: float | None
) -> None:
    """Whose turn it is follows from what happened."""
    server.fault = fault
    for stream in (False, True):
        expert = hire(model="fake-model", replicas=[server.url])  # one that has learned nothing about its server
        with pytest.raises(ExpertError) as raised:
            await expert.draft(asking(stream=stream), Kept())
        assert type(raised.value) is kind
        assert (raised.value.expert, raised.value.retry_after_s) == ("writer", retry_after_s)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Cut(after=2), ExpertCut),
        (Cut(after=2, clean=False), ExpertCut),
        (Garbage(after=2), ExpertFailed),
        (Garbage(after=2, data=b'{"choices": "none"}'), ExpertFailed),
        (StreamError(after=2, message="engine died"), ExpertFailed),
    ],
)
async def test_fault_in_the_middle_of_a_stream_comes_after_what_was_sent(
    expert: VllmExpert, server: FakeVLLM, fault: Fault, kind: type[ExpertError]
) -> None:
    """What was emitted stays emitted; the error says that it is not the whole."""
    server.fault = fault
    kept = Kept()
    with pytest.raises(ExpertError) as raised:
        await expert.draft(asking(stream=True), kept)
    assert type(raised.value) is kind
    assert len(kept.chunks) == 2


async def test_error_object_with_choices_is_an_error_and_a_text_about_errors_is_not(
    expert: VllmExpert, server: FakeVLLM
) -> None:
    """Some servers put both into one chunk."""
    server.answer = Answer(pieces=("error", '"error"'))
    draft = await expert.draft(asking(stream=True), Kept())
    assert draft.text == 'error"error"'
    both = b'{"model": "m", "error": {"message": "provider died"}, "choices": [{"index": 0, "delta": {}}]}'
    server.fault = Garbage(after=1, data=both)
    with pytest.raises(ExpertFailed, match="provider died"):
        await expert.draft(asking(stream=True), Kept())


async def test_rejection_carries_what_the_server_said(expert: VllmExpert, server: FakeVLLM) -> None:
    """The caller can only mend what it is told."""
    server.fault = Status(code=400, message="maximum context length is 2048 tokens")
    with pytest.raises(ExpertRejected, match="maximum context length is 2048 tokens"):
        await expert.draft(asking(), nowhere)


async def test_server_that_hangs_is_a_timeout_when_the_first_token_or_the_deadline_is_due(
    hire: Hire, server: FakeVLLM
) -> None:
    """Whichever comes first; the server is told by the closed connection."""
    server.fault = Hang()
    impatient = hire("impatient", model="fake-model", replicas=[server.url], first_token_timeout_s=0.05)
    patient = hire("patient", model="fake-model", replicas=[server.url])
    with pytest.raises(ExpertTimeout):
        await impatient.draft(asking(), nowhere)
    with pytest.raises(ExpertTimeout):
        await patient.draft(asking(left_s=0.05), nowhere)
    with anyio.fail_after(10):
        await server.until(lambda: server.aborted == 2)


async def test_answer_larger_than_the_limit_is_not_read(
    expert: VllmExpert, server: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken server must not fill the memory."""
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1000)
    server.answer = Answer(pieces=("x" * 2000,))
    with pytest.raises(ExpertFailed, match="more than 1000 bytes"):
        await expert.draft(asking(), nowhere)


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
async def test_client_that_leaves_closes_the_connection(
    expert: VllmExpert, server: FakeVLLM, fields: dict[str, Any]
) -> None:
    """Specified (DESIGN, 4): the server sees it and stops, streaming or not."""
    server.fault = Hold(after=1)
    with anyio.fail_after(10):
        async with in_service(expert), anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(**fields), Kept())
            await server.until(lambda: bool(server.sent))
            group.cancel_scope.cancel()
        await server.until(lambda: (server.running, server.aborted) == (0, 1))
    assert [replica.in_flight for replica in expert.replicas.all] == [0]


async def test_client_that_is_slow_holds_the_server_back(expert: VllmExpert, server: FakeVLLM) -> None:
    """Back-pressure: while `emit` waits nothing more is read, so that the transport stops the server."""
    server.answer = Answer(pieces=("x" * 100_000,) * 150)
    reached, go_on = anyio.Event(), anyio.Event()

    async def slow(_: Chunk) -> None:
        reached.set()
        await go_on.wait()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(stream=True), slow)
            await reached.wait()
            sent = -1
            while sent != len(server.sent):  # until nothing moves any more
                sent = len(server.sent)
                for _ in range(500):
                    await anyio.lowlevel.checkpoint()
            assert sent < 150
            go_on.set()
    assert server.sent[-1] == b"[DONE]"


async def test_server_that_is_gone_is_replaced_by_another_before_the_first_byte(hire: Hire, server: FakeVLLM) -> None:
    """Each is asked once; the one that was gone is then passed over."""
    async with FakeVLLM() as other:
        gone = server.url
        await server.refuse()
        expert = hire(model="fake-model", replicas=[gone, other.url])
        drafts = [await expert.draft(asking(stream=True), Kept()) for _ in range(3)]
        assert {draft.replica for draft in drafts} == {other.url}
        assert [seen.breaker for seen in expert.replicas_seen()] == ["open", "closed"]


async def test_server_that_dies_in_the_middle_is_not_replaced(hire: Hire, server: FakeVLLM) -> None:
    """What was sent cannot be taken back."""
    async with FakeVLLM() as other:
        server.fault = other.fault = Cut(after=1, clean=False)
        expert = hire(model="fake-model", replicas=[server.url, other.url])
        with pytest.raises(ExpertCut):
            await expert.draft(asking(stream=True), Kept())
        assert len(server.requests + other.requests) == 1


async def test_no_server_left_is_unavailable(hire: Hire, server: FakeVLLM) -> None:
    """After each was asked once."""
    await server.refuse()
    expert = hire(model="fake-model", replicas=[server.url, server.url.replace("127.0.0.1", "localhost")])
    with pytest.raises(ExpertUnavailable):
        await expert.draft(asking(), nowhere)
    assert [seen.breaker for seen in expert.replicas_seen()] == ["open", "open"]


async def test_requests_spread_over_the_servers(hire: Hire, server: FakeVLLM) -> None:
    """By requests in flight."""
    async with FakeVLLM() as other:
        server.fault = other.fault = hold = Hold(after=0)
        expert = hire(model="fake-model", replicas=[server.url, other.url])
        with anyio.fail_after(10):
            async with in_service(expert), anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(expert.draft, asking(), nowhere)
                await server.until(lambda: server.running == 2)
                await other.until(lambda: other.running == 2)
                hold.release.set()


async def test_condition_follows_the_servers(hire: Hire, server: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down with the reason at a start without servers, up when one comes, down when it is ill; never a crash."""
    monkeypatch.setattr(VllmExpert, "probe_interval_s", 0.01)
    expert = hire(model="fake-model", replicas=[server.url])
    assert expert.condition == Condition(state="starting", reason="no health probe yet")
    await server.refuse()
    with anyio.fail_after(10):
        async with in_service(expert):
            assert expert.condition.state == "down"
            assert server.url in expert.condition.reason
            await server.listen()
            await server.until(lambda: expert.condition.state == "up")
            server.health = 503
            await server.until(lambda: expert.condition.state == "down")
            assert "503" in expert.condition.reason


async def test_server_without_a_health_path_counts_as_up(hire: Hire, server: FakeVLLM) -> None:
    """Other servers of the same API have none."""
    server.health = 404
    expert = hire(model="fake-model", replicas=[server.url])
    async with in_service(expert):
        assert expert.condition.state == "up"


async def test_connections_are_kept_while_an_expert_is_in_service_and_closed_with_the_last(
    hire: Hire, server: FakeVLLM
) -> None:
    """One pool for all vllm experts; without service each request opens and closes its own."""
    one, two = (hire(name, model="fake-model", replicas=[server.url]) for name in ("one", "two"))
    async with in_service(one), in_service(two):
        await one.draft(asking(), nowhere)
        await two.draft(asking(stream=True), Kept())
        assert one._pool is two._pool
        assert one._pool.idle == 1
    assert one._pool.idle == 0
    await one.draft(asking(), nowhere)
    assert one._pool.idle == 0


async def test_vllm_keeps_the_contract_of_an_expert(expert: VllmExpert) -> None:
    """The public conformance check."""
    async with in_service(expert):
        await check_expert(expert)
