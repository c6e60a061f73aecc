"""LoRA adapters that are loaded when they are needed, on servers that know vLLM's calls for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertLate, ExpertMisconfigured
from orchestrator.experts import Expert, Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import FakeVLLM, Hold
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


@pytest.fixture
def staff(tmp_path: Path, server: FakeVLLM) -> dict[str, VllmExpert]:
    """A base and four adapters, two of which it may have at a time; none is in service."""
    known: dict[str, Expert] = {}
    site = Site(folder=tmp_path, cache=tmp_path, expert=known.__getitem__, embedder=no_embedder)
    blocks = {name: VllmSettings(base="base", adapter=name, path=f"/adapters/{name}") for name in ("a", "b", "c")}
    blocks["missing"] = VllmSettings(base="base", adapter="missing", path="/adapters/missing")
    blocks["base"] = VllmSettings(model="base", replicas=(server.url,), max_adapters=2)
    experts = {name: VllmExpert(name, settings, site) for name, settings in blocks.items()}
    known.update(experts)
    return experts


def asking(left_s: float = 10, **fields: object) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    return ChatRequest(body=body, deadline=anyio.current_time() + left_s)


async def ask(expert: VllmExpert, **fields: object) -> str:
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
            group.start_soon(lambda name=name: ask(staff[name], stream=True))
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


async def test_one_that_the_server_has_already_is_used_as_it_is(server: FakeVLLM, staff: dict[str, VllmExpert]) -> None:
    """Ours: somebody else loaded it, another instance of this service perhaps."""
    await ask(staff["a"])
    staff["base"].adapters.forget(staff["base"].replicas.all[0], staff["a"]._adapter)  # type: ignore[arg-type]
    await ask(staff["a"])
    assert calls(server, "load") == ["a", "a"]


async def test_a_path_that_the_server_does_not_find_is_named(staff: dict[str, VllmExpert]) -> None:
    """Specified: adapter path missing."""
    with pytest.raises(ExpertMisconfigured, match="/adapters/missing"):
        await ask(staff["missing"])


@pytest.mark.parametrize(
    ("switch", "advice"),
    [({"enable_lora": False}, "--enable-lora"), ({"runtime_lora": False}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING")],
)
async def test_a_server_that_cannot_load_adapters_is_told_how(
    tmp_path: Path, switch: dict[str, bool], advice: str
) -> None:
    """Ours: what to do stands in the error."""
    known: dict[str, Expert] = {}
    site = Site(folder=tmp_path, cache=tmp_path, expert=known.__getitem__, embedder=no_embedder)
    async with FakeVLLM(models=("base",), **{"enable_lora": True, **switch}) as server:
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
                for server in (one, two):
                    await server.until(lambda server=server: "a" in server.adapters.loaded)
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
