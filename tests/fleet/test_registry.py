"""The registry: experts are built when needed, started with whom they need, and watched while they live."""

import threading
from pathlib import Path
from typing import ClassVar, Literal

import anyio
import pytest
from anyio.abc import TaskStatus

from orchestrator.config import Config
from orchestrator.config.settings import ExpertSettings
from orchestrator.errors import ExpertBusy, ExpertUnavailable
from orchestrator.experts import Capabilities, Condition, Site
from orchestrator.fleet.registry import Registry
from orchestrator.stages.draft import nowhere
from orchestrator.testing import ScriptedExpert
from orchestrator.types import ChatRequest, Draft, Emit

pytestmark = pytest.mark.anyio


class Living(ScriptedExpert):
    """Comes up at once; dies when it is told to."""

    def __init__(self, expert_id: str) -> None:
        super().__init__(expert_id)
        self.condition = Condition(state="starting", reason="not yet")
        self.die = anyio.Event()

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self.condition = Condition(state="up")
        task_status.started()
        await self.die.wait()
        raise RuntimeError("heart")


class NeedySettings(ExpertSettings):
    """Needs another expert."""

    kind: Literal["needy"] = "needy"
    helper: str

    def refers_to(self) -> dict[str, str]:
        return {"helper": self.helper}


class AskingSettings(NeedySettings):
    """Has its helper answer."""

    implementation: ClassVar[str] = f"{__name__}:Asking"
    kind: Literal["asking"] = "asking"  # type: ignore[assignment]


class Asking:
    """Passes every request on, through its site."""

    capabilities = Capabilities()

    def __init__(self, expert_id: str, settings: AskingSettings, site: Site) -> None:
        self.id = expert_id
        self._helper = settings.helper
        self._site = site

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        return await self._site.ask(self._helper, request, emit)


class HollowSettings(ExpertSettings):
    """Its code is not installed."""

    implementation: ClassVar[str] = "no_such_package.expert:Expert"
    kind: Literal["hollow"] = "hollow"


def registry_of(*experts: ScriptedExpert, **others: ExpertSettings) -> Registry:
    settings = {expert.id: ExpertSettings(kind="scripted") for expert in experts} | others
    config = Config.model_construct(experts=settings)
    site = Site(folder=Path(), cache=Path(), expert=lambda name: registry[name], embedder=lambda _: None)  # type: ignore[arg-type,return-value]
    registry = Registry(config, site, built={expert.id: expert for expert in experts})
    return registry


async def test_starting_an_expert_starts_those_it_needs() -> None:
    """And each of them once."""
    helper, needy = Living("helper"), Living("needy")
    registry = registry_of(helper, needy, needy=NeedySettings(helper="helper"))
    with anyio.fail_after(5):
        async with registry.background.open():
            await registry.start("needy")
            await registry.start("needy")
            await registry.settled()
            assert [registry.condition(name).state for name in ("helper", "needy")] == ["up", "up"]


async def test_an_expert_that_dies_is_down_and_the_others_live() -> None:
    """Its reason is its last error."""
    mortal, other = Living("mortal"), Living("other")
    registry = registry_of(mortal, other)
    with anyio.fail_after(5):
        async with registry.background.open():
            await registry.start_all()
            await registry.first_up()
            mortal.die.set()
            await anyio.wait_all_tasks_blocked()
            assert registry.condition("mortal") == Condition(state="down", reason="its task ended: RuntimeError: heart")
            assert registry.condition("other").state == "up"


async def test_an_expert_that_cannot_be_built_is_down_with_the_reason() -> None:
    """A kind whose package is missing fails its own requests, not the start of the service."""
    registry = registry_of(Living("fine"), hollow=HollowSettings())
    with anyio.fail_after(5):
        async with registry.background.open():
            await registry.start_all()
            with pytest.raises(ExpertUnavailable, match="no_such_package"):
                await registry.start("hollow")
            await registry.settled()
            assert registry.condition("fine").state == "up"
            assert registry.condition("hollow").state == "down"


async def test_kinds_are_imported_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: imports wait for each other, and requests must not wait with them."""
    threads = []

    def load(_: str) -> object:
        threads.append(threading.current_thread())
        return lambda expert_id, *_: ScriptedExpert(expert_id)

    monkeypatch.setattr("orchestrator.fleet.registry.load_name", load)
    registry = registry_of(one=HollowSettings(), two=HollowSettings())
    with anyio.fail_after(5):
        async with registry.background.open():
            await registry.start_all()
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    assert {expert.id for expert in registry.values()} == {"one", "two"}


async def test_an_expert_without_a_life_of_its_own_is_up() -> None:
    """Nothing to load and nothing to watch."""
    registry = registry_of(ScriptedExpert("plain"))
    assert registry.condition("plain") == Condition(state="up")


async def test_experts_that_ask_others_share_their_places() -> None:
    """A reader, or an extractor of arguments, is one expert with one limit, whoever asks it."""
    helper = ScriptedExpert("helper", "read")
    limit = ExpertSettings(kind="scripted", max_concurrency=1, max_queue=0)
    registry = registry_of(helper, asking=AskingSettings(helper="helper"), helper=limit)
    request = ChatRequest(body={"messages": []}, deadline=anyio.current_time() + 5)
    assert (await registry["asking"].draft(request, nowhere)).text == "read"
    with await registry.guard("helper").enter(request.deadline), pytest.raises(ExpertBusy):
        await registry["asking"].draft(request, nowhere)
    assert len(helper.requests) == 1
