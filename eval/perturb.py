"""Changes of wording that should not change a query's category. Knows texts, neither routers nor data sets.

A change depends on the kind, the seed and the text alone, so a second run asks the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

__all__ = ["KINDS", "Kind", "perturbed"]

Kind: TypeAlias = Literal["typo", "case", "paraphrase_template", "negation"]

KINDS: tuple[Kind, ...] = get_args(Kind)

CHARACTERS_A_TYPO = 40

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Rows of a keyboard from the top; a key touches those beside it, and one or two of the row below."""

WORD = re.compile(r"[A-Za-z]{4,}")
"""Where typos are made: short words and numbers carry too much to be harmless."""

WRAPPERS = (
    ("Could you please help me with this? ", ""),
    ("Hello, here is my request: ", ""),
    ("Please look at the following. ", ""),
    ("", " Please let me know."),
    ("", " That is all I would like to ask."),
    ("Hi there. ", " Take your time."),
)
"""What is said before and after a query without asking anything else."""

SENTENCE = re.compile(r"[^.?!\n]*(?:[.?!]++(?!\s|$)[^.?!\n]*)*[.?!]*")
"""Up to a mark that a space or the end follows: the point of 3.5 ends none."""

AUXILIARY = re.compile(
    r"(?<!\ba )(?<!\bthe )(?<!\bthis )(?<!\bher )(?<!\bhis )"  # a will, the can: nouns
    r"\b(?:is|are|am|was|were|can|could|will|would|should|must|do|does|did)\b(?!['\u2019])"
    r"(?:\s+(?:i|you|we|they|he|she|it|there)\b)?",
    re.IGNORECASE,
)
"""The verb that a `not` follows, after the pronoun where that comes first: can you not, do I not."""

NEGATED = re.compile(r"\b(?:not|never|no|cannot)\b|n['\u2019]t\b", re.IGNORECASE)
"""Two negations would say what was said before."""

COMMAND = re.compile(
    r"^\W*(?:(?:please|kindly)\s+)?(?P<verb>add|answer|book|calculate|call|cancel|change|choose|compare|compute|convert"
    r"|create|define|derive|describe|determine|draw|estimate|evaluate|explain|express|fill|find|fix|give|identify|let"
    r"|list|make|name|open|order|pick|play|prove|put|read|remind|remove|reserve|schedule|select|send|set|show|simplify"
    r"|solve|start|state|stop|suggest|sum|switch|take|tell|translate|turn|update|use|write)\b",
    re.IGNORECASE,
)
"""A sentence that begins with a verb asks for something to be done."""


def perturbed(text: str, kind: Kind, *, seed: int) -> str | None:
    """The text with another wording; None where this kind of change finds no place in it.

    typo: a neighbouring key, two letters swapped, one left out or doubled, one such slip about every 40 characters.
    case: all lower, all upper, or each word capitalised. paraphrase_template: something polite around it. negation:
    what it asks or states is turned into its opposite, which is no harmless change to an answer, but it is to the
    category.
    """
    # Bytes, since a text may hold lone surrogates, which the seed of a `Random` must not.
    chance = random.Random(f"{seed}\0{kind}\0{text}".encode("utf-8", "surrogatepass"))  # noqa: S311 - reproducible
    changed = CHANGES[kind](text, chance)
    return changed if changed != text else None


def _mistyped(text: str, chance: random.Random) -> str:
    words = list(WORD.finditer(text))
    slips = min(len(words), max(1, round(len(text) / CHARACTERS_A_TYPO)))
    pieces, end = [], 0
    for number in sorted(chance.sample(range(len(words)), slips)):
        word = words[number]
        pieces += [text[end : word.start()], _slipped(word.group(), chance)]
        end = word.end()
    return "".join([*pieces, text[end:]])


def _slipped(word: str, chance: random.Random) -> str:
    """One slip behind the first letter, which people rarely get wrong."""
    at = chance.randrange(1, len(word))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    neighbour = chance.choice(NEIGHBOURS[letter.lower()])
    slips = [
        before + (neighbour.upper() if letter.isupper() else neighbour) + after,
        before + after,
        before + letter + letter + after,
    ]
    if after and after[0] != letter:
        slips.append(before + after[0] + letter + after[1:])
    return chance.choice(slips)


def _neighbours() -> dict[str, str]:
    place = {key: (0.5 * row + column, row) for row, keys in enumerate(KEYS) for column, key in enumerate(keys)}
    return {
        key: "".join(other for other, (ox, oy) in place.items() if other != key and abs(x - ox) + abs(y - oy) / 2 <= 1)
        for key, (x, y) in place.items()
    }


NEIGHBOURS: Mapping[str, str] = MappingProxyType(_neighbours())


def _recased(text: str, chance: random.Random) -> str:
    ways = {text.lower(), text.upper(), re.sub(r"\S+", lambda word: word[0][:1].upper() + word[0][1:].lower(), text)}
    return chance.choice(sorted(ways - {text}) or [text])


def _wrapped(text: str, chance: random.Random) -> str:
    before, after = chance.choice(WRAPPERS)
    stop = "." if after and text.rstrip()[-1:].isalnum() else ""
    return f"{before}{text}{stop}{after}" if text.strip() else text


def _negated(text: str, _chance: random.Random) -> str:
    """The last sentence that can be, which is where the question stands."""
    for sentence in reversed([match for match in SENTENCE.finditer(text) if match.group().strip()]):
        said = sentence.group()
        if NEGATED.search(said):
            continue
        auxiliary, command = AUXILIARY.search(said), COMMAND.search(said)
        if command and (auxiliary is None or command.start("verb") < auxiliary.start()):
            changed = _forbidden(said, command.start("verb"))
        elif auxiliary:
            changed = f"{said[: auxiliary.end()]} not{said[auxiliary.end() :]}"
        else:
            continue
        return text[: sentence.start()] + changed + text[sentence.end() :]
    return text


def _forbidden(said: str, at: int) -> str:
    opening = "Do not " if said[at].isupper() else "do not "
    return said[:at] + opening + said[at].lower() + said[at + 1 :]


CHANGES: Mapping[Kind, Callable[[str, random.Random], str]] = MappingProxyType(
    {"typo": _mistyped, "case": _recased, "paraphrase_template": _wrapped, "negation": _negated}
)
