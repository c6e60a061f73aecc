"""Conversations to be replayed: subjects that change, requests that point back, loops of tools between."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval.conversations.agents import Called
from routers.examples import Example

__all__ = ["FOLLOW_UPS", "Request", "Scenario", "drawn"]

FOLLOW_UPS = (
    "that doesn't seem right to me",
    "could you say it in other words?",
    "hm, and what comes after that?",
    "try a different approach",
    "go ahead",
    "how did you get there?",
    "I don't get the second part",
    "once more with feeling",
    "ok but make it half as long",
    "what did you mean by the last bit?",
    "undo that",
    "is there a simpler way to put this?",
    "perfect, next one",
    "und jetzt nochmal bitte",
    "can you double-check?",
    "what would change if I doubled it?",
)
"""None of them was looked at while the rules for such requests were written."""
_RESULTS = (
    "Let the dough rest overnight in the fridge, then bake at 230 degrees.",
    "Dear Sir or Madam, I am writing to you about the invoice of May.",
    "def area(r):\n    return 3.14159 * r * r",
    "The next full moon is on a Friday; Saturn is visible after midnight.",
    "mean 4.2, median 4, deviation 1.3",
    "Traceback (most recent call last): KeyError: 'user'",
    "5 miles are 8.05 kilometres",
)
_TOOLS = (("Read", "notes.md"), ("Bash", "ls -la"), ("read_file", "a.txt"), ("shell", "cat b"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the user. kind: first of the conversation, another subject, or one that points back.

    category: where it belongs. loop: the calls that an agent makes before it is done.
    """

    text: str
    kind: Literal["first", "moved", "follow-up"]
    category: str
    loop: tuple[Called, ...]


Scenario = Sequence[Request]


def drawn(examples: Sequence[Example], count: int, *, seed: int, subjects: int = 3) -> list[Scenario]:
    """So many conversations over queries whose categories are known; each subject is of another category."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    queries: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        queries[example.category].append(example.query)
    return [_one(queries, chance, subjects) for _ in range(count)]


def _one(queries: dict[str, list[str]], chance: random.Random, subjects: int) -> Scenario:
    requests: list[Request] = []
    for category in chance.sample(sorted(queries), subjects):
        asked = chance.choice(queries[category])
        kind: Literal["first", "moved"] = "moved" if requests else "first"
        requests.append(Request(text=asked, kind=kind, category=category, loop=_loop(chance)))
        if chance.random() < 0.6:  # noqa: PLR2004 - most subjects are gone on with once
            text = chance.choice(FOLLOW_UPS)
            requests.append(Request(text=text, kind="follow-up", category=category, loop=_loop(chance)))
    return requests


def _loop(chance: random.Random) -> tuple[Called, ...]:
    """Results are of any subject: nobody asked them."""
    return tuple(Called(*chance.choice(_TOOLS), chance.choice(_RESULTS)) for _ in range(chance.randint(0, 4)))
