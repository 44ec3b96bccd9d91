"""Ranks share the chunks of evaluations and probes, and the tables are those of one rank to the byte."""

import json
from dataclasses import dataclass, field

import polars as pl
import pytest

from echochamber.core.errors import UserError
from echochamber.core.parquet_chunks import ParquetChunks
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.ranks import Ranks
from echochamber.model.tokenizer import train_tokenizer
from echochamber.rollout import shared_chunks
from echochamber.rollout.shared_chunks import meet_with_chunks, missing_chunks
from tests.model.conftest import CORPUS, tiny_model
from tests.rl.rank_runs import start_ranks
from tests.stages.scoring_ranks import run


@dataclass(frozen=True)
class FirstOfTwo(Ranks):
    """Rank 0 of two whose partner is nowhere; notes what was asked of it."""

    world_size: int = 2
    asked: list[object] = field(default_factory=list)

    def from_main(self, data):
        self.asked.append(data)
        return json.loads(json.dumps(data))

    def meet(self):
        self.asked.append("met")


def _tables(folder):
    tables = [ParquetChunks(folder, name, count) for name, count in (("a", 3), ("b", 0), ("c", 2))]
    tables[0].write(1, pl.DataFrame({"x": [1]}))
    return tables


def test_missing_chunks_are_those_that_rank_zero_finds_and_every_one_is_somebody_s(tmp_path):
    ranks = FirstOfTwo()
    found = missing_chunks(_tables(tmp_path), ranks)
    assert ranks.asked == [found], "the other rank was not told"
    assert found == [(0, 0), (0, 2), (2, 0), (2, 1)]
    assert [Ranks(rank, 2).share(found) for rank in (0, 1)] == [found[0::2], found[1::2]]
    assert [Ranks(rank, 3).share(found[:1]) for rank in (0, 1, 2)] == [[(0, 0)], [], []]


def test_a_chunk_that_does_not_appear_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_chunks, "VISIBLE_SECONDS", 0.0)
    (table, *_), ranks = _tables(tmp_path), FirstOfTwo()
    with pytest.raises(UserError, match=r"a_000000\.parquet.*share the folder"):
        meet_with_chunks([table], ranks)
    assert ranks.asked == ["met"]
    for index in (0, 2):
        table.write(index, pl.DataFrame({"x": [1]}))
    meet_with_chunks([table], ranks)
    assert ranks.asked == ["met", "met"]


@pytest.mark.slow
def test_two_ranks_score_half_of_the_chunks_each_and_write_the_bytes_of_one(tmp_path):
    models = tmp_path / "models"
    for step, seed in ((3, 0), (0, 1)):
        save_checkpoint(models / f"step_{step}", tiny_model("llama", seed=seed), train_tokenizer(CORPUS, 300))
    run(models, tmp_path / "one")
    start_ranks(2, "-m", "tests.stages.scoring_ranks", str(models), str(tmp_path / "two"))
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").glob("*/*.*")]
    assert len(files) == 7
    for name in files:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    whole = json.loads((tmp_path / "one" / "drawn-0.json").read_text())
    first, second = (json.loads((tmp_path / "two" / f"drawn-{rank}.json").read_text()) for rank in (0, 1))
    assert sorted(first + second) == sorted(whole)
    # Two checkpoints with chunks of 2, 2, 2 and 1 problems: the second rank has the last chunk of both.
    assert (len(first), len(second)) == (16, 12)
