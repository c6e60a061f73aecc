"""The marks in a reader's answer, like [1]: which passages they name, and none that name nothing.

A mark of a number that no passage has is an invented source, so it is taken out. What stands in code, or right behind
a letter as an index of an array does, is no mark to be taken out. Asks nobody, knows no index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from orchestrator import wire
from orchestrator.types import Chunk, Draft, Passage

__all__ = ["Citing", "cited_draft"]

_NUMBERS = r"\d{1,3}(?:[ ]*[,;][ ]*\d{1,3})*"
_MARK = re.compile(rf"(?P<before>[ \t]*)\[(?P<numbers>{_NUMBERS})\]")
_BEGUN = re.compile(r"[ \t]*\[[\d ,;]{0,40}\Z")
_NUMBER = re.compile(r"\d+")


class Citing:
    """One answer, as it comes: `passages` afterwards say whether they are cited. text: what has been let through."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.text = ""
        self._passages = tuple(passages)
        self._cited: set[int] = set()
        self._held = ""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Those that the reader was given, each with whether its mark has been seen."""
        return tuple(replace(passage, cited=passage.rank in self._cited) for passage in self._passages)

    def feed(self, text: str, *, last: bool = False) -> str:
        """The next piece of the answer without its invented marks; what may be a mark's beginning waits for the rest.

        last: nothing follows.
        """
        text = self._held + text
        begun = None if last else _BEGUN.search(text)
        self._held = "" if begun is None else text[begun.start() :]
        text = text if begun is None else text[: begun.start()]
        kept, end = "", 0
        for mark in _MARK.finditer(text):
            kept += text[end : mark.start()]
            kept += self._marked(mark, said=self.text + kept)
            end = mark.end()
        kept += text[end:]
        self.text += kept
        return kept

    def chunk(self, chunk: Chunk) -> Chunk:
        """A chunk of the answer, as it came where its text stays; the one that ends it carries the citations."""
        try:
            data = chunk.data
            changed = [self._changed(choice) for choice in data["choices"]]
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return chunk
        return Chunk(orjson.dumps(data)) if any(changed) else chunk

    def _changed(self, choice: dict[str, Any]) -> bool:
        delta = choice.get("delta") or {}
        content, last = delta.get("content"), bool(choice.get("finish_reason"))
        said = content if isinstance(content, str) else ""
        kept = self.feed(said, last=last)
        if kept != said:
            delta = {**delta, "content": kept}
        if last:
            delta = {**delta, "citations": [wire.citation(passage) for passage in self.passages]}
        choice["delta"] = delta
        return last or kept != said

    def _marked(self, mark: re.Match[str], *, said: str) -> str:
        """What stays of a mark."""
        if said.count("`") % 2:
            return mark[0]
        numbers = [int(number) for number in _NUMBER.findall(mark["numbers"])]
        known = [number for number in numbers if 1 <= number <= len(self._passages)]
        self._cited.update(known)
        if len(known) == len(numbers) or (not mark["before"] and said[-1:].isalnum()):
            return mark[0]
        return f"{mark['before']}[{', '.join(map(str, known))}]" if known else ""


def cited_draft(draft: Draft, *, expert: str, citing: Citing) -> Draft:
    """A reader's draft as that of its retriever; where it came whole, with citations in the message.

    citing: has seen the chunks of a stream, or nothing.
    """
    if not citing.text:
        citing.feed(draft.text, last=True)
    completion = None if draft.completion is None else _cited_body(draft.completion, citing)
    return replace(draft, expert=expert, text=citing.text, passages=citing.passages, completion=completion)


def _cited_body(completion: bytes, citing: Citing) -> bytes | None:
    """The body with citations in its message; None if it is no chat completion: one is then made of the text."""
    try:
        body: dict[str, Any] = orjson.loads(completion)
        for choice in body["choices"]:
            message = choice["message"]
            message["citations"] = [wire.citation(passage) for passage in citing.passages]
            if isinstance(message.get("content"), str):
                message["content"] = citing.text
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    return orjson.dumps(body)
