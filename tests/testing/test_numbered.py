"""Tokens that tell where they are from."""

import anyio
import httpx
import pytest

from orchestrator.testing import FakeVLLM, Numbered, Outage, Traced, UntraceableError, chance_outages, suffer, traced

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


def asking(content: str) -> dict[str, object]:
    return {"model": "fake-model", "messages": [{"role": "user", "content": content}]}


async def test_text_tells_its_server_its_request_and_its_tag() -> None:
    """The tag is the first word of what the user said last."""
    async with FakeVLLM(answer=Numbered("a", tokens=3)) as server, httpx.AsyncClient(base_url=server.url) as client:
        said = [(await client.post(CHAT, json=asking(tag))).json() for tag in ("q7 and more", "q8")]
        limited = (await client.post(CHAT, json={**asking("q9"), "max_tokens": 2})).json()
    texts = [body["choices"][0]["message"]["content"] for body in (*said, limited)]
    assert texts[0] == "[a|1|q7|1/3] [a|1|q7|2/3] [a|1|q7|3/3] "
    assert [traced(text) for text in texts] == [
        Traced("a", 1, "q7", 3, 3),
        Traced("a", 2, "q8", 3, 3),
        Traced("a", 3, "q9", 2, 3),
    ]
    assert [traced(text).whole for text in texts] == [True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[a|1|q|1/3] [a|1|q|3/3] ",
        "[a|1|q|2/3] [a|1|q|3/3] ",
        "[a|1|q|1/3] [a|1|q|1/3] ",
        "[a|1|q|2/3] [a|1|q|1/3] ",
        "[a|1|q|1/3] [b|1|q|2/3] ",
        "[a|1|q|1/3] [a|2|q|2/3] ",
        "[a|1|q|1/3] [a|1|r|2/3] ",
        "[a|1|q|1/3] and [a|1|q|2/3] ",
        "[a|1|q|1/3] [a|1|q|2",
    ],
)
def test_tokens_that_are_lost_doubled_moved_or_mixed_are_found(text: str) -> None:
    """What a proof of streaming must not miss."""
    with pytest.raises(UntraceableError):
        traced(text)


def test_chance_outages_are_repeated_by_their_seed() -> None:
    """Of the kinds that are asked for, with means that are asked for."""

    def some(seed: int) -> list[Outage]:
        endless = chance_outages(up_s=2.0, down_s=0.5, kinds=("kill", "sick"), seed=seed)
        return [next(endless) for _ in range(500)]

    assert some(1) == some(1) != some(2)
    assert {outage.kind for outage in some(1)} == {"kill", "sick"}
    assert sum(outage.after_s for outage in some(1)) / 500 == pytest.approx(2.0, rel=0.25)
    assert sum(outage.for_s for outage in some(1)) / 500 == pytest.approx(0.5, rel=0.25)


async def well(client: httpx.AsyncClient) -> bool:
    """Whether the server says so, and soon."""
    try:
        return (await client.get("/health", timeout=0.1)).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("kind", ["kill", "refuse", "sick", "slow-health"])
async def test_server_suffers_each_outage_and_is_well_afterwards(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the time of suffering is cut short."""
    down, go_on, sleep = anyio.Event(), anyio.Event(), anyio.sleep

    async def stepped(seconds: float) -> None:
        if seconds == 7.0:
            down.set()
            await go_on.wait()
        elif seconds != 5.0:
            await sleep(seconds)

    outage = Outage(kind=kind, after_s=5.0, for_s=7.0)  # type: ignore[arg-type]  # parametrized
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        assert await well(client)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                monkeypatch.setattr(anyio, "sleep", stepped)
                group.start_soon(suffer, server, [outage])
                await down.wait()
                ill = not await well(client)
                group.cancel_scope.cancel()
            assert ill
            assert await well(client)
