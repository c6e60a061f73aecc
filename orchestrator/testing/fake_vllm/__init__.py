"""A loopback server that stands for vLLM: its endpoints, its metrics, its habits, and faults that a test switches."""

from orchestrator.testing.fake_vllm.server import FakeVLLM, Recorded
from orchestrator.testing.fake_vllm.tokens import LogprobOf, chat_prompt, token_id, token_logprob, tokens_of

__all__ = ["FakeVLLM", "LogprobOf", "Recorded", "chat_prompt", "token_id", "token_logprob", "tokens_of"]
