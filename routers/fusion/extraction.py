"""Finds the answer in what an expert said: an option's letter, a number, or a text. Knows no right answer.

Every rule is explicit, and where none applies there is no answer: None, never a guess.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence

from routers.fusion.units import SHAPE

__all__ = ["LETTERS", "last_number", "letter_of", "number_alone", "plain", "quantity", "said_text", "short_answer"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# What may stand around an answer: emphasis, brackets, TeX.
_OPENING = r"(?:[\s*_`\"'(\[{$]|\\boxed|\\text|\\\()*"
_MARKER = r"(?:answer(?:\s{1,4}is)?[\s*_]{0,8}:|answer\s{1,4}is|####|\\boxed(?=\{))"
_STATED = re.compile(rf"{_MARKER}{_OPENING}", re.IGNORECASE)
_LETTER = re.compile(r"([A-Za-z])(?![A-Za-z0-9'\u2019])")
_LEADING = re.compile(r"[\s*_`\"(\[]*([A-Z])[*_`\"]{0,8}(?:[).:\]]|\s*$)")
_WORD_AFTER = re.compile(r"\s+[a-z]")
_NUMBER = re.compile(
    r"""(?<![\w.])                                # not inside a word, a version or a date's tail
    (?P<sign>[-+\u2212])?(?:[$€£¥]\s?)?
    (?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?P<part>(?<=\d)\.\d+|(?<![\w.])\.\d+)?
    (?P<exponent>(?<=\d)[eE][-+]?\d+)?
    (?:(?<=\d)/(?P<under>\d+)(?![\d/]))?""",
    re.VERBOSE,
)
_UNIT = re.compile(rf"\s?(%|{SHAPE})(?![\w'])")
"""What may be a unit, right behind a number: "km/h", "m^2", "%"."""
_REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ARTICLES = frozenset({"a", "an", "the"})
MINUS = "\u2212"  # as typesetters write it
MOST_DIGITS = 300
"""A longer number is none: no question has it as its answer, and it overflows."""
MOST_MARKERS = 8
"""So many of the last announcements of an answer are looked at: a model that repeats itself must not take minutes."""
MOST_CHARACTERS = 1000
"""So much of the line behind an announcement is looked at."""
LONGEST_ANSWER = 200
"""A text of more characters that announces no answer has no short one."""
_CHOICE = re.compile(r"\(?([A-Za-z])(?:[)\]:]|\.(?=\s)|$)")
"""An option's letter, alone or before its words: "(B) Paris", "B. Paris", "B"."""


def letter_of(text: str, options: Sequence[str]) -> str | None:
    r"""The letter of the option that is chosen.

    In this order: the option that stands after the last "Answer:", "answer is" or \boxed, by its words or its letter;
    the letter that the text begins with, as in "B) Paris" or "(B)"; the one option whose words the text is.
    """
    letters = LETTERS[: len(options)]
    for marker in _last_markers(text):
        letter = _same_option(_line_after(text, marker), options) or _letter_at(text, marker)
        if letter and letter in letters:
            return letter
    leading = _LEADING.match(text)
    if leading and leading[1] in letters:
        return leading[1]
    return _same_option(text, options)


def short_answer(text: str) -> str | None:
    """The answer in a form that is the same for equal ones; None where there is no short one to compare.

    What stands after the last announcement ("Answer:", "answer is", "####" or a TeX box), else the whole text if that
    is short: an option's letter, a number, or plain words. Nothing is known of the options, so a letter and the words
    of its option are different answers.
    """
    for marker in _last_markers(text):
        if said := _bare(_line_after(text, marker)):
            return _comparable(said)
    said = _bare(text)
    return _comparable(said) if said and len(text.strip()) <= LONGEST_ANSWER else None


def last_number(text: str) -> float | None:
    r"""The number that the text ends up with.

    The first one after the last "Answer:", "answer is", "####" or \boxed; else the last one, where what stands in
    brackets counts only if there is none outside: "8 km (5 miles)" says 8. Units, currency signs, per cent signs and
    thousands separators do not count; "3/4" is a fraction.
    """
    found = quantity(text)
    return None if found is None else found[0]


def quantity(text: str) -> tuple[float, str | None] | None:
    """The same number with the word behind it, which may be a unit; None for the word where there is none."""
    for marker in _last_markers(text):
        if found := _quantities(_line_after(text, marker)):
            return found[0]
    found = _quantities(_REMARK.sub(" ", text)) or _quantities(text)
    return found[-1] if found else None


def number_alone(text: str) -> float | None:
    """The number that the whole text is, with a currency or per cent sign at most; None for anything else."""
    bare = text.strip().removesuffix("%").strip()
    found = _NUMBER.fullmatch(bare)
    return _value(found) if found else None


def said_text(text: str) -> str | None:
    """What stands after the last "Answer:" or "answer is", else the whole text; None where there is nothing."""
    for marker in _last_markers(text):
        if rest := text[marker.end() :].strip():
            return rest
    return text.strip() or None


def plain(text: str) -> str:
    """For comparing: case, width, punctuation, spacing and articles do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(char if char.isalnum() else " " for char in folded).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _bare(said: str) -> str:
    """Without emphasis, brackets and TeX around it, and without the full stop."""
    return said.strip().lstrip("*_`\"'([{$\\ ").rstrip("*_`\"')]}$\\.,;:! ")


def _comparable(said: str) -> str:
    number = number_alone(said)
    if number is not None:
        return f"{number:.12g}"
    choice = _CHOICE.match(said)
    return choice[1].lower() if choice else plain(said) or said


def _last_markers(text: str) -> Iterator[re.Match[str]]:
    """Where answers are announced, the last one first."""
    return reversed(deque(_STATED.finditer(text), maxlen=MOST_MARKERS))


def _line_after(text: str, marker: re.Match[str]) -> str:
    return text[marker.end() : marker.end() + MOST_CHARACTERS].split("\n", 1)[0]


def _same_option(text: str, options: Sequence[str]) -> str | None:
    """The letter of the one option that has the same words; a lone letter is no words."""
    said = plain(text)
    same = [letter for letter, option in zip(LETTERS, options, strict=False) if len(said) > 1 and plain(option) == said]
    return same[0] if len(same) == 1 else None


def _letter_at(text: str, marker: re.Match[str]) -> str | None:
    """The letter right after a marker; after "answer is", a small one or an article or pronoun is a word."""
    found = _LETTER.match(text, marker.end())
    if found is None:
        return None
    letter = found[1]
    if ":" in marker[0] or "\\" in marker[0]:
        return letter.upper() if not _a_word(text, found) or letter.isupper() else None
    return letter if letter.isupper() and not _a_word(text, found) else None


def _a_word(text: str, found: re.Match[str]) -> bool:
    """Whether the letter is the article or the pronoun of a sentence that goes on."""
    return found[1] in "AaI" and _WORD_AFTER.match(text, found.end()) is not None


def _quantities(text: str) -> list[tuple[float, str | None]]:
    found, end = [], 0
    for number in _NUMBER.finditer(text):
        if number.start() < end or (value := _value(number)) is None:  # the 2 of "m^2" is no number
            continue
        unit = _UNIT.match(text, number.end())
        end = unit.end() if unit else end
        found.append((value, unit[1] if unit else None))
    return found


def _value(found: re.Match[str]) -> float | None:
    whole, part = found["whole"] or "", found["part"] or ""
    digits = f"{whole}{part}".replace(",", "")
    if not digits or len(digits) > MOST_DIGITS:
        return None
    try:
        value = float(f"{digits}{found['exponent'] or ''}")
        value = value / float(found["under"]) if found["under"] else value
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    if not math.isfinite(value):
        return None
    return -value if found["sign"] in {"-", MINUS} else value
