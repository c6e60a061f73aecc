"""A small corpus of our own, the real MiniLM, and a site that counts what is embedded."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from anyio import to_thread

from orchestrator.config.kinds import RetrieverSettings
from orchestrator.experts import Expert, Site
from orchestrator.experts.retriever.expert import RetrieverExpert
from orchestrator.types import ChatRequest, Chunk
from routers.embedding import Embedder, FloatArray
from routers.embedding.load import load_embedder

DOCUMENTS = (
    ("leave", "Annual leave", "Everyone has 28 days of paid leave a year. Up to five unused days move to the next."),
    ("sick", "Sick days", "If you are ill, tell your lead before ten o'clock. A doctor's note is due on day four."),
    ("parents", "Parental leave", "Parents stay at home for up to fourteen weeks with full pay after a birth."),
    ("remote", "Working from home", "You may work from home three days a week; Tuesday is for meeting in person."),
    ("expenses", "Expenses", "Hand in receipts within thirty days. Meals on trips are refunded up to 45 euros a day."),
    ("travel", "Travel", "Book trains before flights. Flights under 600 kilometres need the director's consent."),
    ("laptop", "Laptops", "A laptop is replaced after four years. A broken one is exchanged at the desk in room 12."),
    (
        "password",
        "Passwords",
        "Passwords have at least fourteen characters. Reset yours at the portal; codes last an hour.",
    ),
    (
        "vpn",
        "Remote network",
        "Outside the office use the tunnel. Error E-4417 means that your certificate has expired.",
    ),
    ("badge", "Badges", "A lost badge is reported to reception at once; a new one costs nothing the first time."),
    ("visitors", "Visitors", "Guests sign in at reception and are accompanied at all times beyond the lobby."),
    (
        "fire",
        "Fire alarm",
        "At the alarm leave by the stairs, never by the lift, and gather at the car park's north end.",
    ),
    ("canteen", "Canteen", "Lunch is served from half past eleven to two. On Thursdays there is always soup."),
    ("bicycle", "Bicycles", "Bicycles stand in the basement. The firm pays half of a yearly service up to 60 euros."),
    ("training", "Training", "Each of us has 1,200 euros a year for courses and books, and five days to use them."),
    ("probation", "Probation", "The first six months are probation; either side may end the contract in two weeks."),
    ("pension", "Pension", "The firm adds four per cent of salary to a pension plan from the first month on."),
    ("referral", "Referrals", "Whoever brings a colleague who stays half a year gets 2,000 euros."),
    ("plants", "Plants", "The ferns in the hall are watered by the facility team, so please do not water them too."),
    ("data", "Customer data", "Customer data never leave the secured drive, not even as a copy for tests."),
)


def lines(documents: Sequence[tuple[str, str, str]] = DOCUMENTS) -> bytes:
    """Documents as a JSONL file has them."""
    return b"\n".join(orjson.dumps({"id": i, "title": title, "text": text}) for i, title, text in documents)


class CountingEmbedder:
    """The embedder off the event loop; `texts` are all that it was given, `broken` makes it raise."""

    def __init__(self, embedder: Embedder) -> None:
        self.texts: list[str] = []
        self.broken = False
        self.hold: anyio.Event | None = None
        self._embedder = embedder

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        self.texts += texts
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            message = "out of memory"
            raise RuntimeError(message)
        return await to_thread.run_sync(self._embedder.embed, list(texts))


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """The packaged model; loaded once."""
    return load_embedder("minilm", folder=tmp_path_factory.mktemp("models"))


@pytest.fixture
def embedder(minilm: Embedder) -> CountingEmbedder:
    """The model, counted anew for each test."""
    return CountingEmbedder(minilm)


class Place:
    """A folder with a corpus and a cache; `site` is that of a process, `restarted` that of the next one."""

    def __init__(self, folder: Path, embedder: CountingEmbedder) -> None:
        self.folder = folder
        self.corpus = folder / "handbook.jsonl"
        self.corpus.write_bytes(lines())
        self.experts: dict[str, Expert] = {}
        self._embedder = embedder
        self.site = self.restarted()

    @property
    def indexes(self) -> list[Path]:
        """Published vectors, one file for each state of a corpus and embedder."""
        return sorted((self.folder / "cache" / "corpora").glob("*/vectors-*/*/vectors.npy"))

    def restarted(self) -> Site:
        self.site = Site(
            folder=self.folder,
            cache=self.folder / "cache",
            expert=lambda expert: self.experts[expert],
            embedder=lambda _: self._embedder,
        )
        return self.site

    def retriever(self, **settings: Any) -> RetrieverExpert:
        settings = {"corpus": "handbook.jsonl", **settings}
        return RetrieverExpert("handbook", RetrieverSettings(**settings), self.site)


@pytest.fixture
def place(tmp_path: Path, embedder: CountingEmbedder) -> Place:
    """A place with the corpus of this file."""
    return Place(tmp_path, embedder)


AskedFor = Callable[..., ChatRequest]


@pytest.fixture
def asked() -> AskedFor:
    """Makes a request of a question and further fields of the body."""

    def make(question: str, *, deadline_s: float = 30.0, **fields: Any) -> ChatRequest:
        body: Mapping[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": question}], **fields}
        return ChatRequest(body=body, deadline=anyio.current_time() + deadline_s)

    return make


class Emitted(list[Chunk]):
    """An `emit` that keeps what it is given."""

    async def __call__(self, chunk: Chunk) -> None:
        self.append(chunk)


@pytest.fixture
def emitted() -> Emitted:
    """What an expert has emitted."""
    return Emitted()
