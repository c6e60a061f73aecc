"""What units are called, and units made of others: square feet, m3, grams per litre. Knows no sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from unit_definitions import UNITS, Unit

__all__ = ["FoundUnit", "closest_names", "unit_at"]

_FLAGS = re.IGNORECASE | re.ASCII
_POWERS = {2: ("square", "area"), 3: ("cubic", "volume")}
_QUOTIENTS = {("length", "time"): "speed", ("data", "time"): "data rate", ("energy", "time"): "power"}


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit in a text: the units that its name can mean, likeliest first, and the characters [start, end)."""

    meanings: tuple[Unit, ...]
    start: int
    end: int


def _by_name(names_of: Callable[[Unit], Iterable[str]]) -> dict[str, tuple[Unit, ...]]:
    found: dict[str, tuple[Unit, ...]] = {}
    for unit in UNITS:
        for name in dict.fromkeys(names_of(unit)):
            found[name] = (*found.get(name, ()), unit)
    return found


def _one_of(names: Iterable[str]) -> str:
    longest_first = sorted(names, key=len, reverse=True)
    return "|".join(re.escape(name).replace(r"\ ", r"[\s-]+") for name in longest_first)


_NAMES = _by_name(lambda unit: (name.lower().replace("-", " ") for name in unit.names))
_SYMBOLS = _by_name(lambda unit: unit.symbols)
_FOLDED = _by_name(lambda unit: (symbol.lower() for symbol in unit.symbols))
_END = r"(?![a-zA-Z\u00b5\u03bc])"
_NAME = re.compile(rf"(?:{_one_of(_NAMES)}){_END}", _FLAGS)
_SYMBOL = re.compile(rf"(?:{_one_of(_SYMBOLS)}){_END}")
_ANY_CASE_SYMBOL = re.compile(rf"(?:{_one_of(_FOLDED)}){_END}", _FLAGS)
_POWER_BEFORE = re.compile(r"(square|sq\.?|cubic|cu\.?)\s+", _FLAGS)
_POWER_AFTER = re.compile(r"\^?[23](?![\da-z])|[\u00b2\u00b3]|\s+(?:squared|cubed)\b", _FLAGS)
_PER = re.compile(r"\s*/\s*|\s+per\s+(?:an?\s+)?", _FLAGS)


def unit_at(text: str, position: int) -> FoundUnit | None:
    """The longest unit that starts at this character, or none."""
    top = _with_power(text, position)
    if top is None:
        return None
    per = _PER.match(text, top.end)
    bottom = per and _with_power(text, per.end())
    if bottom is None:
        return top
    quotients = [
        _quotient(over, under)
        for over in top.meanings
        for under in bottom.meanings
        if over.offset == 0 and under.offset == 0
    ]
    return FoundUnit(tuple(quotients), position, bottom.end) if quotients else top


def closest_names(word: str) -> list[str]:
    """Up to three known names that are spelled like this word."""
    close = get_close_matches(word.lower(), _NAMES, n=6, cutoff=0.6)
    return list(dict.fromkeys(_NAMES[name][0].names[1] for name in close))[:3]


def _with_power(text: str, position: int) -> FoundUnit | None:
    before = _POWER_BEFORE.match(text, position)
    plain = _plain_at(text, position if before is None else before.end())
    if plain is None:
        return None
    power, end = 1, plain.end
    if before is not None:
        power = 2 if before[1].lower().startswith("sq") else 3
    elif after := _POWER_AFTER.match(text, plain.end):
        power = 2 if after[0].strip().lower() in ("2", "^2", "\u00b2", "squared") else 3
        end = after.end()
    if power == 1:
        return FoundUnit(plain.meanings, position, end)
    raised = tuple(_raised(unit, power) for unit in plain.meanings if unit.dimension == "length")
    if raised:
        return FoundUnit(raised, position, end)
    return None if before is not None else plain


def _plain_at(text: str, position: int) -> FoundUnit | None:
    """A unit with a name of its own; the longer of name and symbol."""
    if position > 0 and (text[position - 1].isalpha() or text[position - 1] == "'"):
        return None
    name, symbol = _NAME.match(text, position), _SYMBOL.match(text, position)
    if name is not None and (symbol is None or name.end() > symbol.end()):
        return FoundUnit(_NAMES[re.sub(r"[\s-]+", " ", name[0].lower())], position, name.end())
    if symbol is not None:
        return FoundUnit(_SYMBOLS[symbol[0]], position, symbol.end())
    folded = _ANY_CASE_SYMBOL.match(text, position)
    return folded and FoundUnit(_FOLDED[folded[0].lower()], position, folded.end())


def _raised(unit: Unit, power: int) -> Unit:
    word, dimension = _POWERS[power]
    return Unit(
        dimension=dimension,
        names=tuple(f"{word} {name}" for name in unit.names[:2]),
        scale=unit.scale**power,
        pi_power=unit.pi_power * power,
    )


def _quotient(top: Unit, bottom: Unit) -> Unit:
    dimension = _QUOTIENTS.get((top.dimension, bottom.dimension), f"{top.dimension} per {bottom.dimension}")
    return Unit(
        dimension=dimension,
        names=tuple(f"{name} per {bottom.names[0]}" for name in top.names[:2]),
        scale=top.scale / bottom.scale,
        pi_power=top.pi_power - bottom.pi_power,
    )
