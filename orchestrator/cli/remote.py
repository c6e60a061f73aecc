"""The REST service, as the verbs ask it with `--url`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from orchestrator.decision import Decision
from orchestrator.errors import RunError

__all__ = ["Reply", "decision_of", "get", "post"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered."""

    body: dict[str, Any]
    headers: dict[str, str]


def post(url: str, path: str, body: dict[str, Any]) -> Reply:
    """Post JSON; raises RunError with the service's own words."""
    return _call("POST", url, path, body)


def get(url: str, path: str) -> dict[str, Any]:
    """Get JSON; raises RunError with the service's own words."""
    return _call("GET", url, path, None).body


def decision_of(url: str, found: Mapping[str, Any]) -> Decision:
    """A decision as a service sent it; raises RunError where it is none that this version can read."""
    try:
        return Decision.model_validate(found)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunError(f"{url}: its decision cannot be read ({where}); is it a service of another version?") from error


def _call(method: str, url: str, path: str, body: dict[str, Any] | None) -> Reply:
    import httpx

    key = os.environ.get("ORCHESTRATOR_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx.request(method, url.rstrip("/") + path, json=body, headers=headers, timeout=120)
        payload = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise RunError(f"{url}: {type(error).__name__}; is 'orchestrator serve' running there?") from error
    if response.is_error:
        raise RunError(_said(payload) or f"{url}{path}: status {response.status_code}; is this our service?")
    return Reply(payload, dict(response.headers))


def _said(payload: object) -> str:
    """The message of an error of ours; empty for what somebody else sent."""
    error = payload.get("error") if isinstance(payload, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""
