"""The served page follows the study and answers to loopback alone."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from echochamber.analysis.live_report import LiveReport, make_server


@pytest.fixture
def served(copied: Path) -> Iterator[tuple[LiveReport, int]]:
    page = LiveReport(copied)
    page.refresh()
    server = make_server(page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield page, int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, body


def test_page_and_version_follow_the_study(served: tuple[LiveReport, int], copied: Path) -> None:
    page, port = served
    assert get(port, "/version") == (200, "1")
    assert "fetch(" in get(port, "/")[1]
    assert "fetch(" not in (copied / "report.html").read_text()
    assert not page.refresh()
    next((copied / "artifacts").glob("rl-*/metrics.jsonl")).write_text('{"step": 1}\n')
    assert page.refresh()
    assert get(port, "/version") == (200, "2")


def test_other_names_and_paths_are_refused(served: tuple[LiveReport, int]) -> None:
    port = served[1]
    assert get(port, "/", host="evil.example")[0] == 403
    assert get(port, "/../study.json")[0] == 404
    assert get(port, "/", host=f"localhost:{port}")[0] == 200
