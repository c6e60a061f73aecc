"""Quantities in base units, so that 3 km and 3000 m are the same. The units are pint's."""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import UnitRegistry

__all__ = ["SHAPE", "in_base_units"]

SHAPE = r"\u00b0?[A-Za-z\u00b5\u03bc]{1,20}(?:[/*][A-Za-z]{1,20})?(?:\^?[23]|\u00b2|\u00b3)?"
"""How a unit is written: "km/h", "m^2". Only such words reach the library's parser."""

_WORDS = frozenset(
    "a am are as at be cats d do dot e go ha hand has he in link me no pa pm so us".split()  # noqa: SIM905 - words
)
"""What is rather a word of the sentence than a unit: "18 in total"."""
_PER_CENT = 0.01
REMEMBERED = 1024


def in_base_units(value: float, unit: str) -> tuple[float, str] | None:
    """The value in base units, and which these are; None where the word is no unit.

    The first call loads the units, which takes some tenths of a second.
    """
    if unit == "%":
        return value * _PER_CENT, ""
    factor = _factor(unit)
    if factor is None:
        return None
    scale, offset, base = factor
    found = value * scale + offset
    return (found, base) if math.isfinite(found) else None


@lru_cache(REMEMBERED)
def _factor(unit: str) -> tuple[float, float, str] | None:
    """scale, offset and base units of a unit: value * scale + offset."""
    import pint  # noqa: PLC0415 - for those whose answers have units

    word = unit.replace("\u00b2", "^2").replace("\u00b3", "^3")
    if word.casefold() in _WORDS or not re.fullmatch(SHAPE, unit):
        return None
    try:
        units = _registry()
        zero, one = (units.Quantity(value, units.parse_units(word)).to_base_units() for value in (0.0, 1.0))
    except (pint.PintError, ValueError, TypeError, AttributeError, ArithmeticError):
        return None
    return one.magnitude - zero.magnitude, zero.magnitude, str(one.units)


@cache
def _registry() -> UnitRegistry[float]:
    import pint  # noqa: PLC0415 - see above

    return pint.UnitRegistry(cache_folder=None)
