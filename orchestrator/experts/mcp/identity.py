"""What tells one server from another: as a key, as a file's name, and as people may see it. Connects to nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.config.kinds import McpServerSettings

__all__ = ["log_path", "server_key", "shown"]


def server_key(server: McpServerSettings) -> Hashable:
    """Equal for settings that reach the same server as the same client."""
    headers = tuple(sorted((name, value.get_secret_value()) for name, value in server.headers.items()))
    way = (server.command, server.args, tuple(sorted(server.env.items())), server.url, headers)
    return ("mcp", *way, server.protocol)


def shown(server: McpServerSettings) -> str:
    """A server in a log: without what may be secret, its arguments, or user name and query of its address."""
    if server.url is None:
        return server.command or ""
    parts = urlsplit(server.url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def log_path(server: McpServerSettings, cache: Path) -> Path:
    """The file for a server's stderr."""
    command = "\0".join([server.command or server.url or "", *server.args])
    name = Path(server.command or "http").name
    return cache / "logs" / f"mcp-{name}-{hashlib.sha256(command.encode()).hexdigest()[:8]}.log"
