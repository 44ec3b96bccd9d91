"""A loopback server with those paths of the hub by which its library makes a repository and uploads to it."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Received:
    """What the server was sent."""

    endpoint: str = ""
    created: list[dict[str, object]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    """Values of the header Authorization."""
    paths: list[str] = field(default_factory=list)


@contextmanager
def receive(refuse: bool = False) -> Iterator[Received]:
    """Serve until the block ends; `refuse`: answer every commit with 403."""
    got = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self._take()
            self._answer(200, {"id": "owner/name", "sha": "0" * 40, "siblings": [], "tags": []})

        def do_POST(self) -> None:
            path, body = self._take()
            if path == "/api/repos/create":
                got.created.append(json.loads(body))
                self._answer(200, {"url": f"{got.endpoint}/owner/name", "name": "owner/name"})
            elif path == "/api/validate-yaml":
                self._answer(200, {"errors": [], "warnings": []})
            elif "/preupload/" in path:
                asked = [file["path"] for file in json.loads(body)["files"]]
                modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in asked]
                self._answer(200, {"files": modes})
            elif re.fullmatch(r"/api/(models|datasets)/owner/name/commit/main", path) and not refuse:
                _take_commit(got, body)
                self._answer(
                    200,
                    {
                        "success": True,
                        "commitUrl": f"{got.endpoint}/owner/name/commit/1",
                        "commitOid": "1" * 40,
                    },
                )
            else:
                said = {"error": f"not for you: {self.headers.get('Authorization')}"}
                self._answer(403 if refuse else 404, said)

        def _take(self) -> tuple[str, bytes]:
            path = unquote(urlsplit(self.path).path)
            got.paths.append(f"{self.command} {path}")
            got.tokens.add(self.headers.get("Authorization") or "")
            return path, self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, status: int, data: object) -> None:
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _take_commit(got: Received, body: bytes) -> None:
    for line in body.splitlines():
        part = json.loads(line)
        if part["key"] == "header":
            got.summaries.append(part["value"]["summary"])
        elif part["key"] == "file":
            got.files[part["value"]["path"]] = base64.b64decode(part["value"]["content"])
