"""HTML, by beautifulsoup: what a page says, without scripts, styles and marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import CData, NavigableString, Tag

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.reading import decoded

__all__ = ["read", "text_of"]

_UNSEEN = ["script", "style", "noscript", "template", "head"]
_BLOCKS = re.compile(
    r"address|article|aside|blockquote|body|br|caption|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]"
    r"|header|hr|legend|li|main|nav|ol|option|p|pre|section|summary|table|tbody|tfoot|thead|tr|ul"
)
_PARAGRAPHS = re.compile(r"article|blockquote|div|dl|figure|h[1-6]|ol|p|pre|section|table|ul")
_CELLS = frozenset({"td", "th"})
_LINE, _PARAGRAPH = "\x1e", "\x1d"  # no characters of a text
_SEAM = re.compile(r"[ \t]?[\x1d\x1e](?:\s*[\x1d\x1e])* ?")
_BLANKS = re.compile(r"[ \t\n\f\r]+")


def read(content: bytes) -> list[Document]:
    """One document; its title is the page's, else its first heading."""
    page = BeautifulSoup(decoded(content), "html.parser")
    named = page.title or page.find("h1")
    title = _BLANKS.sub(" ", named.get_text()).strip() if named else ""
    return [Document(id="", title=title, text=_seen(page))]


def text_of(marked: str) -> str:
    """What a piece of HTML says."""
    return _seen(BeautifulSoup(marked, "html.parser"))


def _seen(page: BeautifulSoup) -> str:
    for unseen in page(_UNSEEN):
        unseen.decompose()
    return _SEAM.sub(lambda seam: "\n\n" if _PARAGRAPH in seam[0] else "\n", "".join(_pieces(page))).strip()


def _pieces(page: BeautifulSoup) -> Iterator[str]:
    """Texts, with a line's end before and after what stands on lines of its own. Without recursion: pages nest deep."""
    waiting: list[object] = [page]
    while waiting:
        at = waiting.pop()
        if isinstance(at, str) and not isinstance(at, NavigableString):
            yield at  # the end of a block, put here below
        elif isinstance(at, Tag):
            around = _around(at.name)
            yield around if at.name not in _CELLS else ""
            waiting.append(around)
            waiting.extend(reversed(at.contents))
        elif type(at) in {NavigableString, CData}:  # comments and declarations are of other types
            kept = isinstance(at, NavigableString) and at.find_parent("pre") is not None
            yield str(at) if kept else _BLANKS.sub(" ", str(at))


def _around(name: str) -> str:
    """What stands before and after an element of this name."""
    if _PARAGRAPHS.fullmatch(name):
        return _PARAGRAPH
    if _BLOCKS.fullmatch(name):
        return _LINE
    return "\t" if name in _CELLS else ""
