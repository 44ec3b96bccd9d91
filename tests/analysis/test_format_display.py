"""Titles and colours of formats on every surface."""

import json
from pathlib import Path

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
