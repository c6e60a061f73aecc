"""Numbers as people write them, in digits and in English words, found in text. Knows no units and no operations.

Read are 1,234.50, .5, 2e3, 1/2, 2 1/2, ½, and in words up to trillions: twenty-five, two hundred and ten, 1.5 million,
three point one four, three quarters, half a million, two and a half.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from tool_questions import NotAnswerable

__all__ = ["ORDINALS", "FoundNumber", "find_numbers", "number_at"]


def _counted(words: str, *, start: int, step: int = 1) -> dict[str, int]:
    """The words with the numbers that they say, which go up by steps."""
    return {word: start + step * place for place, word in enumerate(words.split())}


ORDINALS = _counted("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth", start=1)
"""Ordinal words, as far as dates, powers and roots need them."""

_MAX_EXPONENT = 300
_DIGIT_WORDS = _counted("zero one two three four five six seven eight nine", start=0)
_TEEN_WORDS = _counted("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", start=10)
_TEN_WORDS = _counted("twenty thirty forty fifty sixty seventy eighty ninety", start=20, step=10)
_BELOW_100 = _DIGIT_WORDS | _TEEN_WORDS | _TEN_WORDS
_SCALES = {"trillion": 10**12, "billion": 10**9, "million": 10**6, "thousand": 10**3}
_ONE_PART = {"half": 2, "quarter": 4, "hundredth": 100}
_ONE_PART |= {word: n for word, n in ORDINALS.items() if word not in ("first", "second")}
_PARTS = {"halves": 2} | {f"{word}s": n for word, n in _ONE_PART.items() if word != "half"}


def _any(words: Iterable[str]) -> str:
    return rf"(?:{'|'.join(words)})\b"


_LITERAL = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d|,\d)|\d+)(?:\.\d+)?(?:e[+-]?\d+(?![\w.]))?|\.\d+)"
_WORDS_BELOW_100 = rf"(?:{_any(_TEN_WORDS)}(?:[-\s]{_any(_DIGIT_WORDS)})?|{_any(_DIGIT_WORDS | _TEEN_WORDS)})"
_WORDS_BELOW_1000 = (
    rf"(?:(?:an?\b|{_LITERAL}|{_WORDS_BELOW_100})\s+hundred\b(?:\s+(?:and\s+)?{_WORDS_BELOW_100})?|{_WORDS_BELOW_100})"
)
_GROUPS = "".join(
    rf"(?:(?P<{scale}>{_WORDS_BELOW_1000}|{_LITERAL}|an?\b)\s+{scale}\b(?:\s+|$|(?!\w)))?" for scale in _SCALES
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_IN_WORDS = _compiled(rf"(?!and\b){_GROUPS}(?:(?:and\s+)?(?P<rest>{_WORDS_BELOW_1000}))?")
_IN_DIGITS = _compiled(_LITERAL)
_WORD_OR_LITERAL = _compiled(rf"{_LITERAL}|[a-z]+")
_MIXED = _compiled(r"(\d+)\s+(\d+)/(\d+)(?![\d./])")
_SLASHED = _compiled(r"(\d+)/(\d+)(?![\d./])")
_VULGAR = _compiled(rf"(\d+)?\s?([{''.join(map(chr, (*range(0xBC, 0xBF), *range(0x2150, 0x215F))))}])")
_POINT = _compiled(rf"\s+point((?:\s+{_any(_DIGIT_WORDS)})+)")
_ONE_PART_ALONE = _compiled(rf"an?\s+(?P<a>{_any(_ONE_PART)})|(?P<alone>half\b|quarter\b)")
_COUNTED_PARTS = _compiled(rf"[-\s](?:(?P<one>{_any(_ONE_PART)})|(?P<many>{_any(_PARTS)}))")
_AND_PARTS = _compiled(
    rf"\s+and\s+(?:(?:an?|one)\s+(?P<one>{_any(_ONE_PART)})|(?P<count>{_any(_DIGIT_WORDS)})\s+(?P<many>{_any(_PARTS)}))"
)
_SCALE_AFTER_PART = _compiled(rf"\s+(?:an?\s+)?({_any(['hundred', *_SCALES])})")


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number in a text: its value and the characters [start, end) that say it."""

    value: Fraction
    start: int
    end: int


def find_numbers(text: str) -> Iterator[FoundNumber]:
    """Every number in the text, from the left; a word is a number only where it stands alone."""
    position = 0
    while position < len(text):
        inside = position > 0 and text[position - 1].isalnum() and text[position].isalpha()
        found = None if inside else number_at(text, position)
        if found is not None:
            yield found
        position = position + 1 if found is None else found.end


def number_at(text: str, position: int, *, slashes: bool = True) -> FoundNumber | None:
    """The longest number that starts at this character, without a sign; with `slashes`, 1/2 is one number.

    Raises:
        NotAnswerable: an exponent beyond 300, a fraction with denominator 0.
    """
    written = _written_fraction(text, position, slashes=slashes)
    if written is not None:
        return written
    cardinal = _cardinal(text, position)
    if cardinal is not None:
        return _with_parts(text, cardinal)
    part = _ONE_PART_ALONE.match(text, position)
    if part is None:
        return None
    value = Fraction(1, _ONE_PART[(part["a"] or part["alone"]).lower()])
    return _with_scale(text, FoundNumber(value, position, part.end()))


def _written_fraction(text: str, position: int, *, slashes: bool) -> FoundNumber | None:
    """2 1/2, 1/2 (with `slashes`) or ½."""
    if (mixed := _MIXED.match(text, position)) and int(mixed[2]) < int(mixed[3]):
        return FoundNumber(int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3])), position, mixed.end())
    if vulgar := _VULGAR.match(text, position):
        top, _, bottom = unicodedata.normalize("NFKC", vulgar[2]).partition("\N{FRACTION SLASH}")
        return FoundNumber(int(vulgar[1] or 0) + Fraction(int(top), int(bottom)), position, vulgar.end())
    slashed = _SLASHED.match(text, position) if slashes else None
    if slashed is None:
        return None
    if int(slashed[2]) == 0:
        raise NotAnswerable(f"{slashed[0]} divides by zero")
    return FoundNumber(Fraction(int(slashed[1]), int(slashed[2])), position, slashed.end())


def _cardinal(text: str, position: int) -> FoundNumber | None:
    """A number without parts: 12, 1.5 million, two hundred and ten, three point one four."""
    words = _IN_WORDS.match(text, position)
    if words is None or not words[0]:
        digits = _IN_DIGITS.match(text, position)
        return digits and FoundNumber(_literal(digits[0]), position, digits.end())
    value = sum((_group(words[scale]) * factor for scale, factor in _SCALES.items() if words[scale]), Fraction(0))
    value += _group(words["rest"] or "")
    end = position + len(words[0].rstrip())
    if point := _POINT.match(text, end):
        digits_after = [_DIGIT_WORDS[word.lower()] for word in point[1].split()]
        value += sum(Fraction(digit, 10**place) for place, digit in enumerate(digits_after, start=1))
        end = point.end()
    return FoundNumber(value, position, end)


def _group(text: str) -> Fraction:
    """The value of what stands before one scale word: 'two hundred and ten', '1.5', 'a'."""
    value = Fraction(0)
    for word in _WORD_OR_LITERAL.findall(text.lower()):
        if word in ("a", "an"):
            value = Fraction(1)
        elif word == "hundred":
            value *= 100
        elif word != "and":
            value += _BELOW_100[word] if word in _BELOW_100 else _literal(word)
    return value


def _literal(text: str) -> Fraction:
    _, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) > _MAX_EXPONENT:
        raise NotAnswerable(f"{text} is out of range: exponents go up to {_MAX_EXPONENT}")
    return Fraction(text.replace(",", ""))


def _with_parts(text: str, whole: FoundNumber) -> FoundNumber:
    """The number with the parts after it: three quarters, two and a half."""
    if whole.value.denominator != 1:
        return whole
    if counted := _COUNTED_PARTS.match(text, whole.end):
        if counted["many"]:
            return replace(whole, value=whole.value / _PARTS[counted["many"].lower()], end=counted.end())
        if whole.value == 1:
            return replace(whole, value=Fraction(1, _ONE_PART[counted["one"].lower()]), end=counted.end())
    if added := _AND_PARTS.match(text, whole.end):
        part = (
            Fraction(1, _ONE_PART[added["one"].lower()])
            if added["one"]
            else Fraction(_DIGIT_WORDS[added["count"].lower()], _PARTS[added["many"].lower()])
        )
        return _with_scale(text, replace(whole, value=whole.value + part, end=added.end()))
    return whole


def _with_scale(text: str, part: FoundNumber) -> FoundNumber:
    """The number with the scale after its part: half a million, two and a half thousand."""
    scale = _SCALE_AFTER_PART.match(text, part.end)
    if scale is None:
        return part
    return replace(part, value=part.value * {**_SCALES, "hundred": 100}[scale[1].lower()], end=scale.end())
