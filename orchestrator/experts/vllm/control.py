"""Control calls to one server over httpx: which models it serves. Never on the way of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

__all__ = ["NoModelList", "credentials", "models_of"]


class NoModelList(Exception):
    """The server answered, but not with a list of models. status: of that answer."""

    def __init__(self, response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        super().__init__(f"GET /v1/models answers {response.status_code} with {kind or 'no content type'}")
        self.status = response.status_code


def credentials(key: SecretStr | None) -> dict[str, str]:
    """The headers by which a server knows us."""
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


async def models_of(client: httpx.AsyncClient, url: str) -> Mapping[str, Mapping[str, Any]]:
    """What a server says of each model and adapter that it serves, by name.

    Raises:
        httpx.HTTPError: it did not answer.
        NoModelList: what it answered is no list of models.
    """
    response = await client.get(f"{url}/v1/models")
    if response.is_success:
        try:
            return {str(card["id"]): dict(card) for card in response.json()["data"]}
        except (ValueError, KeyError, TypeError):
            pass  # as good as an error: said below
    raise NoModelList(response)
