"""Whether the servers of a vllm expert are what the configuration takes them for. What it changes there it undoes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from orchestrator.config.kinds import VllmSettings
from orchestrator.experts.protocol import LiveGrade, LiveProblem
from orchestrator.experts.vllm.adapters import NO_RUN_TIME, NOT_ENABLED, Adapter, meant
from orchestrator.experts.vllm.control import NoModelList, credentials, models_of
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.replica import Replica

__all__ = ["live_problems"]

READ_S = 20.0
TRIAL = "orchestrator-check-{expert}"
"""Under this name an adapter is loaded to see whether it can be, so that the one in service is left alone."""
_CREDENTIALS = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_LATER = (httpx.codes.TOO_MANY_REQUESTS,)

Key = tuple[str | int, ...]
Models = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What one server says. index: its position among the replicas. version: of vLLM; empty where it does not say."""

    index: int
    shown: str
    models: Models
    version: str

    @property
    def names(self) -> str:
        return ", ".join(repr(name) for name in self.models) or "nothing"


async def live_problems(expert: str, settings: VllmSettings, home: VllmSettings) -> list[LiveProblem]:
    """What is wrong with one expert. home: the settings of the expert whose servers it is on."""
    timeout = httpx.Timeout(READ_S, connect=home.connect_timeout_s)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False, headers=credentials(home.api_key)) as client:
        look = _Look(expert, home, client, quiet=settings is not home)
        async with anyio.create_task_group() as group:
            for index, url in enumerate(home.replicas):
                group.start_soon(look.at, index, url)
        servers = [look.seen[index] for index in sorted(look.seen)]
        if settings is home:
            _check_models(settings.model or "", servers, look.found)
            _check_likeness(settings.model or "", servers, look.found)
            if settings.sleep:
                await look.sleeping(servers)
        else:
            async with anyio.create_task_group() as group:
                for server in servers:
                    group.start_soon(look.adapter, server, settings)
        return look.found


class _Look:
    """Looks at the servers of one expert. quiet: what keeps them from being asked is for another one to say."""

    def __init__(self, expert: str, home: VllmSettings, client: httpx.AsyncClient, *, quiet: bool) -> None:
        self.found: list[LiveProblem] = []
        self.seen: dict[int, _Server] = {}
        self._expert = expert
        self._home = home
        self._client = client
        self._quiet = quiet

    async def at(self, index: int, url: str) -> None:
        """See what a server serves."""
        shown, key = Replica(url).shown, ("replicas", index)
        try:
            models = await models_of(self._client, url)
            self.seen[index] = _Server(index=index, shown=shown, models=models, version=await self._version(url))
        except NoModelList as error:
            if error.status in _CREDENTIALS:
                self._say(("api_key",), f"{shown} refused our credentials (status {error.status})")
            elif error.status >= httpx.codes.INTERNAL_SERVER_ERROR or error.status in _LATER:
                self._say(key, f"{shown} is not well: {error}", grade="down")
            else:
                self._say(key, f"{shown} is no OpenAI API: {error}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._say(key, f"{shown} cannot be reached: {_why(error)}", grade="down")

    async def sleeping(self, servers: Sequence[_Server]) -> None:
        """See whether servers can be put to sleep."""
        for server in servers:
            answer = await self._try("GET", server, "/is_sleeping")
            if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
                how = "start it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1"
                self.found.append(LiveProblem(key=("sleep",), message=f"{server.shown} cannot sleep; {how}"))

    async def adapter(self, server: _Server, settings: VllmSettings) -> None:
        """See whether a server has an adapter or can load it; one that is loaded for this is unloaded again."""
        name, path = settings.adapter or "", settings.path
        if name in server.models:
            root = server.models[name].get("root")
            if path is not None and root not in {None, path}:
                message = f"{server.shown} has {name!r} from {root!r} already; it is used as it is"
                self.found.append(LiveProblem(key=("path",), message=message, grade="note"))
        elif path is None:
            hint = "start it with --lora-modules, or give its path"
            message = f"{server.shown} has no adapter {name!r}, it serves {server.names}; {hint}"
            self.found.append(LiveProblem(key=("adapter",), message=message))
        else:
            await self._load(server, Adapter(self._expert, TRIAL.format(expert=self._expert), path))

    async def _load(self, server: _Server, adapter: Adapter) -> None:
        body = {"lora_name": adapter.name, "lora_path": adapter.path}
        answer = None
        try:
            answer = await self._try("POST", server, "/v1/load_lora_adapter", body)
        finally:
            if answer is None or answer.is_success:
                with anyio.CancelScope(shield=True), anyio.move_on_after(self._home.connect_timeout_s):
                    await self._try("POST", server, "/v1/unload_lora_adapter", {"lora_name": adapter.name})
        if answer is None:
            message = f"{server.shown} did not answer to /v1/load_lora_adapter"
            self.found.append(LiveProblem(key=("path",), message=message, grade="down"))
        elif not answer.is_success:
            faults = Faults(self._expert, server.shown, self._home.api_key)
            error = meant(faults.status(answer.status_code, answer.headers, answer.content), adapter, server.shown)
            if error is not None:
                able = not str(error).endswith((NOT_ENABLED, NO_RUN_TIME))
                self.found.append(LiveProblem(key=("path",) if able else ("base",), message=str(error)))

    async def _version(self, url: str) -> str:
        try:
            return str((await self._client.get(f"{url}/version")).json()["version"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return ""  # other servers of the same API have none

    async def _try(self, method: str, server: _Server, path: str, body: object = None) -> httpx.Response | None:
        try:
            return await self._client.request(method, self._home.replicas[server.index] + path, json=body)
        except httpx.HTTPError:
            return None

    def _say(self, key: Key, message: str, *, grade: LiveGrade = "config") -> None:
        if not self._quiet:
            self.found.append(LiveProblem(key=key, message=message, grade=grade))


def _check_models(model: str, servers: Sequence[_Server], found: list[LiveProblem]) -> None:
    """The model is there; a server that alone lacks it is to blame itself."""
    lacking = [server for server in servers if model not in server.models]
    if lacking and len(lacking) == len(servers):
        for server in servers:
            message = f"{server.shown} does not serve {model!r}; it serves {server.names}"
            found.append(LiveProblem(key=("model",), message=message))
        return
    for server in lacking:
        message = f"{server.shown} does not serve {model!r}, as other replicas do; it serves {server.names}"
        found.append(LiveProblem(key=("replicas", server.index), message=message))


def _check_likeness(model: str, servers: Sequence[_Server], found: list[LiveProblem]) -> None:
    """All are as the first one is."""
    alike = [server for server in servers if model in server.models]
    for server in alike[1:]:
        first, key = alike[0], ("replicas", server.index)
        own, others = server.models[model], first.models[model]
        if None not in (own.get("root"), others.get("root")) and own["root"] != others["root"]:
            message = f"{server.shown} serves {own['root']!r} as {model!r}, but {first.shown} {others['root']!r}"
            found.append(LiveProblem(key=key, message=message))
        longest, longest_there = own.get("max_model_len"), others.get("max_model_len")
        if longest != longest_there:
            message = f"{server.shown} has max_model_len {longest}, {first.shown} {longest_there}"
            found.append(LiveProblem(key=key, message=message, grade="note"))
        if server.version != first.version:
            versions = [each.version or "of an unknown version" for each in (server, first)]
            message = f"{server.shown} runs vLLM {versions[0]}, {first.shown} {versions[1]}"
            found.append(LiveProblem(key=key, message=message, grade="note"))


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
