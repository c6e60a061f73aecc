"""Vllm experts at a site of their own, and servers that fake vLLM on loopback."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from orchestrator.config.kinds import VllmSettings
from orchestrator.experts import Expert, Site
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import FakeVLLM

Hire = Callable[..., VllmExpert]


def no_embedder(name: str) -> NoReturn:
    raise AssertionError(name)


@pytest.fixture
def staff() -> dict[str, Expert]:
    """All experts of the site by id."""
    return {}


@pytest.fixture
def hire(tmp_path: Path, staff: dict[str, Expert]) -> Hire:
    """Builds vllm experts of that staff."""
    site = Site(folder=tmp_path, cache=tmp_path, expert=staff.__getitem__, embedder=no_embedder)

    def build(expert_id: str = "writer", **settings: Any) -> VllmExpert:
        staff[expert_id] = expert = VllmExpert(expert_id, VllmSettings(**settings), site)
        return expert

    return build


@pytest.fixture
async def server() -> AsyncIterator[FakeVLLM]:
    """One server of `fake-model`."""
    async with FakeVLLM() as running:
        yield running


@pytest.fixture
def expert(hire: Hire, server: FakeVLLM) -> VllmExpert:
    """An expert on that server."""
    return hire(model="fake-model", replicas=[server.url])
