"""Keywords and regular expressions that may stand in a configuration: compiled, and kept from running forever.

The library's engine backtracks and knows no time limit, so what a pattern may cost is settled before it runs: the text
is cut, and a pattern that could take more than about a second on what is left is refused.
"""

import importlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["MOST_CHARACTERS", "Expression", "expression", "keywords"]

MOST_CHARACTERS = 8192
"""Text beyond is not looked at, as with n-grams."""

LENGTHS = (MOST_CHARACTERS, 2048, 512)
"""How much of a text a pattern is shown: the most with which it stays within the limit."""

MOST_STEPS = 1.5e8
"""A pattern may take so many at the worst, about a second; two open repeats (`.*a.*b`) take 512 to the third power."""

MOST_SHOWN = 80

TOO_MANY = 100.0
"""A logarithm that is beyond the limit however it goes on."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A pattern and how much of a text it is shown, in characters.

    written: as it stands in the configuration, empty for keywords.
    """

    pattern: re.Pattern[str]
    characters: int
    written: str = ""

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in what it is shown."""
        return self.pattern.search(text, 0, self.characters) is not None

    def named(self, text: str) -> str | None:
        """What of it is in a text, for people; None where it does not match."""
        found = self.pattern.search(text, 0, self.characters)
        if found is None:
            return None
        return f"pattern {_cut(self.written)}" if self.written else f"keyword {_shown(found[0])}"


def keywords(words: Sequence[str]) -> Expression:
    """Any of the keywords as whole words, in any case, with any blanks where a keyword has one.

    Raises:
        ValueError: a keyword is blank.
    """
    for word in words:
        if not word.strip():
            raise ValueError(f"keyword {word!r} is blank, so every query would have it; leave it out")
    spelled = "|".join(r"\s{1,8}".join(map(re.escape, word.split())) for word in words)
    return Expression(re.compile(rf"(?<!\w)(?:{spelled})(?!\w)", re.IGNORECASE), MOST_CHARACTERS)


def expression(written: str) -> Expression:
    """A regular expression, in any case (`(?-i:...)` minds it), that is found in bounded time.

    Raises:
        ValueError: it cannot be read, is in every text, or could take too long.
    """
    try:
        pattern = re.compile(written, re.IGNORECASE)
        parsed = _parser().parse(written, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern {_shown(written)} is no regular expression ({error}); mend it") from error
    if pattern.search(""):
        raise ValueError(f"pattern {_shown(written)} matches the empty text, so every query; have it ask for something")
    for characters in LENGTHS:
        if math.log(characters) + _ways(parsed, characters) <= math.log(MOST_STEPS):
            return Expression(pattern, characters, written)
    raise ValueError(
        f"pattern {_shown(written)} has too many ways to match and could take forever; leave out repeats within "
        "repeats, as in '(a+)+', and give others a bound, as in '.{0,40}'"
    )


def _shown(written: str) -> str:
    return repr(_cut(written))


def _cut(written: str) -> str:
    return written if len(written) <= MOST_SHOWN else f"{written[:MOST_SHOWN]}..."


def _ways(parsed: Any, characters: int) -> float:
    """The logarithm of how many ways a pattern may try from one place in a text of so many characters, at the worst.

    Parts that follow each other multiply, alternatives add up, and a repeat has as many ways as counts it may stop at,
    times those of its body at each count. Possessive and atomic parts are taken for ordinary ones, which try more.
    """
    total = 0.0
    for code, argument in parsed:
        inner = [_ways(part, characters) for part in _parts_of(argument)]
        if str(code) == "BRANCH":
            total += math.log(sum(math.exp(min(ways, TOO_MANY)) for ways in inner))
        elif str(code) in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most = min(int(argument[0]), characters), min(int(argument[1]), characters)
            total += math.log(most - least + 1) + most * sum(inner)
        else:
            total += sum(inner)
    return total


def _parts_of(argument: Any) -> Iterable[Any]:
    """The patterns within the argument of a parsed operation."""
    if isinstance(argument, _parser().SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _parts_of(part)


def _parser() -> Any:
    """The library's own parser, which has no public name: a second one would read patterns differently."""
    return importlib.import_module("re._parser")
