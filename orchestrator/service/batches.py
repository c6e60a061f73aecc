"""OpenAI's files and batches: requests that nobody waits for. There only where `serve.batches` names a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import httpx
from anyio import to_thread
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.batch.lines import URLS
from orchestrator.batch.records import Batch, Batches, File
from orchestrator.batch.shelf import Shelf
from orchestrator.batch.worker import Worker
from orchestrator.errors import InvalidRequest, RequestTooLarge, UnknownBatch
from orchestrator.service.body import json_body
from orchestrator.service.identity import CALLER, caller_of

__all__ = ["clients_of", "router"]

router = APIRouter(tags=["batches"])
_MANY = 100
Found = TypeVar("Found", File, Batch)
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "JSONL of requests"},
                        "purpose": {"const": "batch"},
                    },
                }
            }
        },
    }
}
_CREATE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["input_file_id", "endpoint"],
                    "properties": {
                        "input_file_id": {"type": "string"},
                        "endpoint": {"enum": list(URLS)},
                        "completion_window": {"type": "string", "default": "24h"},
                        "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
                    },
                }
            }
        },
    }
}
FileId = Annotated[str, Path(description="of a file")]
BatchId = Annotated[str, Path(description="of a batch")]


class Deleted(BaseModel):
    """A file that is gone."""

    id: str
    object: str = "file"
    deleted: bool = True


def as_caller(app: ASGIApp, caller: str) -> ASGIApp:
    """The application as somebody's requests find it once their key has been looked at."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, CALLER: caller}, receive, send)

    return asked


@asynccontextmanager
async def clients_of(app: ASGIApp, caller: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests go to the application without a socket, as a caller's."""
    transport = httpx.ASGITransport(as_caller(app, caller), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def _shelf(http: Request) -> Shelf:
    shelf: Shelf = http.app.state.shelf
    return shelf


@router.post("/v1/files", openapi_extra=_UPLOAD)
async def upload(http: Request) -> File:
    """Keep a file of requests for a batch: multipart with `file` and `purpose=batch`."""
    limit = http.app.state.engine.config.serve.max_batch_bytes
    limited = Request(http.scope, _limited(http.receive, limit))
    try:
        async with limited.form(max_files=1, max_fields=8) as form:
            given, purpose = form.get("file"), form.get("purpose")
            if not isinstance(given, UploadFile):
                raise InvalidRequest("'file' must be a file of a multipart form.", param="file")
            if purpose != "batch":
                raise InvalidRequest("'purpose' must be 'batch'.", param="purpose")
            shelf, caller = _shelf(http), caller_of(http.scope)
            name = (given.filename or "requests.jsonl")[:200]
            made = await to_thread.run_sync(shelf.new_file, caller, name, "batch", given.file)
    except (MultiPartException, KeyError) as error:
        raise InvalidRequest(f"The body is no multipart form: {error}.") from error
    return made


@router.get("/v1/files/{file_id}")
async def file(http: Request, file_id: FileId) -> File:
    """What is known of a file."""
    return _there(_shelf(http).file(file_id, caller_of(http.scope)), file_id)


@router.get("/v1/files/{file_id}/content", response_class=FileResponse)
async def content(http: Request, file_id: FileId) -> FileResponse:
    """The lines of a file."""
    found = _there(_shelf(http).file(file_id, caller_of(http.scope)), file_id)
    return FileResponse(_shelf(http).lines(found.id), media_type="application/jsonl", filename=None)


@router.delete("/v1/files/{file_id}")
async def delete(http: Request, file_id: FileId) -> Deleted:
    """Let go of a file; a batch under way that needs it fails."""
    found = _there(_shelf(http).file(file_id, caller_of(http.scope)), file_id)
    _shelf(http).remove(found)
    return Deleted(id=found.id)


@router.post("/v1/batches", openapi_extra=_CREATE)
async def create(http: Request) -> Batch:
    """Begin a batch: the requests of a file, all for one endpoint."""
    body = await json_body(http, limit=http.app.state.engine.config.serve.max_body_bytes)
    source, endpoint, metadata = body.get("input_file_id"), body.get("endpoint"), body.get("metadata")
    window = body.get("completion_window", "24h")
    shelf, caller = _shelf(http), caller_of(http.scope)
    if not isinstance(source, str) or shelf.file(source, caller) is None:
        raise UnknownBatch("'input_file_id' is no file that was uploaded.", param="input_file_id")
    if endpoint not in URLS:
        raise InvalidRequest(f"'endpoint' must be one of {', '.join(URLS)}.", param="endpoint")
    if not isinstance(window, str):
        raise InvalidRequest("'completion_window' must be a string, such as '24h'.", param="completion_window")
    if metadata is not None and not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
        raise InvalidRequest("'metadata' must be an object of strings.", param="metadata")
    made = shelf.new_batch(
        caller,
        Batch(id="", input_file_id=source, endpoint=endpoint, completion_window=window[:20], metadata=metadata),
    )
    _worker(http).begin()
    return made


@router.get("/v1/batches")
async def batches(
    http: Request,
    limit: Annotated[str, Query(description="most of them, 1 to 100")] = "20",
    after: Annotated[str | None, Query(description="the id of a batch: those that are older")] = None,
) -> Batches:
    """Your batches, newest first."""
    most = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < len("1000") else 0
    if not 1 <= most <= _MANY:
        raise InvalidRequest(f"'limit' must be a whole number from 1 to {_MANY}.", param="limit")
    mine = await to_thread.run_sync(_shelf(http).batches, caller_of(http.scope))
    if after is not None:
        ids = [batch.id for batch in mine]
        mine = mine[ids.index(after) + 1 :] if after in ids else []
    page = mine[:most]
    ends = (page[0].id, page[-1].id) if page else (None, None)
    return Batches(data=page, first_id=ends[0], last_id=ends[1], has_more=len(mine) > most)


@router.get("/v1/batches/{batch_id}")
async def batch(http: Request, batch_id: BatchId) -> Batch:
    """How far a batch is."""
    return _there(_shelf(http).batch(batch_id, caller_of(http.scope)), batch_id)


@router.post("/v1/batches/{batch_id}/cancel")
async def cancel(http: Request, batch_id: BatchId) -> Batch:
    """End a batch; what has been answered stays."""
    caller = caller_of(http.scope)
    found = _there(_shelf(http).batch(batch_id, caller), batch_id)
    return _worker(http).cancel(caller, found)


def _worker(http: Request) -> Worker:
    worker: Worker = http.app.state.worker
    return worker


def _there(found: Found | None, name: str) -> Found:
    if found is None:
        raise UnknownBatch(f"There is no {name!r} here.")
    return found


def _limited(receive: Receive, limit: int) -> Receive:
    """Takes no more of a body than that."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise RequestTooLarge(f"The file is larger than {limit} bytes (serve.max_batch_bytes).")
        return message

    return bounded
