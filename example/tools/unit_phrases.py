"""Finds in a sentence the quantity to convert and the unit to convert it to. Knows no factors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from spoken_numbers import number_at
from tool_questions import NotAnswerable
from unit_definitions import Unit
from unit_names import closest_names, unit_at

__all__ = ["Quantity", "Request", "requested"]

_FLAGS = re.IGNORECASE | re.ASCII
_FEET_AND_INCHES = re.compile(r"(\d+)\s*'\s*(\d+(?:\.\d+)?)\s*(?:\"|'')?(?!\w)")
_FEET = re.compile(r"(\d)\s*'(?!\w)")
_INCHES = re.compile(r"(\d)\s*(?:\"|'')")
_DEGREE_SIGN = re.compile(r"\s*\N{DEGREE SIGN}\s*")
_MINUS = re.compile(r"(?<![\w)])-\s*(?=[\d.])|\b(?:minus|negative)\s+", _FLAGS)
_OF = re.compile(r"\s*(?:of\s+)?(?:an?\s+)?", _FLAGS)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\S", _FLAGS)
_SMALL_WORDS = "a an and are as equal equals from how i in into is it make me much of that the this to"
_ARITHMETIC_WORDS = "twice double triple times plus less average sum"
_EXAMPLES = "metres, miles, kilograms, pounds, litres, US cups, degrees Celsius, hectares, hours, megabytes and joules"
_INCH_ABBREVIATION = re.compile(r"in\b\.?(?!')", _FLAGS)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of units; the name can stand for several units, likeliest first."""

    value: Fraction
    meanings: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What to convert (the parts of 5 feet 11 inches are added up) and the unit to convert it to."""

    parts: tuple[Quantity, ...]
    target: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A number with its unit, a number or a unit alone, or a word with neither."""

    text: str
    number: Fraction | None = None
    meanings: tuple[Unit, ...] = ()

    @property
    def is_word(self) -> bool:
        return self.number is None and not self.meanings


def requested(text: str) -> Request:
    """The one conversion that the sentence asks for.

    Raises:
        NotAnswerable: it asks for none or for several, or names a unit that is not known.
    """
    pieces = list(_pieces(_spelled_out(text)))
    for piece in pieces:
        if piece.text.lower() in _ARITHMETIC_WORDS.split():
            raise NotAnswerable(f"{piece.text!r} is arithmetic, which is not done here; send the quantity itself")
    _refuse_loose_numbers(pieces)
    quantities = _quantities(pieces)
    bare = [index for index, piece in enumerate(pieces) if piece.meanings and piece.number is None]
    if len(quantities) == 1 and len(bare) == 1:
        return Request(quantities[0], pieces[bare[0]].meanings)
    if not quantities and len(bare) == 2:  # noqa: PLR2004 - "how many feet are in a mile"
        source, target = _source_first(pieces, bare)
        return Request((Quantity(Fraction(1), source.meanings),), target.meanings)
    if len(quantities) + len(bare) > 2:  # noqa: PLR2004 - what to convert, and to what
        raise NotAnswerable("this asks for more than one conversion; send one quantity and one unit to convert it to")
    raise NotAnswerable(_what_is_missing(pieces))


def _spelled_out(text: str) -> str:
    """The text with 5'11" and degree signs in words."""
    text = _FEET_AND_INCHES.sub(r"\1 feet \2 inches", text)
    text = _INCHES.sub(r"\1 inches ", _FEET.sub(r"\1 feet ", text))
    return _DEGREE_SIGN.sub(" degrees ", text)


def _pieces(text: str) -> Iterator[_Piece]:
    position, before = 0, _Piece("")
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        before, position = _piece_at(text, position, before)
        yield before


def _piece_at(text: str, position: int, before: _Piece) -> tuple[_Piece, int]:
    """The piece that starts at this character, and where it ends."""
    minus = _MINUS.match(text, position)
    number = number_at(text, position if minus is None else minus.end())
    if number is not None:
        value = number.value if minus is None else -number.value
        gap = _OF.match(text, number.end)
        after = number.end if gap is None else gap.end()
        meanings, end = _unit_after(text, after, is_inch=True)
        piece = _Piece(text[position : end if meanings else number.end], value, meanings)
        return piece, (end if meanings else number.end)
    last = not text[position:].rstrip(" ?.!").lower().removeprefix("in")
    is_inch = before.text.lower() in ("to", "into", "as", "many") or last
    meanings, end = _unit_after(text, position, is_inch=is_inch)
    if meanings:
        return _Piece(text[position:end], None, meanings), end
    word = _WORD.match(text, position)
    end = position + 1 if word is None else word.end()
    return _Piece(text[position:end]), end


def _unit_after(text: str, position: int, *, is_inch: bool) -> tuple[tuple[Unit, ...], int]:
    """The unit at this character; 'in' is one only where the words around it make it an inch."""
    abbreviation = _INCH_ABBREVIATION.match(text, position) if is_inch else None
    if abbreviation is not None:
        inch = unit_at("inch", 0)
        return (() if inch is None else inch.meanings), abbreviation.end()
    unit = unit_at(text, position)
    return ((), position) if unit is None else (unit.meanings, unit.end)


def _refuse_loose_numbers(pieces: Sequence[_Piece]) -> None:
    for index, piece in enumerate(pieces):
        if piece.number is None or piece.meanings or piece.text.lower() == "one":
            continue
        after = pieces[index + 1] if index + 1 < len(pieces) else _Piece("")
        if after.is_word and after.text.isalpha() and after.text.lower() not in _SMALL_WORDS.split():
            raise NotAnswerable(_unknown(after.text))
        raise NotAnswerable(f"there is no unit after {piece.text}")


def _quantities(pieces: Sequence[_Piece]) -> list[tuple[Quantity, ...]]:
    """The quantities, those that follow each other (5 feet 11 inches, 2 hours and 30 minutes) taken together."""
    groups: list[list[Quantity]] = []
    joined = False
    for piece in pieces:
        if piece.number is not None and piece.meanings:
            if not joined:
                groups.append([])
            groups[-1].append(Quantity(piece.number, piece.meanings))
            joined = True
        elif piece.text.lower() not in ("and", ","):
            joined = False
    return [tuple(group) for group in groups]


def _source_first(pieces: Sequence[_Piece], bare: Sequence[int]) -> tuple[_Piece, _Piece]:
    """Of two units without numbers, the one to convert and the one to convert it to."""
    first, second = (pieces[index] for index in bare)
    words = [pieces[index - 1].text.lower() if index else "" for index in bare]
    if words[0] in ("many", "much") or (words[1] in ("a", "an", "per") and words[0] not in ("a", "an")):
        return second, first
    return first, second


def _what_is_missing(pieces: Sequence[_Piece]) -> str:
    """Why no conversion was found: most often a word where a unit should stand."""
    for before, piece in pairwise(pieces):
        place = before.text.lower() in ("to", "into", "in", "as", "many", "a", "an", "convert")
        if place and piece.is_word and piece.text.isalpha() and piece.text.lower() not in _SMALL_WORDS.split():
            return _unknown(piece.text)
    return "say what to convert and to what, as in '5 miles to kilometres'"


def _unknown(word: str) -> str:
    close = closest_names(word)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are, for example, {_EXAMPLES}"
    return f"{word!r} is not a unit that this converter knows; {hint}"
