"""Kinds of experts that are not ours take part in `check --live`."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import anyio
import pytest
from anyio.abc import TaskStatus

from orchestrator.config import Config
from orchestrator.config.settings import ExpertSettings
from orchestrator.experts import Capabilities, Condition, LiveProblem, Site
from orchestrator.live_check import live_problems
from orchestrator.types import ChatRequest, Draft, Emit

pytestmark = pytest.mark.anyio


class Checked:
    """Says itself what is wrong."""

    capabilities = Capabilities()

    def __init__(self, expert_id: str, settings: ExpertSettings, site: Site) -> None:
        del settings, site
        self.id = expert_id

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        raise NotImplementedError

    async def live_problems(self) -> Sequence[LiveProblem]:
        if self.id == "raises":
            raise RuntimeError("a bug of the plugin")
        return [LiveProblem(key=("colour",), message="no such colour there")]


class Started:
    """Only knows how it is once it was started."""

    capabilities = Capabilities()
    condition = Condition(state="starting")

    def __init__(self, expert_id: str, settings: ExpertSettings, site: Site) -> None:
        del settings, site
        self.id = expert_id

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        raise NotImplementedError

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self.condition = Condition(state="down", reason="nobody there")
        task_status.started()
        await anyio.sleep_forever()


class CheckedSettings(ExpertSettings):
    """Of one that says itself what is wrong."""

    implementation: ClassVar[str] = f"{__name__}:Checked"
    kind: Literal["checked"] = "checked"


class StartedSettings(ExpertSettings):
    """Of one that has to be started."""

    implementation: ClassVar[str] = f"{__name__}:Started"
    kind: Literal["started"] = "started"


class LostSettings(ExpertSettings):
    """Of one whose package is not there."""

    implementation: ClassVar[str] = "no_such_package.module:Expert"
    kind: Literal["lost"] = "lost"


async def test_what_a_plugin_says_is_told_and_what_it_breaks_is_contained() -> None:
    """Ours: its own word, its condition, its bug, and that it is not installed."""
    config = Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["says"]}},
            "general": "general",
            "experts": {
                "says": CheckedSettings(),
                "raises": CheckedSettings(),
                "starts": StartedSettings(),
                "lost": LostSettings(),
            },
        }
    )
    with anyio.fail_after(10):
        found = await live_problems(config)
    assert found["says"] == [LiveProblem(key=("colour",), message="no such colour there")]
    assert found["raises"] == [LiveProblem(message="could not be looked at: RuntimeError: a bug of the plugin")]
    assert found["starts"] == [LiveProblem(message="nobody there", grade="down")]
    (lost,) = found["lost"]
    assert (lost.key, lost.grade) == (("kind",), "config")
