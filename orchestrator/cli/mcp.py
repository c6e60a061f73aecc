"""`mcp`: the same product as an MCP server on stdin and stdout."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import ConfigFile, read_config
from orchestrator.config import Config

__all__ = ["mcp"]


def mcp(config: ConfigFile = Path("experts.yaml")) -> None:
    """Serve agents over MCP (stdio): the tools ask, route, ask_expert, search, list_experts and feedback.

    The agent is greeted at once, and its calls wait for what is still being loaded.

    Example, in an agent's configuration: command `orchestrator`, arguments `mcp experts.yaml`.
    """
    settings = read_config(config)
    _check_router(settings)
    from orchestrator.service.mcp import create_server
    from orchestrator.service.mcp_stdio import serve_stdio

    server = create_server(settings)
    configure_log(least="warning")  # after the server's constructor, which sets up logging of its own
    anyio.run(partial(serve_stdio, server, longest=settings.serve.max_body_bytes))


def _check_router(settings: Config) -> None:
    """Raise where nothing was trained, before an agent is greeted; what else may be wrong shows when it is loaded."""
    if settings.path(settings.routing.artifact).is_dir():
        return
    from orchestrator.serving import check_serving  # its import takes longer than agents should wait to be greeted

    check_serving(settings)
