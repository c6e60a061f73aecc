"""What flows through the service: a request in, chunks and drafts out. Knows no HTTP and no expert kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from orchestrator import clock
from orchestrator.controls import NO_CONTROLS, Controls

__all__ = [
    "AtOnce",
    "Attachment",
    "ChatRequest",
    "Chunk",
    "Draft",
    "Emit",
    "Passage",
    "Progress",
    "Report",
    "ToolChoice",
    "Usage",
    "at_once",
    "content_text",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an expert is, by its own account. total: None where it does not say; message: for people."""

    expert: str
    done: float
    total: float | None = None
    message: str = ""


Report = Callable[[Progress], Awaitable[None]]
"""Takes progress towards the client. What it is given may be old by then: who reports drops what is overtaken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One chat request, as each expert gets it.

    body: the OpenAI chat body as the client sent it, unknown fields included. An expert replaces `model` by
        the name under which its server knows it and leaves the rest alone.
    deadline: when the answer must be there, on the clock of `anyio.current_time()`. Retries, fallbacks and
        queues all spend this one.
    session: what the client calls the conversation or user that it belongs to; None where it says nothing.
    cost_quality: where on the learned frontier to choose, 0 (cheapest) to 1 (best within the budget); None: the best.
    report: where experts tell how far they are, before anything of the answer is there; None: nobody listens.
    """

    body: Mapping[str, Any]
    deadline: float
    controls: Controls = NO_CONTROLS
    session: str | None = None
    report: Report | None = None

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The conversation, oldest first."""
        messages: Sequence[Mapping[str, Any]] = self.body["messages"]
        return messages

    @property
    def stream(self) -> bool:
        """Whether the expert should emit chunks (true) or only return its draft (false)."""
        return bool(self.body.get("stream", False))

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, 0 when it has passed."""
        return max(0.0, self.deadline - clock.now())

    def replaced(self, **fields: Any) -> ChatRequest:
        """The same request with some fields of the body changed; a field set to None is removed."""
        body = {**self.body, **fields}
        return replace(self, body={key: value for key, value in body.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Chunk:
    """One `chat.completion.chunk`: the JSON bytes as they came from the expert, without SSE framing."""

    raw: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The parsed chunk; parsed anew at each call, since the hot path only relays."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


Emit = Callable[[Chunk], Awaitable[None]]
"""Takes a chunk towards the client and waits until there is room: the back-pressure."""

AtOnce = Callable[[Chunk], bool]
"""Takes a chunk towards the client where there is room now; false where there is none, and nothing was taken."""


def at_once(emit: Emit) -> AtOnce | None:
    """The way of an `emit` that waits for nothing, its attribute `now`: for all chunks but the first, which it notes.

    None where it has none, or not yet. A chunk that this way refuses goes the ordinary one, before any further chunk.
    """
    found: AtOnce | None = getattr(emit, "now", None)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that one call used, as the expert counted them (0 where it counts none)."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document that a retriever found.

    score: higher is better; comparable only within one result list. rank: from 1.
    start, end: character offsets of `text` in the document. page: on which it begins, from 1, where there are pages.
    cited: whether the answer names it as a source; None where nobody wrote one from it.
    """

    expert: str
    document: str
    title: str
    text: str
    score: float
    rank: int
    start: int
    end: int
    page: int | None = None
    cited: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a tool returned beside text and data. Of the fields those that are not empty say something.

    kind: image and audio have `data` (base64); a resource_link names by its `uri` what can be fetched; a resource is
        there itself, as `text` or as `data`.
    """

    kind: Literal["image", "audio", "resource_link", "resource"]
    mime_type: str = ""
    uri: str = ""
    name: str = ""
    description: str = ""
    text: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """How one of several tools was chosen.

    shortlist: scores by tool, best first; comparable only within one shortlist. missing: required arguments that the
    conversation did not have: the answer asks for them, and the tool was not called.
    """

    tool: str
    shortlist: Mapping[str, float]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One expert's answer to one request.

    text: the answer's text, empty when the answer is tool calls only.
    completion: the expert's own `chat.completion` body where it sent one whole; relayed untouched.
    first_token_s, total_s: seconds since the expert was asked; first_token_s is None for answers that came whole.
    structured, attachments: what a tool returned as data, and what is neither text nor data.
    replica: the endpoint that answered, where the expert has several.
    woke_s: seconds that it was waited for until it was awake.
    tool_choice: how a tool was chosen, where the expert has several.
    """

    expert: str
    text: str
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=Usage)
    total_s: float
    first_token_s: float | None = None
    completion: bytes | None = None
    passages: tuple[Passage, ...] = ()
    structured: Mapping[str, Any] | None = None
    attachments: tuple[Attachment, ...] = ()
    replica: str | None = None
    woke_s: float = 0.0
    tool_choice: ToolChoice | None = None


def content_text(content: object) -> str:
    """The text of a message's `content`: a string, a list of parts (text parts joined by newlines) or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))
