"""An MCP server on stdin and stdout, for the tests to start as a process."""

import os
import sys
from pathlib import Path

import anyio
from mcp.server.mcpserver import MCPServer

server = MCPServer("stdio")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
def surroundings(variable: str) -> dict[str, str]:
    """Where this process runs."""
    return {
        "pid": str(os.getpid()),
        "cwd": str(Path.cwd()),
        "python": sys.executable,
        "variable": os.environ.get(variable, ""),
    }


@server.tool()
async def hang(text: str) -> str:
    """Never answers."""
    await anyio.sleep_forever()
    return text


if __name__ == "__main__":
    print("the server says hello", file=sys.stderr, flush=True)  # noqa: T201 - that it may is the point
    server.run("stdio")
