"""Files and batches as OpenAI's API tells of them."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Batch", "BatchError", "BatchErrors", "Batches", "Counts", "File", "Status", "now"]

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


class File(BaseModel):
    """A file of lines. bytes: its length."""

    model_config = ConfigDict(extra="ignore")

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int = Field(default_factory=now)
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"] = "processed"


class BatchError(BaseModel):
    """What is wrong with a file of requests."""

    code: str = "invalid_request"
    message: str
    line: int | None = None
    param: str | None = None


class BatchErrors(BaseModel):
    """All of it, twenty at most."""

    object: Literal["list"] = "list"
    data: list[BatchError] = Field(default_factory=list)


class Counts(BaseModel):
    """Of requests. completed: those that were answered."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(BaseModel):
    """Requests of a file, being asked or asked. Times are seconds since the epoch."""

    model_config = ConfigDict(extra="ignore")

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: str = "24h"
    status: Status = "validating"
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int = Field(default_factory=now)
    in_progress_at: int | None = None
    expires_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: Counts = Field(default_factory=Counts)
    metadata: dict[str, str] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in {"failed", "completed", "expired", "cancelled"}

    def become(self, status: Status) -> None:
        """Be in another state from now on."""
        self.status = status
        setattr(self, f"{status}_at", now())


class Batches(BaseModel):
    """A page of batches, newest first."""

    object: Literal["list"] = "list"
    data: list[Batch]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False
