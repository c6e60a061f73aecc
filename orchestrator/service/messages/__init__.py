"""POST /v1/messages: Anthropic's messages API over the same experts."""
