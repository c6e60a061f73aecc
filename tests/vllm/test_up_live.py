"""`orchestrator up` over real servers: one of them is killed, and comes back. The last of the live tests."""

import httpx
import psutil

from tests.vllm.conftest import Fleet


def test_a_server_that_is_killed_comes_back(fleet: Fleet) -> None:
    """Specified: a kill -9 of one is survived; the other goes on, and requests reach the new one."""
    before = fleet.until("base", "healthy")
    seen = len(fleet.seen)
    (server,) = psutil.Process(before["pid"]).children()
    engines = server.children(recursive=True)
    server.kill()
    waiting = fleet.until("base", "waiting", beyond=seen)
    assert "signal 9" in waiting["reason"]
    vectors = {"model": "vectors", "input": "still here"}
    answer = httpx.post(f"{fleet.url}/v1/embeddings", json=vectors, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    after = fleet.until("base", "healthy", beyond=seen)
    assert after["pid"] != before["pid"]
    _, left = psutil.wait_procs([server, *engines], timeout=10)
    assert left == []
    chat = {"model": "base", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = httpx.post(f"{fleet.url}/v1/chat/completions", json=chat, timeout=240, trust_env=False)
    assert answer.status_code == 200, answer.text
