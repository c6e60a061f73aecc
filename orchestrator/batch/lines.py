"""Lines of a batch, in OpenAI's form: read and checked as a whole before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["URLS", "BadBatch", "Line", "read_lines"]

URLS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
MOST_PROBLEMS = 20


class BadBatch(Exception):
    """A file that is no batch; `problems` has a line for each reason, 20 at most."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One request. custom_id: by which its answer is found again. url: of the surface that it is for."""

    custom_id: str
    url: str
    body: Mapping[str, Any]


def read_lines(raw: Iterable[bytes], name: str, *, url: str | None = None) -> list[Line]:
    """The lines of a batch; blank ones do not count. url: the one that all have to be for; None: any of URLS.

    Raises:
        BadBatch: some are not what they should be; each with its place.

    """
    lines: list[Line] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(raw, start=1):
        if not text.strip():
            continue
        try:
            line = _line(text, url)
        except ValueError as error:
            problems.append(f"{name}:{number}: {error}")
        else:
            first = seen.setdefault(line.custom_id, number)
            lines.append(line)
            if first != number:
                problems.append(f"{name}:{number}: custom_id {line.custom_id!r} stands in line {first} too")
        if len(problems) == MOST_PROBLEMS:
            break
    if not lines and not problems:
        problems = [f"{name}: there is no request in it"]
    if problems:
        raise BadBatch(problems)
    return lines


def _line(text: bytes, url: str | None) -> Line:
    """Raises ValueError with what is wrong."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"not valid JSON: {error}"
        raise ValueError(message) from error
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for all
    custom_id, path, body = found.get("custom_id"), found.get("url"), found.get("body")
    if not isinstance(custom_id, str) or not custom_id:
        raise ValueError("'custom_id' must be a non-empty string")
    if found.get("method", "POST") != "POST":
        raise ValueError("'method' must be POST")
    if path not in ((url,) if url else URLS):
        message = f"'url' must be {url}" if url else f"'url' must be one of {', '.join(URLS)}"
        raise ValueError(message)
    if not isinstance(body, dict):
        raise ValueError("'body' must be an object")  # noqa: TRY004 - as above
    if body.get("stream"):
        raise ValueError("'body.stream': answers of a batch come whole")
    return Line(custom_id=custom_id, url=str(path), body=body)
