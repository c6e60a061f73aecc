"""Tokens in, text out: whole characters only, and nothing that may turn out to begin a stop text. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["AnswerText"]

# What a decoder shows for bytes that are no character; at the end of a text, for one whose last bytes are to come.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class AnswerText:
    """The text of an answer while its tokens come; what `add` and `close` gave adds up to it.

    decode: the text of a list of token ids. stops: texts that end the answer and are not part of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._tokens: list[int] = []
        self._context = 0
        self._read = 0
        self._held = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """Take one token; the text that is certain now, often none. Sets `stopped` at a stop text."""
        self._tokens.append(token)
        return self._release(self._new_text())

    def close(self) -> str:
        """The rest of the text, as no token follows; bytes of a character that is not whole are dropped."""
        if self.stopped:
            return ""
        text = self._release(self._undecoded().rstrip(_REPLACEMENT))
        rest, self._held = self._held, ""
        return text + rest

    def _new_text(self) -> str:
        text = self._undecoded()
        if text.endswith(_REPLACEMENT):
            return ""
        self._context, self._read = self._read, len(self._tokens)
        return text

    def _undecoded(self) -> str:
        """The text of the tokens not read yet; decoded after those before, as some tokenizers join words otherwise."""
        before = self._decode(self._tokens[self._context : self._read])
        return self._decode(self._tokens[self._context :])[len(before) :]

    def _release(self, text: str) -> str:
        """The text up to a stop text, or up to what may become one."""
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text begin the stop text."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)
