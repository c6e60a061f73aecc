"""A sentence as arithmetic tokens: the clause with the numbers, without polite words.

It knows every other word or says which one it does not know: ignoring one could change the meaning (the *cosine* of
3 + 4), so none is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from spoken_numbers import ORDINALS, find_numbers, number_at
from tool_questions import NotAnswerable

__all__ = ["Kind", "Token", "tokens_of"]

Kind = Literal["number", "infix", "postfix", "function", "command", "link", "open", "close", "pi"]

_MAX_TOKENS = 400

_PHRASES: dict[Kind, dict[str, str]] = {
    "infix": {
        "plus": "+", "added to": "+", "increased by": "+",
        "minus": "-", "less": "-", "take away": "-", "decreased by": "-", "reduced by": "-",
        "times": "*", "multiplied by": "*", "divided by": "/", "over": "/",
        "to the power of": "^", "to the power": "^", "raised to the power of": "^", "raised to": "^",
        "mod": "mod", "modulo": "mod", "of": "of", "tip on": "of",
        "off": "off", "off of": "off", "discount on": "off",
        "as a percentage of": "as a percentage of", "as a percent of": "as a percentage of",
        "is what percent of": "as a percentage of", "is what percentage of": "as a percentage of",
    },
    "postfix": {"squared": "squared", "cubed": "cubed", "factorial": "!", "percent": "%", "per cent": "%"},
    "function": {
        "square root of": "root 2", "square root": "root 2", "sqrt of": "root 2", "sqrt": "root 2",
        "cube root of": "root 3", "cube root": "root 3", "cbrt": "root 3",
        "absolute value of": "abs", "abs": "abs", "factorial of": "!",
        "square of": "squared", "cube of": "cubed", "double": "double", "twice": "double", "triple": "triple",
        "negative": "-",
    },
    "command": {
        "add": "add", "add up": "add", "subtract": "subtract", "deduct": "subtract", "take": "subtract",
        "multiply": "multiply", "divide": "divide", "increase": "increase", "decrease": "decrease",
        "reduce": "decrease", "sum of": "sum", "total of": "sum", "product of": "product",
        "average of": "average", "mean of": "average", "difference between": "difference",
        "difference of": "difference", "quotient of": "divide", "remainder of": "remainder",
        "remainder when": "remainder", "what percent of": "share", "what percentage of": "share",
        "what percent is": "portion", "what percentage is": "portion",
        "how many times does": "fit", "how many times do": "fit", "how many times can": "fit",
    },
    "link": {
        "and": "and", "to": "to", "from": "from", "away from": "from", "by": "by", "with": "with", "is": "is",
        "are": "is", "go into": "into", "goes into": "into", "fit into": "into", "divided into": "into",
    },
    "pi": {"pi": "pi"},
}  # fmt: skip
_SYMBOLS: dict[str, tuple[Kind, str]] = {
    "**": ("infix", "^"), "^": ("infix", "^"), "+": ("infix", "+"), "-": ("infix", "-"), "*": ("infix", "*"),
    "/": ("infix", "/"), "\N{MULTIPLICATION SIGN}": ("infix", "*"), "\N{DIVISION SIGN}": ("infix", "/"),
    "\N{MIDDLE DOT}": ("infix", "*"), "\N{DOT OPERATOR}": ("infix", "*"), "\N{FRACTION SLASH}": ("infix", "/"),
    "(": ("open", "("), ")": ("close", ")"), ",": ("link", ","), "&": ("link", "and"), "%": ("postfix", "%"),
    "!": ("postfix", "!"), "\N{SUPERSCRIPT TWO}": ("postfix", "squared"),
    "\N{SUPERSCRIPT THREE}": ("postfix", "cubed"), "\N{SQUARE ROOT}": ("function", "root 2"),
    "\N{CUBE ROOT}": ("function", "root 3"), "\N{GREEK SMALL LETTER PI}": ("pi", "pi"),
}  # fmt: skip
_POLITE_WORDS = """
    a an about am approximately are be calculate calculator can come comes compute could determine did do does equal
    equals evaluate exactly figure find for get give have hello help hey hi how i i'd i'm if it just know let's like
    make makes many math maths me much my need now number numbers ok okay out please problem provide question quick
    quickly raise say show simplify so solve some tell thank thanks that the this us value want was we what what's whats
    will work would yield you your
"""
_POLITE_PHRASES = (
    "value of", "result of", "results of", "answer to", "answer of", "solution to", "solution of", "equal to",
)  # fmt: skip
_CURRENCIES = {
    "$": "dollar", "dollar": "dollar", "buck": "dollar", "\N{EURO SIGN}": "euro", "euro": "euro",
    "\N{POUND SIGN}": "pound", "pound": "pound", "\N{YEN SIGN}": "yen", "yen": "yen",
    "\N{INDIAN RUPEE SIGN}": "rupee", "rupee": "rupee",
}  # fmt: skip


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_KNOWN: dict[str, tuple[Kind, str] | None] = {
    **dict.fromkeys((*_POLITE_PHRASES, *_POLITE_WORDS.split())),
    **{phrase: (kind, name) for kind, names in _PHRASES.items() for phrase, name in names.items()},
}
_LONGEST_FIRST = sorted(_KNOWN, key=len, reverse=True)
_PHRASE = _compiled(
    rf"({'|'.join(re.escape(phrase).replace(chr(92) + ' ', chr(92) + 's+') for phrase in _LONGEST_FIRST)})(?![a-z'])"
)
_ORDINAL = rf"(?:(?P<digits>\d{{1,4}})(?:st|nd|rd|th)|(?P<word>{'|'.join(ORDINALS)}))"
_POWER = _compiled(rf"(?:raised\s+)?to\s+the\s+{_ORDINAL}(?:\s+power)?(?![a-z])")
_ROOT = _compiled(rf"{_ORDINAL}\s+root(?:\s+of)?(?![a-z])")
_SHARE = _compiled(r"(?<![/^.\d])\d+/\d+(?=\s+of\b)")  # elsewhere / is an operation: 2^1/2 is (2^1)/2
_TIMES_X = _compiled(r"x(?=\s*[\d(.]|\s+[a-z])")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|.")
_CURRENCY = _compiled(
    rf"([{''.join(sign for sign in _CURRENCIES if not sign.isalpha())}])|\b(dollar|buck|euro|pound|yen|rupee)s?\b"
)
_CLAUSE_END = _compiled(r"[?;:\n]|\.(?=\s|$)|(?<=[a-z])!")
_CUE = _compiled(r"\b(?:what(?:'?s)?|how\s+much|calculate|compute|evaluate|work\s+out|solve)\b")
_PURPOSE = _compiled(r"\bfor\s+(?:me|us|my|our|the|a|his|her|school|homework|work|class)\b[^\d]*$")


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the calculation: `name` says which of its kind, `value` is a number's."""

    kind: Kind
    name: str
    value: Fraction = Fraction(0)


def tokens_of(sentence: str) -> list[Token]:
    """The arithmetic in a sentence.

    Raises:
        NotAnswerable: there is none, there are two calculations, or a word in it is not known.
    """
    clause = _without_currency(_calculation(sentence))
    tokens = list(_lexed(clause))
    if len(tokens) > _MAX_TOKENS:
        raise NotAnswerable(f"this calculation has more than {_MAX_TOKENS} parts; ask for it in pieces")
    return tokens


def _calculation(sentence: str) -> str:
    """The one clause with numbers, from its last 'what is' (or the like) on."""
    clauses = [clause for clause in _CLAUSE_END.split(sentence) if _says_number(clause)]
    clauses = clauses or [clause for clause in _CLAUSE_END.split(sentence) if any(find_numbers(clause))] or [sentence]
    if len(clauses) > 1:
        raise NotAnswerable(f"there are {len(clauses)} sentences with numbers in this; send one calculation")
    clause = clauses[0].strip()
    purpose = _PURPOSE.search(clause)
    if purpose is not None and not _says_number(purpose[0]):
        clause = clause[: purpose.start()].strip()
    for cue in reversed(list(_CUE.finditer(clause))):
        if not _says_number(clause[: cue.start()]):
            clause = clause[cue.start() :]
            break
    clause = clause.removesuffix("=").rstrip()
    if "=" in clause:
        raise NotAnswerable("equations are not solved here; send the calculation without '='")
    return clause


def _says_number(text: str) -> bool:
    """Whether there is a number in it, other than the word 'one', which is often a pronoun."""
    return any(text[found.start : found.end].lower() != "one" for found in find_numbers(text))


def _without_currency(clause: str) -> str:
    named = {_CURRENCIES[(found[1] or found[2]).lower()] for found in _CURRENCY.finditer(clause)}
    if len(named) > 1:
        raise NotAnswerable(f"this mixes {' and '.join(sorted(named))}; currencies are not converted here")
    return _CURRENCY.sub(" ", clause)


def _lexed(clause: str) -> Iterator[Token]:
    position, after_operand = 0, False
    while position < len(clause):
        if clause[position].isspace():
            position += 1
            continue
        tokens, position = _read(clause, position, after_operand=after_operand)
        yield from tokens
        if tokens:
            after_operand = tokens[-1].kind in ("number", "postfix", "close", "pi")


def _read(clause: str, position: int, *, after_operand: bool) -> tuple[tuple[Token, ...], int]:
    """The tokens of the longest thing known at this position (none for a polite word), and where it ends."""
    if power := _POWER.match(clause, position):
        return (Token("infix", "^"), Token("number", power[0], Fraction(_ordinal(power)))), power.end()
    if root := _ROOT.match(clause, position):
        return (Token("function", f"root {_ordinal(root)}"),), root.end()
    share = _SHARE.match(clause, position)
    if number := number_at(clause, position, slashes=share is not None):
        return (Token("number", clause[position : number.end], number.value),), number.end
    if after_operand and (times := _TIMES_X.match(clause, position)):
        return (Token("infix", "*"),), times.end()
    if phrase := _PHRASE.match(clause, position):
        known = _KNOWN[" ".join(phrase[1].lower().split())]
        return (() if known is None else (Token(*known),)), phrase.end()
    for symbol, (kind, name) in _SYMBOLS.items():  # the longer of two comes first
        if clause.startswith(symbol, position):
            return (Token(kind, name),), position + len(symbol)
    unknown = _WORD.match(clause, position)
    raise NotAnswerable(
        f"{unknown and unknown[0]!r} is not arithmetic that this calculator knows; send the numbers "
        "and operations alone, as in '17% of 4310' or '(3 + 4) * 5^2'"
    )


def _ordinal(found: re.Match[str]) -> int:
    return int(found["digits"]) if found["digits"] else ORDINALS[found["word"].lower()]
