"""From files to passages on disk. A file that cannot be read is left out and told; the rest is served."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from orchestrator.errors import ConfigError
from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.files import UnreadableFile, is_of_records, is_slow, read
from orchestrator.experts.retriever.passages import Passages, write_passages
from orchestrator.experts.retriever.plan import Plan
from orchestrator.experts.retriever.published import keep_only, published, publishing, write_whole
from orchestrator.experts.retriever.sources import Skipped, Source, Sources, look
from orchestrator.experts.retriever.vectors import Progress

__all__ = ["collect", "opened", "seen", "state_of", "unreadable"]

_MOST_LINES = 20  # of one file, that are told each
_LOOKS = 5
_TEXTS = 1  # part of the name of what slow formats said: raise it when readers say more


class _ChangedMeanwhileError(Exception):
    """A file is not what it was when it was hashed."""


def seen(plan: Plan, place: Path) -> Sources:
    """The files of a corpus now. Blocking."""
    return look(plan.named, plan.folder, most_bytes=plan.most_bytes, memory=place / "seen.json")


def state_of(sources: Sources) -> str:
    """The name of this state of a corpus on disk."""
    return sources.digest[:32]


def opened(place: Path, state: str) -> Passages | None:
    """The passages that were made of this state; None where none are there. Blocking."""
    whole = published(place / "passages" / state)
    return None if whole is None else Passages(whole)


def unreadable(plan: Plan, place: Path) -> tuple[Skipped, ...]:
    """What of a corpus is not served. Blocking, and writes nothing.

    Raises:
        ConfigError: nothing of it can be served.

    """
    sources = seen(plan, place)
    if (there := opened(place, state_of(sources))) is not None:
        return there.skipped
    skipped = list(sources.skipped)
    held = [document for document in _documents(sources, place, skipped, keep=False) if document.text.strip()]
    if not held:
        raise _nothing(plan, skipped)
    return tuple(skipped)


def collect(plan: Plan, place: Path, *, progress: Progress) -> Passages:
    """Read the files, cut what they say into passages and publish these. Blocking, for one process at a time.

    Raises:
        ConfigError: there is not one passage.
        OSError: the disk does not take them.

    """
    for _ in range(_LOOKS):
        sources = seen(plan, place)
        if (there := opened(place, state_of(sources))) is not None:  # by whoever built before us
            return there
        with suppress(_ChangedMeanwhileError):
            return _collected(plan, place, sources, progress=progress)
    raise ConfigError([f"{plan.title}: its files change faster than they can be read"])


def _collected(plan: Plan, place: Path, sources: Sources, *, progress: Progress) -> Passages:
    skipped = list(sources.skipped)
    facts: dict[str, Any] = {}
    folder = place / "passages" / state_of(sources)
    documents = _documents(sources, place, skipped, progress=progress)
    with publishing(folder, facts) as beside:
        if not write_passages(documents, beside, size=plan.size, overlap=plan.overlap):
            raise _nothing(plan, skipped)
        facts["skipped"] = [[one.name, one.reason, one.line] for one in skipped]
    keep_only(folder)
    _forget(place, sources)
    there = opened(place, folder.name)
    if there is None:
        raise OSError(f"{folder} cannot be read again")
    return there


def _documents(
    sources: Sources, place: Path, skipped: list[Skipped], *, keep: bool = True, progress: Progress | None = None
) -> Iterator[Document]:
    """The documents of all files; those that cannot be read are added to `skipped`."""
    for number, source in enumerate(sources.files, start=1):
        try:
            found = _said(source, place, keep=keep)
        except UnreadableFile as error:
            skipped += _told(source, error)
        except OSError as error:
            skipped.append(Skipped(source.name, error.strerror or str(error)))
        else:
            yield from (_named(document, source) for document in found)
        if progress is not None:
            progress("reading", number, len(sources.files))


def _said(source: Source, place: Path, *, keep: bool) -> list[Document]:
    """The documents of a file, as they were kept where its format is a slow one."""
    kept = place / "texts" / f"{source.sha256}-{source.path.suffix.lower()[1:]}-{_TEXTS}.json"
    slow = is_slow(source.path)
    if slow and (there := _kept(kept)) is not None:
        return there
    content = source.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise _ChangedMeanwhileError
    documents = read(source.path, content)
    if not any(document.text.strip() for document in documents):
        raise UnreadableFile("there is no text in it")
    if slow and keep:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, orjson.dumps([[one.title, one.text, one.pages] for one in documents]))
    return documents


def _kept(path: Path) -> list[Document] | None:
    try:
        return [Document("", title, text, tuple(pages)) for title, text, pages in orjson.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        return None


def _forget(place: Path, sources: Sources) -> None:
    """Remove what files said that are no longer there, or are others now."""
    needed = {source.sha256 for source in sources.files}
    for kept in (place / "texts").glob("*.json"):
        if kept.name.partition("-")[0] not in needed:
            kept.unlink(missing_ok=True)


def _named(document: Document, source: Source) -> Document:
    if not is_of_records(source.path):
        return replace(document, id=source.name, title=document.title or source.path.stem)
    return document if source.plain_ids else replace(document, id=f"{source.name}#{document.id}")


def _told(source: Source, error: UnreadableFile) -> Iterator[Skipped]:
    if not error.lines:
        yield Skipped(source.name, str(error))
    for line, problem in list(zip(error.lines, error.problems, strict=False))[:_MOST_LINES]:
        yield Skipped(source.name, problem, line)
    if len(error.lines) > _MOST_LINES:
        yield Skipped(source.name, f"and {len(error.lines) - _MOST_LINES} more such lines")


def _nothing(plan: Plan, skipped: list[Skipped]) -> ConfigError:
    return ConfigError([str(one) for one in skipped] or [f"{plan.title}: there is nothing to search in it"])
