"""Which servers a configuration wants started, with which command and which environment. Starts nothing."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.config.settings import Launch
from orchestrator.errors import ConfigError

__all__ = ["ServerPlan", "plans_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """One server to start. name: for people and its log file. url: where it will answer, without /v1.

    environment: beside that of this process. secrets: of its values, what must not be shown.
    """

    name: str
    expert: str
    url: str
    host: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    launch: Launch


def plans_of(config: Config) -> list[ServerPlan]:
    """A plan for each replica of each expert that has a `launch` block.

    Raises:
        ConfigError: there is none, or one of them cannot be started on this machine.
    """
    problems: list[str] = []
    plans = [plan for expert, launch in config.launch.items() for plan in _plans(config, expert, launch, problems)]
    if not config.launch:
        problems.append("launch: nothing to start; name the vllm experts whose servers are to run on this machine")
    taken: dict[int, str] = {}
    for plan in plans:
        other = taken.setdefault(plan.port, plan.name)
        if other != plan.name:
            problems.append(f"experts.{plan.expert}.replicas: port {plan.port} is wanted by {other} too")
    if problems:
        raise ConfigError(problems)
    return plans


def _plans(config: Config, expert: str, launch: Launch, problems: list[str]) -> Iterator[ServerPlan]:
    settings = config.experts[expert]
    if not isinstance(settings, VllmSettings) or settings.model is None:
        problems.append(f"launch.{expert}: an adapter lives on its base's servers: launch those instead")
        return
    replicas = settings.replicas
    if launch.gpus and len(launch.gpus) % len(replicas):
        problems.append(
            f"launch.{expert}.gpus: {len(launch.gpus)} accelerators cannot be shared out evenly among "
            f"{len(replicas)} replicas"
        )
        return
    each = len(launch.gpus) // len(replicas)
    for index, url in enumerate(replicas):
        parts = urlsplit(url)
        where = f"experts.{expert}.replicas[{index}]"
        if parts.scheme != "http" or parts.path:
            problems.append(f"{where}: {url!r} is no address of a server that can be started: http://HOST:PORT")
        elif not _here(parts.hostname or ""):
            problems.append(f"{where}: {parts.hostname!r} is not this machine; servers are started here only")
        else:
            yield ServerPlan(
                name=expert if len(replicas) == 1 else f"{expert}-{index}",
                expert=expert,
                url=url,
                host=parts.hostname or "",
                port=parts.port or 80,
                command=tuple(_command(config, expert, url=url, gpus=each)),
                environment=_environment(config, expert, launch.gpus[index * each : (index + 1) * each]),
                launch=launch,
            )


def _command(config: Config, expert: str, *, url: str, gpus: int) -> Iterator[str]:
    settings, launch, parts = config.experts[expert], config.launch[expert], urlsplit(url)
    assert isinstance(settings, VllmSettings)  # noqa: S101 - looked at by the caller
    name, host, port = settings.model or "", parts.hostname or "", parts.port or 80
    yield from (*launch.command, launch.model or name, "--served-model-name", name)
    yield from ("--host", host, "--port", str(port))
    if gpus > 1 and "--tensor-parallel-size" not in launch.args:
        yield from ("--tensor-parallel-size", str(gpus))
    if settings.sleep:
        yield "--enable-sleep-mode"
    if getattr(settings, "runner", "generate") == "pooling":
        yield from ("--runner", "pooling")
    if _adapters(config, expert) and "--enable-lora" not in launch.args:
        yield "--enable-lora"
    yield from launch.args


def _environment(config: Config, expert: str, gpus: tuple[int, ...]) -> dict[str, str]:
    """A key goes here, since everybody on the machine can read a command line."""
    settings, launch = config.experts[expert], config.launch[expert]
    assert isinstance(settings, VllmSettings)  # noqa: S101 - looked at by the caller
    found: dict[str, str] = {}
    if gpus:
        found["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    if settings.api_key is not None:
        found["VLLM_API_KEY"] = settings.api_key.get_secret_value()
    if settings.sleep:
        found["VLLM_SERVER_DEV_MODE"] = "1"  # without it the paths of sleep and wake are not there
    if _adapters(config, expert):
        found["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    return {**found, **launch.env}


def _adapters(config: Config, expert: str) -> list[str]:
    """The experts that are adapters on this one's servers."""
    return [name for name, other in config.experts.items() if isinstance(other, VllmSettings) and other.base == expert]


def _here(host: str) -> bool:
    """Whether an address is one of this machine: what can be bound is."""
    try:
        if ipaddress.ip_address(host).is_loopback:
            return True
    except ValueError:
        if host == "localhost":
            return True
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.bind(address)
    except OSError:
        return False
    return True
