"""Wireless channel experts behind MCP: generated captures, trained classifiers, a server of them, an evaluation."""
