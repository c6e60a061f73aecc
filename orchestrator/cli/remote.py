"""The REST service, as the verbs ask it with `--url`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import RunError

__all__ = ["Reply", "get", "post"]


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
