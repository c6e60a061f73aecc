"""The MCP endpoint of the REST service, with the official client of both eras on a real socket."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from orchestrator.config.kinds import VllmSettings
from orchestrator.engine import Engine
from orchestrator.errors import ExpertFailed
from orchestrator.experts import Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.service import mcp_http
from orchestrator.service.app import create_app
from orchestrator.testing import FakeVLLM, Reply, ScriptedExpert
from orchestrator.testing.faults import Hold
from orchestrator.types import ChatRequest, Draft, Emit, Progress
from tests.flowing import flowing
from tests.service.agents import MODES, agent, called, envelope, post, serving_agents
from tests.service.test_server import running

pytestmark = pytest.mark.anyio

TOOLS = ["ask", "route", "ask_expert", "search", "list_experts", "feedback"]
ALONE = {"math": ["solver"], "general": ["solver"]}
CALL = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "ask"}


class Echo(ScriptedExpert):
    """Says what it was asked, and how far it is with just that."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        asked = str(request.messages[-1]["content"])
        if request.report is not None:
            await request.report(Progress(expert=self.id, done=1, total=2, message=asked))
        await anyio.lowlevel.checkpoint()
        self._script = (f"you said {asked}",)
        return await super().draft(request, emit)


@pytest.mark.parametrize("mode", MODES)
async def test_an_agent_asks_routes_and_looks_up(mode: str) -> None:
    """Specified: every tool with data and the same as text; what was asked is seen by REST too, in the one engine."""
    async with serving_agents(ScriptedExpert("solver", "42"), ScriptedExpert("writer", "roses")) as (url, engine):
        async with agent(url, mode) as client:
            result = await client.call_tool("ask", {"query": "math 17"})
            route = await called(client, "route", query="verses please")
            named = await called(client, "ask_expert", query="math", expert="writer")
            experts = await called(client, "list_experts")
        async with httpx.AsyncClient(base_url=url, trust_env=False) as rest:
            decision = (await rest.get(f"/v1/decisions/{named['decision']}")).json()
            metrics = (await rest.get("/metrics")).text
    answer: Any = result.structured_content
    assert json.loads(result.content[0].text) == answer  # type: ignore[union-attr]
    assert (answer["answer"], answer["expert"], answer["category"]) == ("42", "solver", "math")
    assert route["choose"]["experts"] == ["writer"]
    assert (named["answer"], named["category"]) == ("roses", None)
    assert [one["id"] for one in experts["experts"]] == ["solver", "writer"]
    assert (decision["expert"], decision["model"]) == ("writer", "writer")
    assert engine.decisions.get(answer["decision"]) is not None
    assert 'orchestrator_requests_total{expert="solver",outcome="answered"} 1.0' in metrics


@pytest.mark.parametrize("mode", MODES)
async def test_resources_tell_of_experts_categories_and_decisions(mode: str) -> None:
    """Specified: lists and single ones, as JSON; what is not there is an error with the address."""
    async with (
        serving_agents(ScriptedExpert("solver", "42"), ScriptedExpert("writer")) as (url, _),
        agent(url, mode) as client,
    ):
        first, second = [await called(client, "ask", query=query) for query in ("math 1", "math 2")]
        listed = [str(one.uri) for one in (await client.list_resources()).resources]
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        read = {
            name: await resource(client, f"orchestrator://{name}") for name in ("experts", "categories", "decisions")
        }
        solver = await resource(client, "orchestrator://experts/solver")
        decision = await resource(client, f"orchestrator://decisions/{first['decision']}")
        for missing in ("nope", "experts/nobody", "decisions/dec-none", "categories/math", "experts/a/b"):
            with pytest.raises(Exception, match="No resource"):
                await client.read_resource(f"orchestrator://{missing}")
    assert listed == ["orchestrator://experts", "orchestrator://categories", "orchestrator://decisions"]
    assert templates == ["orchestrator://experts/{id}", "orchestrator://decisions/{id}"]
    assert read["experts"]["experts"][0] == solver
    assert solver["categories"] == ["math"]
    assert [(one["name"], one["general"]) for one in read["categories"]["categories"]] == [
        ("math", False),
        ("verses", False),
        ("general", True),
    ]
    assert [one["id"] for one in read["decisions"]["decisions"]] == [second["decision"], first["decision"]]
    assert (decision["expert"], decision["query"]) == ("solver", None)


async def resource(client: Client, uri: str) -> dict[str, Any]:
    (content,) = (await client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    found: dict[str, Any] = json.loads(content.text)  # type: ignore[union-attr]
    return found


async def test_the_list_of_tools_is_the_same_to_the_byte() -> None:
    """Specified: for every client and every start; agents keep it in their prompts' cache."""
    seen = Counter[bytes]()
    for _ in range(2):
        async with serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _):
            for number in (1, 1):
                asked = envelope("tools/list", number=number)
                response = await post(url, asked, mcp_protocol_version="2026-07-28", mcp_method="tools/list")
                seen[response.content] += 1
    ((body, count),) = seen.items()
    tools = {tool["name"]: tool for tool in json.loads(body)["result"]["tools"]}
    assert count == 4
    assert list(tools) == TOOLS
    assert all(tool["outputSchema"] and tool["title"] and tool["description"] for tool in tools.values())
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in tools.values())
    hints = {name: tool["annotations"]["readOnlyHint"] for name, tool in tools.items()}
    assert hints == {name: name in {"route", "search", "list_experts"} for name in TOOLS}


async def test_asking_only_reads_where_no_expert_can_act() -> None:
    """Ours: models and retrievers answer and do nothing else; tools and kinds of others may act."""
    harmless = {"kind": "vllm"}
    experts = {"solver": harmless, "writer": harmless}
    async with (
        serving_agents(ScriptedExpert("solver"), ScriptedExpert("writer"), experts=experts) as (url, _),
        agent(url, "legacy") as client,
    ):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = [tools[name].annotations for name in ("ask", "ask_expert")]
    assert [hint and hint.read_only_hint for hint in hints] == [True, True]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("ask", {}, "'query': Field required."),
        ("ask", {"query": ""}, "'query': String should have at least 1 character."),
        ("ask", {"query": "\n "}, "'query' must have something in it."),
        ("ask", {"query": "math", "modle": "fuse"}, "Unknown argument 'modle'; ask takes: query, model, cost_quality."),
        ("ask", {"query": "math", "model": "gpt-9"}, "The model 'gpt-9' does not exist."),
        ("ask_expert", {"query": "math", "expert": "auto"}, "No expert 'auto'. Known: solver, writer."),
        ("search", {"query": "math", "top_k": 0}, "'top_k': Input should be greater than or equal to 1."),
        ("search", {"query": "math"}, "No retriever expert is configured."),
        ("feedback", {"decision": "dec-none", "rating": "up"}, "Feedback is not kept here"),
        ("list_experts", {"all": True}, "Unknown argument 'all'; list_experts takes: none."),
    ],
)
async def test_mistakes_are_told_in_plain_words(mode: str, tool: str, arguments: dict[str, Any], said: str) -> None:
    """Specified: an error result that a model can mend its call by, without names of libraries."""
    async with (
        serving_agents(solver := ScriptedExpert("solver"), ScriptedExpert("writer")) as (url, _),
        agent(url, mode) as client,
    ):
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.content[0].text.startswith(said)  # type: ignore[union-attr]
    assert "pydantic" not in str(result.content)
    assert solver.requests == []


@pytest.mark.parametrize("query", ['{"a": 1}', "[1]", "null", "17", "true"])
async def test_queries_that_look_like_data_stay_text(query: str) -> None:
    """Known trap of the SDK: arguments that are JSON in a string are read as such where their type allows it."""
    async with (
        serving_agents(solver := ScriptedExpert("solver", "42"), ScriptedExpert("writer")) as (url, _),
        agent(url, "legacy") as client,
    ):
        await called(client, "ask_expert", query=query, expert="solver")
    assert solver.requests[0].messages[-1]["content"] == query


@pytest.mark.parametrize("mode", MODES)
async def test_a_failed_expert_is_an_error_that_the_agent_reads(mode: str) -> None:
    """Specified: the same words as over REST, and a decision that says so."""
    async with (
        serving_agents(ScriptedExpert("solver", ExpertFailed("solver", "it broke")), categories=ALONE) as (url, engine),
        agent(url, mode) as client,
    ):
        result = await client.call_tool("ask", {"query": "math"})
    assert result.is_error
    assert "it broke" in str(result.content)
    assert engine.decisions.latest(1)[0].error is not None


@pytest.mark.parametrize("mode", MODES)
async def test_the_deadline_of_the_budget_holds(mode: str) -> None:
    """Specified: an expert that does not answer in time is an error result, not a silent stream."""
    held = ScriptedExpert("solver", Reply(pieces=("42",), before=anyio.Event()))
    async with (
        serving_agents(held, categories=ALONE, budget={"deadline_s": 0.2}) as (url, _),
        agent(url, mode) as client,
    ):
        result = await client.call_tool("ask", {"query": "math"})
    assert result.is_error
    assert held.running == 0


@asynccontextmanager
async def over_vllm(server: FakeVLLM) -> AsyncIterator[str]:
    """The address of a service whose only expert is on a faked server."""
    site = Site(folder=Path(), cache=Path(), expert=lambda _: solver, embedder=lambda _: None)  # type: ignore[arg-type,return-value]
    solver = VllmExpert("solver", VllmSettings(model="fake-model", replicas=(server.url,)), site)
    with anyio.fail_after(20):
        async with serving_agents(solver, categories=ALONE) as (url, engine):
            while engine.registry.condition("solver").state == "starting":  # noqa: ASYNC110 - its probe
                await anyio.sleep(0.01)
            yield url


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_call_stops_the_model_server(mode: str) -> None:
    """Specified: the client gives up one call and goes on with the connection."""
    async with FakeVLLM() as server, over_vllm(server) as url, agent(url, mode) as client:
        server.fault = Hold(after=0)
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "ask", {"query": "math"})
            await server.until(lambda: server.running == 1)
            group.cancel_scope.cancel()
        await server.until(lambda: server.running == 0)
        server.fault = None
        assert (await called(client, "ask", query="math"))["expert"] == "solver"
    assert server.aborted == 1


@pytest.mark.parametrize("headers", [{"mcp_protocol_version": "2025-06-18"}, CALL], ids=["legacy", "modern"])
async def test_a_closed_stream_stops_the_model_server(headers: dict[str, str]) -> None:
    """Specified: in both eras, whatever the client says or does not say before it goes."""
    asked = envelope("tools/call", name="ask", arguments={"query": "math"})
    async with FakeVLLM() as server, over_vllm(server) as url:
        server.fault = Hold(after=0)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: post(url, asked, **headers))
            await server.until(lambda: server.running == 1)
            group.cancel_scope.cancel()
        await server.until(lambda: server.running == 0)
    assert server.aborted == 1


async def test_a_cancellation_reaches_only_the_call_of_its_own_session() -> None:
    """Specified before 2026-07-28: by the session and the id; the ids of all clients are the same small numbers."""
    held = ScriptedExpert("solver", Reply(pieces=("42",), before=(release := anyio.Event())))
    version = {"mcp_protocol_version": "2025-11-25"}
    asked = envelope("tools/call", number=7, name="ask", arguments={"query": "math"})
    told: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    answers: dict[str, httpx.Response] = {}

    async def ask(session: str) -> None:
        answers[session] = await post(url, asked, mcp_session_id=session, **version)

    async with serving_agents(held, categories=ALONE) as (url, _):
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for session in ("one", "two"):
                    group.start_soon(ask, session)
                while len(held.requests) < 2:  # noqa: ASYNC110 - both of them
                    await anyio.sleep(0.005)
                strangers = [
                    await post(url, told, **version),
                    await post(url, told, mcp_session_id="three", **version),
                    await post(url, told, mcp_session_id="one", authorization="Bearer other", **version),
                    await post(url, {**told, "params": {"requestId": "7"}}, mcp_session_id="one", **version),
                ]
                assert held.running == 2
                assert (await post(url, told, mcp_session_id="one", **version)).status_code == 202
                while held.running == 2:  # noqa: ASYNC110 - the one
                    await anyio.sleep(0.005)
                release.set()
    assert [one.status_code for one in strangers] == [202] * 4
    assert (held.cancelled, answers["one"].text.strip()) == (1, "")
    assert "42" in answers["two"].text


async def test_a_handshake_names_a_session_that_nobody_keeps() -> None:
    """Specified: each client its own name; calls of a name that is not known, after a restart say, are answered."""
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with serving_agents(ScriptedExpert("solver"), categories=ALONE) as (url, _):
        answers = [await post(url, hello) for _ in range(2)]
        later = await post(url, asked, mcp_session_id="from-before", mcp_protocol_version="2025-06-18")
    assert len({answer.headers["mcp-session-id"] for answer in answers}) == 2
    assert '"protocolVersion":"2025-06-18"' in answers[0].text
    assert later.status_code == 200
    assert "mcp-session-id" not in later.headers


async def test_fifty_agents_do_not_see_each_other() -> None:
    """Specified: of both eras at once, each hears its own answers and its own progress and nothing else."""
    heard: dict[int, set[str]] = {}
    said: dict[int, set[str]] = {}

    async def one(number: int) -> None:
        mine = heard[number] = set()

        async def hear(_: float, __: float | None, message: str | None) -> None:
            mine.add(str(message))

        async with agent(url, MODES[number % 2]) as client:
            results = [
                await client.call_tool("ask", {"query": f"math {number} {turn}"}, progress_callback=hear)
                for turn in range(3)
            ]
        said[number] = {str((result.structured_content or {})["answer"]) for result in results}

    async with serving_agents(Echo("solver"), categories=ALONE) as (url, _), anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(one, number)
    for number in range(50):
        asked = {f"math {number} {turn}" for turn in range(3)}
        assert said[number] == {f"you said {query}" for query in asked}
        assert heard[number] == {f"solver: {query}" for query in asked}


async def test_the_endpoint_asks_for_a_key_where_rest_does() -> None:
    """Specified: 401 and how to authenticate, before anything is read; the same keys."""
    async with serving_agents(ScriptedExpert("solver", "42"), categories=ALONE, serve={"keys": "alpha"}) as (url, _):
        without = await post(url, envelope("tools/list"))
        wrong = await post(url, envelope("tools/list"), authorization="Bearer beta")
        for mode in MODES:
            async with agent(url, mode, authorization="Bearer alpha") as client:
                assert (await called(client, "ask", query="math"))["answer"] == "42"
    assert [(one.status_code, one.headers["www-authenticate"]) for one in (without, wrong)] == [(401, "Bearer")] * 2


@pytest.mark.parametrize("mode", MODES)
async def test_a_stop_lets_a_call_under_way_end(mode: str) -> None:
    """Specified: as over REST; new calls are refused meanwhile, and an idle agent's connection holds nothing up."""
    held = ScriptedExpert("solver", Reply(pieces=("42",), before=(release := anyio.Event())))
    answers: list[Any] = []
    async with flowing(held, categories=ALONE) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with running(create_app(engine.config, there), drain_s=1000) as (server, port):
            url = f"http://127.0.0.1:{port}"
            async with agent(url, mode) as client, anyio.create_task_group() as group:

                async def ask() -> None:
                    answers.append(await called(client, "ask", query="math"))

                await client.list_tools()  # by which it checks results; later it would be refused
                group.start_soon(ask)
                await held.asked.wait()
                server.drain()
                while (await post(url, envelope("tools/list"))).status_code != 503:  # noqa: ASYNC110 - its tick
                    await anyio.sleep(0.005)
                release.set()
    assert [answer["answer"] for answer in answers] == ["42"]


async def test_a_stop_that_is_too_slow_cancels_the_call() -> None:
    """Specified: after `serve.drain_s`; the expert is not left at work."""
    held = ScriptedExpert("solver", Reply(pieces=("42",), before=anyio.Event()))
    async with flowing(held, categories=ALONE) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with (
            running(create_app(engine.config, there), drain_s=0.2) as (server, port),
            anyio.create_task_group() as group,
        ):
            asked = envelope("tools/call", name="ask", arguments={"query": "math"})
            group.start_soon(lambda: post(f"http://127.0.0.1:{port}", asked, **CALL))
            await held.asked.wait()
            server.drain()
    assert (held.running, held.cancelled) == (0, 1)


async def test_a_body_that_does_not_end_is_given_up() -> None:
    """Specified: `serve.body_timeout_s`, as for every request."""
    head = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    async with flowing(ScriptedExpert("solver"), categories=ALONE) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with (
            running(create_app(engine.config, there), body_timeout_s=0.2) as (_, port),
            await anyio.connect_tcp("127.0.0.1", port) as stream,
        ):
            await stream.send(head)
            assert (await stream.receive()).startswith(b"HTTP/1.1 408")


async def test_it_can_be_switched_off() -> None:
    """Specified: `serve.mcp: false` leaves no such path."""
    async with serving_agents(ScriptedExpert("solver"), categories=ALONE, serve={"mcp": False}) as (url, _):
        response = await post(url, envelope("tools/list"))
    assert response.status_code == 404


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified: the service works without it."""
    monkeypatch.setattr(mcp_http, "find_spec", lambda _: None)
    async with serving_agents(ScriptedExpert("solver"), categories=ALONE) as (url, _):
        response = await post(url, envelope("tools/list"))
    assert response.status_code == 404
    assert "expert-orchestrator[mcp]" in response.text


async def test_a_server_that_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: the request says that it is our fault, the service goes on, and the next one may work."""
    with monkeypatch.context() as broken:

        def failing(_: object) -> None:
            raise ImportError("half a package")

        broken.setattr(mcp_http.AgentEndpoint, "_imported", failing)
        async with serving_agents(ScriptedExpert("solver"), categories=ALONE) as (url, _):
            first = await post(url, envelope("tools/list"))
            broken.undo()
            second = await post(url, envelope("tools/list"), mcp_protocol_version="2026-07-28", mcp_method="tools/list")
    assert (first.status_code, first.json()["error"]["code"]) == (500, -32603)
    assert "half a package" not in first.text
    assert second.status_code == 200


def test_a_service_without_agents_does_not_load_the_package() -> None:
    """Ours: the application is made without it, so that the start costs what it did."""
    code = (
        "import sys; from orchestrator.service import app; from tests.flowing import config_of;"
        "app.create_app(config_of(['a'], categories={'general': ['a']}), None); print('mcp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
