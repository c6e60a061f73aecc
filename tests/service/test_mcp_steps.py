"""The progress of one call: whoever counts, the agent sees one count that only grows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.service.mcp_progress import Steps
from orchestrator.types import Progress

pytestmark = pytest.mark.anyio

Told = tuple[float, float | None, str | None]


async def told(*progress: Progress) -> list[Told]:
    heard: list[Told] = []

    async def hear(done: float, total: float | None, words: str | None) -> None:
        heard.append((done, total, words))

    steps = Steps(hear)
    for one in progress:
        await steps.tell(one)
    return heard


async def test_one_expert_s_count_is_passed_on() -> None:
    """Specified: as it is, with its words."""
    steps = [Progress(expert="tool", done=step, total=2, message=f"at {step}") for step in (0, 1, 2)]
    assert await told(*steps) == [(0, 2, "tool: at 0"), (1, 2, "tool: at 1"), (2, 2, "tool: at 2")]


async def test_stages_go_on_where_the_one_before_ended() -> None:
    """Specified: drafts, consensus and verdict count for themselves; the sum goes up, and its total with it."""
    stages = [("drafting", 0, 2), ("drafting", 1, 2), ("drafting", 2, 2), ("consensus", 1, 1), ("verdict", 1, 1)]
    steps = [Progress(expert="fusion", done=done, total=total, message=what) for what, done, total in stages]
    assert [(done, total) for done, total, _ in await told(*steps)] == [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4)]


async def test_experts_side_by_side_are_added_up() -> None:
    """Specified: each counts from its own beginning; one that says nothing of an end leaves the total open."""
    steps = [
        Progress(expert="a", done=1, total=3),
        Progress(expert="b", done=10),
        Progress(expert="a", done=3, total=3),
    ]
    assert [(done, total) for done, total, _ in await told(*steps)] == [(1, 3), (11, None), (13, 13)]


async def test_what_was_said_before_is_not_said_again() -> None:
    """Ours: nor is a beginning after others have told of something."""
    again = Progress(expert="a", done=1)
    assert len(await told(again, again, Progress(expert="b", done=0), Progress(expert="a", done=0))) == 1


@given(
    st.lists(
        st.builds(
            Progress,
            expert=st.sampled_from("ab"),
            done=st.integers(-2, 9),
            total=st.none() | st.integers(0, 9),
            message=st.sampled_from(["", "x"]),
        )
    )
)
async def test_every_number_is_larger_than_the_one_before(progress: list[Progress]) -> None:
    """Specified by MCP: whatever servers count."""
    heard = await told(*progress)
    assert all(before[0] < after[0] for before, after in pairwise(heard))
    assert all(total is None or total >= done for done, total, _ in heard)
