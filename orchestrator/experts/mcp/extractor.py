"""How an MCP expert reaches the expert that reads arguments out of a conversation. Knows neither prompts nor tools."""

from __future__ import annotations

from orchestrator.checked_reply import Ask
from orchestrator.errors import ExpertError
from orchestrator.experts.site import Site
from orchestrator.types import ChatRequest, Chunk, Draft

__all__ = ["asking"]


def asking(site: Site, extractor: str, *, expert: str) -> Ask:
    """A way to ask the extractor for `expert`, whose errors become that one's."""

    async def ask(request: ChatRequest) -> Draft:
        try:
            return await site.ask(extractor, request.replaced(model=extractor), _nowhere)
        except ExpertError as error:
            raise error.passed_on(expert) from error

    return ask


async def _nowhere(_: Chunk) -> None:
    """Such a reply is not streamed."""
