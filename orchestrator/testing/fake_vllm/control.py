"""The endpoints around the text: health, models, metrics, sleep, adapters, tokens, vectors."""

from __future__ import annotations

import base64
from typing import Any, get_args

import anyio
import numpy as np
from aiohttp import web

from orchestrator.testing.answers import usage_of
from orchestrator.testing.fake_vllm.checks import parsed
from orchestrator.testing.fake_vllm.completions import prompts_of
from orchestrator.testing.fake_vllm.engine import PauseMode
from orchestrator.testing.fake_vllm.errors import Refused
from orchestrator.testing.fake_vllm.metrics import CONTENT_TYPE, exposition
from orchestrator.testing.fake_vllm.spoiling import before, refusal
from orchestrator.testing.fake_vllm.state import Recorded, ServerState
from orchestrator.testing.fake_vllm.tokens import chat_prompt, text_of, token_id, tokens_of

__all__ = ["Control"]

_VERSION = "0.0.0+fake"


class Control:
    """The handlers, over the state of one server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def health(self, _: web.Request) -> web.Response:
        """`GET /health` and `/ping`."""
        self._state.probes += 1
        self._state.tell()
        return web.Response(status=self._state.health)

    async def version(self, _: web.Request) -> web.Response:
        """`GET /version`."""
        return web.json_response({"version": _VERSION})

    async def load(self, _: web.Request) -> web.Response:
        """`GET /load`."""
        return web.json_response({"server_load": self._state.running + self._state.waiting})

    async def metrics(self, _: web.Request) -> web.Response:
        """`GET /metrics`."""
        state = self._state
        page = exposition(state.counts, state.engine, model=state.models[0], lora=state.adapters.enabled)
        return web.Response(body=page.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def models(self, _: web.Request) -> web.Response:
        """`GET /v1/models`."""
        state = self._state
        own = [_card(name, root=name, max_model_len=state.max_model_len) for name in state.models]
        adapters = [_card(name, root=path, parent=state.models[0]) for name, path in state.adapters.loaded.items()]
        return web.json_response({"object": "list", "data": [*own, *adapters]})

    async def sleep(self, request: web.Request) -> web.Response:
        """`POST /sleep?level=1&mode=abort`."""
        level, mode = request.query.get("level", "1"), request.query.get("mode", "abort")
        if level not in {"0", "1", "2"} or mode not in get_args(PauseMode):
            raise Refused(400, "level must be 0, 1 or 2, mode abort, wait or keep", param="query", kind="Bad Request")
        sleeping = self._state.engine.sleep(int(level), mode)  # type: ignore[arg-type]  # both were just checked
        await self._state.moves.through(sleeping)
        return web.json_response({"status": "sleeping", "level": int(level)})

    async def wake_up(self, request: web.Request) -> web.Response:
        """`POST /wake_up?tags=weights&tags=kv_cache`."""
        tags = request.query.getall("tags", [])
        awake = await self._state.moves.through(self._state.engine.wake(frozenset(tags)))
        return web.json_response({"status": "awake" if awake else "sleeping", "tags": tags or None})

    async def is_sleeping(self, _: web.Request) -> web.Response:
        """`GET /is_sleeping`."""
        return web.json_response({"is_sleeping": self._state.asleep})

    async def collective_rpc(self, request: web.Request) -> web.Response:
        """`POST /collective_rpc`, of which `reload_weights` alone does something: it follows on sleep of level 2."""
        method = parsed(await request.read()).get("method")
        if method is None:
            return web.json_response({"detail": "Missing 'method' in request body"}, status=400)
        if method == "reload_weights":
            await self._state.moves.through(self._state.engine.reload_weights())
        return web.json_response({"results": [None]})

    async def load_adapter(self, request: web.Request) -> web.Response:
        """`POST /v1/load_lora_adapter`."""
        told = await self._state.moves.through(self._load(parsed(await request.read())))
        return web.Response(text=told)

    async def _load(self, body: dict[str, Any]) -> str:
        if self._state.load_s:
            await anyio.sleep(self._state.load_s)
        told = self._state.adapters.load(
            body.get("lora_name"),
            body.get("lora_path"),
            base=self._state.models[0],
            in_place=bool(body.get("load_inplace")),
        )
        self._state.tell()
        return told

    async def unload_adapter(self, request: web.Request) -> web.Response:
        """`POST /v1/unload_lora_adapter`."""
        told = self._state.adapters.unload(parsed(await request.read()).get("lora_name"))
        self._state.tell()
        return web.Response(text=told)

    async def tokenize(self, request: web.Request) -> web.Response:
        """`POST /tokenize`, of a prompt or of messages."""
        body = await self._asked(request)
        if "messages" in body:
            added, continued = body.get("add_generation_prompt", True), body.get("continue_final_message", False)
            text = chat_prompt(body["messages"], continue_final=continued, generation_prompt=added)
        elif isinstance(body.get("prompt"), str):
            text = body["prompt"]
        else:
            raise Refused(400, "Field required", param="body.prompt", kind="Bad Request")
        tokens = tokens_of(text)
        return web.json_response(
            {
                "count": len(tokens),
                "max_model_len": self._state.max_model_len,
                "tokens": [token_id(token) for token in tokens],
                "token_strs": tokens if body.get("return_token_strs") else None,
            }
        )

    async def detokenize(self, request: web.Request) -> web.Response:
        """`POST /detokenize`."""
        body = await self._asked(request)
        try:
            return web.json_response({"prompt": text_of(body["tokens"])})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused(400, str(error), param="body.tokens", kind="Bad Request") from error

    async def embeddings(self, request: web.Request) -> web.Response:
        """`POST /v1/embeddings`."""
        state = self._state
        recorded = Recorded(
            headers=dict(request.headers),
            raw=await request.read(),
            path=request.path,
            asleep=state.asleep,
            fault=state.pick(),
        )
        state.note(recorded)
        refused = refusal(recorded.fault)
        if refused is not None:
            return refused
        body = self._checked(parsed(recorded.raw))
        prompts = prompts_of({"prompt": body.get("input")})
        async with state.engine.job():
            if not await before(request, recorded.fault):
                return web.Response()
            await state.engine.step(state.first_s)
            rows = state.embedder.embed(["".join(tokens) for tokens in prompts])
        used = sum(map(len, prompts))
        state.counts.finish("stop", prompt_tokens=used, output_tokens=0)
        data = [
            {"index": index, "object": "embedding", "embedding": _written(row, body.get("encoding_format"))}
            for index, row in enumerate(rows)
        ]
        head = {"id": "embd-fake", "object": "list", "created": 1_700_000_000, "model": state.echo or body["model"]}
        return web.json_response({**head, "data": data, "usage": usage_of(used, 0)})

    async def _asked(self, request: web.Request) -> dict[str, Any]:
        return self._checked(parsed(await request.read()))

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        model = body.setdefault("model", self._state.models[0])
        if not self._state.serves(model):
            raise Refused(404, f"The model `{model}` does not exist.", param="model")
        return body


def _card(
    name: str, *, root: str, parent: str | None = None, max_model_len: int | None = None
) -> dict[str, str | int | None]:
    return {
        "id": name,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "vllm",
        "root": root,
        "parent": parent,
        "max_model_len": max_model_len,
    }


def _written(row: np.ndarray[Any, np.dtype[np.float32]], form: object) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return [float(value) for value in row]
