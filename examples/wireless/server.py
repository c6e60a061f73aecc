"""The MCP server of the trained experts, one tool each.

    python -m examples.wireless.server                speaks MCP on stdin and stdout
    python -m examples.wireless.server --http 8765    serves streamable HTTP on http://127.0.0.1:8765/mcp

A tool takes a sentence that names a capture, or its id alone. Knows nothing of how an expert works.
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeAlias

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from examples.wireless.captures import UnknownCapture, id_in
from examples.wireless.channel import Task
from examples.wireless.experts import FOLDER, Finding, TrainedExpert, trained_experts
from examples.wireless.network import UnusableNetwork

__all__ = ["expert_server", "main"]

_INSTRUCTIONS = (
    "Trained classifiers of radio channels. Each takes the id of a stored capture, or a sentence that names one, and "
    "returns a label with its confidence."
)
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_Named: TypeAlias = Annotated[
    str, Field(max_length=2000, description="a capture's id, such as c-0042, or a sentence with one")
]
_Result: TypeAlias = Annotated[CallToolResult, Finding]


def expert_server(experts: dict[Task, TrainedExpert], *, folder: Path | None = None) -> MCPServer:
    """A server with a tool for each expert. folder: where the files of captures `f-NAME` are."""
    server = MCPServer("wireless-experts", title="Wireless experts", instructions=_INSTRUCTIONS, log_level="WARNING")

    def found(task: Task, capture: str) -> CallToolResult:
        try:
            finding = experts[task].find(id_in(capture), folder=folder)
        except UnknownCapture as refusal:
            raise ToolError(str(refusal)) from refusal
        return CallToolResult(
            content=[TextContent(type="text", text=finding.answer)], structured_content=finding.model_dump(mode="json")
        )

    def line_of_sight(capture: _Named) -> _Result:
        return found("line_of_sight", capture)

    def doppler_class(capture: _Named) -> _Result:
        return found("doppler", capture)

    def fading_type(capture: _Named) -> _Result:
        return found("fading", capture)

    described: list[tuple[Task, object, str]] = [
        ("line_of_sight", line_of_sight, "Whether transmitter and receiver see each other (los) or not (nlos)"),
        ("doppler", doppler_class, "How fast the terminal moves: static, pedestrian, vehicular or high-speed"),
        ("fading", fading_type, "Which distribution the fading follows: rayleigh, rician or nakagami"),
    ]
    for task, tool, description in described:
        server.add_tool(tool, description=_described(description, experts[task]), annotations=_READS)  # type: ignore[arg-type]
    return server


def main() -> int:
    """Serve until the client leaves (stdio) or the process is stopped (HTTP); 1 where the experts are not trained."""
    parser = argparse.ArgumentParser(description="Trained wireless experts, on stdin and stdout or over HTTP.")
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP on this port of 127.0.0.1")
    parser.add_argument("--models", type=Path, default=FOLDER, help="folder of the trained experts")
    parser.add_argument("--captures", type=Path, help="folder of captures: NAME.npz is f-NAME")
    arguments = parser.parse_args()
    try:
        experts = trained_experts(arguments.models)
    except UnusableNetwork as error:
        sys.stderr.write(f"{error}\n")
        return 1
    server = expert_server(experts, folder=arguments.captures)
    with suppress(KeyboardInterrupt):
        if arguments.http is None:
            server.run()
        else:
            sys.stderr.write(f"serving MCP on http://127.0.0.1:{arguments.http}/mcp\n")
            server.run("streamable-http", host="127.0.0.1", port=arguments.http, stateless_http=True)
    return 0


def _described(what: str, expert: TrainedExpert) -> str:
    """With the measured accuracy, so that who chooses among tools can weigh it."""
    return f"{what}, from a stored capture of the channel. Right in {expert.accuracy:.0%} of held-out channels."


if __name__ == "__main__":
    sys.exit(main())
