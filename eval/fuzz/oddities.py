"""JSON that nobody should write, drawn from a seed: values of the wrong type, numbers without end, broken text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["KINDS", "damaged", "odd_literal", "spoiled", "with_oddity"]

_MARK = "\ue000odd\ue000"
"""Stands in a value for a literal that no value can be."""
_VALUES: tuple[str, ...] = (
    *(
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "2.0",
        "-0",
        "1e308",
        "-1e-320",
        '""',
        '" "',
        "[]",
        "{}",
        "[[]]",
        "[null]",
    ),
    *(
        '{"a":1}',
        '"auto"',
        '"user"',
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
    ),
    *(
        '"\\u0000"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u202e\\ufeff"',
        '"\U0001f5fc"',
        '"<system-reminder>"',
        '"../../etc/passwd"',
    ),
    *('"\\r\\n\\r\\ndata: x"', '"%00%0d%0a"', '[0,[],{},null,""]'),
)
_BROKEN: tuple[str, ...] = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "01",
    "0x10",
    "+1",
    "'a'",
    "undefined",
    '"\x00"',
    '"\n"',
    "1_000",
)
"""No JSON, though some readers take them."""
KINDS: tuple[str, ...] = (
    *(
        "odd value",
        "odd value",
        "odd value",
        "broken value",
        "deep value",
        "long value",
        "no key",
        "more keys",
        "same key",
    ),
    *("cut", "flipped", "inserted", "no UTF-8", "another encoding", "not an object", "more after it", "empty"),
)
"""Of damage to a body."""


def odd_literal(chance: random.Random) -> str:
    """JSON of any type."""
    return chance.choice(_VALUES)


def with_oddity(value: Any, literal: str, chance: random.Random) -> str:
    """The value as JSON, with this literal in place of some part of it."""
    places = list(_places(value))
    copied = json.loads(json.dumps(value))
    steps = chance.choice(places)
    if not steps:
        return literal
    inner = copied
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = _MARK
    return (
        json.dumps(copied, ensure_ascii=chance.random() < 0.5)
        .replace(json.dumps(_MARK), literal)
        .replace(f'"{_MARK}"', literal)
    )


def spoiled(value: Any, chance: random.Random) -> str:
    """The value as JSON, with some part of it odd, and still JSON."""
    literal = _deep(chance) if chance.random() < 0.1 else odd_literal(chance)
    return with_oddity(value, literal, chance)


def damaged(body: dict[str, Any], chance: random.Random) -> tuple[str, bytes]:
    """What was done to this body, and its bytes."""
    kind = chance.choice(KINDS)
    return kind, _DAMAGES[kind](body, chance)


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, one in items:
        yield from _places(one, (*at, key))


def _deep(chance: random.Random) -> str:
    depth = chance.choice((50, 200, 243, 250, 260, 500, 1020, 1100, 20_000))
    begin, end = chance.choice((("[", "]"), ('{"a":', "}")))
    return begin * depth + ("1" if begin != "[" else "") + end * depth


def _long(chance: random.Random) -> str:
    return chance.choice(
        (
            json.dumps("a" * 300_000),
            json.dumps("<system-reminder>" * 9_000),
            "9" * 5_000,
            "0." + "1" * 5_000,
            json.dumps("\u2028\U0001f5fc" * 20_000),
            "[" + "0," * 50_000 + "0]",
            json.dumps(" " * 200_000),
            json.dumps("a" * 1_200_000),
        )
    )


def _no_key(body: dict[str, Any], chance: random.Random) -> bytes:
    places = [place for place in _places(body) if place and isinstance(place[-1], str)]
    copied = json.loads(json.dumps(body))
    steps = chance.choice(places)
    inner = copied
    for step in steps[:-1]:
        inner = inner[step]
    del inner[steps[-1]]
    return json.dumps(copied).encode()


def _more_keys(body: dict[str, Any], chance: random.Random) -> bytes:
    names = [
        "user",
        "metadata",
        "tools",
        "tool_choice",
        "n",
        "stop",
        "logprobs",
        "text",
        "reasoning",
        "include",
        "extra",
        "",
    ]
    names += [
        "prompt_cache_key",
        "progress",
        "stream",
        "stream_options",
        "cost_quality",
        "explain",
        "system",
        "__proto__",
    ]
    literals = [
        f"{json.dumps(chance.choice(names))}: {odd_literal(chance)}" for _ in range(chance.choice((1, 1, 3, 5_000)))
    ]
    return ("{" + ", ".join(literals) + ", " + json.dumps(body)[1:]).encode("utf-8", "surrogatepass")


def _same_key(body: dict[str, Any], chance: random.Random) -> bytes:
    again = f"{json.dumps(chance.choice(list(body)))}: {odd_literal(chance)}"
    inner = json.dumps(body)[1:-1]
    parts = [again, inner] if chance.random() < 0.5 else [inner, again]
    return ("{" + ", ".join(parts) + "}").encode("utf-8", "surrogatepass")


def _cut(body: dict[str, Any], chance: random.Random) -> bytes:
    raw = json.dumps(body).encode()
    return raw[: chance.randrange(len(raw))]


def _flipped(body: dict[str, Any], chance: random.Random) -> bytes:
    raw = bytearray(json.dumps(body).encode())
    for _ in range(chance.choice((1, 2, 20))):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    return bytes(raw)


def _inserted(body: dict[str, Any], chance: random.Random) -> bytes:
    raw = json.dumps(body).encode()
    at = chance.randrange(len(raw) + 1)
    return (
        raw[:at]
        + chance.choice((b"\x00", b"\xef\xbb\xbf", b",", b"}", b"{", b'"', b"\\", b"/* */", b"\xff\xfe", b"\xc0\x80"))
        + raw[at:]
    )


def _encoded(body: dict[str, Any], chance: random.Random) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode(
        chance.choice(("utf-16", "utf-32", "utf-7", "utf-8-sig", "cp037")), "replace"
    )


def _not_utf8(body: dict[str, Any], chance: random.Random) -> bytes:
    bad = chance.choice(("\xff\xfe", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"))
    return with_oddity(body, f'"{bad}"', chance).encode("latin-1", "replace")


_DAMAGES: dict[str, Callable[[dict[str, Any], random.Random], bytes]] = {
    "odd value": lambda body, chance: with_oddity(body, odd_literal(chance), chance).encode("utf-8", "surrogatepass"),
    "broken value": lambda body, chance: with_oddity(body, chance.choice(_BROKEN), chance).encode(),
    "deep value": lambda body, chance: with_oddity(body, _deep(chance), chance).encode(),
    "long value": lambda body, chance: with_oddity(body, _long(chance), chance).encode("utf-8", "surrogatepass"),
    "no key": _no_key,
    "more keys": _more_keys,
    "same key": _same_key,
    "cut": _cut,
    "flipped": _flipped,
    "inserted": _inserted,
    "no UTF-8": _not_utf8,
    "another encoding": _encoded,
    "not an object": lambda _, chance: odd_literal(chance).encode("utf-8", "surrogatepass"),
    "more after it": lambda body, chance: (
        json.dumps(body).encode() + chance.choice((b"x", b"{}", b"\x00", b",", b"\n\n", b"]"))
    ),
    "empty": lambda _, chance: chance.choice((b"", b" ", b"\n", b"\x00")),
}
