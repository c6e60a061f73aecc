"""Indexes: what they find, when they are made anew, and who shares them."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.experts.retriever.index import WordIndex
from orchestrator.testing import in_service

pytestmark = pytest.mark.anyio

EVERYTHING = 20  # documents of the corpus, one passage each


async def test_meaning_finds_what_shares_no_word(place: Any) -> None:
    """Ours: the dense index answers a paraphrase."""
    retriever = place.retriever(embedders=("minilm",))
    async with in_service(retriever):
        [best, *_] = await retriever.search("how much vacation do employees get", top_k=3)
    assert (best.document, best.rank) == ("leave", 1)
    assert 0 < best.score <= 1


async def test_words_find_codes_and_other_forms(place: Any, embedder: Any) -> None:
    """Ours: the word index stems, drops stop words, leaves out what shares no word, and needs no embedder."""
    retriever = place.retriever(embedders=("bm25",))
    async with in_service(retriever):
        assert [p.document for p in await retriever.search("what is E-4417?", top_k=5)] == ["vpn"]
        assert [p.document for p in await retriever.search("watering the fern", top_k=5)] == ["plants"]
        assert await retriever.search("is it the", top_k=5) == []
        assert await retriever.search("xylophone", top_k=5) == []
    assert embedder.texts == []
    assert place.indexes == []


async def test_several_indexes_are_fused_by_rank(place: Any) -> None:
    """Specified: an entry that both indexes put first has 2 / 61."""
    retriever = place.retriever(embedders=("minilm", "bm25"))
    async with in_service(retriever):
        found = await retriever.search("certificate expired error E-4417", top_k=4)
    assert found[0].document == "vpn"
    assert found[0].score == pytest.approx(2 / 61)
    assert [passage.rank for passage in found] == [1, 2, 3, 4]
    assert [passage.score for passage in found] == sorted((p.score for p in found), reverse=True)


async def test_offsets_point_at_the_text(place: Any) -> None:
    """Specified: a passage is the stretch of its document that it says it is."""
    text = (
        "\n\n".join(f"Paragraph {n}. " + "Filler words stand here. " * 12 for n in range(9)) + "The key is turquoise."
    )
    place.corpus.write_bytes(b'{"id": "long", "text": %s}' % _json(text))
    retriever = place.retriever(embedders=("bm25",))
    async with in_service(retriever):
        [passage] = await retriever.search("turquoise", top_k=3)
    assert passage.start > 0
    assert text[passage.start : passage.end] == passage.text
    assert "turquoise" in passage.text


async def test_a_second_start_takes_the_vectors_from_the_cache(place: Any, embedder: Any) -> None:
    """Specified: documents are embedded once; one is embedded again to see that it is still the same model."""
    async with in_service(place.retriever()):
        assert len(embedder.texts) == EVERYTHING
    embedder.texts.clear()
    place.restarted()
    retriever = place.retriever()
    async with in_service(retriever):
        assert len(embedder.texts) == 1
        assert (await retriever.search("days of leave", top_k=1))[0].document == "leave"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _flip, _empty])
async def test_a_damaged_cache_is_made_anew(place: Any, embedder: Any, damage: Callable[[Path], None]) -> None:
    """Specified: cut short, altered by a bit or empty, it is as good as none."""
    async with in_service(place.retriever()):
        [path] = place.indexes
    damage(path)
    embedder.texts.clear()
    place.restarted()
    async with in_service(place.retriever()):
        assert len(embedder.texts) == EVERYTHING
    place.restarted()
    async with in_service(place.retriever()):
        assert len(embedder.texts) == EVERYTHING + 1
    assert place.indexes == [path]


async def test_other_weights_under_the_same_name_are_noticed(place: Any, embedder: Any, monkeypatch: Any) -> None:
    """Ours: a name does not tell which model made the vectors, a vector does."""
    async with in_service(place.retriever()):
        embedder.texts.clear()
    embed = embedder.embed

    async def turned(texts: list[str]) -> Any:
        return -(await embed(texts))

    monkeypatch.setattr(embedder, "embed", turned)
    place.restarted()
    async with in_service(place.retriever()):
        assert set(Counter(embedder.texts).values()) == {1, 4}  # all of them, and one to see whose vectors are there
        assert len(embedder.texts) == 3 + EVERYTHING


async def test_a_changed_corpus_is_indexed_anew(place: Any, embedder: Any) -> None:
    """Specified: what is new is embedded, what stays is not, and the old index is dropped."""
    async with in_service(place.retriever()):
        embedder.texts.clear()
    place.corpus.write_bytes(place.corpus.read_bytes() + b'\n{"id": "tea", "text": "Tea is served at four."}')
    retriever = place.retriever()
    async with in_service(retriever):
        assert (await retriever.search("when is tea", top_k=1))[0].document == "tea"
    assert len(embedder.texts) == 1 + 1 + 1  # to see that it is the same model, the new document, the query
    assert len(place.indexes) == 1


async def test_a_cache_that_cannot_be_written_is_done_without(place: Any) -> None:
    """Ours: a full or read-only disk costs the next start, not this one."""
    (place.folder / "cache").write_bytes(b"a file where a folder should be")
    retriever = place.retriever()
    async with in_service(retriever):
        assert retriever.condition.state == "up"
        assert await retriever.search("leave", top_k=1)


async def test_two_retrievers_of_one_corpus_share_its_index(place: Any, embedder: Any) -> None:
    """Specified: it is made once, also when both start at the same time."""
    first, second = place.retriever(), place.retriever(top_k=1)
    async with anyio.create_task_group() as group:
        group.start_soon(first.serve)
        group.start_soon(second.serve)
        assert await first.search("leave", top_k=1) == await second.search("leave", top_k=1)
        group.cancel_scope.cancel()
    assert len(embedder.texts) == EVERYTHING + 2


async def test_a_corpus_of_stop_words_has_no_words() -> None:
    """Ours: nothing to index is no error."""
    assert await WordIndex(["the and of", ""]).search("the", limit=3) == []


def test_the_word_index_neither_compiles_nor_chatters(capfd: pytest.CaptureFixture[str]) -> None:
    """Specified: no progress bars, no just-in-time compiler, no debug records."""
    index = WordIndex(["one text", "another text"])
    assert index._bm25.backend == "numpy"
    assert logging.getLogger("bm25s").level == logging.WARNING
    assert capfd.readouterr() == ("", "")


def _json(text: str) -> bytes:
    return b'"' + text.replace("\n", "\\n").encode() + b'"'
