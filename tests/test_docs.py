"""Every relative link in the documentation leads to a file, and every anchor to a heading."""

import importlib
import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    ROOT / "examples" / "own-algorithm" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\[[^\]]*(?:\[[^\]]*\][^\]]*)?\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives to a page's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_no_page_runs_a_module_of_the_tests():
    for page in PAGES:
        if page.name not in {"LOG.md", "CHANGELOG.md"}:
            assert not re.search(r"python[\w./]* -m tests\b", page.read_text()), page.name


def test_every_page_of_docs_is_linked_from_the_readme():
    linked = set(LINK.findall((ROOT / "README.md").read_text()))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {target.partition("#")[0] for target in linked}


def nav_places(entries: list) -> list[str]:
    """Pages of a navigation, whatever their depth."""
    found = []
    for entry in entries:
        (value,) = entry.values()
        found += nav_places(value) if isinstance(value, list) else [value]
    return found


def test_every_page_of_docs_is_in_the_navigation_of_the_site_once():
    """A new page gets a line in mkdocs.yml; what has none is found by search alone."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    places = nav_places(settings["nav"])
    assert len(places) == len(set(places))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    others = set(places) - pages
    assert pages <= set(places), f"not in mkdocs.yml: {sorted(pages - set(places))}"
    generated = {place for place in others if place.startswith("reference/")}
    assert generated == {"reference/keys.md", "reference/python.md"}
    assert all((ROOT / place.removeprefix("repository/")).is_file() for place in others - generated)


BASES = (ROOT, ROOT / "docs", ROOT / "echochamber", ROOT / "echochamber" / "data")
"""Folders from which pages name files."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_functions_that_a_page_names_exist(page):
    if page.name in {"LOG.md", "CHANGELOG.md", "RESULTS.md"}:
        return
    text = page.read_text()
    missing = [
        path
        for path in re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|h))`", text)
        if not any((base / path).is_file() for base in BASES)
    ]
    for name in re.findall(r"`((?:analysis|questions)(?:\.\w+)+)`", text):
        module, function = name.rsplit(".", 1)
        where = module if module.startswith("analysis") else f"analysis.{module}"
        if not hasattr(importlib.import_module(f"echochamber.{where}"), function):
            missing.append(name)
    assert missing == []


def test_the_example_page_is_the_demonstration_s_small_and_loads_nothing():
    page = (ROOT / "docs" / "example" / "report.html").read_text(encoding="utf-8")
    assert "<title>quickstart · echochamber</title>" in page
    assert len(page) < 1_500_000  # of which a clone holds a tenth, compressed
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert not re.search(r"(?:/home|/root|/tmp|/work)/", page), "a folder of the machine that made it"
    run = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["runs"][0]
    after = {name: shares[-1] for name, shares in run["dense"]["share"].items()}
    assert max(after, key=after.get) == "tinygsm"  # as the README's picture says
    assert after["tinygsm"] > 0.9
