"""`/fake`: what a faked server saw, and what goes wrong with it, told and changed from another process."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.testing.fake_vllm.checks import parsed
from orchestrator.testing.fake_vllm.errors import Refused
from orchestrator.testing.fake_vllm.state import ServerState
from orchestrator.testing.mixture import named_fault, named_mixture

__all__ = ["Remote", "Settings"]


class Settings(BaseModel):
    """What `POST /fake` may change; what is not named stays.

    faults: as on the command line, of text and vectors. fault_at: a fault by path, None to take it away.
    """

    model_config = ConfigDict(extra="forbid")

    faults: list[str] = []
    seed: int = 0
    fault_at: dict[str, str | None] = {}
    health: int = Field(200, ge=100, le=599)
    first_s: float = Field(0.0, ge=0)
    pace_s: float = Field(0.0, ge=0)
    load_s: float = Field(0.0, ge=0)
    sleep_s: float = Field(0.0, ge=0)
    wake_s: float = Field(0.0, ge=0)
    reload_s: float = Field(0.0, ge=0)
    pretended_running: int = Field(0, ge=0)
    pretended_waiting: int = Field(0, ge=0)
    kv_cache_usage: float | None = Field(None, ge=0, le=1)

    def apply(self, state: ServerState) -> None:
        """Change the server; raises ValueError for a fault that there is not."""
        told = self.model_fields_set
        if "faults" in told:
            state.fault = named_mixture(self.faults, seed=self.seed)
        for path, name in self.fault_at.items():
            if name is None:
                state.fault_at.pop(path, None)
            else:
                state.fault_at[path] = named_fault(name)[0]
        owners: tuple[tuple[object, set[str]], ...] = (
            (state, {"health", "first_s", "pace_s", "load_s"}),
            (state.engine, {"sleep_s", "wake_s", "reload_s"}),
            (state.counts, {"pretended_running", "pretended_waiting", "kv_cache_usage"}),
        )
        for owner, names in owners:
            for name in names & told:
                setattr(owner, name, getattr(self, name))


class Remote:
    """The handlers, over the state of one server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def facts(self, _: web.Request) -> web.Response:
        """`GET /fake`."""
        return web.json_response(self._facts())

    async def tell(self, request: web.Request) -> web.Response:
        """`POST /fake`."""
        try:
            Settings.model_validate(parsed(await request.read())).apply(self._state)
        except (ValidationError, ValueError) as error:
            raise Refused(400, str(error)) from error
        return web.json_response(self._facts())

    def _facts(self) -> dict[str, Any]:
        state = self._state
        return {
            "requests": state.received,
            "running": state.running,
            "waiting": state.waiting,
            "aborted": state.aborted,
            "probes": state.probes,
            "asleep": state.asleep,
            "while_asleep": state.while_asleep,
            "aborted_by_sleep": state.engine.aborted_by_sleep,
            "adapters": state.adapters.loaded,
            "finished": state.counts.finished,
        }
