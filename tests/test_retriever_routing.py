"""Routing among retrievers from the command line to the service: learned, changed, adapted, asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from anyio import to_thread

from orchestrator.config import Config, load
from orchestrator.engine import embedders_of, running
from orchestrator.errors import ConfigError
from orchestrator.retrieval import add_retriever, learn_retrievers, remove_retriever
from orchestrator.service.app import create_app
from orchestrator.testing import WordEmbedder
from orchestrator.training import train_router
from routers.errors import ArtifactError, TrainingError
from routers.retrievers.stored import load_router
from tests.cli.test_verbs import orchestrator
from tests.service.serving import listening

pytestmark = pytest.mark.anyio

CONFIG = """\
version: 1
embedder: words
categories:
  plants: {description: plants, examples: [water the fern, prune a rose, oak leaves, mint in tea], experts: [tools, plants]}
  tools: {description: tools, examples: [saw a board, drill a hole, glue paper, hang a lamp], experts: [plants, tools]}
  general: {description: the rest, experts: [plants]}
general: general
experts:
  plants: {kind: retriever, corpus: plants.jsonl, embedders: [bm25]}
  tools:  {kind: retriever, corpus: tools.jsonl, embedders: [bm25]}
  moved:  {kind: retriever, corpus: plants.jsonl, embedders: [words], adapter: adapters/moved.safetensors}
routing: {retrieval: judged.jsonl, watch_s: 0}
"""  # noqa: E501

PLANTS = ("rose", "fern", "oak", "mint", "ivy", "tulip", "moss", "pine", "lily", "sage", "iris", "reed")
TOOLS = ("saw", "drill", "glue", "lamp", "file", "clamp", "plane", "rule", "vice", "awl", "rasp", "bolt")


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(autouse=True)
def without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashed words for every embedder, and a cache of its own."""
    monkeypatch.setattr("orchestrator.embedders.load_embedder", lambda _name, **_options: WordEmbedder(256))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two corpora, and three judged queries a document; every query names a tool and a plant, but asks for one."""
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    for name, things in (("plants", PLANTS), ("tools", TOOLS)):
        care = "water and prune in the garden" if name == "plants" else "sharpen and oil in the workshop"
        texts = {thing: f"{thing} {care}, not a {'lamp' if name == 'plants' else 'rose'}" for thing in things}
        write(tmp_path / f"{name}.jsonl", [{"id": thing, "title": thing, "text": texts[thing]} for thing in things])
    write(
        tmp_path / "judged.jsonl",
        [
            {"query": f"{how} the {thing} {where}", "relevant": [thing], "source": name}
            for name, things, where in (("plants", PLANTS, "in my garden"), ("tools", TOOLS, "in my workshop"))
            for thing in things
            for how in ("keep", "mend", "care for")
        ],
    )
    return tmp_path


@pytest.fixture
def config(folder: Path) -> Config:
    """As a file of two retrievers; the third waits for its adapter."""
    return without(folder, "moved")


def without(folder: Path, expert: str) -> Config:
    lines = [line for line in CONFIG.splitlines() if not line.strip().startswith(f"{expert}:")]
    (folder / "experts.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load(folder / "experts.yaml", environment={}).config


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the whole service, on loopback."""
    async with (
        listening(create_app(config, lambda: running(config))) as url,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        yield client


def test_each_source_goes_to_the_retriever_that_has_its_documents(config: Config) -> None:
    """Learned from judged queries; held out, the router is better than either retriever alone."""
    learned = learn_retrievers(config)
    assert {arm for arm in learned.facts.arms if len(arm) == 1} == {("plants",), ("tools",)}
    assert learned.facts.figures["router"] > learned.facts.figures["best_single"] + 0.2
    stored = load_router(config.path(config.routing.retrievers))
    assert stored is not None
    assert stored[1].data_sha256 == learned.facts.data_sha256


def test_one_leaves_and_comes_back_without_the_others_being_asked(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Specified: removing asks nobody, adding asks what the new arms need; who loses and gains is told."""
    whole = learn_retrievers(config).facts
    monkeypatch.setattr("orchestrator.retrieval._asked", None)
    left = remove_retriever(config, "tools")
    monkeypatch.undo()
    told = {change.source: change.verdict for change in left.changes}
    assert told == {"plants": "same", "tools": "loses", "mean": "loses"}
    monkeypatch.setattr("orchestrator.embedders.load_embedder", lambda _name, **_options: WordEmbedder(256))
    back = add_retriever(config, "tools")
    assert {change.source: change.verdict for change in back.changes}["tools"] == "gains"
    assert set(back.facts.arms) == set(whole.arms)
    assert back.facts.figures == pytest.approx(whole.figures)


def test_what_cannot_be_learned_or_changed_is_said(config: Config, folder: Path) -> None:
    """Nothing learned yet, unknown names, the only one, other data."""
    with pytest.raises(ConfigError, match="nothing was learned"):
        remove_retriever(config, "tools")
    learn_retrievers(config)
    with pytest.raises(ConfigError, match="there is no retriever"):
        add_retriever(config, "nobody")
    with pytest.raises(ConfigError, match="already"):
        add_retriever(config, "tools")
    remove_retriever(config, "tools")
    with pytest.raises(ConfigError, match="one has to stay"):
        remove_retriever(config, "plants")
    write(folder / "judged.jsonl", [{"query": "another", "relevant": ["rose"]}])
    with pytest.raises(TrainingError, match="has changed"):
        add_retriever(config, "tools")


async def test_the_service_asks_whom_the_router_chooses(config: Config) -> None:
    """`POST /v1/search` with the model auto, and a category whose plan lists the retrievers the other way round."""
    await to_thread.run_sync(_trained, config)
    async with served(config) as client:
        drill = {"query": "mend the drill in my workshop", "model": "auto"}
        one = (await client.post("/v1/search", json=drill)).json()
        two = (await client.post("/v1/search", json={**drill, "query": "keep the fern in my garden"})).json()
        alone = (await client.post("/v1/search", json={**drill, "experts": ["plants"]})).json()
        bad = await client.post("/v1/search", json={**drill, "model": "tools"})
        routed = (await client.post("/v1/route", json={"query": "drill a hole in my workshop"})).json()
    assert "tools" in one["experts"]
    assert one["passages"][0]["document"] == "drill"
    assert "plants" in two["experts"]
    assert two["passages"][0]["document"] == "fern"
    assert alone["experts"] == ["plants"]
    assert bad.status_code == 400
    assert routed["categorize"]["category"] == "tools"
    assert routed["choose"]["experts"][0] == "tools"
    assert "order learned" in routed["choose"]["reason"]


async def test_without_anything_learned_auto_is_refused_and_plans_stand(config: Config) -> None:
    """The service says which key is missing; a search without a model asks all retrievers, as before."""
    await to_thread.run_sync(_router_alone, config)
    async with served(config) as client:
        refused = await client.post("/v1/search", json={"query": "drill", "model": "auto"})
        found = (await client.post("/v1/search", json={"query": "drill"})).json()
        routed = (await client.post("/v1/route", json={"query": "drill a hole in my workshop"})).json()
    assert "routing.retrieval" in refused.json()["error"]["message"]
    assert found["experts"] == ["plants", "tools"]
    assert routed["choose"]["experts"][0] == "plants"


async def test_a_router_of_another_embedder_does_not_serve(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified: vectors that cannot be compared are an error, not a guess."""
    await to_thread.run_sync(_trained, config)
    monkeypatch.setattr("orchestrator.embedders.load_embedder", lambda _name, **_options: WordEmbedder(128))
    await to_thread.run_sync(_router_alone, config)
    with pytest.raises(ArtifactError, match="learned on embedder"):
        async with running(config):
            pass


def test_an_adapter_is_trained_from_the_command_line_and_its_expert_uses_it(folder: Path) -> None:
    """With its file the expert is up, so that all three can be asked; then one leaves and comes back."""
    done = orchestrator("train", "--retriever", "moved", "--source", "plants", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["expert"], told["queries"], told["folds"]) == ("moved", 36, 5)
    assert told["adapted"] >= told["plain"]
    assert Path(told["path"]).is_file()
    shown = orchestrator("train", "--retriever", "moved", cwd=folder)
    assert "left out           36 queries" in shown.stdout
    trained = orchestrator("train", cwd=folder)
    assert trained.returncode == 0, trained.stderr
    assert "retrievers         moved, plants, tools" in trained.stdout
    removed = orchestrator("train", "--remove-retriever", "tools", cwd=folder)
    assert removed.returncode == 0, removed.stderr
    assert "loses" in removed.stdout
    added = orchestrator("train", "--add-retriever", "tools", "--json", cwd=folder)
    assert added.returncode == 0, added.stderr
    assert {"tools", "mean"} <= {row["source"] for row in json.loads(added.stdout)["changes"]}


def test_bad_input_of_the_verb_ends_with_status_2(folder: Path) -> None:
    """Specified: no such retriever, no key `adapter`, options that exclude each other, an expert that is down."""
    assert "no retriever 'nobody'" in orchestrator("train", "--retriever", "nobody", cwd=folder).stderr
    unadapted = orchestrator("train", "--retriever", "plants", cwd=folder)
    assert (unadapted.returncode, "no key 'adapter'" in unadapted.stderr) == (2, True)
    both = orchestrator("train", "--retriever", "moved", "--add-retriever", "tools", cwd=folder)
    assert both.returncode == 2
    assert orchestrator("train", "--queries", "judged.jsonl", cwd=folder).returncode == 2
    down = orchestrator("train", cwd=folder)
    assert down.returncode == 1
    assert "there is no adapter at" in down.stderr


def _trained(config: Config) -> None:
    _router_alone(config)
    learn_retrievers(config)


def _router_alone(config: Config) -> None:
    train_router(config, embedders_of(config).load(config.embedder))
