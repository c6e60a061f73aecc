"""What the routes of learning from use do: feedback in, alerts out."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.requests import Request

from orchestrator.engine import Engine
from orchestrator.service.body import json_body
from orchestrator.usage.alert import Alert
from orchestrator.usage.feedback import Accepted, accept

__all__ = ["Alerts", "alerts", "feedback"]


class Alerts(BaseModel):
    """What the drift watch has raised since the service started, newest last, 100 at most."""

    watching: bool = Field(description="whether the configuration names a usage.file; else there is nothing to see")
    written: int = Field(description="lines written to it since the start")
    lost: int = Field(description="lines lost since the start, because the disk or the queue was full")
    alerts: list[Alert]


async def feedback(http: Request) -> Accepted:
    """What you think of an answer: kept with the decision, and learned from.

    `score` (or `rating`) judges the expert that answered, or the one that `expert` names; `category` says where the
    query belongs. Saying something else later replaces it. Comments are kept only where the configuration says so.
    """
    engine: Engine = http.app.state.engine
    return await accept(engine, await json_body(http, limit=engine.config.serve.max_body_bytes))


async def alerts(http: Request) -> Alerts:
    """Which slices of the traffic have moved: in confidence, in familiarity, in the scores of feedback."""
    engine: Engine = http.app.state.engine
    if engine.usage is None:
        return Alerts(watching=False, written=0, lost=0, alerts=[])
    counts = engine.usage.counts
    return Alerts(watching=True, written=counts.written, lost=counts.lost, alerts=list(engine.usage.alerts))
