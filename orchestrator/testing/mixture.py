"""Which request meets which fault: a share of them by chance, or one after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from orchestrator.testing.faults import FAULTS, Fault, Slow, Stall

__all__ = ["FaultSource", "Mixture", "Schedule", "named_fault", "named_mixture"]


class FaultSource(Protocol):
    """Says what goes wrong with the next request; None for nothing."""

    def pick(self) -> Fault | None: ...


class Mixture:
    """Strikes a share of the requests, 0 to 1, with each fault; the others go well.

    The faults of the first, second, third request are the same for the same seed.
    """

    def __init__(self, shares: Sequence[tuple[Fault, float]], *, seed: int = 0) -> None:
        self.shares = tuple(shares)
        total = sum(share for _, share in shares)
        if total > 1 + 1e-9 or any(share < 0 for _, share in shares):
            raise ValueError(f"shares of faults must be 0 to 1 together, not {total:g}")
        self._random = random.Random(seed)  # noqa: S311 - chance for tests, to be repeated

    def pick(self) -> Fault | None:
        chance = self._random.random()
        for fault, share in self.shares:
            if chance < share:
                return fault
            chance -= share
        return None


class Schedule:
    """Strikes the first request with the first fault, the second with the second; after the last nothing goes wrong.

    again: begins anew after the last instead.
    """

    def __init__(self, *faults: Fault | None, again: bool = False) -> None:
        self._faults = _forever(faults) if again and faults else iter(faults)

    def pick(self) -> Fault | None:
        return next(self._faults, None)


def _forever(faults: Sequence[Fault | None]) -> Iterator[Fault | None]:
    while True:
        yield from faults


def named_fault(text: str) -> tuple[Fault, float]:
    """A fault and its share, written `NAME`, `NAME:SHARE` or, of `slow` and `stall`, `NAME:SHARE:SECONDS`.

    Raises:
        ValueError: there is no such fault, or it has no such share.
    """
    name, *numbers = text.split(":")
    if name not in FAULTS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    fault = FAULTS[name]
    share = float(numbers[0]) if numbers else 1.0
    if not 0 <= share <= 1:
        raise ValueError(f"the share of fault {text!r} must be 0 to 1")
    if len(numbers) > 1:
        if not isinstance(fault, Slow | Stall):
            raise ValueError(f"fault {name!r} takes no seconds, as {text!r} has them")
        fault = replace(fault, seconds=float(numbers[1]))
    return fault, share


def named_mixture(texts: Sequence[str], *, seed: int = 0) -> Mixture | None:
    """The mixture of such faults; None where none is given. Raises ValueError."""
    return Mixture([named_fault(text) for text in texts], seed=seed) if texts else None
