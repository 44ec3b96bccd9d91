"""The live report: a page that is rebuilt as artifacts arrive, served on this machine only."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..core.files import write_text
from ..core.stage_log import STAGE_LOG
from .page_ledger import LedgerOf
from .report import render_page
from .runs import find_runs
from .study_folder import load_study

INPUT_FILES = (
    "manifest.json",
    "summary.json",
    "plan.json",
    "surface.json",
    "shortcut_baselines.json",
    "metrics.jsonl",
)
"""Files of an artifact that the page is built from; a change of one rebuilds it."""
ADDRESS = "127.0.0.1"


class LiveReport:
    """The page of one study, rebuilt when something on disk has changed."""

    def __init__(
        self, study_folder: Path, output: Path | None = None, ledger: LedgerOf | None = None
    ) -> None:
        self.folder, self.output = study_folder, output or study_folder / "report.html"
        self.ledger = ledger
        self.version, self.content = 0, b""
        self._seen: object = None

    def refresh(self) -> bool:
        """Rebuild if an input file came, went or changed; True when it did.

        The file on disk has no live script.
        """
        state = self._state()
        if state == self._seen:
            return False
        study = load_study(self.folder)
        runs = find_runs(study)
        write_text(self.output, render_page(study, runs, self.ledger))
        self.content = render_page(study, runs, self.ledger, live=True).encode()
        self._seen, self.version = state, self.version + 1
        return True

    def _state(self) -> list[tuple[str, int, int]]:
        artifacts = self.folder / "artifacts"
        paths = [path for name in ("study.json", STAGE_LOG) if (path := self.folder / name).is_file()]
        paths += [
            path
            for depth in ("*", ".partial/*")
            for name in INPUT_FILES
            for path in artifacts.glob(f"{depth}/{name}")
        ]
        found = []
        for path in sorted(paths):
            try:
                status = path.stat()
            except FileNotFoundError:  # published or removed between listing and asking
                continue
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return found


def make_server(page: LiveReport, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback for `/` and `/version`; port 0 takes a free one.

    Requests under any other host name are refused, so that no web page can read the study by a name
    that resolves to this machine.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in (ADDRESS, "localhost"):
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path == "/":
                self._reply(page.content, "text/html; charset=utf-8")
            elif self.path == "/version":
                self._reply(str(page.version).encode(), "text/plain")
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _reply(self, body: bytes, kind: str) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    return ThreadingHTTPServer((ADDRESS, port), Handler)


def serve_live_report(
    study_folder: Path,
    output: Path | None = None,
    port: int = 0,
    every: float = 2.0,
    announce: Callable[[str], None] = print,
    ledger: LedgerOf | None = None,
) -> None:
    """Serve until interrupted (Ctrl-C) and look for changes `every` seconds.

    `announce` is called with the address, and at the end with one word.
    """
    page = LiveReport(study_folder, output, ledger)
    page.refresh()
    server = make_server(page, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    announce(f"http://{ADDRESS}:{server.server_address[1]}/")
    try:
        while True:
            time.sleep(every)
            page.refresh()
    except KeyboardInterrupt:
        announce("stopped")
    finally:
        server.shutdown()
        server.server_close()
