"""Which adapters live on which base, and whether they all fit."""

from collections import OrderedDict

import numpy as np
import pytest

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.shared_bases import reload_share, shared_bases


def config(*, most: int | None) -> Config:
    """A base with one adapter of its command line, and three that are loaded at run time."""
    adapters = {name: VllmSettings(base="coder", adapter=name, path=f"/{name}") for name in ("a", "b", "c")}
    coder = VllmSettings(model="m", replicas=("http://h:1", "http://h:2"), max_adapters=most)
    return Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["coder"]}},
            "general": "general",
            "experts": {"coder": coder, "fixed": VllmSettings(base="coder", adapter="fixed"), **adapters},
        }
    )


def test_only_those_loaded_at_run_time_need_room() -> None:
    """Specified: adapters per base, and the pressure of max_adapters."""
    (shared,) = shared_bases(config(most=2))
    assert (shared.base, shared.servers) == ("coder", 2)
    assert (shared.adapters, shared.at_run_time) == (("fixed", "a", "b", "c"), ("a", "b", "c"))
    assert (shared.crowded, shared.reloads) == (True, None)
    assert shared.line() == "coder holds fixed, a, b, c; 3 are loaded at run time, max_adapters 2"
    for most in (3, None):
        (shared,) = shared_bases(config(most=most))
        assert (shared.crowded, shared.reloads, shared.line()) == (False, 0.0, "coder holds fixed, a, b, c")


@pytest.mark.parametrize(("rates", "room"), [([1, 1, 1], 2), ([8, 4, 2, 1, 1], 2), ([5, 4, 3, 2, 1, 1, 1, 1], 4)])
def test_the_part_that_loads_first_is_about_what_a_replay_finds(rates: list[float], room: int) -> None:
    """Specified: by Che's approximation, which is close from two places on."""
    drawn = np.random.default_rng(0).choice(len(rates), p=np.array(rates) / sum(rates), size=20_000).tolist()
    there: OrderedDict[int, None] = OrderedDict()
    missed = 0
    for adapter in drawn:
        if adapter not in there:
            missed += 1
            if len(there) == room:
                there.popitem(last=False)
        there[adapter] = None
        there.move_to_end(adapter)
    assert reload_share(rates, room) == pytest.approx(missed / len(drawn), abs=0.05)


def test_where_all_that_are_asked_fit_nothing_is_loaded_again() -> None:
    """Ours: adapters that nothing is routed to take no place."""
    assert reload_share([0.5, 0.2, 0.0], 2) == 0
    assert reload_share([0.0, 0.0, 0.0], 2) == 0
