"""The tools of one server that may be called, kept ready to be chosen from. Follows the list; calls nothing."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeVar

import anyio
import anyio.lowlevel
import structlog
from anyio import to_thread

from orchestrator import from_thread
from orchestrator.batching import TextEmbedder
from orchestrator.config.kinds import McpSettings, ToolsSettings
from orchestrator.experts.mcp.arguments import Signature
from orchestrator.experts.mcp.connection import Connection
from orchestrator.experts.mcp.listing import ListedTool, refusal
from routers.embedding import Embedder, FloatArray
from routers.tools import Shortlist, Tool, ToolChooser, ToolExample

__all__ = ["Toolbox"]

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """What was made of one revision of the list; no chooser where no tool is left."""

    revision: int
    signatures: Mapping[str, Signature]
    chooser: ToolChooser | None


class Toolbox:
    """Chooses among the tools that the configuration lets be called; the index is made again when the list changes."""

    def __init__(self, connection: Connection, settings: McpSettings, embedder: TextEmbedder | None) -> None:
        self._connection = connection
        self._settings = settings
        self._embedder = None if embedder is None else _FromThread(settings.choosing.embedder, embedder)
        self._index: _Index | None = None
        self._making = anyio.Lock()
        self._one = anyio.CapacityLimiter(1)

    def allowed(self) -> dict[str, ListedTool]:
        """Those that may be called as the server lists them now."""
        return {
            name: tool
            for name, tool in self._connection.tools.items()
            if _named(name, self._settings.choosing) and not refusal(tool, allow=self._settings.allow)
        }

    async def follow(self) -> None:
        """Make the index anew whenever the list has changed, ahead of requests; forever."""
        while True:
            try:
                await self._current()
            except Exception as error:  # noqa: BLE001 - supervised border: an embedder is a plugin; requests try again
                log.warning("mcp.tools_not_indexed", error=str(error))
            await self._connection.changed(self._connection.revision)

    async def shortlist(self, queries: Sequence[str]) -> tuple[Shortlist, Mapping[str, Signature]]:
        """The tools for the first of these queries that one fits, or for the first if none does; and what they take."""
        index = await self._current()
        if index.chooser is None:
            return Shortlist((), fits=False), index.signatures
        first: Shortlist | None = None
        for query in queries:
            choose = partial(index.chooser.shortlist, query, self._settings.choosing.shortlist)
            found = await self._threaded(choose)
            if found.fits:
                return found, index.signatures
            first = first or found
        return first or Shortlist((), fits=False), index.signatures

    async def _current(self) -> _Index:
        async with self._making:
            while self._index is None or self._index.revision != self._connection.revision:
                revision, tools = self._connection.revision, self.allowed()
                made = partial(_made, revision, tools, self._settings.choosing, self._embedder)
                self._index = await self._threaded(made)
            return self._index

    async def _threaded(self, work: Callable[[], T]) -> T:
        try:
            return await to_thread.run_sync(work, limiter=self._one)
        except concurrent.futures.CancelledError:  # what a thread asks of the loop is cancelled with who started it
            await anyio.lowlevel.checkpoint()
            raise


class _FromThread(Embedder):
    """The event loop's embedder, for a worker thread that the loop has started."""

    def __init__(self, name: str, embedder: TextEmbedder) -> None:
        self.dim = 0
        self.fingerprint = name
        self._embedder = embedder

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return from_thread.run(partial(self._embedder.embed, texts))


def _named(name: str, choosing: ToolsSettings) -> bool:
    included = any(fnmatchcase(name, pattern) for pattern in choosing.include)
    return included and not any(fnmatchcase(name, pattern) for pattern in choosing.exclude)


def _made(revision: int, tools: Mapping[str, ListedTool], choosing: ToolsSettings, embedder: Embedder | None) -> _Index:
    signatures: dict[str, Signature] = {}
    for name, tool in tools.items():
        try:
            signatures[name] = Signature(name, tool.description, tool.input_schema)
        except ValueError as error:
            log.warning("mcp.tool_left_out", tool=name, reason=str(error))
    if not signatures:
        return _Index(revision, signatures, None)
    described = [Tool(name, _described(tools[name]), signature.shown) for name, signature in signatures.items()]
    chooser = ToolChooser(described, embedder=embedder)
    names = list(signatures)
    chooser.learn(
        [
            ToolExample(query, [names.index(name)])
            for name, queries in choosing.examples.items()
            if name in signatures
            for query in queries
        ]
    )
    if choosing.threshold is not None:
        chooser.threshold = choosing.threshold
    return _Index(revision, signatures, chooser)


def _described(tool: ListedTool) -> str:
    return f"{tool.title}. {tool.description}" if tool.title and tool.title != tool.name else tool.description
