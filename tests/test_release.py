"""What hosted machines do: a release's links, and the jobs of the workflows."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PLACE = "https://git.example/owner/name"


@pytest.fixture(scope="module")
def release():
    """The script that a release runs."""
    spec = importlib.util.spec_from_file_location("release_links", ROOT / ".github" / "release_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_link_of_a_released_readme_is_relative(release):
    text = release.absolute((ROOT / "README.md").read_text(), PLACE, "v9.9.9")
    assert not release.LINK.search(text)
    assert f"]({PLACE}/raw/v9.9.9/docs/images/report.png)" in text
    assert f"]({PLACE}/blob/v9.9.9/docs/RESULTS.md#the-collapse-and-its-null-models)" in text
    assert "](https://arxiv.org/abs/2504.07912)" in text


def test_nested_brackets_anchors_and_schemes(release):
    given = "[0.9 [0.8 to 1]](a.md#b) [x](#y) ![p](i.png) [m](mailto:a@b.c)"
    assert release.absolute(given, PLACE, "v1") == (
        f"[0.9 [0.8 to 1]]({PLACE}/blob/v1/a.md#b) [x](#y) ![p]({PLACE}/raw/v1/i.png) [m](mailto:a@b.c)"
    )


def test_a_release_names_its_places_and_its_tag_is_its_version(release, tmp_path):
    for name in ("README.md", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with pytest.raises(SystemExit, match=rf"expected the tag v{re.escape(version)}"):
        release.main(PLACE, "v0.0.0", tmp_path)
    release.main(PLACE, f"v{version}", tmp_path)
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Homepage"] == PLACE
    assert {"Homepage", "Documentation", "Changelog", "Issues", "Paper"} == set(urls)


def test_workflows_test_every_python_that_the_package_names():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = [line.rpartition(" ")[2] for line in named if re.search(r":: 3\.\d+$", line)]
    assert jobs["test"]["strategy"]["matrix"]["python"] == versions == ["3.11", "3.12", "3.13"]
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    makefile = (ROOT / "Makefile").read_text()
    for target in {word for command in commands for word in re.findall(r"make (\w+)", command)}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in {word for command in commands for word in re.findall(r"tests/[\w/.]+", command)}:
        assert (ROOT / path).exists(), path


def test_a_release_publishes_without_a_stored_secret():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    publish = yaml.safe_load(text)["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets." not in text
