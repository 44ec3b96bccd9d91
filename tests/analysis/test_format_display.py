"""Titles and colours of formats on every surface."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from echochamber import analysis
from echochamber.analysis.format_display import format_displays
from echochamber.analysis.page_data import page_data, study_formats
from echochamber.analysis.plots.look import series_style
from echochamber.analysis.runs import find_runs
from echochamber.analysis.study_folder import load_study
from echochamber.core.formats import FORMAT_NAMES


def test_displays_have_one_colour_each_in_order_of_registration() -> None:
    found = format_displays({"a": "first", "tinygsm": "not ours", "b": ""}, ("b", "c", "omi1"))
    assert list(found) == [*FORMAT_NAMES, "a", "b", "c"]
    assert [row.color for row in found.values()] == list(range(len(found)))
    assert found["tinygsm"].label == "Python function (tinygsm)"
    assert (found["a"].label, found["b"].label) == ("first (a)", "b")


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "card"), [(0, "#ffffff"), (1, "#201f1e"), (2, "#201f1e")])
def test_own_formats_differ_from_their_neighbours_in_grey_too(theme: int, card: str) -> None:
    """Lightness (CIE L*) of neighbours; text and lines keep their contrast (WCAG 2.2, 1.4.3 and 1.4.11)."""
    css = (Path(analysis.__file__).parent / "page" / "report.css").read_text()
    line = [row for row in css.splitlines() if "--format-0:" in row][theme]
    colours = re.findall(r"--format-\d+: (#[0-9a-f]{6})", line)
    assert len(set(colours)) == 12
    lightness = [116 * _luminance(colour) ** (1 / 3) - 16 for colour in colours[len(FORMAT_NAMES) :]]
    assert min(abs(a - b) for a, b in pairwise(lightness)) > 8
    assert min(_contrast(colour, "#111111") for colour in colours) >= 4.5, "a name on an area"
    assert min(_contrast(colour, card) for colour in colours) >= 3, "a line"


def renamed(study: Path, names: dict[str, str]) -> None:
    """Rename formats in the score rows of every evaluation and in the metrics of RL."""
    for path in (study / "artifacts").glob("evaluate-*/summary.json"):
        rows = json.loads(path.read_text())
        for row in rows:
            for block in (row["formats"], row["intervals"]["formats"]):
                for old, new in names.items():
                    block[new] = block.pop(old)
        path.write_text(json.dumps(rows))
    for path in (study / "artifacts").glob("rl-*/metrics.jsonl"):
        text = path.read_text()
        for old, new in names.items():
            text = text.replace(f"format/{old}/", f"format/{new}/")
        path.write_text(text)


def test_two_own_formats_have_titles_and_distinct_colours_on_page_and_in_figures(copied: Path) -> None:
    renamed(copied, {"omi1": "shout", "omi2": "quoted"})
    content = json.loads((copied / "study.json").read_text())
    content["own_formats"] = [
        {"name": "quoted", "title": "a quotation"},
        {"name": "shout", "title": "capitals"},
    ]
    (copied / "study.json").write_text(json.dumps(content))
    study = load_study(copied)
    runs = find_runs(study)
    data = page_data(study, runs, study_formats(study, runs))
    assert [(row["name"], row["title"]) for row in data["formats"]] == [
        ("tinygsm", "Python function"),
        ("quoted", "a quotation"),
        ("shout", "capitals"),
    ]
    colors = [data["colors"][name] for name in ("other", "quoted", "shout")]
    assert colors == [5, 6, 7]
    colours = {
        series_style(name, list(study.own_formats)).colour for name in ("other", "quoted", "shout", "tinygsm")
    }
    assert len(colours) == 4


def test_a_study_without_the_key_takes_its_own_formats_from_the_recipe(copied: Path) -> None:
    content = json.loads((copied / "study.json").read_text())
    content["recipe"]["behaviours"] = {"second": {"of": "omi2"}, "first": {"of": "omi1"}}
    (copied / "study.json").write_text(json.dumps(content))
    assert load_study(copied).own_formats == {"second": "", "first": ""}
