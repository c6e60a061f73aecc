"""OpenAI's chat objects as bytes and dictionaries: built here, read here, so that no other module spells them.

Knows neither HTTP nor experts. Field names and the order of events follow OpenAI's API reference for chat
completions (`chat.completion`, `chat.completion.chunk`).
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, NotRequired, Required, cast

import orjson
from typing_extensions import TypedDict  # pydantic reads that of typing only from Python 3.12 on

from orchestrator.types import (
    Attachment,
    ChatRequest,
    Chunk,
    Draft,
    Emit,
    Passage,
    Progress,
    Usage,
    content_text,
)

__all__ = [
    "Assembled",
    "Attached",
    "ChunkWriter",
    "Citation",
    "Renaming",
    "attachment",
    "citation",
    "completion",
    "emit_whole",
    "new_id",
    "progress_fields",
    "read_completion",
    "read_usage",
    "with_model",
    "with_usage",
]

_MODEL = re.compile(rb'"model"\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
# A bracket or a string; one that nothing closes goes up to the end, so that a scan stays linear whatever it reads.
_TOKEN = re.compile(rb'[{}\[\]]|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def new_id(prefix: str, *, joint: str = "-") -> str:
    """A fresh identifier such as `chatcmpl-1f0c…`. joint: what follows the prefix, as the API in question has it."""
    return f"{prefix}{joint}{secrets.token_hex(12)}"


class Citation(TypedDict):
    """A passage as it stands in an answer's `citations`; `page` and `cited` where there is something to say."""

    index: int
    expert: str
    document: str
    title: str
    start: int
    end: int
    score: float
    text: str
    page: NotRequired[int]
    cited: NotRequired[bool]


class Attached(TypedDict, total=False):
    """An attachment as it stands in an answer's `attachments`: its fields that are not empty."""

    kind: Required[Literal["image", "audio", "resource_link", "resource"]]
    mime_type: str
    uri: str
    name: str
    description: str
    text: str
    data: str


def citation(passage: Passage) -> Citation:
    """A passage for those who read an answer."""
    shown = Citation(
        index=passage.rank,
        expert=passage.expert,
        document=passage.document,
        title=passage.title,
        start=passage.start,
        end=passage.end,
        score=round(passage.score, 6),
        text=passage.text,
    )
    if passage.page is not None:
        shown["page"] = passage.page
    if passage.cited is not None:
        shown["cited"] = passage.cited
    return shown


def attachment(attached: Attachment) -> Attached:
    """An attachment for those who read an answer."""
    return cast("Attached", {name: value for name, value in asdict(attached).items() if value})


def progress_fields(progress: Progress) -> dict[str, Any]:
    """Progress as a client reads it: what is not known is left out."""
    fields: dict[str, Any] = {"expert": progress.expert, "progress": progress.done}
    if progress.total is not None:
        fields["total"] = progress.total
    if progress.message:
        fields["message"] = progress.message
    return fields


class ChunkWriter:
    """Makes the chunks of one answer: the role first, then text, then the finish reason (and usage if asked)."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": new_id("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    def role(self) -> Chunk:
        """The opening chunk."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, piece: str) -> Chunk:
        """A piece of the answer's text."""
        return self._chunk({"content": piece})

    def end(
        self,
        finish_reason: str,
        *,
        citations: Sequence[Passage] = (),
        structured: Mapping[str, Any] | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Chunk:
        """The closing chunk; citations, structured content and attachments are our extensions of the delta."""
        return self._chunk(_extensions(citations, structured, attachments), finish_reason)

    def usage(self, usage: Usage) -> Chunk:
        """The chunk that `stream_options.include_usage` asks for: no choices."""
        return Chunk(orjson.dumps({**self._head, "choices": [], "usage": _usage(usage)}))

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> Chunk:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return Chunk(orjson.dumps({**self._head, "choices": [choice]}))


async def emit_whole(draft: Draft, request: ChatRequest, emit: Emit, *, pieces: Sequence[str] = ()) -> None:
    """A draft that came whole, as the chunks of a stream; nothing where the request asks for none.

    pieces: the text in the parts to be sent; one part when not given.
    """
    if not request.stream:
        return
    chunks = ChunkWriter(draft.expert)
    await emit(chunks.role())
    for piece in pieces or (draft.text,):
        await emit(chunks.text(piece))
    await emit(
        chunks.end(
            draft.finish_reason,
            citations=draft.passages,
            structured=draft.structured,
            attachments=draft.attachments,
        )
    )
    if (request.body.get("stream_options") or {}).get("include_usage"):
        await emit(chunks.usage(draft.usage))


def completion(draft: Draft, *, model: str) -> bytes:
    """The `chat.completion` body of a draft: the expert's own bytes where it sent a whole one, else a new body."""
    if draft.completion is not None:
        return with_model(draft.completion, model)
    extensions = _extensions(draft.passages, draft.structured, draft.attachments)
    message = {"role": "assistant", "content": draft.text, **extensions}
    body = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": draft.finish_reason}],
        "usage": _usage(draft.usage),
    }
    return orjson.dumps(body)


def with_model(raw: bytes, model: str) -> bytes:
    """The same JSON object with its `model` replaced in place, every other byte as it was.

    Bodies without a `model` of their own that is a text stay as they are.
    """
    found = _own_model(raw)
    return raw if found is None else raw[: found.start(1)] + orjson.dumps(model) + raw[found.end(1) :]


def with_usage(raw: bytes, usage: Usage) -> bytes:
    """The same JSON object with these tokens in its `usage`, whose other fields stay."""
    body = orjson.loads(raw)
    counted = body.get("usage")
    body["usage"] = {**(counted if isinstance(counted, dict) else {}), **_usage(usage)}
    return orjson.dumps(body)


class Renaming:
    """`with_model` for the chunks of one stream, most of which begin alike up to their `model`."""

    __slots__ = ("_before", "_instead", "_model")

    def __init__(self, model: str) -> None:
        self._model = orjson.dumps(model)
        self._before = self._instead = b""

    def __call__(self, raw: bytes) -> bytes:
        if not (self._before and raw.startswith(self._before)):
            found = _own_model(raw)
            if found is None:
                return raw
            self._before = raw[: found.end(1)]
            self._instead = raw[: found.start(1)] + self._model
        return self._instead + raw[len(self._before) :]


def _own_model(raw: bytes) -> re.Match[bytes] | None:
    """Where the object's own `model` is, which most servers put before anything nested."""
    # Inside a JSON string a quote is escaped, so the pattern matches keys alone.
    found = _MODEL.search(raw)
    if found is None or (raw.count(b"{", 0, found.start()) == 1 and b"[" not in raw[: found.start()]):
        return found
    depth = 0
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1 and (own := _MODEL.match(raw, token.start())):
            return own
    return None


def read_completion(body: Mapping[str, Any]) -> tuple[str, str, Usage]:
    """Text, finish reason and usage of a `chat.completion` body; raises ValueError where it is none."""
    try:
        choice = body["choices"][0]
        text = _said(choice["message"].get("content"))
        return text, choice.get("finish_reason") or "stop", read_usage(body.get("usage"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        message = "not a chat.completion object"
        raise ValueError(message) from error


News = tuple[str, str | None, Usage | None]
"""What one chunk says: its text, the finish reason and the usage if it has them."""


class Assembled:
    """What the chunks of one stream add up to."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.finish_reason: str | None = None
        self.usage = Usage()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk; raises ValueError where it is no chunk of choice 0 or usage."""
        self.take(self.read(chunk.raw))

    def take(self, news: News) -> None:
        """Take in what a chunk said."""
        text, finish_reason, usage = news
        if text:
            self._pieces.append(text)
        if finish_reason is not None:
            self.finish_reason = finish_reason
        if usage is not None:
            self.usage = usage

    def read(self, raw: bytes) -> News:
        """What a chunk says; raises ValueError where it is no chunk of choice 0 or usage."""
        text, finish_reason, usage = "", None, None
        try:
            data = orjson.loads(raw)
            if counted := data.get("usage"):
                usage = read_usage(counted)
            for choice in data["choices"]:
                if choice.get("index", 0) != 0:
                    continue
                content = choice["delta"].get("content") if "delta" in choice else None
                if content is not None:
                    text += content if type(content) is str else _said(content)
                finish_reason = choice.get("finish_reason") or finish_reason
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            message = "not a chat.completion.chunk object"
            raise ValueError(message) from error
        return text, finish_reason, usage


def _said(content: object) -> str:
    """The text of a message's content as a server sent it: a string, parts, or nothing; TypeError for the rest."""
    if not isinstance(content, str | list | None):
        message = "content is no text"
        raise TypeError(message)
    return content_text(content)


def _extensions(
    passages: Sequence[Passage], structured: Mapping[str, Any] | None, attachments: Sequence[Attachment]
) -> dict[str, Any]:
    """What our answers have beyond OpenAI's: absent where there is nothing to say."""
    fields: dict[str, Any] = {}
    if passages:
        fields["citations"] = [citation(passage) for passage in passages]
    if structured is not None:
        fields["structured_content"] = structured
    if attachments:
        fields["attachments"] = [attachment(attached) for attached in attachments]
    return fields


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def read_usage(usage: Mapping[str, Any] | None) -> Usage:
    """The tokens that a `usage` object counts; none where there is none."""
    if not usage:
        return Usage()
    return Usage(
        input_tokens=int(usage.get("prompt_tokens") or 0), output_tokens=int(usage.get("completion_tokens") or 0)
    )
