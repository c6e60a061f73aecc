"""What errors of the protocol and of its transports mean: for a call, and for the connection. Holds no connection."""

from __future__ import annotations

from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND

from orchestrator.errors import ExpertDoubtful, ExpertError, ExpertFailed, ExpertRejected, ExpertUnavailable
from orchestrator.experts.mcp.http_client import BROKEN_OFF, UNREACHED
from orchestrator.experts.mcp.listing import cleaned

__all__ = ["cut_off", "failure_of", "is_lost", "line_of", "once", "reason_of"]

# The SDK's words: that the transport ended, and that an HTTP server no longer knows our session.
_CLOSED = "Connection closed"
_SESSION_LOST = "Session terminated"
_LINE_CHARS = 400
_MESSAGE_CHARS = 1000


def is_lost(error: MCPError) -> bool:
    """Whether an error says that there is no connection any more."""
    closed = error.code == CONNECTION_CLOSED and error.message == _CLOSED
    return closed or error.code == UNREACHED or error.message == _SESSION_LOST


def cut_off(error: MCPError) -> bool:
    """Whether one call got no answer, which may be all, or the first that shows of more."""
    return error.code in {CONNECTION_CLOSED, BROKEN_OFF} and not is_lost(error)


def failure_of(error: MCPError, expert: str) -> ExpertError:
    """What an error means for a call on a connection that stands."""
    if cut_off(error):
        return ExpertUnavailable(expert, line_of(error))
    kind = ExpertRejected if error.code == INVALID_PARAMS else ExpertFailed
    return kind(expert, cleaned(error.message, most=_MESSAGE_CHARS))


def once(failure: ExpertError, error: MCPError) -> ExpertError:
    """The failure of a call that must not be made again if the server may have begun on it."""
    never_arrived = error.code in {UNREACHED, METHOD_NOT_FOUND} or error.message == _SESSION_LOST
    return failure if never_arrived or not failure.retryable else ExpertDoubtful(failure.expert, str(failure))


def reason_of(error: BaseException | None, *, command: str | None) -> str:
    """Why a connection ended, in one line. command: of a server that is a process. None: it just ended."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError) and error.code in {UNREACHED, BROKEN_OFF}:
        return line_of(error)
    if error is None or (isinstance(error, MCPError) and is_lost(error)):
        return "the server ended" if command else "the server hung up"
    if isinstance(error, OSError) and command:
        return f"cannot start {command!r}: {error}"
    return f"{type(error).__name__}: {line_of(error)}"


def line_of(error: BaseException) -> str:
    """An error's words in one line, and not too many."""
    return " ".join(str(error).split())[:_LINE_CHARS]
