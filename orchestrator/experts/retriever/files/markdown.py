"""Markdown, by markdown-it: what a reader of the page would see, headings and code included, marks and links not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.hypertext import text_of
from orchestrator.experts.retriever.files.reading import decoded

__all__ = ["read"]

_BREAKS = frozenset({"softbreak", "hardbreak"})


def read(content: bytes) -> list[Document]:
    """One document; its title is its first heading."""
    tokens = MarkdownIt("commonmark").enable("table").parse(_without_front_matter(decoded(content)))
    title = next((_words(after) for at, after in pairwise(tokens) if at.type == "heading_open"), "")
    text = re.sub(r"[ \t]+\n", "\n", "".join(_blocks(tokens)))
    return [Document(id="", title=title, text=re.sub(r"\n{3,}", "\n\n", text).strip())]


def _without_front_matter(text: str) -> str:
    """A text without the block of settings that some tools put first, between two lines of three dashes."""
    if not text.startswith("---\n"):
        return text
    head, mark, rest = text[4:].partition("\n---\n")
    return rest if mark and ":" in head else text


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    tight = False
    for token in tokens:
        if token.type == "inline":
            yield _words(token)
        elif token.type in {"fence", "code_block"}:
            yield f"{token.content.rstrip()}\n\n"
        elif token.type == "html_block":
            yield f"{text_of(token.content)}\n\n"
        elif token.type in {"th_close", "td_close"}:
            yield "\t"
        elif token.type == "paragraph_close":
            tight = token.hidden
            yield "\n" if tight else "\n\n"
        elif token.type in {"heading_close", "table_close", "bullet_list_close", "ordered_list_close"}:
            yield "\n\n" if not tight else "\n"
            tight = False
        elif token.type == "tr_close":
            yield "\n"


def _words(token: Token) -> str:
    parts = []
    for inner in token.children or ():
        if inner.type in _BREAKS:
            parts.append("\n")
        elif inner.type == "image":
            parts.append(_words(inner))
        elif inner.type in {"text", "code_inline"}:
            parts.append(inner.content)
    return "".join(parts)
