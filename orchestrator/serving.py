"""Which artifact decides, and its replacement while the service runs.

An artifact is loaded whole (router and mapping), tried once, and only then takes over: requests that have begun end
with the one they began with. One that cannot be loaded changes nothing; why is logged once and can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.consultation import consulted_by
from orchestrator.generations import Generations
from orchestrator.generations.record import label_of
from orchestrator.plans import Plans
from orchestrator.training import load_mapping, load_router
from routers.artifact import read_manifest
from routers.embedding import Embedder
from routers.errors import RouterError
from routers.manifest import MANIFEST
from routers.router import Router

__all__ = ["Serving", "Watch", "check_serving", "load_serving"]

AGAIN_S = 60.0
"""After so long an artifact that could not be loaded is tried again: it may have been the machine's fault."""

TRIAL = "Which expert would answer this?"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A loaded artifact. label: as decisions name it. number: of its generation, None for one that is none.

    sha256: of its manifest. place: what a look at the disk saw when it was loaded; another one there looks different.
    """

    router: Router
    plans: Plans
    label: str
    number: int | None
    sha256: str
    place: object


def load_serving(config: Config, embedder: Embedder) -> Serving:
    """The artifact that is to serve now. Blocking: it reads tensors, and classifies once where no expert is asked.

    Raises:
        ArtifactError: none there, damaged, or not for this configuration.

    """
    generations = Generations.of(config)
    generations.mend()
    place = _place(generations.path)
    folder = generations.path.resolve()  # the link may move on while this one is read
    number, sha256 = generations.serving, read_manifest(folder).sha256
    router = load_router(config, embedder, folder=folder)
    plans = Plans(config, load_mapping(config, folder=folder))
    if not consulted_by(config):  # an expert that is asked may not be up yet, and costs
        for routing in router.classify([TRIAL]):
            plans.planned(routing.category)
    return Serving(
        router=router, plans=plans, label=label_of(number, sha256), number=number, sha256=sha256, place=place
    )


def check_serving(config: Config) -> None:
    """Whether there is an artifact to load; reads no tensor.

    Raises:
        ArtifactError: none there, or its manifest is damaged.

    """
    generations = Generations.of(config)
    generations.mend()
    read_manifest(generations.path.resolve())


class Watch:
    """Looks every `routing.watch_s` whether another artifact is to serve, and has it take over.

    use: called on the event loop with what was loaded. refused: why what is there now does not serve, else empty.
    """

    def __init__(self, config: Config, embedder: Embedder, serving: Serving, *, use: Callable[[Serving], None]) -> None:
        self.serving = serving
        self.refused = ""
        self._config = config
        self._embedder = embedder
        self._use = use
        self._path = Generations.of(config).path
        self._tried: object = serving.place
        self._again_at = 0.0

    async def serve(self) -> None:
        """Look until cancelled; returns at once where the configuration wants no looking."""
        if not self._config.routing.watch_s:
            return
        while True:
            await anyio.sleep(self._config.routing.watch_s)
            await self.look()

    async def look(self) -> bool:
        """One look; whether another artifact has taken over."""
        place = await to_thread.run_sync(_place, self._path)
        if place == self.serving.place:
            self._accept(self.serving)
            return False
        if place == self._tried and anyio.current_time() < self._again_at:
            return False
        self._tried, self._again_at = place, anyio.current_time() + AGAIN_S
        try:
            found = await to_thread.run_sync(load_serving, self._config, self._embedder)
        except Exception as error:  # noqa: BLE001 - supervised border: what serves goes on serving
            self._refuse(error)
            return False
        taken_over = found.sha256 != self.serving.sha256 or found.number != self.serving.number
        if taken_over:
            self._use(found)
            log.info("artifact.serves", generation=found.label, before=self.serving.label)
        self._accept(found)
        return taken_over

    def _accept(self, serving: Serving) -> None:
        self.serving, self.refused = serving, ""
        self._tried = serving.place

    def _refuse(self, error: Exception) -> None:
        """Logged where it is news: an artifact that stays broken is tried again and again."""
        why = str(error) if isinstance(error, RouterError) else repr(error)
        if why != self.refused:
            log.error("artifact.refused", error=why, serves=self.serving.label)
        self.refused = why


def _place(path: Path) -> object:
    """What changes when another artifact is put there; cheap. None where nothing is."""
    try:
        seen = (path / MANIFEST).stat()
        target = str(path.readlink()) if path.is_symlink() else ""
    except OSError:
        return None
    return target, seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size
