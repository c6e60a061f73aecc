"""What the kind `mcp` stands for: one tool as an expert, or a whole server as one."""

from __future__ import annotations

from orchestrator.config.kinds import McpSettings
from orchestrator.experts.mcp.expert import McpExpert
from orchestrator.experts.mcp.server_expert import McpServerExpert
from orchestrator.experts.site import Site

__all__ = ["mcp_expert"]


def mcp_expert(id: str, settings: McpSettings, site: Site) -> McpExpert | McpServerExpert:  # noqa: A002 - as the kinds
    """The expert that the settings describe."""
    return McpExpert(id, settings, site) if settings.tool else McpServerExpert(id, settings, site)
