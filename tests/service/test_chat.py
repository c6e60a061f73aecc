"""Chat completions over real HTTP: bytes, headers, errors, and clients that leave."""

from typing import Any

import anyio
import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from orchestrator.errors import ExpertCut, ExpertOverloaded, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.testing import Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["writer"]}
FUSED = {"math": {"experts": ["solver", "writer"], "plan": "fuse"}, "general": ["writer"]}
CHAT = "/v1/chat/completions"


def body(query: str = "math", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": query}], **fields}


def events(text: str) -> list[str]:
    """The data of the events of a whole stream, checked for framing."""
    blocks = text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks]


async def test_an_answer_has_openais_shape_and_tells_who_gave_it() -> None:
    """`model` is the expert that answered; body and headers come from the one decision."""
    async with served(ScriptedExpert("solver", "42"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body())
        decision = (await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")).json()
    answer = response.json()
    assert response.status_code == 200
    assert (answer["object"], answer["model"]) == ("chat.completion", "solver")
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "42"}
    assert response.headers["x-orchestrator-schema-version"] == "1"
    assert response.headers["x-orchestrator-expert"] == decision["expert"] == "solver"
    assert response.headers["x-orchestrator-category"] == decision["categorize"]["category"] == "math"
    assert response.headers["x-orchestrator-path"] == decision["choose"]["plan"] == "single"
    assert float(response.headers["x-orchestrator-cost-usd"]) == pytest.approx(decision["cost_usd"])


async def test_decisions_are_kept_without_content() -> None:
    """Neither the query nor the drafts."""
    async with served(ScriptedExpert("solver", "42"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body("math secret words"))
        kept = await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")
    assert kept.json()["query"] is None
    assert "secret" not in kept.text


async def test_decisions_keep_content_where_the_configuration_says_so() -> None:
    """Query, drafts, and what the verdict expert was shown."""
    drafts = ScriptedExpert("solver", "first words"), ScriptedExpert("writer", "other words")
    fusion = {"verdict": "writer", "keep": 2}
    async with served(*drafts, categories=FUSED, fusion=fusion, serve={"content": True}) as client:
        response = await client.post(CHAT, json=body("math secret words"))
        kept = (await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")).json()
    assert kept["query"] == "math secret words"
    assert [draft["text"] for draft in kept["drafts"]] == ["first words", "other words"]
    assert all(text in kept["verdict"]["prompt"] for text in ("first words", "other words"))


async def test_chunks_go_out_byte_for_byte() -> None:
    """Tool calls, spacing, number forms and fields that nobody knows survive; the end is [DONE]."""
    chunks = (
        b'{"id":"c1", "choices":[{"index":0,"delta":{"role":"assistant"},"odd":1.50}],"x_unknown":[1, 2]}',
        b'{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f"}}]}}]}',
        b'{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
    )
    solver = ScriptedExpert("solver", Reply(chunks=chunks))
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body(stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-orchestrator-expert"] == "solver"
    assert response.content == b"".join(b"data: " + raw + b"\n\n" for raw in (*chunks, b"[DONE]"))


async def test_a_chunk_over_several_lines_is_still_one_event() -> None:
    """A server may break its JSON over lines; an event may not."""
    chunk = b'{"id":"c",\n "choices":[{"index":0,\r\n"delta":{"content":"x"}}]}'
    solver = ScriptedExpert("solver", Reply(chunks=(chunk,)))
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body(stream=True))
    assert orjson.loads(events(response.text)[0]) == orjson.loads(chunk)


async def test_the_first_chunk_comes_while_the_expert_is_still_at_work() -> None:
    """Nothing is held back until the end."""
    held = anyio.Event()
    solver = ScriptedExpert("solver", Reply(pieces=("4", "2"), between=held))
    async with (
        served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client,
        client.stream("POST", CHAT, json=body(stream=True)) as response,
    ):
        lines = response.aiter_lines()
        first = await anext(lines)
        assert first.startswith("data: {")
        assert solver.running == 1
        held.set()
        rest = [line async for line in lines if line]
    assert rest[-1] == "data: [DONE]"


async def test_a_fallback_is_named_in_the_headers_of_a_stream() -> None:
    """The expert that failed before the first chunk is not the one that answers."""
    solver = ScriptedExpert("solver", ExpertRejected("solver", "no"))
    categories = {"math": ["solver", "writer"], "general": ["writer"]}
    async with served(solver, ScriptedExpert("writer", "words"), categories=categories) as client:
        response = await client.post(CHAT, json=body(stream=True))
    assert response.headers["x-orchestrator-expert"] == "writer"
    assert response.headers["x-orchestrator-attempts"] == "2"


async def test_an_error_after_the_first_chunk_is_an_event_and_the_end() -> None:
    """The status is out by then; the client gets OpenAI's error object, and no [DONE]."""
    solver = ScriptedExpert("solver", Reply(pieces=("4",), error=ExpertCut("solver", "the stream was cut")))
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body(stream=True))
    data = events(response.text)
    error = {"message": "the stream was cut", "type": "server_error", "param": None, "code": "expert_cut"}
    assert orjson.loads(data[-1]) == {"error": error}
    assert "[DONE]" not in data


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ExpertRejected("solver", "prompt too long"), 400, "expert_rejected"),
        (ExpertUnavailable("solver", "refused"), 503, "expert_unavailable"),
        (ExpertTimeout("solver", "slow"), 504, "expert_timeout"),
    ],
)
async def test_an_error_before_the_first_chunk_has_its_real_status(
    failure: Any, status: int, code: str, *, stream: bool
) -> None:
    """Streaming or not: the error is an ordinary response, with the decision's headers."""
    async with served(ScriptedExpert("solver", failure), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body(stream=stream))
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"] == str(failure)
    assert response.headers["x-orchestrator-decision-id"].startswith("dec-")


async def test_an_overloaded_expert_tells_the_client_when_to_come_back() -> None:
    """Retry-After is passed on, rounded up."""
    solver = ScriptedExpert("solver", ExpertOverloaded("solver", "full", retry_after_s=0.2))
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body())
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_every_expert(*, stream: bool) -> None:
    """Closing the connection stops the work, before the first byte as after it."""
    gate = anyio.Event()
    reply = Reply(pieces=("4", "2"), between=gate) if stream else Reply(pieces=("42",), before=gate)
    solver = ScriptedExpert("solver", reply)
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: client.post(CHAT, json=body(stream=stream)))
            await solver.asked.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            while not solver.cancelled:  # noqa: ASYNC110 - the disconnect takes a way through the kernel
                await anyio.sleep(0.005)
    assert (solver.running, solver.cancelled) == (0, 1)


async def post_raw(client: httpx.AsyncClient, content: bytes, media: str = "application/json") -> httpx.Response:
    return await client.post(CHAT, content=content, headers={"content-type": media})


BAD_BODIES: list[tuple[str, bytes, str, int, str, str | None]] = [
    ("broken JSON", b'{"messages": [', "application/json", 400, "invalid_request", None),
    ("not an object", b"[1]", "application/json", 400, "invalid_request", None),
    ("no body", b"", "application/json", 400, "invalid_request", None),
    ("no messages", b"{}", "application/json", 400, "invalid_request", "messages"),
    ("empty messages", b'{"messages": []}', "application/json", 400, "invalid_request", "messages"),
    ("messages is text", b'{"messages": "hi"}', "application/json", 400, "invalid_request", "messages"),
    ("message is text", b'{"messages": ["hi"]}', "application/json", 400, "invalid_request", "messages[0]"),
    ("no role", b'{"messages": [{"content": "hi"}]}', "application/json", 400, "invalid_request", "messages[0].role"),
    (
        "content is a number",
        b'{"messages": [{"role": "user", "content": 5}]}',
        "application/json",
        400,
        "invalid_request",
        "messages[0].content",
    ),
    (
        "model is a number",
        b'{"model": 5, "messages": [{"role": "user"}]}',
        "application/json",
        400,
        "invalid_request",
        "model",
    ),
    (
        "unknown model",
        b'{"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}',
        "application/json",
        404,
        "model_not_found",
        "model",
    ),
    (
        "stream is text",
        b'{"stream": "yes", "messages": [{"role": "user"}]}',
        "application/json",
        400,
        "invalid_request",
        "stream",
    ),
    ("wrong content type", b'{"messages": []}', "text/plain", 415, "unsupported_media_type", None),
    ("two megabytes", b'{"messages": "' + b"x" * 2_000_000 + b'"}', "application/json", 413, "request_too_large", None),
    ("not UTF-8", b'{"messages": "\xff"}', "application/json", 400, "invalid_request", None),
]


async def test_bad_input_gets_openais_error_with_the_right_status() -> None:
    """Every row: status, code and the field; no expert is asked, and the service goes on."""
    solver = ScriptedExpert("solver", "42")
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        for name, content, media, status, code, param in BAD_BODIES:
            response = await post_raw(client, content, media)
            error = response.json()["error"]
            assert (name, response.status_code, error["code"], error["param"]) == (name, status, code, param)
            assert error["type"] == "invalid_request_error"
            assert "Traceback" not in response.text
        assert solver.requests == []
        assert (await client.post(CHAT, json=body())).status_code == 200


async def test_unknown_paths_and_methods_have_openais_shape_too() -> None:
    """404 and 405 are errors like the others."""
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        missing, wrong = await client.get("/v1/nothing"), await client.get(CHAT)
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "Not Found: GET /v1/nothing")
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (405, "invalid_request_error")


async def test_a_defect_shows_no_stack_trace() -> None:
    """An expert that breaks its contract is our defect: the client learns that, and nothing of our insides."""
    solver = ScriptedExpert("solver", Reply(pieces=("x",)))
    solver.draft = None  # type: ignore[method-assign,assignment]
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.post(CHAT, json=body())
    assert response.status_code == 500
    assert response.json()["error"]["message"] == "Internal error; the service's log has the details."


async def test_without_a_model_the_query_is_routed() -> None:
    """`auto` is what a body without `model` means; blanks around a name do not matter."""
    async with served(ScriptedExpert("solver", "42"), ScriptedExpert("writer", "w"), categories=CATEGORIES) as client:
        routed = await client.post(CHAT, json={"messages": [{"role": "user", "content": "math"}]})
        named = await client.post(CHAT, json=body(model=" writer "))
    assert (routed.json()["model"], named.json()["model"]) == ("solver", "writer")


async def test_a_body_that_the_client_cuts_is_no_defect_of_ours() -> None:
    """No stack trace in the log, and the service goes on."""
    with capture_logs() as logs:
        async with served(ScriptedExpert("solver", "42"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
            async with await anyio.connect_tcp("127.0.0.1", client.base_url.port or 0) as stream:
                head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                await stream.send(f"{head}content-length: 500\r\n\r\n{{".encode())
            assert (await client.post(CHAT, json=body())).status_code == 200
    assert [entry for entry in logs if entry["event"] == "bug"] == []
