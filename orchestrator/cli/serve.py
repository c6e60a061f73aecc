"""`serve`: the REST service."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer
from rich.console import Console

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.config.conditions import is_loopback
from orchestrator.errors import RunError

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.embedders import Embedders
    from orchestrator.engine import Engine

__all__ = ["serve"]

GC_EVERY = 20_000
"""Objects more than before that make the garbage collector look at the young ones."""


def serve(
    config: ConfigFile = Path("experts.yaml"),
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of serve.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on, instead of serve.port; 0 takes a free one.")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Train first when there is no router that fits.")] = False,
) -> None:
    """Serve the OpenAI-compatible API.

    Example: orchestrator serve experts.yaml --port 8080
    """
    started = time.monotonic()
    configure_log(least="info")
    settings = read_config(config)
    listener = _listener(host or settings.serve.host, settings.serve.port if port is None else port, settings)
    from orchestrator.engine import embedders_of

    embedders = embedders_of(settings)
    if train:
        _train_if_needed(settings, embedders)
    _run(settings, embedders, listener, started)


def _listener(host: str, port: int, config: Config) -> socket.socket:
    """The bound socket; taken before anything slow happens, so that a port in use is said at once."""
    if not config.serve.key_list and not is_loopback(host):
        raise RunError(f"without serve.keys the service listens on loopback only, not on {host!r}")
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise RunError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; try another --port"
        ) from error


def _train_if_needed(config: Config, embedders: Embedders) -> None:
    from orchestrator.cli.progress import progress_bars
    from orchestrator.training import train_router, why_train

    why = why_train(config, embedders.load)
    if not why:
        return
    _say(f"training the router: {why}")
    with progress_bars() as progress:
        trained = train_router(config, embedders.load(config.embedder), progress=progress)
    report = trained.report
    _say(
        f"trained on {report.examples} queries: accuracy {report.accuracy:.3f} on held-out folds, "
        f"calibration error {report.ece_after:.3f}, threshold {report.threshold:.3f}"
    )


def _run(config: Config, embedders: Embedders, listener: socket.socket, started: float) -> None:
    from orchestrator.engine import running
    from orchestrator.service.app import create_app
    from orchestrator.service.requests_log import request_log
    from orchestrator.service.server import server_of

    host, port = listener.getsockname()[:2]
    failures: list[Exception] = []

    @asynccontextmanager
    async def announced() -> AsyncIterator[Engine]:
        try:
            async with running(config, embedders=embedders) as engine, anyio.create_task_group() as group:
                group.start_soon(_announce, engine, f"http://{host}:{port}", started)
                yield engine
                group.cancel_scope.cancel()
        except Exception as error:
            failures.append(error)
            raise

    options = {"loop": "uvloop", "log_level": "critical", "access_log": False, "server_header": False}
    app = create_app(config, announced, log_request=request_log())
    server = server_of(app, config.serve, **options)
    with listener, suppress(SystemExit):  # uvicorn's way of saying that start-up failed; the reason is in `failures`
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def _say(line: str) -> None:
    """One line for the person at the terminal; stdout stays empty."""
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)


async def _announce(engine: Engine, url: str, started: float) -> None:
    """Say where the service is, and when it got ready."""
    _say(f"Expert Orchestrator listens on {url}  (API: {url}/docs)")
    await engine.registry.first_up()
    gc.collect()
    gc.freeze()  # what was loaded stays: looking through it again and again would be a tax on every request
    gc.set_threshold(GC_EVERY)
    _say(f"ready after {time.monotonic() - started:.1f} s. Try:")
    body = '{"model": "auto", "messages": [{"role": "user", "content": "What is 17% of 4310?"}]}'
    _say(f"  curl {url}/v1/chat/completions -H 'content-type: application/json' -d '{body}'")
