"""How the faked server cuts text into tokens, and how likely it finds them: functions that a test can predict.

A token is up to five bytes of a word with the white space before it, so that longer words have several, as with real
tokenizers. Its number tells its text: nothing is remembered, and every fake agrees with every other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

__all__ = ["LogprobOf", "chat_prompt", "text_of", "token_id", "token_logprob", "tokens_of", "top_tokens"]

LogprobOf = Callable[[str, Sequence[str], str], float]
"""The natural logarithm of the probability of a token: of the model's name, the tokens before it, and the token."""

_START, _END = "<|im_start|>", "<|im_end|>"
_SPECIAL = {_START: 1, _END: 2}
_CUT = re.compile(r"(<\|im_start\|>|<\|im_end\|>)")
_WORD = re.compile(r"\s*\S+|\s+")
_MOST_BYTES = 5
_COMMON = (
    " the",
    " of",
    " and",
    " to",
    " in",
    " is",
    " that",
    " for",
    " it",
    " as",
    " was",
    " with",
    " be",
    " by",
    " on",
)
_RIVALS = (*_COMMON, " not", " he", " his", " but", " at")


def tokens_of(text: str) -> list[str]:
    """The tokens of a text; together they are the text."""
    tokens: list[str] = []
    for part in _CUT.split(text):
        if part in _SPECIAL:
            tokens.append(part)
        else:
            tokens.extend(piece for word in _WORD.findall(part) for piece in _pieces(word))
    return tokens


def _pieces(word: str) -> list[str]:
    pieces, piece = [], ""
    for letter in word:
        if len(_bytes(piece + letter)) > _MOST_BYTES:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def token_id(token: str) -> int:
    """The number of a token: its bytes behind a one, so that it tells the token; below 2**53, as JSON wants."""
    return _SPECIAL.get(token) or int.from_bytes(b"\1" + _bytes(token))


def text_of(ids: Sequence[int]) -> str:
    """The text of these numbers; raises ValueError for one that no token has."""
    return b"".join(_token_bytes(number) for number in ids).decode("utf-8", "replace")


def _token_bytes(number: int) -> bytes:
    for token, special in _SPECIAL.items():
        if number == special:
            return token.encode()
    raw = number.to_bytes((max(number, 0).bit_length() + 7) // 8) if number > 0 else b""
    if raw[:1] != b"\1" or not 1 < len(raw) <= _MOST_BYTES + 1:
        raise ValueError(f"token id {number} is out of vocabulary")
    return raw[1:]


def token_logprob(model: str, _: Sequence[str], token: str) -> float:
    """The default: -4.1 to -.1, a hash of model and token alone, so that each adapter has values of its own."""
    return -(100 + crc32(f"{model}\0{token}".encode("utf-8", "surrogatepass")) % 4000) / 1000


def top_tokens(model: str, context: Sequence[str], *, count: int, logprob_of: LogprobOf) -> dict[str, float]:
    """The likeliest of a few common tokens in this place, likeliest first."""
    rated = {token: logprob_of(model, context, token) for token in _RIVALS}
    return dict(sorted(rated.items(), key=lambda item: -item[1])[:count])


def chat_prompt(
    messages: Sequence[Mapping[str, Any]], *, continue_final: bool = False, generation_prompt: bool = True
) -> str:
    """The messages in ChatML, as the chat template of many models writes them.

    continue_final: the last message is left open, for the model to go on with.
    """
    turns = [f"{_START}{message.get('role', 'user')}\n{_content(message.get('content'))}" for message in messages]
    prompt = f"{_END}\n".join(turns)
    if continue_final:
        return prompt
    return f"{prompt}{_END}\n{_START}assistant\n" if generation_prompt else f"{prompt}{_END}\n"


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
