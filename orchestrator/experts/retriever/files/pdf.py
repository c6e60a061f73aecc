"""PDF, by pypdf: the text of its pages, one after the other, and where each begins."""

from __future__ import annotations

import io
import logging
from itertools import accumulate

from pypdf import PdfReader

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files.reading import UnreadableFile, encodable

__all__ = ["read"]

_BETWEEN = "\n\n"


def read(content: bytes) -> list[Document]:
    """One document; its title is the one that the file claims.

    Raises:
        UnreadableFile: it is broken, needs a password, or holds pictures alone.

    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it finds odd and reads all the same
    try:
        title, pages = _parts(content)
    except UnreadableFile:
        raise
    except Exception as error:  # supervised border: a broken file breaks its parser in any way
        raise UnreadableFile(f"a broken PDF ({type(error).__name__}: {error})") from error
    if not any(pages):
        raise UnreadableFile("a PDF without text in it; scanned pages have to be recognised first")
    ends = list(accumulate(len(page) + len(_BETWEEN) for page in pages))
    return [Document(id="", title=title, text=_BETWEEN.join(pages), pages=(0, *ends[:-1]))]


def _parts(content: bytes) -> tuple[str, list[str]]:
    file = PdfReader(io.BytesIO(content))
    if file.is_encrypted and not file.decrypt(""):
        raise UnreadableFile("a PDF that needs a password")
    title = (file.metadata.title if file.metadata else None) or ""
    return encodable(str(title)).strip(), [encodable(page.extract_text()).strip() for page in file.pages]
