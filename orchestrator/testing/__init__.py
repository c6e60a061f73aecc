"""Public test doubles and conformance checks: what the author of a plugin tests with.

Needs no test framework, no weights and no network beyond loopback.
"""

from orchestrator.testing.answers import Answer
from orchestrator.testing.classifiers import WordEmbedder, check_classifier
from orchestrator.testing.conformance import ConformanceError, check_expert, in_service
from orchestrator.testing.fake_vllm import FakeVLLM, Recorded, chat_prompt, token_id, token_logprob, tokens_of
from orchestrator.testing.faults import (
    FAULTS,
    Cut,
    Drop,
    Fault,
    Garbage,
    Hang,
    Hold,
    Html,
    Huge,
    Reset,
    Slow,
    Stall,
    Status,
    StreamError,
    WrongModel,
)
from orchestrator.testing.mixture import Mixture, Schedule
from orchestrator.testing.numbered import Numbered, Traced, UntraceableError, traced
from orchestrator.testing.outages import Outage, chance_outages, suffer
from orchestrator.testing.processes import FakeProcess
from orchestrator.testing.scripted import Reply, ScriptedExpert

__all__ = [
    "FAULTS",
    "Answer",
    "ConformanceError",
    "Cut",
    "Drop",
    "FakeProcess",
    "FakeVLLM",
    "Fault",
    "Garbage",
    "Hang",
    "Hold",
    "Html",
    "Huge",
    "Mixture",
    "Numbered",
    "Outage",
    "Recorded",
    "Reply",
    "Reset",
    "Schedule",
    "ScriptedExpert",
    "Slow",
    "Stall",
    "Status",
    "StreamError",
    "Traced",
    "UntraceableError",
    "WordEmbedder",
    "WrongModel",
    "chance_outages",
    "chat_prompt",
    "check_classifier",
    "check_expert",
    "in_service",
    "suffer",
    "token_id",
    "token_logprob",
    "tokens_of",
    "traced",
]
