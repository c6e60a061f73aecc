"""Experts behind vLLM's (or any) OpenAI chat API, and LoRA adapters on the servers of such an expert."""
