"""The servers of one expert: which one to ask next, and which ones to leave alone. Does no I/O and reads no clock.

Power of two choices: of two servers drawn by chance the less busy one is asked. That is nearly as even as asking the
least busy of all, and many routers that act on the same reports do not all rush to one server (Mitzenmacher, 2001).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from orchestrator.experts.protocol import Condition, ReplicaSeen
from orchestrator.experts.vllm.affinity import bounded, rendezvous
from orchestrator.experts.vllm.circuit import Circuit, Rules
from orchestrator.experts.vllm.load import Pressure, burden
from orchestrator.experts.vllm.replica import Replica

__all__ = ["Replicas"]

_MOST_REPORT_AGE_S = 15.0
_NONE = Pressure()


class Replicas:
    """Chooses among servers.

    random: decides which two are compared, and the jitter of their circuits; give a seeded one to repeat a run.
    rules: of their circuits. most_report_age_s: an older report of a server's load counts as none.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        random: Random | None = None,
        rules: Rules | None = None,
        most_report_age_s: float = _MOST_REPORT_AGE_S,
    ) -> None:
        self._random = random or Random()  # noqa: S311 - no secret
        self._most_report_age_s = most_report_age_s
        self._turns = 0
        self.all = tuple(Replica(url, Circuit(self._random, rules)) for url in urls)

    def pick(self, now: float, *, tried: Collection[Replica] = (), key: bytes | None = None) -> Replica | None:
        """The server to ask, none twice; None where nobody is left, but for servers that asked to be left alone.

        A server whose trial is due gets this request, but not one that failed elsewhere before: its tries are counted.
        Then those that are well, by load or, with a key, by affinity. When none is, the others are asked all the same:
        their trouble may be over, and not to ask is sure to fail.
        """
        if len(self.all) == 1:  # the same comes of it, sooner
            (alone,) = self.all
            return None if alone in tried or alone.resting(now) else self._taken(alone)
        left = [replica for replica in self.all if replica not in tried] if tried else self.all
        well = [replica for replica in left if replica.well(now)]
        if len(well) < len(left):
            due = [replica for replica in left if replica.trial_due(now)]
            if due and not (tried and well):
                return self._taken(min(due, key=lambda replica: replica.turn))
        if well:
            return self._taken(self._preferred(well, now, key))
        others = [replica for replica in left if not replica.resting(now)]
        return self._taken(self._less_busy(others, now)) if others else None

    def pick_well(self, now: float, *, tried: Collection[Replica], key: bytes | None = None) -> Replica | None:
        """A further server that is well, for a request that another one has already; None where there is none."""
        well = [replica for replica in self.all if replica not in tried and replica.well(now)]
        return self._taken(self._preferred(well, now, key)) if well else None

    def rest_s(self, now: float) -> float | None:
        """Seconds until the first of those that asked to be left alone may be asked again; None where none did."""
        waits = [replica.resting_until - now for replica in self.all if replica.resting(now)]
        return min(waits, default=None)

    def burdens(self, now: float, among: Sequence[Replica]) -> list[float]:
        """How busy servers are; those that report nothing are taken to be as the others are."""
        seen = [replica.pressure(now, most_age_s=self._most_report_age_s) for replica in among]
        known = [pressure for pressure in seen if pressure is not None]
        assumed = Pressure.mean(known) if known else _NONE
        return [
            burden(replica.in_flight, assumed if pressure is None else pressure)
            for replica, pressure in zip(among, seen, strict=True)
        ]

    def _preferred(self, well: Sequence[Replica], now: float, key: bytes | None) -> Replica:
        if key is None or len(well) == 1:
            return self._less_busy(well, now)
        by_url = {replica.url: replica for replica in well}
        burdens = dict(zip(by_url, self.burdens(now, list(by_url.values())), strict=True))
        return by_url[bounded(rendezvous(key, list(by_url)), burdens)]

    def _less_busy(self, among: Sequence[Replica], now: float) -> Replica:
        """Power of two choices; of two that are equal, the one that was asked longer ago."""
        count = len(among)
        if count == 1:
            return among[0]
        burdens = self.burdens(now, among)
        one = int(count * self._random.random())
        other = (one + 1 + int((count - 1) * self._random.random())) % count
        return among[min(one, other, key=lambda index: (burdens[index], among[index].turn))]

    def _taken(self, replica: Replica) -> Replica:
        self._turns += 1
        replica.turn = self._turns
        return replica

    @property
    def condition(self) -> Condition:
        """Up while any server is well."""
        if any(replica.trouble == "" for replica in self.all):
            return Condition(state="up")
        if any(replica.trouble is None for replica in self.all):
            return Condition(state="starting", reason="no health probe yet")
        return Condition(state="down", reason="; ".join(f"{each.shown}: {each.trouble}" for each in self.all))

    def seen(self, now: float) -> list[ReplicaSeen]:
        """How each server is, for people and dashboards."""
        return [self._seen(replica, now) for replica in self.all]

    def _seen(self, replica: Replica, now: float) -> ReplicaSeen:
        report = replica.report(now, most_age_s=self._most_report_age_s)
        return ReplicaSeen(
            url=replica.shown,
            breaker=replica.circuit.state(now),
            open_for_s=round(replica.circuit.open_for_s(now), 3),
            resting_s=round(max(0.0, replica.resting_until - now), 3),
            healthy=None if replica.trouble is None else not replica.trouble,
            in_flight=replica.in_flight,
            requests=replica.requests,
            failures=replica.failures,
            openings=replica.circuit.openings,
            running=None if report is None else int(report.running),
            waiting=None if report is None else int(report.waiting),
            kv_usage=None if report is None else report.kv_usage,
            last_trouble=replica.last_trouble,
        )
