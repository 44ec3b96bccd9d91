"""A loopback server with the hub's paths.

The real client libraries can be tried with it, without a network.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]
"""Path inside the repository -> content."""


@contextmanager
def serve_hub(
    repositories: Mapping[str, Files], commit: str, failures: int = 0
) -> Iterator[tuple[str, list[str]]]:
    """Serve data set repositories at one commit; yields (endpoint, paths asked for).

    The first so many requests for a file's content fail with status 503.
    """
    asked: list[str] = []
    left = [failures]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(posted=sent)

        def _answer(self, body: bool = True, posted: bytes = b"") -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            found = _look_up(repositories, commit, path, posted, dict(self.headers))
            if "/resolve/" in path and left[0] > 0:
                left[0] -= 1
                found = 503, {}, b"{}"
            status, headers, content = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Answer = tuple[int, dict[str, str], bytes]


def _json(data: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(data).encode()


def _missing(code: str) -> Answer:
    return 404, {"X-Error-Code": code, "X-Error-Message": code}, b"{}"


def _look_up(
    repositories: Mapping[str, Files], commit: str, path: str, posted: bytes, headers: dict[str, str]
) -> Answer:
    for name, files in repositories.items():
        api, raw = f"/api/datasets/{name}", f"/datasets/{name}/resolve/"
        if path == api or path == f"{api}/revision/{commit}":
            return _json(
                {
                    "id": name,
                    "sha": commit,
                    "private": False,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                    "siblings": [{"rfilename": file} for file in files],
                }
            )
        if path.startswith(f"{api}/tree/{commit}"):
            return _json(_tree(files, path.removeprefix(f"{api}/tree/{commit}").strip("/")))
        if path == f"{api}/paths-info/{commit}":
            return _json(_infos(files, posted))
        if path.startswith(f"{raw}{commit}/"):
            return _content(files, path.removeprefix(f"{raw}{commit}/"), commit, headers)
        if path.startswith((api + "/", raw)):
            return _missing("RevisionNotFound")
    return _missing("RepoNotFound")


def _entry(file: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": file, "size": len(content), "oid": f"{abs(hash(content)):040x}"[:40]}


def _tree(files: Files, folder: str) -> list[dict[str, object]]:
    prefix = folder + "/" if folder else ""
    found: list[dict[str, object]] = [
        _entry(file, content) for file, content in files.items() if file.startswith(prefix)
    ]
    folders = {file[:place] for file in files for place, sign in enumerate(file) if sign == "/"}
    return found + [
        {"type": "directory", "path": item, "oid": "0" * 40}
        for item in sorted(folders)
        if item.startswith(prefix)
    ]


def _infos(files: Files, posted: bytes) -> list[dict[str, object]]:
    text = posted.decode()
    wanted = (
        json.loads(text)["paths"]
        if text.startswith("{")
        else [unquote(part[6:]) for part in text.split("&") if part.startswith("paths=")]
    )
    wanted = [wanted] if isinstance(wanted, str) else wanted
    found = [_entry(path, files[path]) for path in wanted if path in files]
    return found + [
        {"type": "directory", "path": path, "oid": "0" * 40}
        for path in wanted
        if any(f.startswith(path + "/") for f in files)
    ]


def _content(files: Files, file: str, commit: str, headers: dict[str, str]) -> Answer:
    if file not in files:
        return _missing("EntryNotFound")
    content = files[file]
    sent = {"ETag": f'"{abs(hash(content)):040x}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
    asked = {name.lower(): value for name, value in headers.items()}.get("range", "")
    if asked.startswith("bytes="):
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(content) - 1), len(content) - 1)
        part = content[start : stop + 1]
        return 206, sent | {"Content-Range": f"bytes {start}-{stop}/{len(content)}"}, part
    return 200, sent, content
