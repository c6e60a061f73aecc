"""One call of a tool for a request, and its result as a draft. Knows no expert's way to its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.shared.dispatcher import ProgressFnT
from mcp_types import CallToolResult

from orchestrator.config.kinds import McpSettings
from orchestrator.errors import ExpertRejected
from orchestrator.experts.mcp import result as results
from orchestrator.experts.mcp.connection import Connection
from orchestrator.experts.mcp.listing import ListedTool, cleaned
from orchestrator.experts.mcp.progress import reported
from orchestrator.types import ChatRequest, Draft, Usage

__all__ = ["Call", "called", "drafted", "repeatable"]

_MESSAGE_CHARS = 1000  # of a tool's own error message


@dataclass(frozen=True, slots=True)
class Call:
    """A tool and what it is called with. repeatable: whether again, where the first call was left without an answer."""

    tool: str
    arguments: Mapping[str, Any]
    repeatable: bool = False


async def called(
    call: Call, connection: Connection, *, settings: McpSettings, request: ChatRequest, expert: str
) -> CallToolResult:
    """What the tool returned, within the settings' limits and the request's deadline.

    Raises:
        ExpertRejected: the tool reported an error.
        ExpertError: there was no result.

    """

    async def made(heard: ProgressFnT | None) -> CallToolResult:
        return await connection.call(
            call.tool,
            call.arguments,
            expert=expert,
            timeout_s=min(settings.timeout_s, request.left_s),
            repeatable=call.repeatable,
            heard=heard,
        )

    result = await reported(made, request.report, expert)
    if result.is_error:
        said = cleaned(results.text(result), most=_MESSAGE_CHARS)
        raise ExpertRejected(expert, said or "the tool reported an error")
    return result


def repeatable(tool: ListedTool | None, configured: bool | None) -> bool:  # noqa: FBT001 - three-valued, as it is set
    """Whether a call may be made again that was left without an answer."""
    return configured if configured is not None else tool is not None and tool.repeatable


def drafted(result: CallToolResult, tool: str, *, expert: str, most_kb: int, usage: Usage, total_s: float) -> Draft:
    """The result as an answer; raises ExpertRejected where it is larger than `most_kb`."""
    size, most = results.size(result), 1024 * most_kb
    if size > most:  # not a failure, after which it would be called again
        message = f"{tool!r} returned {size:,} bytes, more than {most:,} (max_result_kb)"
        raise ExpertRejected(expert, message)
    return Draft(
        expert=expert,
        text=results.text(result),
        structured=results.structured(result),
        attachments=results.attachments(result),
        usage=usage,
        total_s=total_s,
    )
