"""The page: complete, safe against what models write, and never a traceback on a damaged study."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from echochamber.analysis.page_data import script_safe
from echochamber.analysis.report import build_report
from echochamber.analysis.summary import study_summary
from echochamber.core.errors import UserError

from .synthetic import HOSTILE


class Page(HTMLParser):
    """Tags, visible text and the data block of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.data, self.inside = "", "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = str(dict(attrs).get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "data":
            self.data += data
        elif not self.inside:
            self.text += data


def read(folder: Path, output: Path) -> Page:
    return Page(build_report(folder, output).read_text(encoding="utf-8"))


def find(folder: Path, pattern: str) -> Path:
    return next((folder / "artifacts").glob(pattern))


def rewrite(folder: Path, column: pl.Expr) -> None:
    """Replace one column of every records file."""
    for path in (folder / "artifacts").glob("evaluate-*/records.parquet"):
        pl.read_parquet(path).with_columns(column).write_parquet(path)


def scratch(path: Path) -> None:
    """Spoil the data pages; the footer stays readable."""
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * (len(content) // 2) + content[4 + len(content) // 2 :])


@pytest.fixture(scope="module")
def page(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return read(study, tmp_path_factory.mktemp("page") / "report.html")


def test_default_place_is_the_study(copied: Path) -> None:
    assert build_report(copied) == copied / "report.html"
    assert [p.name for p in copied.iterdir() if p.name.endswith(".tmp")] == []


def test_page_needs_nothing_from_outside(page: Page) -> None:
    links = [
        value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href", "action")
    ]
    assert links
    assert all(link and (link.startswith("#") or link == "data:,") for link in links)


def test_headline_numbers_are_those_of_the_summary(page: Page, study: Path) -> None:
    summary = study_summary(study)
    shown = [(a["data-before"], a["data-after"]) for _, a in page.tags if "data-before" in a]
    expected = [
        (summary["base"]["formats"]["omi1"]["share"], summary["final"]["formats"]["omi1"]["share"]),
        (summary["base"]["accuracy"], summary["final"]["accuracy"]),
        (summary["base"]["pass@k"]["8"], summary["final"]["pass@k"]["8"]),
        (summary["base"]["maj@k"]["8"], summary["final"]["maj@k"]["8"]),
    ]
    assert [(float(str(a)), float(str(b))) for a, b in shown] == expected
    assert "onto one format: code block with output (omi1)" in page.text


def test_notes_stand_before_the_first_figure(page: Page) -> None:
    assert "A collapse alone proves nothing without <null> models." in page.text
    assert page.text.index("Settings were chosen for demonstration.") < page.text.index("step by step")


def test_null_model_starts_at_the_base_and_adds_up(page: Page) -> None:
    run = json.loads(page.data)["runs"][0]
    columns = list(zip(*run["null"].values(), strict=True))
    assert len(columns) == len(run["dense"]["step"])
    assert all(sum(column) == pytest.approx(1, abs=1e-3) for column in columns)
    base = run["checkpoints"][0]["formats"]
    assert run["null"]["omi1"][0] == pytest.approx(base["omi1"]["share"], abs=0.12)
    assert run["null"]["omi1"][-1] > base["omi1"]["share"] + 0.2


def test_mixture_plan_is_there(page: Page) -> None:
    row = page.text[page.text.index("omi1copies 1") :][:120]
    assert all(number in row for number in ("20,000", "1,799,983", "1,100,000", "33%"))


def test_shortcut_baselines_and_contamination_are_there_and_escaped(page: Page) -> None:
    row = page.text[page.text.index("test/easy/40the world") :][:120]
    assert all(figure in row for figure in ("2,000", "15.3% (12.1% to 21.2%)", "0.4% (0.0% to 2.2%)"))
    row = page.text[page.text.index("omi2files/<b>test") :][:60]
    assert all(figure in row for figure in ("1,319", "6", "8", "document 7 <i>"))
    assert "b" not in [tag for tag, _ in page.tags]


@pytest.mark.parametrize(
    "content", ['"x"', '{"scores": 3}', '{"scores": {"fixed_expression": {"share": "1"}}}']
)
def test_a_shortcut_file_of_another_kind_gives_no_row(copied: Path, tmp_path: Path, content: str) -> None:
    (find(copied, "problems-*") / "surface.json").write_text(content)
    assert "Shortcut baselines" not in read(copied, tmp_path / "r.html").text


def test_hostile_completion_stays_text(page: Page) -> None:
    data = json.loads(page.data)
    assert HOSTILE in [row[-1] for row in data["completions"]["rows"]]
    assert "<" not in page.data
    assert [tag for tag, _ in page.tags].count("script") == 9
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_scripts_never_parse_markup() -> None:
    folder = Path(__file__).parents[2] / "echochamber" / "analysis" / "page"
    for script in folder.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(",
            script.read_text().replace("without innerHTML", ""),
        )


def test_untrusted_names_are_escaped(copied: Path, tmp_path: Path) -> None:
    data = json.loads((copied / "study.json").read_text())
    data |= {"name": "<b>bold</b>", "question": "<img src=x>", "notes": ["</aside><script>1</script>"]}
    (copied / "study.json").write_text(json.dumps(data))
    page = read(copied, tmp_path / "r.html")
    assert "<b>bold</b>" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("img",)]


def test_names_in_notes_are_marked_and_a_scope_is_not_called_the_whole(copied: Path, tmp_path: Path) -> None:
    data = json.loads((copied / "study.json").read_text())
    whole = build_report(copied, tmp_path / "whole.html").read_text()
    data["notes"] = ["RL is on `medium`, never on `<b>`."]
    data["recipe"]["scope"] = "core"
    (copied / "study.json").write_text(json.dumps(data))
    page = build_report(copied, tmp_path / "r.html").read_text()
    assert "RL is on <code>medium</code>, never on <code>&lt;b&gt;</code>." in page
    assert (
        '<span class="chip done">complete<' in whole,
        '<span class="chip done">scope core done<' in page,
    ) == (True, True)


def test_script_safe_survives_a_round_trip() -> None:
    data = {"a": "</script><!-- & \u2028 \u00e9", "b": [1, None]}
    assert json.loads(script_safe(data)) == data
    assert not set("<>&\u2028") & set(script_safe(data))
    with pytest.raises(ValueError, match="Out of range"):
        script_safe(float("nan"))


def leave_ungraded(folder: Path) -> None:
    """In every row of one evaluation, 6 of 100 completions have no verdict."""
    path = find(folder, "evaluate-*") / "summary.json"
    rows = json.loads(path.read_text())
    counts = {"infrastructure": 6, "outcomes": {"correct": 50, "wrong": 34}, "num_problems": 10}
    path.write_text(json.dumps([row | counts for row in rows]))


def test_same_study_same_bytes(study: Path, tmp_path: Path) -> None:
    first, second = (build_report(study, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    assert len(first) < 10_000_000


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (find(f, "evaluate-*") / "summary.json").unlink(), "summary.json is missing"),
        (
            lambda f: (find(f, "evaluate-*") / "summary.json").write_text("[{"),
            "summary.json is not valid JSON",
        ),
        (
            lambda f: (find(f, "evaluate-*") / "summary.json").write_text('[{"step": "x"}]'),
            "a row without step or formats",
        ),
        (
            lambda f: (find(f, "evaluate-*") / "records.parquet").write_bytes(b"PAR1 torn"),
            "records.parquet is not a readable Parquet file",
        ),
        (
            lambda f: rewrite(f, pl.lit("yes").alias("correct")),
            "records.parquet has column 'correct' as String, expected Boolean",
        ),
        (
            lambda f: rewrite(f, pl.lit(2, dtype=pl.Int16).alias("schema_version")),
            "records.parquet is of schema version 2, this program reads 1; it is left out",
        ),
        (lambda f: scratch(find(f, "evaluate-*") / "records.parquet"), "records.parquet is damaged"),
        (lambda f: (find(f, "rl-*") / "rollouts.parquet").unlink(), "rollouts.parquet is missing"),
        (lambda f: leave_ungraded(f), "6% of completions could not be graded; no number counts them"),
        (lambda f: (find(f, "rl-*") / "metrics.jsonl").write_text('{"step": 1, "rew'), ""),
        (lambda f: (find(f, "shards-*") / "plan.json").write_text("null"), ""),
        (lambda f: shutil.rmtree(find(f, "rl-*")), "nothing to show yet"),
        (lambda f: shutil.rmtree(f / "artifacts"), "No result yet."),
    ],
)
def test_damage_is_named_and_never_a_traceback(
    copied: Path, tmp_path: Path, damage: object, said: str
) -> None:
    assert callable(damage)
    damage(copied)
    assert said in read(copied, tmp_path / "r.html").text


def with_pending(folder: Path, number: int) -> None:
    """Add stages that are not begun, two kinds in turn."""
    path = folder / "study.json"
    stored = json.loads(path.read_text())
    for one in range(number):
        kind = ("pretrain", "evaluate")[one % 2]
        stored["nodes"].append(
            {
                "id": f"{kind}/later{one}",
                "kind": kind,
                "fingerprint": f"{one:016x}",
                "status": "pending",
                "parents": [],
            }
        )
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize("number", [3, 65])
def test_stages_that_are_not_begun_are_named_or_counted(copied: Path, tmp_path: Path, number: int) -> None:
    before = read(copied, tmp_path / "before.html").text
    with_pending(copied, number)
    text = read(copied, tmp_path / "r.html").text
    said = text[text.index("Missing or incomplete") :].partition("What happened, step by step")[0]
    assert "pending" not in before
    if number == 3:
        assert said.count("is pending: nothing to show yet") == 3
    else:
        assert "65 stages are pending, with nothing to show yet: 33 pretrain, 32 evaluate" in said
        assert "later" not in said


def test_of_many_notes_the_first_are_shown_and_the_others_folded(copied: Path, tmp_path: Path) -> None:
    path = copied / "study.json"
    stored = json.loads(path.read_text())
    for one in range(20):
        stored["nodes"].append(
            {
                "id": f"pretrain/lost{one}",
                "kind": "pretrain",
                "fingerprint": f"{one:016x}",
                "status": "failed",
            }
        )
    path.write_text(json.dumps(stored))
    text = read(copied, tmp_path / "r.html").text
    assert text.count("failed: no reason recorded") == 20
    assert text.index("pretrain/lost11 failed") < text.index("8 more") < text.index("pretrain/lost12 failed")


def test_a_running_stage_is_shown_and_said_to_be_partial(copied: Path, tmp_path: Path) -> None:
    finished = find(copied, "rl-*")
    (copied / "artifacts" / ".partial").mkdir()
    growing = finished.rename(copied / "artifacts" / ".partial" / finished.name)
    (growing / "manifest.json").unlink()
    text = (copied / "study.json").read_text()
    nodes = json.loads(text)
    for node in nodes["nodes"]:
        if node["kind"] == "rl":
            node["status"] = "running"
    (copied / "study.json").write_text(json.dumps(nodes))
    page = read(copied, tmp_path / "r.html")
    assert "is running: shown as far as it has come" in page.text
    assert json.loads(page.data)["runs"][0]["dense"]["step"][-1] == 48


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("{", "not valid JSON"), ("[]", "expected an object")]
)
def test_no_study_is_one_clear_line(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(content)
    with pytest.raises(UserError, match=said):
        build_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_without_evaluations_the_headline_says_how_far_training_is(copied: Path, tmp_path: Path) -> None:
    for path in (copied / "artifacts").glob("evaluate-*/summary.json"):
        path.unlink()
    page = read(copied, tmp_path / "r.html")
    assert "No result yet: at step 48 of RL, code block with output (omi1) has" in page.text


def test_seeds_that_are_not_finished_do_not_hide_those_that_are(grid: Path, tmp_path: Path) -> None:
    """One seed of three is done.

    The page is that of its run, before and after of the same seed, and says who is missing.
    """
    folder = Path(shutil.copytree(grid, tmp_path / "going"))
    content = json.loads((folder / "study.json").read_text())
    for node in content["nodes"]:
        if node["seed"] in (1, 2) and (node["kind"] == "rl" or node["id"].startswith("evaluate/rl")):
            node["status"] = "pending"
            shutil.rmtree(folder / node["folder"])
            node["folder"] = None
    (folder / "study.json").write_text(json.dumps(content))
    summary = study_summary(folder)
    assert summary["averaged_over"]["seeds"] == [0]
    assert summary["averaged_over"]["interval"] == "bootstrap_by_problem"
    assert summary["base"]["accuracy"] == summary["arms"][0]["base"]["accuracy"]
    text = build_report(folder, tmp_path / "report.html").read_text()
    assert "Not finished yet and left out: seed 1, 2." in text
    assert "Did the scores change?" in text
    assert "stages are pending, with nothing to show yet" in text
