"""What of a text an embedder reads at all, whichever engine runs it."""

__all__ = ["tokenizable"]

CHARACTERS_PER_TOKEN = 32
"""Text beyond so many characters per allowed token is not even tokenized: a megabyte would take a second."""


def tokenizable(text: str, *, max_tokens: int) -> str:
    """The part that can count, without lone surrogates, which tokenizers refuse, and without space around it."""
    return text[: max_tokens * CHARACTERS_PER_TOKEN].encode("utf-8", "replace").decode("utf-8").strip()
