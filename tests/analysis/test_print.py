"""The page on paper: one size of sheets and letters whatever the window, and no half-empty sheet."""

import io
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdf
import pytest

from echochamber.analysis import completions
from echochamber.analysis.report import build_report

from .browser import Chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
A4 = (595, 842)
"""Points."""


@dataclass(frozen=True)
class Piece:
    """A text on a sheet."""

    text: str
    x: float
    y: float
    """Points from the sheet's lower edge."""
    size: float
    """Of its letters as printed, in points."""


def pieces(sheet: pypdf.PageObject) -> list[Piece]:
    found: list[Piece] = []

    def visit(text: str, around: list[float], own: list[float], _: object, size: float) -> None:
        if text.strip():
            a, b, c, d, e, f = around
            x, y = own[4] * a + own[5] * c + e, own[4] * b + own[5] * d + f
            scale = math.hypot(own[2] * a + own[3] * c, own[2] * b + own[3] * d)
            found.append(Piece(text.strip(), x, y, size * scale))

    sheet.extract_text(visitor_text=visit)
    return found


def sheets(page: Path, width: int, scheme: str = "light") -> Iterator[tuple[tuple[int, int], list[Piece]]]:
    """Size and texts of every sheet, printed from a window of that width."""
    with Chromium() as browser:
        browser.show_as(width, 900, scheme)
        browser.open(page)
        reader = pypdf.PdfReader(io.BytesIO(browser.pdf()))
        assert browser.console() == []
        assert browser.run("return page.printing") is False
    for sheet in reader.pages:
        yield (round(float(sheet.mediabox.width)), round(float(sheet.mediabox.height))), pieces(sheet)


def letters(found: list[tuple[tuple[int, int], list[Piece]]], start: str) -> float:
    """Size of the first text that starts so."""
    return next(piece.size for _, one in found for piece in one if piece.text.startswith(start))


@pytest.mark.parametrize("name", ["study", "arms"])
def test_every_window_prints_the_same_sheets_and_none_is_half_empty(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions, "MAX_COMPLETIONS", 3 * completions.RUN_COMPLETIONS)  # of three arms
    page = build_report(request.getfixturevalue(name), tmp_path / "report.html")
    wide = list(sheets(page, 1280))
    assert {size for size, _ in wide} == {A4}
    for number, (_, found) in enumerate(wide[:-1]):
        assert min(piece.y for piece in found) < A4[1] / 2, f"sheet {number + 1} of {len(wide)} is half empty"
        assert max(piece.y for piece in found) > 0.8 * A4[1]
    assert max(piece.x for _, found in wide for piece in found) < A4[0]
    # The size that the style sheet says: nothing wider than the sheet made the browser shrink it.
    assert letters(wide, "How sure?") == pytest.approx(10, abs=0.2)
    narrow = list(sheets(page, 390, "dark"))
    assert [[piece.text for piece in found] for _, found in narrow] == [
        [piece.text for piece in found] for _, found in wide
    ]
    assert [piece.size for _, found in narrow for piece in found] == pytest.approx(
        [piece.size for _, found in wide for piece in found], abs=0.01
    )
