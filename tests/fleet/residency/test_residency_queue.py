"""Batching by expert: one switch for all who wait, and nobody overtaken more often than allowed."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.residency.queueing import Queue, added_latency_s


def test_those_who_wait_for_one_expert_are_served_together() -> None:
    """Of a b a a: one turn for a and one for b."""
    queue = Queue[int](overtakes=8)
    for number, expert in enumerate("abaa"):
        queue.put(expert, number)
    assert queue.next_expert() == "a"
    assert queue.take("a") == [0, 2, 3]
    assert queue.next_expert() == "b"
    assert queue.take("b") == [1]
    assert len(queue) == 0
    assert queue.next_expert() is None


def test_the_cap_ends_a_batch() -> None:
    """With one overtake only one of the later two goes before b; the last waits for b to be served."""
    queue = Queue[int](overtakes=1)
    for number, expert in enumerate("abaa"):
        queue.put(expert, number)
    assert queue.take("a") == [0, 2]
    assert queue.next_expert(awake={"a"}) == "b"
    assert queue.take("b") == [1]
    assert queue.take("a") == [3]


def test_no_overtaking_is_first_come_first_served() -> None:
    """A cap of 0."""
    queue = Queue[int](overtakes=0)
    for number, expert in enumerate("abaa"):
        queue.put(expert, number)
    served = []
    while (next_one := queue.next_expert(awake={"a"})) is not None:
        served += queue.take(next_one)
    assert served == [0, 1, 2, 3]
    queue.put("b", 4)
    assert not queue.admits("a")


def test_added_latency_is_coserves() -> None:
    """K * n + B + load."""
    assert added_latency_s(3, per_request_s=0.5, fixed_s=0.25, load_s=2.0) == 3.75


@given(
    cap=st.integers(0, 4),
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 3)), max_size=60),
)
def test_nobody_is_overtaken_more_often_than_the_cap(  # noqa: C901 - the model of a queue in one place
    cap: int, steps: list[tuple[str, bool, int]]
) -> None:
    """Whatever comes, passes and is taken; all are served in the end, those of one expert in their order."""
    queue = Queue[int](overtakes=cap)
    waiting: dict[int, str] = {}
    overtaken: dict[int, int] = {}
    served: list[int] = []

    def serve(number: int) -> None:
        for other in waiting:
            if other < number:
                overtaken[other] = overtaken.get(other, 0) + 1
        served.append(number)

    def take(most: int | None) -> None:
        expert = queue.next_expert(awake={"a"})
        if expert is None:
            return
        taken = queue.take(expert, most=most)
        assert taken
        for number in taken:
            assert waiting.pop(number) == expert
            serve(number)

    for number, (expert, takes, most) in enumerate(steps):
        if expert == "a" and queue.admits("a"):
            queue.passed("a")
            serve(number)
        else:
            waiting[number] = expert
            queue.put(expert, number)
        if takes:
            take(most)
    while waiting:
        take(None)
    assert len(queue) == 0
    assert sorted(served) == list(range(len(steps)))
    assert max(overtaken.values(), default=0) <= cap
    for expert in "abc":
        own = [number for number in served if steps[number][0] == expert]
        assert own == sorted(own)
