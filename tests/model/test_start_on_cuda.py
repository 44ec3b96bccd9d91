"""What happens in which order where there are CUDA devices, without one: torch's own calls are recorded."""

from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from torch import nn

from echochamber.core.errors import UserError
from echochamber.model import ranks as ranks_module
from echochamber.model import shard as shard_module
from echochamber.model.ranks import Ranks, join_ranks
from echochamber.model.runtime import choose_device, start_runtime
from echochamber.model.settings import RuntimeConfig
from echochamber.model.shard import shard
from echochamber.model.state import load_state, save_state

from .conftest import tiny_model


class _Store(dist.Store):
    """A store in which rank 0 takes its time: it has answered at the third wait."""

    def __init__(self):
        super().__init__()
        self.values, self.waits = {}, 0

    def set(self, name, value):
        self.values[name] = value

    def get(self, name):
        return self.values[name].encode()

    def wait(self, names, patience):
        assert patience < timedelta(hours=1)
        self.waits += 1
        if self.waits < 3:
            raise dist.DistStoreError(f"wait timeout for {names}")
        self.values |= dict.fromkeys(names, '["pretrain", "folder"]')


@pytest.fixture
def calls(monkeypatch):
    """Calls to torch in their order, on a machine that says it has two CUDA devices."""
    made, met = [], _Store()

    def record(place, name, result=None):
        monkeypatch.setattr(place, name, lambda *args, **named: made.append((name, args, named)) or result)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(dist, "is_initialized", lambda: False)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "PrefixStore", lambda name, store: store)
    monkeypatch.setattr(dist, "rendezvous", lambda url: iter([(met, 1, 2)]))
    monkeypatch.setattr(ranks_module.atexit, "register", lambda function: None)
    monkeypatch.setattr(dist.distributed_c10d, "_get_default_store", lambda: met)
    ranks_module._meeting.cache_clear()
    record(torch.cuda, "set_device")
    record(dist, "init_process_group")
    record(shard_module, "init_device_mesh", "mesh")
    record(shard_module, "fully_shard")
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    yield made
    ranks_module._meeting.cache_clear()


def test_the_device_is_set_before_ranks_meet_and_before_the_mesh(calls):
    runtime = start_runtime(RuntimeConfig(device="cuda", dtype="float32", threads=1, compile="off"))
    shard(tiny_model("llama"), runtime.ranks, runtime.device.type)
    assert [name for name, *_ in calls[:3]] == ["set_device", "init_process_group", "init_device_mesh"]
    own = torch.device("cuda", 1)
    assert calls[0][1] == (own,)
    named = calls[1][2]
    assert named["device_id"] == own
    assert named["timeout"] <= timedelta(hours=1)
    assert calls[2][1][0] == "cuda"


def test_a_study_on_the_cpu_of_such_a_machine_touches_no_device(calls):
    start_runtime(RuntimeConfig(device="cpu", dtype="float32", threads=1, compile="off"))
    assert [name for name, *_ in calls] == ["init_process_group"]
    assert calls[0][1] == ("gloo",)
    assert calls[0][2]["device_id"] is None


def test_more_ranks_than_devices_are_refused(calls, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="LOCAL_RANK is 2.*2 CUDA device.*at most 2 ranks"):
        choose_device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


def test_state_of_another_device_is_read_on_the_cpu(tmp_path, monkeypatch):
    """The file says `cuda:5` of every tensor, as one of an eight-GPU machine does."""
    saved, other = nn.Linear(2, 2), nn.Linear(2, 2)
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:5")
        save_state(tmp_path / "state.pt", 3, {"model": saved})
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(tmp_path / "state.pt", weights_only=True)
    assert load_state(tmp_path / "state.pt", {"model": other}) == {"step": 3}
    assert other.weight.device.type == "cpu"
    torch.testing.assert_close(other.weight, saved.weight, atol=0, rtol=0)


def test_a_rank_waits_for_rank_zero_as_long_as_it_takes_and_says_so(calls, monkeypatch):
    said = []
    monkeypatch.setattr(ranks_module, "say", said.append)
    ranks = join_ranks(torch.device("cuda", 1))
    monkeypatch.setattr(Ranks, "gather", lambda self, data: [data])
    assert ranks.from_main(None) == ["pretrain", "folder"]
    assert len(said) == 2
    assert "rank 1 has waited 20 minutes for rank 0" in said[1]


def test_a_rank_that_hangs_ends_the_run_with_a_message(monkeypatch):
    def hang(*_, **__):
        raise RuntimeError("[gloo] Timed out waiting 1800000ms for recv operation to complete")

    monkeypatch.setattr(dist, "all_reduce", hang)
    with pytest.raises(UserError, match="rank 1 of 2 waited 30 minutes for sums of the others"):
        Ranks(1, 2).sum(torch.zeros(1))
    monkeypatch.setattr(dist, "all_reduce", lambda *_: (_ for _ in ()).throw(RuntimeError("bad shape")))
    with pytest.raises(RuntimeError, match="bad shape"):
        Ranks(1, 2).sum(torch.zeros(1))
