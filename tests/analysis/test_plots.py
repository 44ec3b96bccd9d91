"""Figures show the numbers they were given, as PNG and as SVG, the same bytes each time."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import polars as pl
import pytest

from echochamber.analysis.plots import figures, save_figures
from echochamber.analysis.plots.look import SERIES_STYLES
from echochamber.analysis.runs import ends, find_runs, problem_sets
from echochamber.analysis.study_folder import load_study

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def saved(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    save_figures(grid, folder)
    return folder


def test_every_figure_is_written_twice(saved: Path) -> None:
    names = {path.stem for path in saved.iterdir()}
    label = "tg_omi1_omi2-nano-0.8m-grpo"
    assert {
        f"{kind}-{label}"
        for kind in (
            "dynamics",
            "pass-curves",
            "transfer",
            "support",
            "style-tinygsm-docstring",
            "selection",
            "baselines",
            "coverage",
            "forecasts",
            "floors",
        )
    } | {"mixtures-nano-0.8m-grpo"} <= names
    for name in names:
        assert (saved / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert ElementTree.parse(saved / f"{name}.svg").getroot().tag.endswith("svg")


def test_same_study_same_svg(grid: Path, saved: Path, tmp_path: Path) -> None:
    """PNG files are drawn as well: without them numbers within the SVG files differ."""
    drawn = [path for path in save_figures(grid, tmp_path) if path.suffix == ".svg"]
    assert {path.name for path in drawn} == {path.name for path in saved.glob("*.svg")}
    for path in drawn:
        assert path.read_bytes() == (saved / path.name).read_bytes()


def test_lines_are_the_numbers(study: Path) -> None:
    loaded = load_study(study)
    runs = find_runs(loaded)
    chosen = problem_sets(runs)[0]
    figure = figures.dynamics(runs, chosen, ["tinygsm", "omi1", "omi2"], "8")
    line = figure.axes[2].containers[0].lines[0]
    assert line.get_xdata().tolist() == runs[0].steps(chosen)
    assert line.get_ydata().tolist() == [run_row["accuracy"] for run_row in runs[0].rows]
    base, final = ends(runs[0], chosen)
    assert base is not None
    assert final is not None
    curve = figures.pass_curves(base, final).axes[0].containers[1].lines[0]
    assert curve.get_ydata().tolist() == [final["pass@k"][k] for k in ("1", "2", "4", "8")]


def test_dose_is_drawn_against_its_amount(study: Path) -> None:
    runs = find_runs(load_study(study))
    base, final = ends(runs[0], problem_sets(runs)[0])
    assert base is not None
    assert final is not None
    figure = figures.dose({4.0: final, 1.0: base}, "copies of TinyGSM", "8")
    assert figure.axes[0].containers[0].lines[0].get_xdata().tolist() == [1.0, 4.0]
    assert figure.axes[0].get_xlabel() == "copies of TinyGSM"


def test_transfer_marks_the_change() -> None:
    gains = pl.DataFrame(
        {
            "problem_set": ["easy", "hard"],
            "quantity": ["accuracy"] * 2,
            "value": [0.3, 0.1],
            "low": [0.2, None],
            "high": [0.4, None],
        }
    )
    axes = figures.transfer(gains).axes[0]
    assert [line.get_xdata().tolist() for line in axes.lines[:3]] == [
        pytest.approx([20, 40]),
        pytest.approx([30]),
        pytest.approx([10]),
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["easy", "hard"]


def test_pens_differ_without_colour() -> None:
    assert len({(style.dash, style.marker) for style in SERIES_STYLES}) == len(SERIES_STYLES)
    assert len({style.hatch for style in SERIES_STYLES}) == len(SERIES_STYLES)


def test_an_empty_study_has_no_figures(copied: Path, tmp_path: Path) -> None:
    for path in (copied / "artifacts").glob("evaluate-*/summary.json"):
        path.unlink()
    assert save_figures(copied, tmp_path / "none") == []
