"""`mcp`: the same product as an MCP server on stdin and stdout."""

from __future__ import annotations

from pathlib import Path

import anyio

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import ConfigFile, read_config

__all__ = ["mcp"]


def mcp(config: ConfigFile = Path("experts.yaml")) -> None:
    """Serve agents over MCP (stdio): the tools ask, route, ask_expert, search, list_experts and feedback.

    Example, in an agent's configuration: command `orchestrator`, arguments `mcp experts.yaml`.
    """
    settings = read_config(config)
    from orchestrator.service.mcp import create_server
    from orchestrator.service.mcp_stdio import serve_stdio

    server = create_server(settings)
    configure_log(least="warning")  # after the server's constructor, which sets up logging of its own
    anyio.run(serve_stdio, server)
