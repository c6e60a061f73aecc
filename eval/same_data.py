"""Do two findings stand on the same suite and the same queries? Knows their descriptions and ids, not their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.datasets import DataError
from eval.datasets.problems import printable
from eval.findings import Findings

__all__ = ["aligned_ids", "check_same_data"]

SHOWN = 3


def check_same_data(before: Findings, after: Findings) -> tuple[str, ...]:
    """What a reader has to know of the difference, where there is one that does not matter.

    Data is the same where its hashes are (its name may differ), or where the ids of the queries are.

    Raises:
        DataError: another suite, or other data.
    """
    if before.suite != after.suite:
        raise DataError([f"different suites: {before.suite!r} and {after.suite!r}"])
    old, new = _data(before), _data(after)
    if old and [_hash(one) for one in old] == [_hash(one) for one in new]:
        return ()
    known, now = set(aligned_ids(before)), set(aligned_ids(after))
    if known and known == now:
        return ("the queries have the same ids, but their texts, their order or the data sets they stand in differ",)
    raise DataError([f"different data: {_named(old)} and {_named(new)}", *_differing(known, now)])


def aligned_ids(findings: Findings) -> tuple[str, ...]:
    """The ids of the queries, free of the names of their data sets: the same file may lie elsewhere."""
    names = [str(one.get("name", "")) for one in _data(findings)]
    if len(names) < 2:  # noqa: PLR2004 - a single set's name is in no id
        return findings.queries.ids
    prefixes = sorted(((f"{name}#", f"{number}#") for number, name in enumerate(names)), key=lambda p: -len(p[0]))
    return tuple(_renamed(identity, prefixes) for identity in findings.queries.ids)


def _renamed(identity: str, prefixes: Sequence[tuple[str, str]]) -> str:
    named, numbered = next((pair for pair in prefixes if identity.startswith(pair[0])), ("", ""))
    return f"{numbered}{identity.removeprefix(named)}"


def _data(findings: Findings) -> list[Mapping[str, Any]]:
    """What `eval.runs.describe` says of the data; nothing for findings without it."""
    described = findings.run.get("data")
    return [one for one in described if isinstance(one, Mapping)] if isinstance(described, list) else []


def _hash(described: Mapping[str, Any]) -> object:
    return described.get("sha256")


def _named(data: Sequence[Mapping[str, Any]]) -> str:
    parts = [f"{printable(str(one.get('name')))} ({one.get('rows')} rows)" for one in data]
    return " + ".join(parts) or "data that is not described"


def _differing(known: set[str], now: set[str]) -> list[str]:
    said = []
    for title, ids in (("first", known - now), ("second", now - known)):
        if ids:
            some = ", ".join(printable(identity, 60) for identity in sorted(ids)[:SHOWN])
            said.append(f"only in the {title}: {len(ids)} of the queries ({some}{', …' if len(ids) > SHOWN else ''})")
    return said
