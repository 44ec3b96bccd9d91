"""Resume state that is written while training goes on: a copy of its step; a kill loses nothing."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.checkpoint import FileSystemWriter

from echochamber.core.metrics import read_metrics
from echochamber.core.resume import ResumePoint, ResumeSettings
from echochamber.core.resume_record import mend_resume
from echochamber.model.runtime import start_runtime
from echochamber.model.settings import RuntimeConfig
from echochamber.model.state import copied_state, load_state
from echochamber.stages.pretrain import pretrain
from tests.rl.rank_runs import PRETRAIN, SHARDED, _folder, prepare, start_ranks

LATER = ResumeSettings(0.0, asynchronous=True)


def train(data, out, config, settings=LATER, last=None, **keys):
    """Saves after every step; with `last` it breaks off once that step is done."""
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32", **keys), settings)
    with pytest.MonkeyPatch.context() as patch:
        if last is not None:
            saved = ResumePoint.saved

            def stop(resume):
                rows = read_metrics(out / "metrics.jsonl")
                resume.interrupted = rows[-1]["step"] >= last
                saved(resume)

            patch.setattr(ResumePoint, "saved", stop)
        pretrain(config, 0, data / "shards", data / "tokenizer", _folder(out, runtime), runtime)


def payload(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timing.jsonl" and "resume" not in path.parts
    }


@pytest.mark.parametrize("shard", [False, True])
def test_one_process_continues_to_the_same_bytes(tmp_path, shard):
    prepare(tmp_path / "data")
    config = PRETRAIN["adamw"].model_copy(update={"shard": shard})
    train(tmp_path / "data", tmp_path / "whole", config, ResumeSettings(1e9))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "data", tmp_path / "cut", config, last=5)
    assert ResumePoint(tmp_path / "cut").state.stem.endswith("-5")
    train(tmp_path / "data", tmp_path / "cut", config, ResumeSettings(1e9))
    assert payload(tmp_path / "cut") == payload(tmp_path / "whole")


def test_a_copied_state_is_that_of_its_moment(tmp_path):
    """Weights and the optimizer's moments that training changes in place before the copy is written."""
    layer = torch.nn.Linear(3, 2)
    adam = torch.optim.AdamW(layer.parameters(), lr=0.1)

    def step():
        layer(torch.ones(1, 3)).sum().backward()
        adam.step()

    step()
    before = [layer.weight.detach().clone(), adam.state[layer.weight]["exp_avg_sq"].clone()]
    write = copied_state(tmp_path / "state.pt", 7, {"model": layer, "optimizer": adam}, {"kl_coef": 0.5})
    step()
    assert not torch.equal(layer.weight, before[0])
    write()
    assert load_state(tmp_path / "state.pt", {"model": layer, "optimizer": adam}) == {
        "step": 7,
        "kl_coef": 0.5,
    }
    assert torch.equal(layer.weight, before[0])
    assert torch.equal(adam.state[layer.weight]["exp_avg_sq"], before[1])


def test_checkpoints_in_bfloat16_are_the_rounded_ones(tmp_path):
    prepare(tmp_path / "data")
    for name in ("float32", "bfloat16"):
        train(
            tmp_path / "data", tmp_path / name, PRETRAIN["adamw"], ResumeSettings(1e9), checkpoint_dtype=name
        )
    whole, half = (
        load_file(path) for path in sorted(tmp_path.glob("*loat*/checkpoints/step_12/*.safetensors"))[::-1]
    )
    assert whole.keys() == half.keys()
    for name, value in half.items():
        assert value.dtype == torch.bfloat16
        torch.testing.assert_close(value, whole[name].bfloat16(), atol=0, rtol=0)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("float32", "bfloat16")]
    assert logs[0] == logs[1]


def test_training_goes_on_while_state_is_written(tmp_path, monkeypatch):
    """A write that takes until three more steps are logged keeps the state of its own step."""
    prepare(tmp_path / "data")
    config = SHARDED
    write, seen = FileSystemWriter.write_data, []

    def slow(self, *rest):
        until = time.monotonic() + 60
        log = tmp_path / "slow" / "metrics.jsonl"
        before = len(read_metrics(log))
        while len(read_metrics(log)) < min(before + 3, 12) and time.monotonic() < until:
            time.sleep(0.01)
        seen.append((before, len(read_metrics(log))))
        return write(self, *rest)

    monkeypatch.setattr(FileSystemWriter, "write_data", slow)
    due = iter([True, *[False] * 100])
    monkeypatch.setattr(ResumePoint, "due", lambda self: next(due))
    train(tmp_path / "data", tmp_path / "slow", config)
    ((before, after),) = seen
    assert after >= before + 3 or after == 12 > before
    monkeypatch.undo()
    train(tmp_path / "data", tmp_path / "whole", config, ResumeSettings(1e9))
    record = json.loads((tmp_path / "slow/resume/state.json").read_text())
    assert record["step"] == 0
    log = (tmp_path / "slow/metrics.jsonl").read_bytes()
    assert record["files"]["metrics.jsonl"][0] == len(log.splitlines(keepends=True)[0])
    (tmp_path / "slow/checkpoints/step_12/model.safetensors").unlink()
    assert mend_resume(tmp_path / "slow", pytest.fail) is None
    train(tmp_path / "data", tmp_path / "slow", config, ResumeSettings(1e9))
    assert payload(tmp_path / "slow") == payload(tmp_path / "whole")


@pytest.mark.slow
def test_killed_while_two_ranks_save_it_continues_to_the_same_bytes(tmp_path):
    """Rank 1 dies while it writes its part, then rank 0 when all parts are there but not what binds them."""
    prepare(tmp_path / "data")
    run = ["-m", "tests.stages.test_async_state", str(tmp_path / "data")]
    start_ranks(2, *run, str(tmp_path / "whole"), "none")
    for where, step in (("part", 4), ("binding", 8)):
        with pytest.raises(AssertionError):
            start_ranks(2, *run, str(tmp_path / "cut"), where)
        assert mend_resume(tmp_path / "cut", pytest.fail) is None
        state = ResumePoint(tmp_path / "cut").state
        assert state is not None
        assert state.name == f"sharded-{step - 1}"
        assert (tmp_path / "cut" / "resume" / f"sharded-{step}").is_dir()
    start_ranks(2, *run, str(tmp_path / "cut"), "none")
    assert payload(tmp_path / "cut") == payload(tmp_path / "whole")


def kill_in_save(where):
    """Patch the writer: rank 1 dies in the part after step 4, or rank 0 before the metadata after step 8."""
    rank, write, finish = int(os.environ["RANK"]), FileSystemWriter.write_data, FileSystemWriter.finish

    def write_data(self, plan, planner):
        if where == "part" and rank == 1 and str(self.path).endswith("sharded-4"):
            (Path(self.path) / "__1_0.distcp").write_bytes(b"torn")
            os.kill(os.getpid(), signal.SIGKILL)
        return write(self, plan, planner)

    def finish_all(self, metadata, results):
        if where == "binding" and str(self.path).endswith("sharded-8"):
            os.kill(os.getpid(), signal.SIGKILL)
        return finish(self, metadata, results)

    FileSystemWriter.write_data, FileSystemWriter.finish = write_data, finish_all


if __name__ == "__main__":
    kill_in_save(sys.argv[3])
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), Path(sys.argv[2]), SHARDED)
