"""Public test doubles and conformance checks: what the author of a plugin tests with.

Needs no test framework, no weights and no network beyond loopback.
"""

from orchestrator.testing.answers import Answer
from orchestrator.testing.classifiers import WordEmbedder, check_classifier
from orchestrator.testing.conformance import ConformanceError, check_expert, in_service
from orchestrator.testing.fake_vllm import FakeVLLM, Recorded, chat_prompt, token_id, token_logprob, tokens_of
from orchestrator.testing.faults import Cut, Drop, Fault, Garbage, Hang, Hold, Status, StreamError
from orchestrator.testing.scripted import Reply, ScriptedExpert

__all__ = [
    "Answer",
    "ConformanceError",
    "Cut",
    "Drop",
    "FakeVLLM",
    "Fault",
    "Garbage",
    "Hang",
    "Hold",
    "Recorded",
    "Reply",
    "ScriptedExpert",
    "Status",
    "StreamError",
    "WordEmbedder",
    "chat_prompt",
    "check_classifier",
    "check_expert",
    "in_service",
    "token_id",
    "token_logprob",
    "tokens_of",
]
