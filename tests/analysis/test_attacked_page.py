"""Scripts planted in completions, names and titles: the page shows them as text, and its policy runs none.

Two lines of defence are tried one by one: a page built from a planted study, and a page into whose HTML
the scripts were put after it was built, as if escaping had failed.
"""

import json
import shutil
import socket
import time
from pathlib import Path

import polars as pl
import pytest

from echochamber.analysis.report import build_report

from .browser import Chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
PLANTED = (
    "<script>window.broken = 'script'</script>",
    "</script><script>window.broken = 'closed script'</script>",
    "<img src=x onerror=\"window.broken = 'image'\">",
    "<svg onload=\"window.broken = 'svg'\"></svg>",
    "\"><script>window.broken = 'attribute'</script>",
    "'; window.broken = 'string'; '",
    "${window.broken = 'template'}",
    "{{ ''.__class__ }}{% raw %}",
    "<!--<script>window.broken = 'comment'",
    "<iframe srcdoc=\"<script>parent.broken = 'frame'</script>\"></iframe>",
    "<a id=attacked href=\"javascript:void(window.broken = 'link')\">read</a>",
    "<style>.card { display: none }</style></article></div>",
    "\u2028window.broken = 'line'\u2029",
)
OUTLINE = """
const outline = (e) => [e.tagName, e.className, [...e.children].map(outline)];
return JSON.stringify([...document.querySelectorAll(arguments[0])].map(outline));
"""


def _plant(study: Path) -> None:
    """Every completion and question, the study's question and notes, and what failed stages said."""
    for path in [*study.rglob("records.parquet"), *study.rglob("rollouts.parquet")]:
        frame = pl.read_parquet(path)
        texts = [PLANTED[row % len(PLANTED)] for row in range(frame.height)]
        questions = [f"{PLANTED[len(name) % len(PLANTED)]} {name}" for name in frame["problem_id"]]
        planted = {"text": texts, "question": questions, "answer": texts, "detail": texts}
        known = {name: column for name, column in planted.items() if name in frame.columns}
        frame.with_columns(**{name: pl.Series(column) for name, column in known.items()}).write_parquet(path)
    data = json.loads((study / "study.json").read_text())
    data |= {"question": " ".join(PLANTED), "notes": list(PLANTED)}
    data["recipe"]["summary"] = " ".join(PLANTED)
    data["nodes"][-1]["error"] = PLANTED[0]
    (study / "study.json").write_text(json.dumps(data))


def _cards(browser: Chromium) -> list[object]:
    """The elements of every card of the first three problems, without their text."""
    found = []
    for _ in range(3):
        found.append(json.loads(browser.run(OUTLINE, "#browser .side")))
        browser.click(".pager button[aria-label='Next problem']")
    return found


def _next_to_each_other(browser: Chromium) -> int:
    return int(browser.run("return document.querySelectorAll('#browser .card').length"))


def test_the_attacked_page_draws_its_cards_as_the_clean_one_does(
    chromium: Chromium, study: Path, copied: Path, tmp_path: Path
) -> None:
    chromium.open(build_report(study, tmp_path / "clean.html"))
    clean, number = _cards(chromium), _next_to_each_other(chromium)
    _plant(copied)
    chromium.open(build_report(copied, tmp_path / "attacked.html"))
    assert chromium.run("return window.broken === undefined")
    assert _next_to_each_other(chromium) == number >= 8
    assert _cards(chromium) == clean
    shown = chromium.run(
        "return [...document.querySelectorAll('#browser .card pre')].map(e => e.textContent)"
    )
    assert set(shown) <= set(PLANTED)
    assert len(set(shown)) > 3
    assert chromium.run("return window.broken === undefined")
    assert chromium.console() == []


def _with(page: Path, markup: str, target: Path, policy: bool = True) -> Path:
    """The page with markup put into its HTML behind the data, and without its policy where asked."""
    text = page.read_text(encoding="utf-8")
    assert text.count("<main>") == 1
    text = text.replace("<main>", f"<main>{markup}")
    if not policy:
        text = text.replace('http-equiv="Content-Security-Policy"', 'name="none"')
    target.write_text(text, encoding="utf-8")
    return target


RUNS = [text for text in PLANTED if "<script>window" in text and not text.startswith(("<!--", "</", '"'))]
RUNS += ['<img src=x onerror="window.broken = 1">', '<svg onload="window.broken = 1"></svg>']
RUNS += ['<iframe srcdoc="<script>parent.broken = 1</script>"></iframe>']
RUNS += [
    "<body onload='window.broken = 1'>",
    "<script src='data:text/javascript,window.broken = 1'></script>",
]


@pytest.mark.parametrize("markup", RUNS)
def test_a_script_in_the_page_does_not_run_under_its_policy(
    chromium: Chromium, study: Path, tmp_path: Path, markup: str
) -> None:
    page = build_report(study, tmp_path / "page.html")
    chromium.open(_with(page, markup, tmp_path / "control.html", policy=False))
    chromium.wait("return window.broken !== undefined")  # without the policy it does run
    chromium.console()
    chromium.open(_with(page, markup, tmp_path / "planted.html"))
    time.sleep(0.3)
    assert chromium.run("return window.broken === undefined")
    assert any("Content Security Policy" in line for line in chromium.console())


def test_a_planted_link_to_a_script_does_nothing(chromium: Chromium, study: Path, tmp_path: Path) -> None:
    page, markup = build_report(study, tmp_path / "page.html"), PLANTED[10]
    for policy, expected in ((False, "link"), (True, None)):
        chromium.open(_with(page, markup, tmp_path / f"{policy}.html", policy))
        chromium.click("#attacked")
        time.sleep(0.3)
        assert chromium.run("return window.broken ?? null") == expected
    assert any("Content Security Policy" in line for line in chromium.console())


def _received(server: socket.socket) -> bytes:
    """What a browser sends within a second; it may open a connection early and send nothing."""
    server.settimeout(1)
    try:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(1)
            return connection.recv(1 << 16)
    except TimeoutError:
        return b""


def test_a_planted_form_sends_nothing_and_a_planted_base_moves_nothing(
    chromium: Chromium, study: Path, tmp_path: Path
) -> None:
    page = build_report(study, tmp_path / "page.html")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        fields = "<input name='q' value='secret'><button id='send'>x</button>"
        form = f"<form action='{address}'>{fields}</form>"
        base = f"<base href='{address}'>"
        chromium.open(_with(page, form + base, tmp_path / "planted.html"))
        assert chromium.run("return document.baseURI") == (tmp_path / "planted.html").as_uri()
        chromium.click("#send")
        assert _received(server) == b""
        said = " ".join(chromium.console())
        assert "form-action 'none'" in said
        assert "base-uri 'none'" in said
        chromium.open(_with(page, form + base, tmp_path / "control.html", policy=False))
        assert chromium.run("return document.baseURI") == address
        # Later than the driver's answer, which waits for a page that is being left; the server is silent.
        chromium.run("setTimeout(() => document.getElementById('send').click(), 200)")
        assert b"q=secret" in _received(server)
    chromium.open_address("about:blank", ready="return true")
    chromium.console()
