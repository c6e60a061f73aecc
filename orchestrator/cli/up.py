"""`up`: the model servers of this machine, and the service in front of them if asked."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer
from rich.console import Console

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import AsJson, ConfigFile, read_config
from orchestrator.errors import RunError

if TYPE_CHECKING:
    from orchestrator.fleet.launcher.launcher import Launcher
    from orchestrator.fleet.launcher.plan import ServerPlan
    from orchestrator.fleet.launcher.server import Change

__all__ = ["up"]

COLOURS = {"healthy": "green", "waiting": "yellow", "refused": "red", "given up": "red"}
STILL_S = 30.0
SERVICE_STOP_S = 60.0


def up(
    config: ConfigFile = Path("experts.yaml"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the API too, as 'serve --train' does, once every server is healthy.")
    ] = False,
    logs: Annotated[Path, typer.Option(help="Folder of the servers' logs, one file each.")] = Path("logs"),
    as_json: AsJson = False,
) -> None:
    """Start the vLLM servers of the `launch` block, keep them running, and stop them all at the end (Ctrl-C, SIGTERM).

    A server that ends or hangs is started again, with growing pauses. One that somebody else started is never touched.
    Exit status 1 when a server had to be given up.

    Example: orchestrator up experts.yaml --serve
    """
    configure_log(least="warning")
    settings = read_config(config)
    from orchestrator.fleet.launcher.plan import plans_of

    plans = plans_of(settings)
    service = (sys.executable, "-m", "orchestrator", "serve", str(config), "--train") if serve else ()
    failed = anyio.run(_run, plans, logs, _teller(as_json=as_json), service)
    if failed:
        raise RunError(f"given up or not started: {', '.join(failed)}; their logs are in {logs}")


async def _run(
    plans: list[ServerPlan], logs: Path, told: Callable[[Change], None], service: Sequence[str]
) -> list[str]:
    from orchestrator.fleet.launcher.launcher import launched

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with launched(plans, logs=logs, told=told) as launcher, anyio.create_task_group() as group:

            async def on_signal() -> None:
                async for _ in signals:
                    group.cancel_scope.cancel()
                    return

            group.start_soon(on_signal)
            if await _until_up(launcher) and service:
                await _serve(service)
            else:
                await launcher.over.wait()
            group.cancel_scope.cancel()
        return [server.plan.name for server in launcher.failed]


async def _until_up(launcher: Launcher) -> bool:
    """Wait for all of them, with a word now and then: starting takes minutes."""
    waited_s = 0.0
    while True:
        with anyio.move_on_after(STILL_S):
            return await launcher.up()
        waited_s += STILL_S
        waiting = [server.plan.name for server in launcher.servers if not server.healthy.is_set()]
        _say(f"still starting after {waited_s:.0f} s: {', '.join(waiting)}")


async def _serve(command: Sequence[str]) -> None:
    """The service, in a process of its own: neither's load, nor its end, is the other's. Told to stop, it drains."""
    async with await anyio.open_process(command, stdin=None, stdout=None, stderr=None) as process:
        try:
            await process.wait()
        finally:
            with anyio.CancelScope(shield=True), suppress(ProcessLookupError):
                process.terminate()
                with anyio.move_on_after(SERVICE_STOP_S):
                    await process.wait()


def _teller(*, as_json: bool) -> Callable[[Change], None]:
    def tell(change: Change) -> None:
        if as_json:
            print(json.dumps({**asdict(change), "log": str(change.log)}), flush=True)
            return
        colour = COLOURS.get(change.state, "default")
        log = f"  (pid {change.pid}, log {change.log})" if change.state == "starting" else ""
        Console(stderr=True, highlight=False).print(
            f"[{colour}]{change.server}: {change.state}[/]", end="", soft_wrap=True
        )
        Console(stderr=True, highlight=False).print(
            f"{': ' if change.reason else ''}{change.reason}{log}", markup=False, soft_wrap=True
        )

    return tell


def _say(line: str) -> None:
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)
