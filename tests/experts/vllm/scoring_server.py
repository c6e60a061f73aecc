"""A loopback server with the parts of vLLM's API that scoring and embeddings use; its tokens are characters.

`FakeVLLM` does as vLLM would; this one keeps every request of these paths, and answers whatever a test wants.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

__all__ = ["ScoringServer", "logprob"]


def logprob(token: int) -> float:
    """What it makes of a token, whatever came before."""
    return -(token % 7) / 4


class ScoringServer:
    """`async with ScoringServer() as server:` listens at `server.url`.

    seen: path and body of every request, raw: the bytes of the last. change: made to every answer, by path.
    refuse: the status for a request, by path and body; None to answer it. running, most: completions under way, and
    the most of them at once.
    """

    def __init__(self, model: str = "m") -> None:
        self.model = model
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.raw = b""
        self.change: Callable[[str, dict[str, Any]], object] = lambda _, answer: answer
        self.refuse: Callable[[str, Mapping[str, Any]], int | None] = lambda _, __: None
        self.running = self.most = 0
        self.url = ""
        app = web.Application()
        app.router.add_post("/tokenize", self._handler(self._tokenize))
        app.router.add_post("/v1/completions", self._handler(self._complete))
        app.router.add_post("/v1/embeddings", self._handler(self._embed))
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to a path."""
        return [body for seen, body in self.seen if seen == path]

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    def _handler(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        async def handle(request: web.Request) -> web.Response:
            self.raw = await request.read()
            body = orjson.loads(self.raw)
            self.seen.append((request.path, body))
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                status = self.refuse(request.path, body) or (200 if body["model"] == self.model else 404)
                if status != 200:
                    error = {"error": {"message": f"status {status}", "type": "BadRequestError", "code": status}}
                    return web.json_response(error, status=status)
                changed = self.change(request.path, answer(body))
                raw = changed if isinstance(changed, bytes) else orjson.dumps(changed)
                return web.Response(body=raw, content_type="application/json")
            finally:
                self.running -= 1

        return handle

    def _tokenize(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if "prompt" in body:
            text = body["prompt"]
        else:
            turns = [f"<{message['role']}>{message['content']}" for message in body["messages"]]
            text = "".join([*turns, "<assistant>" if body["add_generation_prompt"] else ""])
        tokens = [ord(character) for character in text]
        return {"count": len(tokens), "max_model_len": 2048, "tokens": tokens}

    def _complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        prompt: list[int] = body["prompt"]
        rows = [{str(token): {"logprob": logprob(token), "rank": 1, "decoded_token": chr(token)}} for token in prompt]
        choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": [None, *rows[1:]]}
        usage = {"prompt_tokens": len(prompt), "completion_tokens": 1, "total_tokens": len(prompt) + 1}
        return {"id": "cmpl-1", "object": "text_completion", "model": self.model, "choices": [choice], "usage": usage}

    def _embed(self, body: Mapping[str, Any]) -> dict[str, Any]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [{"object": "embedding", "index": at, "embedding": [len(text), 0.5]} for at, text in enumerate(texts)]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return {"id": "embd-1", "object": "list", "model": self.model, "data": data, "usage": usage, "new_field": 1}
