"""The kind `mcp`: one tool of an MCP server. The only package that imports `mcp`, which takes seconds."""
