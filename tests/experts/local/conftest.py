"""The real SmolLM2, loaded once a test run and converted once a machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import platformdirs
import pytest

from orchestrator.config.kinds import LocalSettings
from orchestrator.experts import Site
from orchestrator.experts.local.expert import LocalExpert
from orchestrator.experts.local.model import LoadedModel
from orchestrator.experts.local.weights import prepare

MODEL = "smollm2-135m"


def nobody(name: str) -> NoReturn:
    raise AssertionError(name)


@pytest.fixture(scope="session")
def cache() -> Path:
    """The service's own cache."""
    return platformdirs.user_cache_path("expert-orchestrator")


@pytest.fixture(scope="session")
def folder(cache: Path) -> Path:
    """The converted model."""
    return prepare(MODEL, cache)


@pytest.fixture(scope="session")
def model(folder: Path) -> LoadedModel:
    """The loaded model."""
    return LoadedModel(str(folder))


@pytest.fixture(scope="session")
def site(cache: Path) -> Site:
    """One site a run, so that the model which experts share is loaded once."""
    return Site(folder=cache, cache=cache, expert=nobody, embedder=nobody)


@pytest.fixture
def hire(site: Site) -> Callable[..., LocalExpert]:
    """Builds experts of that site."""

    def build(expert_id: str = "small", **settings: Any) -> LocalExpert:
        return LocalExpert(expert_id, LocalSettings(**{"model": MODEL, **settings}), site)

    return build


@pytest.fixture
def expert(hire: Callable[..., LocalExpert]) -> LocalExpert:
    """An expert that answers briefly."""
    return hire(max_tokens=8)
