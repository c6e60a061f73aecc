"""A corpus with its indexes, made once a process however many retrievers search it. Knows no expert and no request.

On disk a corpus has a folder of its own under the cache, named by what is read and how it is cut:

    lock                        held by the process that builds
    seen.json                   hashes of files by their times and sizes
    texts/                      what slow formats said, by the hash of the file
    passages/<state>/           the passages of one state of the files
    words/<state>/              their word index
    vectors-<embedder>/<state>/ their vectors, and beside them those that a build has made so far
    graph-<embedder>/<state>/   the graph of neighbours, where there are many
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from orchestrator.experts.retriever.collected import collect, opened, seen, state_of
from orchestrator.experts.retriever.fusion import fused
from orchestrator.experts.retriever.index import DenseIndex, GraphIndex, Hit, Index, WordIndex, write_graph
from orchestrator.experts.retriever.passages import Located, Passages
from orchestrator.experts.retriever.place import Place
from orchestrator.experts.retriever.plan import Plan
from orchestrator.experts.retriever.published import keep_only, published, publishing
from orchestrator.experts.retriever.vectors import Progress, Vectors, build_vectors, embedder_folder, open_vectors
from orchestrator.experts.site import Site
from routers.embedding import FloatArray
from routers.retrievers.adapter import QueryAdapter

__all__ = ["WORDS", "Plan", "Shelf", "open_shelf"]

WORDS = "bm25"
"""The name in `embedders` that stands for the word index."""

_DEPTH = 100  # hits of each index that fusion sees: deep enough that an entry low in one list can rise by another

_GRAPH = "graph.usearch"


class Shelf:
    """One state of a corpus and the indexes that have been made of it, by their names in `embedders`.

    embedded: by embedder, how many texts this process has embedded for it.
    """

    def __init__(self, passages: Passages, place: Place, site: Site) -> None:
        self.passages = passages
        self.embedded: dict[str, int] = {}
        self._place = place
        self._site = site
        self._vectors: dict[str, Vectors] = {}
        self._indexes: dict[tuple[str, bool], Index] = {}
        self._making = anyio.Lock()

    async def prepare(self, name: str, *, approximate_above: int, progress: Progress) -> None:
        """Make an index unless it is there; raises what its embedder raises.

        approximate_above: with more passages than so many, vectors are searched through a graph of neighbours.
        """
        by_graph = self._by_graph(name, approximate_above)
        async with self._making:
            if (name, by_graph) not in self._indexes:
                self._indexes[name, by_graph] = await self._made(name, by_graph=by_graph, progress=progress)

    async def search(
        self,
        query: str,
        *,
        indexes: tuple[str, ...],
        limit: int,
        approximate_above: int,
        adapter: QueryAdapter | None = None,
    ) -> list[tuple[Located, float]]:
        """At most `limit` passages with scores, best first: those of one index, or of several fused by rank."""
        ready = [self._indexes[name, self._by_graph(name, approximate_above)] for name in indexes]
        depth = limit if len(ready) == 1 else max(limit, _DEPTH)
        lists = [await index.search(query, limit=depth, adapter=adapter) for index in ready]
        hits: list[Hit] = lists[0] if len(lists) == 1 else fused([[row for row, _ in hits] for hits in lists])
        return [(self.passages.located(row), score) for row, score in hits[:limit]]

    def vectors(self, name: str) -> tuple[list[str], FloatArray]:
        """The document of each passage and its vector, float32 [n, dim], of an index that has been made."""
        found = self._vectors.get(name)
        if found is None:
            message = f"there is no index of vectors {name!r}"
            raise KeyError(message)
        return [self.passages.located(row).document for row in range(len(self.passages))], found.rows

    def _by_graph(self, name: str, approximate_above: int) -> bool:
        return name != WORDS and len(self.passages) > approximate_above

    async def _made(self, name: str, *, by_graph: bool, progress: Progress) -> Index:
        if name == WORDS:
            return await self._words()
        embedder = self._site.embedder(name)
        if name not in self._vectors:
            self._vectors[name] = await self._embedded(name, progress)
        rows = self._vectors[name].rows
        return GraphIndex(embedder, rows, await self._graph(name, progress)) if by_graph else DenseIndex(embedder, rows)

    async def _embedded(self, name: str, progress: Progress) -> Vectors:
        embedder = self._site.embedder(name)

        async def build(place: Path) -> Vectors:
            folder = embedder_folder(place, name)
            there = await open_vectors(self.passages, folder=folder, embedder=embedder)
            if there is not None:  # by whoever built before us
                return there
            report = _with(progress, name)
            return await build_vectors(self.passages, folder=folder, embedder=embedder, progress=report)

        folder = embedder_folder(self._place.folder, name)
        vectors = await open_vectors(self.passages, folder=folder, embedder=embedder)
        if vectors is None:
            vectors = await self._place.built(build)
        self.embedded[name] = vectors.embedded
        return vectors

    async def _words(self) -> Index:
        async def build(place: Path) -> WordIndex:
            return await to_thread.run_sync(self._write_words, place)

        there = await to_thread.run_sync(self._saved_words, self._place.folder)
        return await self._place.built(build) if there is None else there

    def _saved_words(self, place: Path) -> WordIndex | None:
        whole = published(place / "words" / self.passages.name)
        return None if whole is None else WordIndex.load(whole.folder)

    def _write_words(self, place: Path) -> WordIndex:
        folder = place / "words" / self.passages.name
        if (there := self._saved_words(place)) is not None:
            return there
        with publishing(folder, {}) as beside:
            WordIndex(list(self.passages.all_searchable())).save(beside)
        keep_only(folder)
        return WordIndex.load(folder)

    async def _graph(self, name: str, progress: Progress) -> Path:
        async def build(place: Path) -> Path:
            return await to_thread.run_sync(self._write_graph, place, name, progress)

        there = await to_thread.run_sync(self._saved_graph, self._place.folder, name)
        return await self._place.built(build) if there is None else there

    def _graph_folder(self, place: Path, name: str) -> Path:
        return place / embedder_folder(place, name).name.replace("vectors", "graph", 1) / self.passages.name

    def _saved_graph(self, place: Path, name: str) -> Path | None:
        """A graph that was made of the vectors that are there now."""
        whole = published(self._graph_folder(place, name))
        fits = whole is not None and whole.facts["vectors"] == self._vectors[name].digest
        return whole.folder / _GRAPH if whole is not None and fits else None

    def _write_graph(self, place: Path, name: str, progress: Progress) -> Path:
        if (there := self._saved_graph(place, name)) is not None:
            return there
        folder, vectors = self._graph_folder(place, name), self._vectors[name]
        report = partial(_with(progress, name), "linking")
        with publishing(folder, {"vectors": vectors.digest}) as beside:
            write_graph(vectors.rows, beside / _GRAPH, progress=lambda done: report(done, len(vectors.rows)))
        keep_only(folder)
        return folder / _GRAPH


def _with(progress: Progress, name: str) -> Progress:
    return lambda what, done, total: progress(f"{what} with {name}", done, total)


class _Corpus:
    """What a process knows of one plan: its place, and the shelf of the state that was seen last."""

    def __init__(self, plan: Plan, site: Site) -> None:
        self._plan = plan
        self._site = site
        self._place = Place(site.cache / "corpora" / plan.key)
        self._shelf: Shelf | None = None
        self._opening = anyio.Lock()

    async def shelf(self, progress: Progress) -> Shelf:
        async with self._opening:
            state = state_of(await to_thread.run_sync(seen, self._plan, self._place.folder))
            if self._shelf is None or self._shelf.passages.name != state:
                passages = await to_thread.run_sync(opened, self._place.folder, state)
                if passages is None:
                    passages = await self._place.built(partial(self._collected, progress=progress))
                self._shelf = Shelf(passages, self._place, self._site)
            return self._shelf

    async def _collected(self, place: Path, progress: Progress) -> Passages:
        return await to_thread.run_sync(partial(collect, self._plan, place, progress=progress))


async def open_shelf(plan: Plan, site: Site, *, progress: Progress) -> Shelf:
    """The shelf of a corpus as its files are now; retrievers of equal plans share it.

    Raises:
        ConfigError: there is not one passage in it.

    """
    return await site.share(("retriever", plan.key), lambda: _Corpus(plan, site)).shelf(progress)
