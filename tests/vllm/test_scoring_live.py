"""Scores of a real vLLM server against transformers in this process, on the same weights."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from safetensors.numpy import load_file, save_file

from orchestrator.config.kinds import LocalSettings, VllmSettings
from orchestrator.experts import Expert, Site, TokenLogprobs
from orchestrator.experts.local.expert import LocalExpert
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.fleet.surroundings import cache_folder
from orchestrator.testing import in_service
from orchestrator.types import ChatRequest
from tests.experts.vllm.conftest import no_embedder
from tests.flowing import Collected, flowing
from tests.vllm.adapters import merged
from tests.vllm.conftest import Fleet

pytestmark = pytest.mark.anyio

MOST_APART = 0.01
"""Largest difference of a token's log-probability that is allowed, in nats."""
CONVERSATIONS: tuple[list[dict[str, Any]], ...] = (
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "Answer as a pirate."}, {"role": "user", "content": "Name two primes.\n\n"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": " Hello! \n"},
        {"role": "user", "content": [{"type": "text", "text": "Wie heißt „Kühlschrank“ auf Japanisch? 🧊"}]},
    ],
)
ANSWERS = (
    "Paris.",
    "The capital of France is Paris, a city on the river Seine.",
    "\n\nArr, two and three  be primes, matey!\n",
    "冷蔵庫 (れいぞうこ) 🧊",
    "```python\nprint('hello')\n```",
    "assistant\n" + "a b " * 120,
    "An end <|im_end|> inside, and then more.",
)


@pytest.fixture
def url(fleet: Fleet) -> str:
    """The generating server's."""
    return fleet.generating


@pytest.fixture
def served(url: str) -> list[str]:
    """The names of the server's models, the base first."""
    rows = httpx.get(f"{url}/v1/models", timeout=10, trust_env=False).json()["data"]
    return [row["id"] for row in sorted(rows, key=lambda row: row.get("parent") is not None)]


@pytest.fixture
def staff() -> dict[str, Expert]:
    """The experts of the site by id."""
    return {}


@pytest.fixture
def site(tmp_path: Path, staff: dict[str, Expert]) -> Site:
    return Site(folder=tmp_path, cache=cache_folder(), expert=staff.__getitem__, embedder=no_embedder)


@pytest.fixture
async def remote(site: Site, staff: dict[str, Expert], served: list[str], url: str) -> AsyncIterator[VllmExpert]:
    """The base model on the server."""
    staff["remote"] = expert = VllmExpert("remote", VllmSettings(model=served[0], replicas=(url,), score=True), site)
    async with in_service(expert):
        yield expert


def asking(messages: list[dict[str, Any]]) -> ChatRequest:
    return ChatRequest(body={"messages": messages}, deadline=anyio.current_time() + 120)


async def scores(expert: LocalExpert | VllmExpert, messages: list[dict[str, Any]]) -> list[TokenLogprobs]:
    results = await expert.score_many(asking(messages), ANSWERS)
    scored = [result for result in results if isinstance(result, TokenLogprobs)]
    assert len(scored) == len(ANSWERS), results
    return scored


async def test_scores_of_vllm_are_those_of_transformers(
    remote: VllmExpert, site: Site, record_property: Callable[[str, object], None]
) -> None:
    """Specified (issue 5): the same tokens, each within .01; whatever stands at the ends of the answer."""
    local = LocalExpert("local", LocalSettings(model="smollm2-135m"), site)
    apart = 0.0
    async with in_service(local):
        for messages in CONVERSATIONS:
            pairs = zip(await scores(remote, messages), await scores(local, messages), strict=True)
            for answer, (there, here) in zip(ANSWERS, pairs, strict=True):
                assert len(there.logprobs) == len(here.logprobs), answer
                apart = max(apart, *(abs(a - b) for a, b in zip(there.logprobs, here.logprobs, strict=True)))
    record_property("largest_difference", apart)
    print(f"largest difference of a token's log-probability: {apart:.6f}")  # noqa: T201 - the measured fact
    assert apart < MOST_APART


async def test_texts_as_the_users_words_are_those_of_transformers(remote: VllmExpert, site: Site) -> None:
    """The same tokens, each within .01, where the template has the user's words."""
    texts = [f"Question: Why?\nAnswer: {answer}" for answer in ANSWERS]
    local = LocalExpert("local", LocalSettings(model="smollm2-135m"), site)
    async with in_service(local):
        for messages in CONVERSATIONS:
            there = await remote.score_turns(asking(messages), texts)
            here = await local.score_turns(asking(messages), texts)
            for one, other in zip(there, here, strict=True):
                assert isinstance(one, TokenLogprobs)
                assert isinstance(other, TokenLogprobs)
                assert one.logprobs == pytest.approx(other.logprobs, abs=MOST_APART)


async def test_an_adapter_scores_under_its_own_name(remote: VllmExpert, site: Site, served: list[str]) -> None:
    """Trap 6 of VLLM.md: that an adapter is applied shows in its log-probabilities, not in its text."""
    assert served[1:3] == ["first", "second"]
    adapter = VllmExpert("adapted", VllmSettings(base="remote", adapter=served[1], score=True), site)
    async with in_service(adapter):
        with anyio.fail_after(120):
            changed, plain = await scores(adapter, CONVERSATIONS[0]), await scores(remote, CONVERSATIONS[0])
    assert [one.tokens for one in changed] == [one.tokens for one in plain]
    assert [one.logprobs for one in changed] != [one.logprobs for one in plain]


async def test_an_adapter_loaded_at_run_time_scores_as_its_merged_weights_do(
    remote: VllmExpert, site: Site, fleet: Fleet, tmp_path: Path
) -> None:
    """Specified (issue 5): base weights plus alpha / r * B A, in transformers, within .01 a token."""
    folder = tmp_path / "merged"
    shutil.copytree(fleet.model, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: weights[name] + added for name, added in merged(fleet.adapters["third"]).items()}
        | {name: weights[name] for name in weights.keys() - merged(fleet.adapters["third"]).keys()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    settings = VllmSettings(base="remote", adapter="third", path=str(fleet.adapters["third"]), score=True)
    adapter, local = VllmExpert("third", settings, site), LocalExpert("local", LocalSettings(model=str(folder)), site)
    async with in_service(adapter), in_service(local):
        with anyio.fail_after(240):
            there, here = await scores(adapter, CONVERSATIONS[0]), await scores(local, CONVERSATIONS[0])
            plain = await scores(remote, CONVERSATIONS[0])
    pairs = [
        pair for one, other in zip(there, here, strict=True) for pair in zip(one.logprobs, other.logprobs, strict=True)
    ]
    assert max(abs(a - b) for a, b in pairs) < MOST_APART
    assert [one.logprobs for one in there] != [one.logprobs for one in plain]


async def test_experts_on_the_server_agree_by_likelihood(
    remote: VllmExpert, site: Site, served: list[str], url: str
) -> None:
    """The whole way: drafts, each scored by every expert, the adapter among them where there is one, and a verdict."""
    pirate = VllmSettings(model=remote.settings.model, replicas=(url,), score=True, system="Talk like a pirate.")
    team: list[VllmExpert] = [remote, VllmExpert("pirate", pirate, site)]
    if len(served) > 1:
        team.append(VllmExpert("adapted", VllmSettings(base="remote", adapter=served[1], score=True), site))
    names = [expert.id for expert in team]
    categories = {"Name": {"experts": names, "plan": "fuse"}, "general": ["remote"]}
    fusion = {"verdict": "remote", "consensus": "likelihood"}
    async with flowing(*team, categories=categories, fusion=fusion) as engine:
        body = {"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 12, "temperature": 0.9}
        request, trace = engine.pipeline.request(body, model="auto")
        with anyio.fail_after(120):
            await engine.pipeline.answer(request, Collected(), trace)
    stage = trace.decision().consensus
    assert stage is not None
    assert (stage.measure, list(stage.judges)) == ("likelihood", names), stage.reason
    assert all(cell is not None for row in stage.nll.values() for cell in row)
