"""What a faked server is told to be, and what it saw: the part that tests read and write. Knows no HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from orchestrator.testing.answers import Answer
from orchestrator.testing.classifiers import WordEmbedder
from orchestrator.testing.fake_vllm.adapters import Adapters, adapter_is_there
from orchestrator.testing.fake_vllm.engine import Engine
from orchestrator.testing.fake_vllm.metrics import Counts
from orchestrator.testing.fake_vllm.moves import Moves
from orchestrator.testing.fake_vllm.tokens import LogprobOf, token_logprob
from orchestrator.testing.faults import Fault
from orchestrator.testing.mixture import FaultSource
from routers.embedding.protocol import Embedder

__all__ = ["Recorded", "Runner", "ServerState"]

Runner = Literal["generate", "pooling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request for text or vectors as the server got it.

    asleep: the server was not awake when it came. fault: what went wrong with it.
    """

    headers: Mapping[str, str]
    raw: bytes
    path: str = "/v1/chat/completions"
    asleep: bool = False
    fault: Fault | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


class ServerState:
    """Everything of a faked server but its port."""

    def __init__(
        self,
        *,
        models: Sequence[str] = ("fake-model",),
        answer: Answer | Callable[[Mapping[str, Any]], Answer] | None = None,
        api_key: str | None = None,
        runner: Runner = "generate",
        dev: bool = False,
        enable_lora: bool = False,
        runtime_lora: bool = True,
        adapters: Mapping[str, str] | None = None,
        adapter_exists: Callable[[str], bool] = adapter_is_there,
        max_loras: int = 1,
        max_num_seqs: int = 256,
        max_model_len: int = 32768,
        embedder: Embedder | None = None,
        keep: int | None = None,
        remote: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.models = tuple(models)
        self.answer = answer or Answer()
        self.api_key = api_key
        self.runner: Runner = runner
        self.dev = dev
        self.runtime_lora = runtime_lora
        self.max_model_len = max_model_len
        self.remote = remote
        self.host = host
        self.port = port
        self.embedder: Embedder = embedder or WordEmbedder()
        self.logprob: LogprobOf = token_logprob
        self.fault: Fault | FaultSource | None = None
        self.fault_at: dict[str, Fault] = {}
        self.health = 200
        self.echo: str | None = None
        self.newline = b"\n"
        self.first_s = 0.0
        self.pace_s = 0.0
        self.load_s = 0.0
        self.requests: list[Recorded] = []
        self.sent: list[bytes] = []
        self.received = 0
        self.aborted = 0
        self.probes = 0
        self.while_asleep = 0
        self.counts = Counts()
        self.adapters = Adapters(adapters or {}, enabled=enable_lora, exists=adapter_exists)
        self.engine = Engine(max_num_seqs=max_num_seqs, max_loras=max_loras, changed=self.tell)
        self.moves = Moves()
        self._static_adapters = dict(adapters or {})
        self._keep = keep
        self._changed = anyio.Event()

    @property
    def running(self) -> int:
        """Requests that are being answered."""
        return len(self.engine.running)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place, or for the server to wake."""
        return len(self.engine.waiting)

    @property
    def asleep(self) -> bool:
        """From the moment it begins to fall asleep until it is wide awake."""
        return self.engine.asleep

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something that the server saw makes `fact` true."""
        while not fact():
            await self._changed.wait()

    def tell(self) -> None:
        """Something changed: let those look who wait for a fact."""
        self._changed.set()
        self._changed = anyio.Event()

    def serves(self, model: object) -> bool:
        """Whether a request may ask for this name."""
        return model in self.models or model in self.adapters.loaded

    def said(self, body: Mapping[str, Any]) -> Answer:
        """What the model says to this."""
        return self.answer if isinstance(self.answer, Answer) else self.answer(body)

    def pick(self) -> Fault | None:
        """What goes wrong with the next request for text or vectors."""
        fault = self.fault
        return fault if fault is None or isinstance(fault, Fault) else fault.pick()

    def reborn(self) -> None:
        """Forget what a process forgets when it dies: adapters loaded at run time, and that it slept."""
        self.engine.reborn()
        self.adapters.loaded = dict(self._static_adapters)

    def note(self, recorded: Recorded) -> None:
        """Remember a request."""
        self.received += 1
        self.while_asleep += recorded.asleep
        self.requests.append(recorded)
        self._forget(self.requests)

    def note_sent(self, data: bytes) -> None:
        """Remember what went out."""
        self.sent.append(data)
        self._forget(self.sent)
        self.tell()

    def _forget(self, notes: list[Any]) -> None:
        if self._keep is not None and len(notes) > 2 * self._keep:
            del notes[: -self._keep]
