"""The list of numbers in a sentence. What stands between them has to be a separator, or one unit throughout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from spoken_numbers import find_numbers
from tool_questions import NotAnswerable

__all__ = ["listed_numbers"]

_COUNT_OF = re.compile(
    r"\s+(?:different\s+)?(?:numbers|values|observations|measurements|data\s+points)\b", re.IGNORECASE
)
_ORDINAL_ENDING = re.compile(r"(?:st|nd|rd|th)\b")
_SEPARATORS = re.compile(r"[\s,;&|()\[\]]+|\band\b", re.IGNORECASE)
_UNIT_AFTER = re.compile(r"\s*([^\s,;.?!()\[\]]+)?")
_UNIT_BEFORE = re.compile(r"([^\s,;:()\[\]]+)\s*$")


class _Listed(NamedTuple):
    value: Fraction
    start: int
    end: int


def listed_numbers(text: str) -> list[Fraction]:
    """The numbers in the order in which they stand; after a colon, where there is one.

    Raises:
        NotAnswerable: there is none, or something between two of them is no separator.
    """
    head, colon, tail = text.rpartition(":")
    if colon and any(True for _ in find_numbers(tail)):
        text = tail
    elif colon:
        text = head
    listed = _found(text)
    if not listed:
        raise NotAnswerable("there are no numbers in this; send them as in 'median of 4, 8, 15, 16'")
    if len(listed) == 1 and "," in text[listed[0].start : listed[0].end]:
        raise NotAnswerable(
            f"{text[listed[0].start : listed[0].end]} is one number; put a space after commas that part numbers"
        )
    _refuse_other_gaps(text, listed)
    return [number.value for number in listed]


def _found(text: str) -> list[_Listed]:
    listed: list[_Listed] = []
    for found in find_numbers(text):
        of_a_word = text[: found.start][-1:].isalpha() or _ORDINAL_ENDING.match(text, found.end)
        if of_a_word or (not listed and _COUNT_OF.match(text, found.end)):
            continue  # "Q1 and the 3rd quartile of these five numbers"
        negative = re.search(r"(?<![\w.)])-$", text[: found.start]) is not None
        listed.append(_Listed(-found.value if negative else found.value, found.start - negative, found.end))
    return listed


def _refuse_other_gaps(text: str, listed: Sequence[_Listed]) -> None:
    gaps = [text[before.end : after.start] for before, after in pairwise(listed)]
    if "," in gaps and any(not gap.strip() or ";" in gap for gap in gaps):
        raise NotAnswerable("commas without spaces beside other separators are ambiguous; write 1.5 for a decimal")
    words = {_SEPARATORS.sub("", gap) for gap in gaps}
    if any(not gap for gap in gaps) or len(words) > 1:
        raise NotAnswerable("the numbers need the same separator between all of them, such as a comma and a space")
    unit = next(iter(words), "")
    after, before = _UNIT_AFTER.match(text, listed[-1].end), _UNIT_BEFORE.search(text[: listed[0].start])
    if unit and unit not in ((after and after[1]), (before and before[1])):
        raise NotAnswerable(f"{unit!r} stands between numbers and not after the last; is it one list of one unit?")
