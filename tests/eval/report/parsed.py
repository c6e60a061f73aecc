"""A page as its elements, by the standard library's parser."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["Parsed"]

VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "use", "path", "rect"})


class Parsed(HTMLParser):
    """elements: (tag, attributes) in order. text: all text, style sheets aside. unclosed: what was never closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.unclosed: list[str] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        """The text as a reader would copy it."""
        return "".join(self.texts)

    def tags(self) -> set[str]:
        """The names of all elements."""
        return {tag for tag, _ in self.elements}

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute."""
        return [found[attribute] for _, found in self.elements if attribute in found]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed, f"</{tag}> closes nothing"
        assert tag == self.unclosed.pop(), f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not self.unclosed or self.unclosed[-1] != "style":
            self.texts.append(data)
