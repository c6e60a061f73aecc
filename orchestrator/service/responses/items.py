"""Output items of a response, as they grow: a message, a thought, a call of a function. Knows no stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.service import said
from orchestrator.wire import new_id

__all__ = ["Call", "Item", "Said", "Thought"]

Event = dict[str, Any]


class Item(ABC):
    """One output item. index: its place in the output. status: `in_progress` until it is closed."""

    prefix: str

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = new_id(self.prefix, joint="_")
        self.text = ""
        self.status = "in_progress"

    @property
    def where(self) -> Event:
        """What every event of the item says of it."""
        return {"item_id": self.id, "output_index": self.index}

    @abstractmethod
    def shown(self, status: str) -> dict[str, Any]:
        """The item so far."""

    def opened(self) -> Iterator[Event]:
        """Its first events."""
        yield {"type": "response.output_item.added", "output_index": self.index, "item": self.shown("in_progress")}

    @abstractmethod
    def more(self, piece: str, **fields: Any) -> Iterator[Event]:
        """A piece of it."""

    def closed(self, status: str) -> Iterator[Event]:
        """Its last events."""
        self.status = status
        yield {"type": "response.output_item.done", "output_index": self.index, "item": self.shown(status)}


class Said(Item):
    """A message of the assistant: one part of text."""

    prefix = "msg"

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.logprobs: list[Any] = []
        self._begun = False

    def shown(self, status: str) -> dict[str, Any]:
        """See `Item`."""
        content = [] if status == "in_progress" and not self._begun else [self._part()]
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}

    def opened(self) -> Iterator[Event]:
        """See `Item`."""
        yield from super().opened()
        self._begun = True
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield {"type": "response.content_part.added", **self.where, "content_index": 0, "part": part}

    def more(self, piece: str, **fields: Any) -> Iterator[Event]:
        """See `Item`; logprobs: of this piece."""
        self.text += piece
        logprobs = fields.get("logprobs") or []
        self.logprobs += logprobs
        told = {"content_index": 0, "delta": piece, "logprobs": logprobs}
        yield {"type": "response.output_text.delta", **self.where, **told}

    def closed(self, status: str) -> Iterator[Event]:
        """See `Item`."""
        told = {"content_index": 0, "text": self.text, "logprobs": self.logprobs}
        yield {"type": "response.output_text.done", **self.where, **told}
        yield {"type": "response.content_part.done", **self.where, "content_index": 0, "part": self._part()}
        yield from super().closed(status)

    def _part(self) -> dict[str, Any]:
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": self.logprobs}


class Thought(Item):
    """What a model thought, where its server tells."""

    prefix = "rs"

    def shown(self, status: str) -> dict[str, Any]:
        """See `Item`."""
        content = [{"type": "reasoning_text", "text": self.text}] if self.text else []
        return {"id": self.id, "type": "reasoning", "summary": [], "content": content, "status": status}

    def more(self, piece: str, **fields: Any) -> Iterator[Event]:  # noqa: ARG002 - as every item
        """See `Item`."""
        self.text += piece
        yield {"type": "response.reasoning_text.delta", **self.where, "content_index": 0, "delta": piece}

    def closed(self, status: str) -> Iterator[Event]:
        """See `Item`."""
        yield {"type": "response.reasoning_text.done", **self.where, "content_index": 0, "text": self.text}
        yield from super().closed(status)


class Call(Item):
    """A call of a function; its text is the arguments."""

    prefix = "fc"

    def __init__(self, index: int, call: Mapping[str, Any]) -> None:
        super().__init__(index)
        self.call_id = said.name(call.get("id")) or new_id("call", joint="_")
        self.name = said.name(said.fields(call.get("function")).get("name")) or ""

    def shown(self, status: str) -> dict[str, Any]:
        """See `Item`."""
        own = {"id": self.id, "type": "function_call", "status": status}
        return {**own, "call_id": self.call_id, "name": self.name, "arguments": self.text}

    def more(self, piece: str, **fields: Any) -> Iterator[Event]:  # noqa: ARG002 - as every item
        """See `Item`."""
        self.text += piece
        yield {"type": "response.function_call_arguments.delta", **self.where, "delta": piece}

    def closed(self, status: str) -> Iterator[Event]:
        """See `Item`."""
        told = {"name": self.name, "arguments": self.text}
        yield {"type": "response.function_call_arguments.done", **self.where, **told}
        yield from super().closed(status)
