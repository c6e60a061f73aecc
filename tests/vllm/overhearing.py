"""A listener between the service and a real server: passes everything on, and keeps what was asked and answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

__all__ = ["Heard", "Overhearing"]

PATIENCE_S = 240


@dataclass(frozen=True, slots=True)
class Heard:
    """One POST of JSON with a JSON answer, as both went over the wire."""

    path: str
    asked: dict[str, Any]
    answered: dict[str, Any]


class Overhearing:
    """Listens at a port of 127.0.0.1 and passes on to `target`; `heard` is in the order of the answers."""

    def __init__(self, port: int, target: str) -> None:
        self.heard: list[Heard] = []
        self._client = httpx.Client(base_url=target, timeout=PATIENCE_S, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = Thread(target=self._server.serve_forever)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """May be called without `start` having been."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._client.close()

    def chats(self) -> list[Heard]:
        """Those whose answer is a chat's, the scoring of given answers left out."""
        return [one for one in self.heard if one.path.endswith("/chat/completions")]

    def _pass_on(self, method: str, path: str, body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        answer = self._client.request(method, path, content=body, headers=headers)
        if method == "POST" and answer.headers.get("content-type", "").startswith("application/json"):
            self.heard.append(Heard(path, json.loads(body), answer.json()))
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pass_on = self._pass_on

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._relay()

            def do_POST(self) -> None:
                self._relay()

            def _relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                try:
                    answer = pass_on(self.command, self.path, body)
                except httpx.HTTPError:  # the server is not there yet: neither is what it says
                    self.send_error(503)
                    return
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers.get("content-type", "text/plain"))
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """No lines on stderr."""

        return Handler
