"""LoRA adapters that are loaded when they are needed, on servers that know vLLM's calls for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertLate, ExpertMisconfigured
from orchestrator.experts import Condition, Expert, Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import FakeVLLM, Hold, Status
from orchestrator.types import ChatRequest
from tests.experts.vllm.conftest import no_embedder
from tests.flowing import Collected

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[FakeVLLM]:
    """Finds adapters in folders whose path does not end in `missing`."""
    async with FakeVLLM(
        models=("base",), enable_lora=True, max_loras=2, adapter_exists=lambda path: not path.endswith("missing")
    ) as one:
        yield one


def staffed(folder: Path, server: FakeVLLM) -> dict[str, VllmExpert]:
    """A base and four adapters, two of which it may have at a time; none is in service."""
    known: dict[str, Expert] = {}
    site = Site(folder=folder, cache=folder, expert=known.__getitem__, embedder=no_embedder)
    blocks = {name: VllmSettings(base="base", adapter=name, path=f"/adapters/{name}") for name in ("a", "b", "c")}
    blocks["missing"] = VllmSettings(base="base", adapter="missing", path="/adapters/missing")
    blocks["base"] = VllmSettings(model="base", replicas=(server.url,), max_adapters=2)
    experts = {name: VllmExpert(name, settings, site) for name, settings in blocks.items()}
    known.update(experts)
    return experts


@pytest.fixture
def staff(tmp_path: Path, server: FakeVLLM) -> dict[str, VllmExpert]:
    return staffed(tmp_path, server)


@asynccontextmanager
async def in_service(*experts: VllmExpert) -> AsyncIterator[None]:
    """Experts that look at their servers all the time."""
    async with anyio.create_task_group() as group:
        for expert in experts:
            expert.probe_interval_s = 0.01  # type: ignore[misc] # of this one alone
            await group.start(expert.serve)
        yield
        group.cancel_scope.cancel()


def asking(left_s: float = 10, **fields: Any) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    return ChatRequest(body=body, deadline=anyio.current_time() + left_s)


async def ask(expert: VllmExpert, **fields: Any) -> str:
    return (await expert.draft(asking(**fields), Collected())).text


def calls(server: FakeVLLM, what: str) -> list[object]:
    """The adapters that were to be loaded, or unloaded, in order."""
    return [name for asked, name in server.adapters.asked if asked == what]


async def test_it_is_loaded_once_however_many_wait_for_it(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Specified: through /v1/load_lora_adapter, and addressed by its name."""
    await asyncio.gather(*(ask(staff["a"], stream=index % 2 == 0) for index in range(8)))
    assert calls(server, "load") == ["a"]
    assert {one.body["model"] for one in server.requests if "model" in one.body} == {"a"}


async def test_the_longest_unused_makes_room(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Specified: eviction by use, counted on the shared base."""
    for name in ("a", "b", "a", "c", "a", "b"):
        await ask(staff[name])
    assert calls(server, "load") == ["a", "b", "c", "b"]
    assert calls(server, "unload") == ["b", "c"]


async def test_one_in_use_is_not_unloaded_and_who_waits_leaves_at_the_deadline(
    server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Ours: the adapter of a stream under way stays until it has ended."""
    hold = Hold(after=1)
    server.fault = hold
    async with anyio.create_task_group() as group:
        for name in ("a", "b"):
            group.start_soon(partial(ask, staff[name], stream=True))
        with anyio.fail_after(5):
            await server.until(lambda: server.running == 2)
            with pytest.raises(ExpertLate):
                await ask(staff["c"], left_s=0.05)
        assert calls(server, "unload") == []
        hold.release.set()
    server.fault = None
    await ask(staff["c"])
    assert len(calls(server, "unload")) == 1


async def test_a_server_that_was_started_anew_gets_it_again(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Ours: it answers 404 for the name, before anything was emitted; nobody notices."""
    first = await ask(staff["a"])
    await server.kill()
    await server.listen()
    assert await ask(staff["a"], stream=True) == first
    assert calls(server, "load") == ["a", "a"]


async def test_one_that_the_server_has_already_is_used_as_it_is(
    tmp_path: Path, server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Ours: somebody else loaded it, another instance of this service perhaps."""
    await ask(staff["a"])
    await ask(staffed(tmp_path, server)["a"])
    assert calls(server, "load") == ["a", "a"]


async def test_what_fails_for_one_fails_for_all_who_waited(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Ours: it is not tried again for each of them; but for those who come later it is."""
    server.load_s = 0.02

    async def refused() -> None:
        with pytest.raises(ExpertMisconfigured, match="/adapters/missing"):
            await ask(staff["missing"])

    await asyncio.gather(*(refused() for _ in range(8)))
    assert calls(server, "load") == ["missing"]
    await refused()
    assert calls(server, "load") == ["missing"] * 2


async def test_one_that_waits_for_room_gets_it_however_busy_the_others_are(
    server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Ours: the longest unused one gets no new requests until it has made room."""
    hold = Hold(after=1)
    server.fault = hold
    async with anyio.create_task_group() as group:
        for name in ("a", "b"):
            group.start_soon(partial(ask, staff[name], stream=True))
            with anyio.fail_after(5):
                await server.until(partial(server.adapters.loaded.__contains__, name))
        with anyio.fail_after(5):
            await server.until(lambda: server.running == 2)
        server.fault = None
        group.start_soon(ask, staff["c"])
        await anyio.wait_all_tasks_blocked()
        group.start_soon(ask, staff["a"])
        await anyio.wait_all_tasks_blocked()
        assert calls(server, "load") == ["a", "b"]
        hold.release.set()
    assert calls(server, "load") == ["a", "b", "c", "a"]


async def test_those_who_wait_for_the_same_one_go_together(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Ours: however they are mixed, an adapter is loaded once for all who want it by then."""
    server.load_s = 0.01
    await asyncio.gather(*(ask(staff[name]) for _ in range(6) for name in ("a", "b", "c")))
    assert calls(server, "load") == ["a", "b", "c"]


async def test_one_who_gives_up_leaves_the_others_waiting(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Ours: what it had begun is begun again for them."""
    server.load_s = 0.2

    async def hasty() -> None:
        with pytest.raises(ExpertLate):
            await ask(staff["a"], left_s=0.05)

    with anyio.fail_after(5):
        await asyncio.gather(hasty(), ask(staff["a"]))
    assert server.received == 1


async def test_a_server_that_was_started_anew_gets_it_without_a_request(
    server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Specified: what the server says it has is believed; an adapter of its own command line is left alone."""
    async with in_service(staff["base"], staff["a"]):
        with anyio.fail_after(5):
            await server.until(lambda: "a" in server.adapters.loaded)
            await server.kill()
            await server.listen()
            await server.until(lambda: "a" in server.adapters.loaded)
    assert calls(server, "unload") == []


async def test_those_that_are_there_when_the_service_starts_count(
    tmp_path: Path, server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Ours: what another life of this service has loaded takes up room, and is unloaded when that is needed."""
    await ask(staff["a"])
    await ask(staff["b"])
    again = staffed(tmp_path, server)
    async with in_service(*(again[name] for name in ("base", "a", "b", "c"))):
        with anyio.fail_after(5):
            while "loaded" in again["b"].condition.reason:  # noqa: ASYNC110 - conditions change without a word
                await anyio.sleep(0.001)
        await ask(again["c"])
    assert calls(server, "load") == ["a", "b", "c"]
    assert len(calls(server, "unload")) == 1


async def test_the_condition_tells_where_it_is_loaded(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Specified: and why it is not; an adapter that can be loaded nowhere is down."""
    async with in_service(staff["base"]):
        assert staff["a"].condition == Condition(state="up", reason="loaded on 0 of 1 servers")
        await ask(staff["a"])
        assert staff["a"].condition == Condition(state="up")
        with pytest.raises(ExpertMisconfigured):
            await ask(staff["missing"])
        assert staff["missing"].condition.state == "down"
        assert "/adapters/missing" in staff["missing"].condition.reason
        server.adapters.exists = lambda _: True
        await ask(staff["missing"])
        assert staff["missing"].condition == Condition(state="up")


async def test_what_the_server_says_of_an_adapter_that_it_will_not_load_is_told(
    server: FakeVLLM, staff: dict[str, VllmExpert]
) -> None:
    """Ours: one of too high a rank, say, is no fault of the request."""
    server.fault_at["/v1/load_lora_adapter"] = Status(code=400)
    with pytest.raises(ExpertMisconfigured, match="cannot be loaded"):
        await ask(staff["a"])


async def test_a_path_that_the_server_does_not_find_is_named(staff: dict[str, VllmExpert]) -> None:
    """Specified: adapter path missing."""
    with pytest.raises(ExpertMisconfigured, match="/adapters/missing"):
        await ask(staff["missing"])


@pytest.mark.parametrize(
    ("enabled", "at_run_time", "advice"),
    [(False, True, "--enable-lora"), (True, False, "VLLM_ALLOW_RUNTIME_LORA_UPDATING")],
)
async def test_a_server_that_cannot_load_adapters_is_told_how(
    tmp_path: Path, *, enabled: bool, at_run_time: bool, advice: str
) -> None:
    """Ours: what to do stands in the error."""
    known: dict[str, Expert] = {}
    site = Site(folder=tmp_path, cache=tmp_path, expert=known.__getitem__, embedder=no_embedder)
    async with FakeVLLM(models=("base",), enable_lora=enabled, runtime_lora=at_run_time) as server:
        known["base"] = VllmExpert("base", VllmSettings(model="base", replicas=(server.url,)), site)
        adapter = VllmExpert("a", VllmSettings(base="base", adapter="a", path="/adapters/a"), site)
        with pytest.raises(ExpertMisconfigured, match=advice):
            await ask(adapter)


async def test_it_is_loaded_ahead_on_every_server_that_has_room(tmp_path: Path) -> None:
    """Specified: on every replica of the base, without a request."""
    known: dict[str, Expert] = {}
    site = Site(folder=tmp_path, cache=tmp_path, expert=known.__getitem__, embedder=no_embedder)
    async with (
        FakeVLLM(models=("base",), enable_lora=True, adapter_exists=lambda _: True) as one,
        FakeVLLM(models=("base",), enable_lora=True, adapter_exists=lambda _: True) as two,
    ):
        base = VllmExpert("base", VllmSettings(model="base", replicas=(one.url, two.url)), site)
        known["base"] = base
        adapter = VllmExpert("a", VllmSettings(base="base", adapter="a", path="/adapters/a"), site)
        async with anyio.create_task_group() as group:
            await group.start(base.serve)
            await group.start(adapter.serve)
            with anyio.fail_after(5):
                await one.until(lambda: "a" in one.adapters.loaded)
                await two.until(lambda: "a" in two.adapters.loaded)
            group.cancel_scope.cancel()


def test_an_adapter_costs_what_its_base_does_where_it_says_nothing() -> None:
    """Specified: cost counted on the shared base."""
    base = VllmSettings.model_validate(
        {"model": "m", "replicas": ["http://h:1"], "cost": {"input": 2}, "active_params_b": 7}
    )
    own = {"base": "base", "adapter": "own", "cost": {"input": 3}}
    config = Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["sql"]}},
            "general": "general",
            "experts": {
                "sql": VllmSettings(base="base", adapter="sql"),
                "base": base,
                "own": VllmSettings.model_validate(own),
            },
        }
    )
    assert (config.experts["sql"].cost.input, config.experts["sql"].active_params_b) == (2, 7)
    assert (config.experts["own"].cost.input, config.experts["own"].active_params_b) == (3, 7)
