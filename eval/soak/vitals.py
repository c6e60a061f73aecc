"""What a process holds while it is watched: resident memory and open sockets."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import psutil
from anyio import to_thread

from eval.soak.trend import Trend

__all__ = ["Vitals"]

MIB = 1024 * 1024


@dataclass(slots=True)
class Vitals:
    """Samples of one process, (seconds, value) each. rss_mib: resident memory. sockets: open, of any state."""

    pid: int
    rss_mib: list[tuple[float, float]] = field(default_factory=list)
    sockets: list[tuple[float, float]] = field(default_factory=list)

    async def watch(self, *, every_s: float) -> None:
        """Take samples until cancelled, or until the process is gone."""
        process = psutil.Process(self.pid)
        while process.is_running():
            at = anyio.current_time()
            try:
                rss, sockets = await to_thread.run_sync(_seen, process)
            except psutil.NoSuchProcess:
                return
            self.rss_mib.append((at, rss / MIB))
            self.sockets.append((at, sockets))
            await anyio.sleep(every_s)

    def trends(self, since: float) -> tuple[Trend, Trend]:
        """Of memory and of sockets, from then on."""
        memory, sockets = ([each for each in series if each[0] >= since] for series in (self.rss_mib, self.sockets))
        return Trend.of(memory), Trend.of(sockets)


def _seen(process: psutil.Process) -> tuple[int, int]:
    return process.memory_info().rss, len(process.net_connections(kind="all"))
