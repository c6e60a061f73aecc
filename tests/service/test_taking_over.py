"""The running service and a new artifact: it takes over between two requests, or nothing changes."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import structlog
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.embedders import Embedders
from orchestrator.engine import Engine, running
from orchestrator.generations import Generations
from orchestrator.service.app import create_app
from orchestrator.serving import Serving, Watch, load_serving
from orchestrator.stages.categorize import Categorizer
from orchestrator.testing import ScriptedExpert
from routers import artifact
from routers.examples import Example
from routers.router import Router, Routing
from routers.train import train
from tests.flowing import config_of, flowing
from tests.generations_of import EMBEDDER, content_of, save_artifact
from tests.service.serving import listening

pytestmark = pytest.mark.anyio

CATEGORIES = {"sums": ["adder"], "tales": ["teller"], "general": ["adder"]}


def config_in(folder: Path, **routing: Any) -> Config:
    """The configuration of these routers; the watch is asked to look, and does not by itself unless told to."""
    config = config_of(["adder", "teller"], categories=CATEGORIES, routing={"watch_s": 0, **routing})
    return config.model_copy(update={"folder": folder})


def promoted(config: Config, variant: int) -> int:
    generations = Generations.of(config)
    with generations.alone(), generations.staged() as place:
        return generations.add(save_artifact(place, variant), why="test").number


@asynccontextmanager
async def watched(folder: Path, **routing: Any) -> AsyncIterator[tuple[Engine, Watch]]:
    """An engine over scripted experts whose artifact is on disk, as `running` puts them together."""
    config = config_in(folder, **routing)
    serving = load_serving(config, EMBEDDER)
    experts = [ScriptedExpert(name, name) for name in ("adder", "teller")]
    # A machine that is busy elsewhere must not send queries to the general category.
    patient = {"max_latency_ms": 60_000}
    async with flowing(*experts, categories=CATEGORIES, router=serving.router, routing=patient) as engine:
        watch = Watch(config, EMBEDDER, serving, use=engine.pipeline.use)
        engine.pipeline.use(serving)
        yield Engine(config=engine.config, registry=engine.registry, pipeline=engine.pipeline, watch=watch), watch


@asynccontextmanager
async def client_of(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def there() -> AsyncIterator[Engine]:
        yield engine

    async with (
        listening(create_app(engine.config, there)) as url,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        yield client


async def categorized(engine: Engine, query: str) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": query}]}
    request, trace = engine.pipeline.request(body, model="auto")
    await engine.pipeline.route(request, trace)
    assert trace.categorized is not None
    return trace.categorized.model_dump()


async def test_a_promoted_artifact_takes_over_under_load_and_no_request_fails(tmp_path: Path) -> None:
    """Twice there and once back, while eight callers ask without pause; each decision names the one that made it."""
    save_artifact(tmp_path / "artifacts/router")
    statuses: list[int] = []
    labels: list[str] = []
    async with watched(tmp_path) as (engine, watch), client_of(engine) as client:
        labels.append(watch.serving.label)
        seen: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        done = anyio.Event()

        async def ask(caller: int) -> None:
            number = 0
            while not done.is_set():
                number += 1
                text = ("add total", "dragon castle")[number % 2] + f" {caller} {number}"
                reply = await client.post(
                    "/v1/chat/completions", json={"model": "auto", "messages": [{"role": "user", "content": text}]}
                )
                statuses.append(reply.status_code)
                decision = (await client.get(f"/v1/decisions/{reply.headers['x-orchestrator-decision-id']}")).json()
                seen[decision["categorize"]["generation"]].set()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for caller in range(8):
                    group.start_soon(ask, caller)
                await seen[labels[0]].wait()
                for variant in (1, 2, 0):
                    if variant:
                        await to_thread.run_sync(promoted, watch._config, variant)
                    else:
                        await to_thread.run_sync(Generations.of(watch._config).roll_back)
                    assert await watch.look()
                    labels.append(watch.serving.label)
                    await seen[watch.serving.label].wait()
                done.set()
    assert set(statuses) == {200}
    assert [label.partition("-")[0] for label in labels[1:]] == ["2", "3", "2"]
    assert set(seen) == set(labels)


def used_by(watch: Watch) -> anyio.Event:
    """Set when an artifact has taken over."""
    used, use = anyio.Event(), watch._use

    def both(serving: Serving) -> None:
        use(serving)
        used.set()

    watch._use = both
    return used


async def test_the_watch_looks_by_itself(tmp_path: Path) -> None:
    """Every `routing.watch_s`; nobody has to ask."""
    save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path, watch_s=0.01) as (_, watch), anyio.create_task_group() as group:
        used = used_by(watch)
        group.start_soon(watch.serve)
        await to_thread.run_sync(promoted, watch._config, 1)
        with anyio.fail_after(20):
            await used.wait()
        assert watch.serving.number == 2
        group.cancel_scope.cancel()


async def test_a_watch_that_is_not_wanted_ends(tmp_path: Path) -> None:
    """`watch_s: 0`."""
    save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path) as (_, watch):
        with anyio.fail_after(5):
            await watch.serve()


async def test_training_in_place_takes_over_too(tmp_path: Path) -> None:
    """As before there were generations: another folder of the same name."""
    save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path) as (engine, watch):
        before = watch.serving.label
        assert not await watch.look()
        save_artifact(tmp_path / "artifacts/router", 1)
        assert await watch.look()
        stage = await categorized(engine, "add total")
        assert stage["generation"] == watch.serving.label != before


async def test_what_was_remembered_of_the_old_one_is_forgotten(tmp_path: Path) -> None:
    """The same query is classified again by the new one."""
    save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path) as (engine, watch):
        assert [(await categorized(engine, "add total"))["cached"] for _ in range(2)] == [False, True]
        promoted(watch._config, 1)
        await watch.look()
        stage = await categorized(engine, "add total")
        assert (stage["cached"], stage["generation"]) == (False, watch.serving.label)


def damage(folder: Path) -> None:
    """Another artifact, whose tensors did not arrive whole."""
    save_artifact(folder, 1)
    (folder / "classifier.safetensors").write_bytes(b"no tensors")


def half(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:100])


def others(folder: Path) -> None:
    """A whole artifact, for categories that the configuration does not have."""
    examples = [Example(f"{word} {n}", name) for name, word in (("one", "a"), ("two", "b")) for n in range(4)]
    artifact.save(train(examples, general="general", embedder=EMBEDDER), folder, embedder="words")


@pytest.mark.parametrize(
    ("spoil", "why"), [(damage, "damaged"), (half, "not JSON"), (others, "trained for categories")]
)
async def test_an_artifact_that_cannot_serve_changes_nothing_and_is_told_once(
    tmp_path: Path, spoil: Any, why: str
) -> None:
    """Logged once; GET /v1/router says why, GET /health that there is one; the next good one takes over."""
    folder = save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path) as (engine, watch), client_of(engine) as client:
        before = watch.serving
        spoil(folder)
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                watch._again_at = 0.0  # as if the time until the next try had gone by
                assert not await watch.look()
        assert [entry["event"] for entry in logs] == ["artifact.refused"]
        assert why in logs[0]["error"]
        assert watch.serving is before
        assert (await categorized(engine, "add total"))["generation"] == before.label
        shown = (await client.get("/v1/router")).json()
        health = (await client.get("/health")).json()
        assert (shown["label"], why in shown["refused"]) == (before.label, True)
        assert health == {"status": "ok", "reason": "", "generation": before.label, "refused": True}
        save_artifact(folder, 2)
        assert await watch.look()
        assert (await client.get("/v1/router")).json()["refused"] == ""


async def test_a_refused_artifact_is_not_read_again_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after a while, or once it has changed."""
    save_artifact(tmp_path / "artifacts/router")
    async with watched(tmp_path) as (_, watch):
        damage(tmp_path / "artifacts/router")
        await watch.look()
        tries: list[object] = []
        monkeypatch.setattr("orchestrator.serving.load_serving", lambda *_: tries.append(1))
        await watch.look()
        assert tries == []


async def test_a_missing_artifact_is_refused_and_what_serves_goes_on(tmp_path: Path) -> None:
    """Somebody removed the folder."""
    folder = save_artifact(tmp_path / "artifacts/router")
    kept = content_of(folder)
    async with watched(tmp_path) as (engine, watch):
        folder.rename(tmp_path / "elsewhere")
        assert not await watch.look()
        assert "no trained router" in watch.refused
        assert (await categorized(engine, "add total"))["category"] == "sums"
        (tmp_path / "elsewhere").rename(folder)
        assert not await watch.look()
        assert (watch.refused, content_of(folder)) == ("", kept)


async def test_a_query_that_waits_is_classified_by_the_router_it_came_to(tmp_path: Path) -> None:
    """One in the queue while another takes over: both answer, each for its own."""
    routers = {
        variant: Named(load_serving(config_of_variant(tmp_path, variant), EMBEDDER).router) for variant in (0, 1)
    }
    categorizer = Categorizer(routers[0].made(), deadline_s=20, generation="old")
    found: dict[str, Any] = {}

    async def ask(query: str) -> None:
        found[query] = await categorizer.categorize(query)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as serving:
            async with anyio.create_task_group() as asking:
                asking.start_soon(ask, "add first")
                await anyio.wait_all_tasks_blocked()
                categorizer.use(routers[1].made(), generation="new")
                asking.start_soon(ask, "add second")
                await anyio.wait_all_tasks_blocked()
                serving.start_soon(categorizer.serve)
            serving.cancel_scope.cancel()
    assert (routers[0].asked, routers[1].asked) == (["add first"], ["add second"])
    assert (found["add first"].generation, found["add second"].generation) == ("old", "new")


def config_of_variant(folder: Path, variant: int) -> Config:
    save_artifact(folder / str(variant) / "artifacts/router", variant)
    return config_in(folder / str(variant))


class Named:
    """A router that keeps what it was asked."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.asked: list[str] = []

    def made(self) -> Any:
        return self

    @property
    def general(self) -> str:
        return self.router.general

    def classify(self, texts: list[str]) -> list[Routing]:
        self.asked += texts
        return self.router.classify(texts)


async def test_the_engine_watches_what_its_configuration_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`running` itself: the label from the start, the next one once it is promoted."""
    save_artifact(tmp_path / "artifacts/router")
    config = config_in(tmp_path, watch_s=0.01)
    embedders = Embedders(tmp_path)
    monkeypatch.setattr(embedders, "load", lambda _: EMBEDDER)
    with anyio.fail_after(20):
        async with running(config, embedders=embedders) as engine:
            assert engine.watch is not None
            first: Serving = engine.watch.serving
            assert first.number is None
            assert first.label == first.sha256[:12]
            used = used_by(engine.watch)
            await to_thread.run_sync(promoted, config, 1)
            await used.wait()
            assert (await categorized(engine, "add total"))["generation"] == engine.watch.serving.label
