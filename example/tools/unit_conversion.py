"""The `convert` tool: a quantity in another unit, from a sentence. Knows no MCP."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from decimal_text import exact_decimal
from enclosures import Enclosure, enclosed_pi
from figures import Figure, figure_of, irrational_figure
from pydantic import Field
from tool_questions import Answer, NotAnswerable, plain_question
from unit_definitions import Unit
from unit_phrases import Request, requested

__all__ = ["Conversion", "convert"]

_MAX_CHARACTERS = 60


class Conversion(Answer):
    """A quantity in another unit."""

    quantity: str = Field(description="what was converted, as it was understood")
    from_unit: str = Field(description="the unit (or units, joined by +) of the quantity")
    value: str = Field(description="the number of `to_unit`; rounded to 16 significant digits where `exact` is false")
    to_unit: str = Field(description="the unit it was converted to")
    dimension: str = Field(description="what both units measure, as 'length'")
    exact: bool = Field(description="whether `value` is the result itself and not a rounding of it")


def convert(sentence: str) -> Conversion:
    """The conversion that the sentence asks for.

    Raises:
        NotAnswerable: it asks for none or several, a unit is unknown or has two meanings, the dimensions differ, or
            a temperature lies below absolute zero.
    """
    request = requested(plain_question(sentence))
    units, target = _of_one_dimension(request)
    parts = [(part.value, unit) for part, unit in zip(request.parts, units, strict=True)]
    _refuse_impossible_temperature(parts)
    quantity = " ".join(_counted(_short(value), unit) for value, unit in parts)
    figure = _converted(parts, target)
    return Conversion(
        quantity=quantity,
        from_unit=" + ".join(unit.names[1] for unit in units),
        value=figure.full,
        to_unit=target.names[1],
        dimension=target.dimension,
        exact=figure.exact,
        answer=f"{quantity} {_counted(figure.equation, target)}",
    )


def _of_one_dimension(request: Request) -> tuple[tuple[Unit, ...], Unit]:
    """What each name means, given that all measure the same; the first meaning of a name is the likeliest."""
    names = (*(part.meanings for part in request.parts), request.target)
    for dimension in dict.fromkeys(unit.dimension for unit in names[0]):
        fitting = [[unit for unit in meanings if unit.dimension == dimension] for meanings in names]
        if all(fitting):
            *units, target = map(_only_meaning, fitting)
            return tuple(units), target
    measured = [
        " or ".join(dict.fromkeys(f"{unit.names[1]} ({unit.dimension})" for unit in meanings)) for meanings in names
    ]
    raise NotAnswerable(f"these do not measure the same thing: {', '.join(dict.fromkeys(measured))}")


def _only_meaning(meanings: Sequence[Unit]) -> Unit:
    """The first of them, given that all are worth the same."""
    worth = {(unit.scale, unit.offset, unit.pi_power): unit.names[1] for unit in meanings}
    if len(worth) > 1:
        raise NotAnswerable(f"a unit here has several meanings; say which: {', '.join(worth.values())}")
    return meanings[0]


def _refuse_impossible_temperature(parts: Sequence[tuple[Fraction, Unit]]) -> None:
    value, unit = parts[0]
    if unit.dimension != "temperature":
        return
    if len(parts) > 1:
        raise NotAnswerable("temperatures are not added up; send one")
    if value + unit.offset < 0:
        raise NotAnswerable(f"{_counted(_short(value), unit)} is below absolute zero")


def _converted(parts: Sequence[tuple[Fraction, Unit]], target: Unit) -> Figure:
    terms = [
        ((value + unit.offset) * unit.scale / target.scale, unit.pi_power - target.pi_power) for value, unit in parts
    ]
    if all(power == 0 for _, power in terms):
        return figure_of(sum((term for term, _ in terms), -target.offset))

    def enclosed(bits: int) -> Enclosure:
        pi = enclosed_pi(bits)
        return sum((Enclosure.of(term) * _pi_to(pi, power, bits) for term, power in terms), Enclosure.of(0))

    return irrational_figure(enclosed)


def _pi_to(pi: Enclosure, power: int, bits: int) -> Enclosure:
    raised = pi.power(abs(power), bits)
    return raised if power >= 0 else Enclosure.of(1) / raised


def _short(value: Fraction) -> str:
    """A number of the question: all its digits, or 1/3, unless either is long."""
    text = exact_decimal(value) or str(value)
    return text if len(text) <= _MAX_CHARACTERS else figure_of(value).short


def _counted(number: str, unit: Unit) -> str:
    """'1 foot', '= 2 feet'."""
    return f"{number} {unit.names[number.removeprefix('= ') != '1']}"
