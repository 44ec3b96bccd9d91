"""`init` writes a recipe that runs; `compare` puts studies side by side."""

from echochamber.core.artifacts import Store
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe

from ..analysis.synthetic import make_study


def test_init_writes_a_recipe_with_a_plan(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("init", "my-study")
    assert status == 0
    assert "echochamber study my-study.yaml --dry-run" in out
    recipe = load_recipe("my-study.yaml")
    assert recipe.name == "my-study"
    assert recipe.rl["coin"].reward == "random"
    kinds = {node.kind for node in build_graph(recipe, Store(tmp_path)).nodes.values()}
    assert kinds == {"tokenizer", "problems", "shards", "pretrain", "rl", "evaluate", "forecast"}
    assert (tmp_path / "my-study.yaml").read_text().count("#") > 15


def test_init_leaves_files_alone_and_refuses_paths(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("kept")
    status, _, err = run("init", "mine")
    assert (status, (tmp_path / "mine.yaml").read_text()) == (2, "kept")
    assert "exists already" in err
    for name in ("../mine2", "a/b", "", ".hidden"):
        assert run("init", name)[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_compare_shows_the_arms_of_all_studies(run, tmp_path):
    one = make_study(tmp_path / "a")
    two = make_study(tmp_path / "b", mixtures=("tg_omi1_omi2", "tg_4xomi1"))
    page = tmp_path / "both.html"
    status, out, _ = run("compare", one, two, "--page", page)
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 5, out
    assert lines[1].startswith(str(one))
    assert "tg_4xomi1" in lines[3]
    assert str(two) in page.read_text()


def test_compare_names_what_is_no_study(run, tmp_path):
    status, _, err = run("compare", tmp_path)
    assert status == 2
    assert "study.json" in err
