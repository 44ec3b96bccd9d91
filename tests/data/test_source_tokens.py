"""A source's token ids: the same bytes with any number of workers and after kills; mixtures are an index."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.core.types import Problem
from echochamber.data.mixture_index import plan_index, spread, write_index
from echochamber.data.mixture_tokens import MixtureTokens, open_tokens
from echochamber.data.source_config import MixtureConfig, SourceConfig
from echochamber.data.source_tokens import SourceTokens, TokenSource, tokenize_source
from echochamber.data.token_parts import read_part

from .encoding import encode_bytes

EOS = 256
LONG = "A farmer has 12 cows and 7 sheep and he sells 5 of the cows before the winter comes along"


def start() -> object:
    """In every worker process."""
    return encode_bytes


def rows(folder: Path, sizes: dict[str, int]) -> Path:
    for name, count in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            json.dumps({"question": f"{name} asks {i}?", "answer": "so " * (i % 7) + f"#### {i}"}) + "\n"
            for i in range(count)
        )
        path.write_text("".join(lines), encoding="utf-8")
    return folder


def source(path: Path, threshold: float = 1.0, **keys: object) -> TokenSource:
    config = SourceConfig.model_validate({"path": str(path), **keys})
    return TokenSource("own", config, "\n\n", EOS, 300, threshold)


def payload(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def tokenized(path: Path, folder: Path, workers: int = 1, **keys: object) -> SourceTokens:
    folder.mkdir(parents=True)
    tokenize_source(source(path, **keys), start, {}, folder, workers)  # type: ignore[arg-type]
    return SourceTokens(folder)


def texts(found: SourceTokens) -> list[str]:
    return [
        bytes(found.tokens(part)[begin : end - 1].tolist()).decode()
        for part in range(len(found.counts))
        for begin, end in zip(found.starts(part)[:-1], found.starts(part)[1:], strict=True)
    ]


def test_every_document_is_there_once_in_a_seeded_order(tmp_path: Path) -> None:
    path = rows(tmp_path / "in", {"a.jsonl": 50, "b/c.jsonl": 30})
    found = tokenized(path, tmp_path / "out")
    expected = [
        f"{name} asks {i}?\n\n" + "so " * (i % 7) + f"#### {i}"
        for name, count in (("a.jsonl", 50), ("b/c.jsonl", 30))
        for i in range(count)
    ]
    got = texts(found)
    assert Counter(got) == Counter(expected)
    assert got[:50] != expected[:50]
    assert sorted(got[:50]) == sorted(expected[:50])
    assert [documents for documents, _, _ in found.counts] == [50, 30]
    assert found.num_tokens == sum(len(text) + 1 for text in expected)
    prompts = [int(n) for part in range(2) for n in found.prompts(part)]
    assert prompts == [text.index("\n\n") + 2 for text in got]
    assert found.num_prompt_tokens == sum(prompts)
    assert set(found.tokens(0)[found.starts(0)[1:] - 1].tolist()) == {EOS}


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    path = rows(tmp_path / "in", {f"{i}.jsonl": 20 + 13 * i for i in range(5)})
    tokenized(path, tmp_path / "one")
    tokenized(path, tmp_path / "three", workers=3)
    assert payload(tmp_path / "one") == payload(tmp_path / "three")


@pytest.mark.parametrize("damage", ["no mark", "cut", "flipped", "mark", "digest", "other name"])
def test_a_part_that_is_not_whole_is_made_again(tmp_path: Path, damage: str) -> None:
    path = rows(tmp_path / "in", {"a.jsonl": 40, "b.jsonl": 40})
    tokenized(path, tmp_path / "out")
    before = payload(tmp_path / "out")
    parts = tmp_path / "out" / "parts"
    mark, tokens = parts / "00001.json", parts / "00001.tokens"
    data = json.loads(mark.read_text())
    if damage == "no mark":
        mark.unlink()
    elif damage in ("cut", "flipped"):
        content = bytearray(tokens.read_bytes())
        content = content[:-4] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1])
        tokens.write_bytes(content)
    elif damage == "mark":
        mark.write_text(json.dumps(data | {"overlaps": [["set", "many", 0, 0, [], []]]}))
    elif damage == "digest":
        mark.write_text(json.dumps(data | {"files": {"../../x": [1, "0" * 64]}}))
    else:
        mark.write_text(json.dumps(data | {"name": "c.jsonl"}))
    assert read_part(parts, 1, "b.jsonl", content=True) is None
    untouched = (parts / "00000.tokens").stat().st_mtime_ns
    tokenize_source(source(path), start, {}, tmp_path / "out")  # type: ignore[arg-type]
    assert payload(tmp_path / "out") == before
    assert (parts / "00000.tokens").stat().st_mtime_ns == untouched


CODE = """
import sys
from pathlib import Path
from tests.data.test_source_tokens import source, start
from echochamber.data.source_tokens import tokenize_source
if __name__ == "__main__":
    tokenize_source(source(Path(sys.argv[1])), start, {}, Path(sys.argv[2]), 2)
"""


@pytest.mark.slow
def test_killed_at_any_instant_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    path = rows(tmp_path / "in", {f"{i}.jsonl": 20_000 for i in range(8)})
    script = tmp_path / "run.py"
    script.write_text(CODE)

    def run(folder: Path) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, str(script), str(path), str(folder)], env={**__import__("os").environ}
        )

    began = time.monotonic()
    assert run(tmp_path / "whole").wait(timeout=600) == 0
    length, draw, kills = time.monotonic() - began, np.random.default_rng(0), 0
    for _ in range(5):
        process = run(tmp_path / "cut")
        try:
            process.wait(timeout=length * (0.2 + 0.5 * draw.random()))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert run(tmp_path / "cut").wait(timeout=600) == 0
    assert kills > 0
    left = {name: data for name, data in payload(tmp_path / "cut").items() if not name.endswith(".tmp")}
    assert left == payload(tmp_path / "whole")


def test_a_contaminated_source_is_refused_before_all_of_it_is_read(tmp_path: Path) -> None:
    path = rows(tmp_path / "in", {"a.jsonl": 3000, "b.jsonl": 3})
    with (path / "a.jsonl").open("a") as stream:
        stream.write(json.dumps({"question": LONG, "answer": "7"}) + "\n" + "no row\n" * 5)
    (path / "b.jsonl").write_text("no row\n")
    against = {"set": [Problem("p", LONG, "7"), Problem("q", LONG[::-1], "8")]}
    (tmp_path / "out").mkdir()
    with pytest.raises(
        UserError, match=r"'own' holds at least 1 of the 2 problems of 'set'.*first: document 3000"
    ):
        tokenize_source(
            source(path, 0.1, on_bad_row="skip"),
            start,  # type: ignore[arg-type]
            against,
            tmp_path / "out",
        )


def test_files_that_are_clean_alone_are_refused_together(tmp_path: Path) -> None:
    path = rows(tmp_path / "in", {f"{i}.jsonl": 9 for i in range(3)})
    questions = [f"{word} {LONG}" for word in ("Ann", "Ben", "Cat")]
    for i, question in enumerate(questions[:2]):
        words = question.split()
        with (path / f"{i}.jsonl").open("a") as stream:
            stream.write(json.dumps({"question": " ".join(words[:13]), "answer": "7"}) + "\n")
    problems = [Problem(f"p{i}", " ".join(q.split()[:13]), "7") for i, q in enumerate(questions)]
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"holds at least 2 of the 3 problems.*first: 0\.jsonl, document 9"):
        tokenize_source(source(path, 0.5), start, {"set": problems}, tmp_path / "out")  # type: ignore[arg-type]
    # What was read is kept, and a higher limit goes on from there.
    kept = {path.name for path in (tmp_path / "out/parts").glob("*.json")}
    assert {"00000.json", "00001.json"} <= kept
    tokenize_source(source(path, 0.7), start, {"set": problems}, tmp_path / "out")  # type: ignore[arg-type]
    (row,) = SourceTokens(tmp_path / "out").contamination
    assert (row["problems_found"], row["documents"]) == (2, 2)


def indexed(tmp_path: Path, mixture: dict[str, object], names: tuple[str, ...] = ("x", "y")) -> MixtureTokens:
    """A mixture over sources of 50 + 30 and 20 documents."""
    sizes = {"x": {"a.jsonl": 50, "b.jsonl": 30}, "y": {"c.jsonl": 20}}
    folders = {}
    for number, name in enumerate(names):
        folders[name] = tmp_path / f"tokens-{number:016x}"
        if not folders[name].exists():
            tokenized(rows(tmp_path / f"in-{name}", sizes[name]), folders[name])
    config = MixtureConfig.parse(mixture, "mixture")
    opened = {name: SourceTokens(folder) for name, folder in folders.items()}
    plan = plan_index(config, 0, "\n\n", opened, dict.fromkeys(names, "print"))
    target = tmp_path / "shards"
    target.mkdir(exist_ok=True)
    write_index(plan, {name: folder.name for name, folder in folders.items()}, EOS, 300, target)
    found = open_tokens(target)
    assert isinstance(found, MixtureTokens)
    assert found.num_tokens == plan.to_json()["num_tokens"]
    assert found.num_documents == plan.to_json()["num_documents"]
    return found


def whole(found: MixtureTokens) -> np.ndarray:
    return found.windows(np.array([0]), found.num_tokens)[0]


def x(copies: float | None = 1, **keys: object) -> dict[str, object]:
    return {"path": "x", **({} if copies is None else {"copies": copies}), **keys}


def test_a_mixture_reads_its_sources_as_often_as_it_says(tmp_path: Path) -> None:
    found = indexed(tmp_path, {"sources": {"x": x(2), "y": x(1.5)}})
    first, second = SourceTokens(tmp_path / f"tokens-{0:016x}"), SourceTokens(tmp_path / f"tokens-{1:016x}")
    one = np.concatenate([first.tokens(0), first.tokens(1)])
    half = second.tokens(0)[: second.starts(0)[10]]
    expected = np.concatenate([one, one, second.tokens(0), half])
    assert whole(found).tolist() == expected.tolist()
    assert found.num_documents == 2 * 80 + 30
    documents = found.document_ids(np.array([0]), found.num_tokens)[0]
    ends = np.flatnonzero(expected == EOS)
    assert documents.tolist() == np.searchsorted(ends, np.arange(len(expected))).tolist()
    # Windows anywhere, over borders of parts and copies, are cuts of the whole.
    places = np.array([0, len(one) - 3, len(first.tokens(0)) - 1, 2 * len(one) - 5, len(expected) - 40])
    assert found.windows(places, 40).tolist() == [expected[at : at + 40].tolist() for at in places]
    inputs, targets = found.batch(3, 4, 16, seed=1)
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    halves = [found.batch(3, 4, 16, seed=1, rank=rank, world_size=2)[0] for rank in (0, 1)]
    assert np.concatenate(halves).tolist() == inputs.tolist()
    assert sum(file.stat().st_size for file in (tmp_path / "shards").iterdir()) < 1500


def test_shares_are_met_to_a_document_and_capped(tmp_path: Path) -> None:
    tokens = {"x": 0, "y": 0}
    sources = {"x": x(None, share=0.7), "y": x(None, share=0.3)}
    found = indexed(tmp_path, {"budget_tokens": 1500, "sources": sources})
    index = json.loads((tmp_path / "shards/index.json").read_text())
    for row in index["passes"]:
        source_tokens = SourceTokens(tmp_path / row["artifact"])
        for counts, times in row["passes"]:
            tokens[row["source"]] += times * sum(
                int(source_tokens.starts(part)[count]) for part, count in enumerate(counts)
            )
    assert tokens["x"] == pytest.approx(1050, abs=20)
    assert tokens["y"] == pytest.approx(450, abs=20)
    assert found.num_tokens == sum(tokens.values())
    capped = indexed(
        tmp_path, {"budget_tokens": "100K", "sources": sources | {"y": x(None, share=0.3, max_passes=2.5)}}
    )
    last = json.loads((tmp_path / "shards/index.json").read_text())["passes"][1]["passes"]
    assert [times for _, times in last] == [2, 1]
    assert capped.num_documents > 80 * 4


def test_part_of_a_copy_is_spread_over_the_files(tmp_path: Path) -> None:
    found = tokenized(rows(tmp_path / "in", {"a.jsonl": 50, "b.jsonl": 30}), tmp_path / "out")
    assert spread(80, found) == [50, 30]
    assert spread(8, found) == [5, 3]
    assert sum(spread(33, found)) == 33
    indexed(tmp_path, {"sources": {"x": x(1, documents=16)}}, ("x",))
    (row,) = json.loads((tmp_path / "shards/index.json").read_text())["passes"]
    assert row["passes"] == [[[10, 6], 1]]
    with pytest.raises(UserError, match="documents is 81, but there are only 80"):
        indexed(tmp_path, {"sources": {"x": x(1, documents=81)}}, ("x",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"artifact": "../../etc"}, "is not the index of a mixture"),
        ({"artifact": "tokens-0000000000000009"}, "cannot be read"),
        ({"passes": [[[51, 30], 1]]}, "its sources are others"),
        ({"passes": [[[50], 1]]}, "its sources are others"),
        ({"passes": [[[50, 30], -1]]}, "its sources are others"),
        ({"passes": [[[50, 29], 1]]}, "other numbers of tokens"),
    ],
)
def test_an_index_is_not_trusted(tmp_path: Path, change: dict[str, object], words: str) -> None:
    indexed(tmp_path, {"sources": {"x": x()}}, ("x",))
    path = tmp_path / "shards/index.json"
    data = json.loads(path.read_text())
    data["passes"][0] |= change
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=words):
        open_tokens(tmp_path / "shards")


def test_a_short_file_of_ids_is_named(tmp_path: Path) -> None:
    found = tokenized(rows(tmp_path / "in", {"a.jsonl": 50}), tmp_path / "out")
    tokens = tmp_path / "out/parts/00000.tokens"
    tokens.write_bytes(tokens.read_bytes()[:-2])
    with pytest.raises(UserError, match=r"00000\.tokens: is \d+ bytes long, expected"):
        found.tokens(0)
