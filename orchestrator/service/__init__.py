"""The surfaces for programs: REST for applications, MCP for agents."""
