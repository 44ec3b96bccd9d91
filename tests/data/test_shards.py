"""Token shards: what was planned is what is read, and batches depend on their number alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.data.mixture import MixtureConfig, MixturePlan, plan_mixture
from echochamber.data.shards import TokenShards, write_shards
from echochamber.data.world import WorldConfig

from .encoding import EOS, encode_bytes

WORLD = WorldConfig(families=["collect"], operations=(1, 2), max_value=100)


def make(folder: Path, vocab_size: int = 300, seed: int = 0) -> tuple[MixturePlan, TokenShards]:
    folder.mkdir(exist_ok=True)
    mixture = MixtureConfig.parse(
        {"sources": {"omi2": {"documents": 60}, "tinygsm": {"documents": 40, "copies": 1.5}}}, "mixture"
    )
    plan = plan_mixture(mixture, WORLD, seed, encode_bytes, "\n\n")
    write_shards(plan, EOS, vocab_size, folder)
    return plan, TokenShards(folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[MixturePlan, TokenShards]:
    return make(tmp_path_factory.mktemp("shards"))


def test_every_planned_document_is_there_with_its_bounds(written: tuple[MixturePlan, TokenShards]) -> None:
    plan, shards = written
    assert shards.num_documents == plan.num_documents == 120
    assert shards.num_tokens == plan.num_tokens
    found = []
    for number in range(shards.num_documents):
        ids = shards.document(number)
        assert ids[-1] == EOS
        assert EOS not in ids[:-1]
        prompt, solution = (
            bytes(ids[: shards.prompts[number]].tolist()).decode(),
            bytes(ids[shards.prompts[number] : -1].tolist()).decode(),
        )
        assert prompt.endswith("?\n\n")
        found.append((int(shards.sources[number]), prompt.removesuffix("\n\n"), solution))
    planned = [
        (place, *pool.source.document(int(i))[:2])  # type: ignore[attr-defined]
        for place, (pool, picks) in enumerate(zip(plan.pools, plan.chosen, strict=True))
        for i in picks
    ]
    assert sorted(found) == sorted(planned)
    assert found != planned
    assert shards.index["sources"] == ["omi2", "tinygsm"]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    make(tmp_path / "c", seed=1)
    files = ("tokens.bin", "starts.bin", "prompts.bin", "sources.bin", "index.json")
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert (tmp_path / "a" / "tokens.bin").read_bytes() != (tmp_path / "c" / "tokens.bin").read_bytes()


def test_wide_vocabularies_take_four_bytes(tmp_path: Path, written: tuple[MixturePlan, TokenShards]) -> None:
    _, wide = make(tmp_path, vocab_size=100_000)
    assert wide.tokens.dtype == np.uint32
    assert written[1].tokens.dtype == np.uint16
    assert (np.asarray(wide.tokens) == np.asarray(written[1].tokens)).all()


def test_progress_adds_up_to_the_documents(tmp_path: Path, written: tuple[MixturePlan, TokenShards]) -> None:
    steps: list[int] = []
    write_shards(written[0], EOS, 300, tmp_path, on_progress=steps.append)
    assert sum(steps) == 120


def test_targets_are_inputs_shifted_by_one(written: tuple[MixturePlan, TokenShards]) -> None:
    inputs, targets = written[1].batch(step=2, batch_sequences=8, sequence_length=32, seed=0)
    assert inputs.shape == targets.shape == (8, 32)
    assert inputs.dtype == np.int64
    assert (inputs[:, 1:] == targets[:, :-1]).all()


def test_batches_are_pure(written: tuple[MixturePlan, TokenShards]) -> None:
    _, shards = written
    late = shards.batch(900, 8, 32, seed=5)[0]
    for step in (3, 1, 2):
        shards.batch(step, 8, 32, seed=6)
    assert (shards.batch(900, 8, 32, seed=5)[0] == late).all()
    assert (shards.batch(900, 8, 32, seed=6)[0] != late).any()


def test_an_epoch_visits_every_sequence_once_and_the_next_in_another_order(
    written: tuple[MixturePlan, TokenShards],
) -> None:
    _, shards = written
    count = shards.num_sequences(64)
    steps = np.concatenate([shards.positions(step, 1, 64, seed=0) for step in range(2 * count)])
    first, second = steps[:count], steps[count:]
    assert (np.diff(np.sort(first)) == 64).all()
    assert (np.diff(np.sort(second)) == 64).all()
    assert (first != second).any()
    assert steps.max() + 64 < shards.num_tokens


def test_one_batch_may_span_two_epochs(written: tuple[MixturePlan, TokenShards]) -> None:
    _, shards = written
    count = shards.num_sequences(64)
    whole = shards.positions(0, 2 * count, 64, seed=3)
    assert (whole == np.concatenate([shards.positions(step, count, 64, seed=3) for step in (0, 1)])).all()


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_split_a_batch(written: tuple[MixturePlan, TokenShards], world_size: int) -> None:
    _, shards = written
    whole = shards.batch(7, 8, 32, seed=0)[0]
    parts = [
        shards.batch(7, 8, 32, seed=0, rank=rank, world_size=world_size)[0] for rank in range(world_size)
    ]
    assert (np.concatenate(parts) == whole).all()


def test_document_ids_tell_where_documents_meet(written: tuple[MixturePlan, TokenShards]) -> None:
    _, shards = written
    positions = shards.positions(0, 4, 64, seed=0)
    inputs, _ = shards.batch(0, 4, 64, seed=0)
    ids = shards.document_ids(positions, 64)
    changes = np.diff(ids, axis=1) > 0
    assert (changes == (inputs[:, :-1] == EOS)).all()


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no index\.json"):
        TokenShards(tmp_path)
    _, shards = make(tmp_path)
    with pytest.raises(UserError, match="too few for one sequence"):
        shards.batch(0, 1, 10**7, seed=0)
    with pytest.raises(UserError, match="3 ranks"):
        shards.batch(0, 8, 32, seed=0, world_size=3)
    data = (tmp_path / "tokens.bin").read_bytes()
    (tmp_path / "tokens.bin").write_bytes(data[:-2])
    with pytest.raises(UserError, match=r"tokens\.bin: is \d+ bytes long, expected \d+"):
        TokenShards(tmp_path)
    (tmp_path / "sources.bin").unlink()
    (tmp_path / "tokens.bin").write_bytes(data)
    with pytest.raises(UserError, match=r"sources\.bin: is missing"):
        TokenShards(tmp_path)


def test_index_is_plain_data(written: tuple[MixturePlan, TokenShards]) -> None:
    assert json.loads(json.dumps(written[1].index)) == written[1].index
