"""Sizes in bytes as people write them: 64GB, 64GiB, 13.5GB."""

from __future__ import annotations

import re

import typer

__all__ = ["as_text", "size"]

UNITS: dict[str, int] = {"": 1, "B": 1} | {
    f"{prefix}{infix}B": int(base**power)
    for power, prefix in enumerate("KMGT", start=1)
    for infix, base in (("", 1000), ("i", 1024))
}


def size(text: str) -> int:
    """The bytes.

    Raises:
        typer.BadParameter: it is no size.

    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)", text.strip())
    if found is None or found[2] not in UNITS or round(float(found[1]) * UNITS[found[2]]) < 1:
        message = f"expected a size such as 64GB or 64GiB, found {text!r}"
        raise typer.BadParameter(message)
    return round(float(found[1]) * UNITS[found[2]])


def as_text(size_bytes: int) -> str:
    """In GB, with as many digits as a table needs."""
    return f"{size_bytes / 1e9:,.1f} GB"
