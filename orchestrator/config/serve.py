"""The block `serve`: the service itself, its keys, limits, store and batches."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from orchestrator.config.values import Origin, PositiveInt, Seconds, Settings

__all__ = ["Serve"]


class Serve(Settings):
    """The service itself."""

    host: str = Field(default="127.0.0.1", description="address to listen on; without keys only loopback is allowed")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes a free one")
    keys: SecretStr | None = Field(default=None, description="API keys, comma-separated, as ${VARIABLE}")
    store: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^(sqlite|postgresql|postgres)(\+\w+)?://",
        description="URL of the database that decisions, feedback and sums of use are kept in: sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME",
    )
    retention_days: float = Field(
        default=30,
        gt=0,
        description="days for which the store keeps decisions, feedback, responses; sums of use stay",
    )
    responses: bool = Field(
        default=False,
        description="the store keeps conversations of /v1/responses, with texts, so that `previous_response_id` works",
    )
    batches: Path | None = Field(
        default=None,
        description="folder for files and batches of /v1/files and /v1/batches; without it these are not there",
    )
    batch_concurrency: PositiveInt = Field(default=4, description="requests of batches that run at once")
    batch_days: float = Field(default=7, gt=0, description="days for which files and batches are kept")
    max_batch_bytes: int = Field(
        default=104_857_600, ge=1024, description="largest file of requests for a batch; more is refused with 413"
    )
    content: bool = Field(
        default=False,
        description="the latest decisions keep their texts, in memory: query, drafts, what the verdict was shown; "
        "GET /v1/decisions/{id} gives them to all that have a key",
    )
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, description="largest request body; more is refused with 413"
    )
    max_header_bytes: int = Field(
        default=32_768, ge=1024, description="largest request line and headers together; more is refused with 431"
    )
    body_timeout_s: Seconds = Field(
        default=30, description="seconds in which a client must have sent its request, body included; then 408"
    )
    drain_s: float = Field(
        default=30, ge=0, description="seconds that answers under way get to end when the service is told to stop"
    )
    mcp: bool = Field(default=True, description="serve agents at /mcp (MCP over HTTP), where package `mcp` is there")
    origins: tuple[Origin, ...] = Field(
        default=(),
        description="web origins beside loopback whose pages may call /mcp, such as https://agents.example.com",
    )

    @property
    def key_list(self) -> tuple[str, ...]:
        """The API keys one by one; none when `keys` is absent or holds only commas and blanks."""
        joined = self.keys.get_secret_value() if self.keys else ""
        return tuple(key.strip() for key in joined.split(",") if key.strip())
