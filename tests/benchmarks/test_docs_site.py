"""The documentation site: what is staged, the generated pages, and that a warning ends the build."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import echochamber as ec

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "docs_site.py"
ADDRESS = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")


@pytest.fixture(scope="module")
def site():
    """benchmarks/docs_site.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        spec = importlib.util.spec_from_file_location("docs_site", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("docs_reference", None)


@pytest.fixture(scope="module")
def staged(site, tmp_path_factory):
    out = tmp_path_factory.mktemp("staged")
    return out, site.stage(out)


def links(text: str) -> list[str]:
    """Targets of the links of a Markdown page, code left out."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", plain) if not re.match(r"[a-z]+:", link)]


def test_every_link_of_a_staged_page_leads_to_a_staged_file(staged):
    out, places = staged
    assert {"index.md", "reference/keys.md", "reference/python.md", "repository/CHANGELOG.md"} <= set(places)
    num_links = 0
    for page in out.rglob("*.md"):
        for link in links(page.read_text()):
            name = link.partition("#")[0]
            target = (page.parent / name).resolve() if name else page
            assert target.is_file(), f"{page.relative_to(out)}: {link}"
            assert target.is_relative_to(out)
            num_links += 1
    assert num_links > 100


def test_links_that_leave_docs_are_followed(staged):
    out, places = staged
    assert "repository/examples/own-algorithm/README.md" in places  # the page names its folder
    assert "repository/examples/own-algorithm/maxrl.py" in places  # that page names its file
    text = (out / "repository" / "examples" / "own-model" / "README.md").read_text()
    assert "](../../../real-models.md)" in text


def test_a_link_to_nothing_is_named(site, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "ROOT", tmp_path)
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("[x](nothing.md)")
    with pytest.raises(SystemExit, match=r"docs/page.md: the link nothing.md names no file"):
        site.site_text(page)


def test_code_is_left_as_it_is_and_nested_lists_get_four_spaces(site, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "ROOT", tmp_path)
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("- a\n  - b\n\n```\n- a\n  - [c](d.md)\n```\n\n<!-- x -->\n| t |\n")
    text, named = site.site_text(page)
    assert text == "- a\n    - b\n\n```\n- a\n  - [c](d.md)\n```\n\n<!-- x -->\n\n| t |\n"
    assert named == set()


def test_the_page_of_keys_has_every_key_of_the_schema_once_per_block(staged):
    out, _ = staged
    text = (out / "reference" / "keys.md").read_text()
    schema = json.loads((ROOT / "echochamber" / "recipes" / "recipe.schema.json").read_text())
    blocks = [schema, *schema["$defs"].values()]
    keys = [key for block in blocks for key in block.get("properties", {})]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE).__len__() == len(keys) > 150
    for block in blocks:
        for value in block.get("properties", {}).values():
            assert " ".join(value.get("description", "").split()).replace("|", "\\|") in text
    headings = set(re.findall(r"^## (.*)$", text, re.MULTILINE))
    assert {"Top level", "rl.NAME", "rl.NAME.kl", "mixtures.NAME.sources.NAME"} <= headings
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {link[1:] for link in links(text) if link.startswith("#")} <= anchors


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 3}, "integer, at least 1 and at most 3"),
        ({"enum": ["off", False]}, "`off`, `false`"),
        ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, "list of string"),
        ({"$ref": "#/$defs/KL"}, "[rl.NAME.kl](#rlnamekl)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "NAME: number"),
    ],
)
def test_what_a_key_takes_is_said_in_words(site, node, words):
    values = sys.modules[site.keys_page.__module__].values
    assert values(node, {"KL": ["rl.NAME.kl"]}) == words


def test_the_python_reference_names_every_public_name_where_it_is_defined(staged):
    out, _ = staged
    named = re.findall(
        r"^::: echochamber\.(\S+)$", (out / "reference" / "python.md").read_text(), re.MULTILINE
    )
    assert sorted(named) == sorted(f"{module}.{name}" for name, module in ec._MODULES.items())


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_other_hosts(tmp_path):
    pytest.importorskip("zensical", reason="zensical, of the extra [docs], is not installed")
    command = [sys.executable, SCRIPT, "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    places = {
        path.relative_to(tmp_path / "site").parent.as_posix() for path in tmp_path.glob("site/**/*.html")
    }
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    assert {page.as_posix() for page in pages if page.name != "index"} <= places
    reference = (tmp_path / "site" / "reference" / "python" / "index.html").read_text()
    assert all(f'id="echochamber.{module}.{name}"' in reference for name, module in ec._MODULES.items())
    for page in tmp_path.glob("site/**/*.html"):
        assert ADDRESS.findall(page.read_text()) == [], page


@pytest.mark.slow
@pytest.mark.parametrize("link", ["nothing.md", "index.md#nothing"])
def test_a_broken_link_or_anchor_ends_the_build(site, tmp_path, link):
    pytest.importorskip("zensical", reason="zensical, of the extra [docs], is not installed")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "report.md", tmp_path / "docs" / "report.md")
    (tmp_path / "docs" / "index.md").write_text(f"# Title\n\n[a link]({link})\n")
    settings = site.configuration(tmp_path)
    small = yaml.safe_load(settings.read_text()) | {"nav": [{"Home": "index.md"}], "plugins": []}
    settings.write_text(yaml.safe_dump(small))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode != 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)  # letters are coloured one by one
    assert "does not exist" in plain
    assert "nothing" in plain
