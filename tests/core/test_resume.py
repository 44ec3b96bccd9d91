"""Which resume states are kept, which one counts, and saving while training goes on."""

import threading

import pytest

from echochamber.core.errors import UserError
from echochamber.core.resume import ResumePoint, ResumeSettings
from echochamber.core.resume_record import mend_resume, resume_damage

THREE = ResumeSettings(keep_last=3)


def saved(partial, steps, settings=THREE):
    """A log that grows, and a state after each step."""
    resume = ResumePoint(partial, settings)
    for step in steps:
        with (partial / "metrics.jsonl").open("a") as stream:
            stream.write(f'{{"step": {step}}}\n')
        resume.state_after(step).write_bytes(b"state" * 100 + bytes([step]))
        resume.record(step)
    return resume


def names(resume):
    return sorted(path.name for path in resume.folder.iterdir())


def test_the_last_states_are_kept_with_their_records(tmp_path):
    resume = saved(tmp_path, range(5))
    kept = [f"{kind}-{step}.{end}" for kind, end in (("record", "json"), ("state", "pt")) for step in (2, 3)]
    assert names(resume) == [*kept, "state-4.pt", "state.json"]
    assert resume.state == resume.folder / "state-4.pt"
    resume = saved(tmp_path, [5], ResumeSettings())
    assert names(resume) == ["state-5.pt", "state.json"]


@pytest.mark.parametrize("damaged", [["state-4.pt"], ["state-4.pt", "state-3.pt"], ["state.json"]])
def test_the_newest_sound_state_counts(tmp_path, damaged):
    resume = saved(tmp_path, range(5))
    for name in damaged:
        (resume.folder / name).write_bytes(b"{")
    assert resume_damage(tmp_path, pytest.fail) is not None
    said = []
    assert mend_resume(tmp_path, said.append) is None
    step = 4 - min(2, len([name for name in damaged if name != "state.json"]) or 1)
    assert resume.state == resume.folder / f"state-{step}.pt"
    assert f"going on from the older state after step {step}" in said[0]
    assert resume_damage(tmp_path, pytest.fail) is None
    resume = saved(tmp_path, [step + 1])
    assert resume.state == resume.folder / f"state-{step + 1}.pt"
    assert "state-4.pt" not in set(names(resume)) - {f"state-{step + 1}.pt"}


def test_what_all_states_rest_on_cannot_be_mended(tmp_path):
    resume = saved(tmp_path, range(5))
    (tmp_path / "metrics.jsonl").write_text("other")
    assert "metrics.jsonl" in (mend_resume(tmp_path, pytest.fail) or "")
    assert resume.state == resume.folder / "state-4.pt"


def test_a_state_is_written_while_the_log_grows(tmp_path):
    resume = saved(tmp_path, [0], ResumeSettings(asynchronous=True))
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 1}\n')
    go_on = threading.Event()

    def write():
        assert go_on.wait(30)
        resume.state_after(1).write_bytes(b"one")

    resume.record_later(1, write)
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2}\n')
    assert resume.state == resume.folder / "state-0.pt"
    go_on.set()
    resume.settle()
    assert names(resume) == ["state-1.pt", "state.json"]
    # Rows after the state may be lost by a crash of the machine; they are no part of it.
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 1}\n')
    assert resume_damage(tmp_path, pytest.fail) is None
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 1}')
    assert resume_damage(tmp_path, pytest.fail) is not None


def test_what_the_writer_raises_is_raised_at_the_next_save_or_the_end(tmp_path):
    resume = saved(tmp_path, [0], ResumeSettings(asynchronous=True))

    def fail():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), resume.finish_step_on_interrupt():
        resume.record_later(1, fail)
    assert resume.state == resume.folder / "state-0.pt"

    def stop():
        with resume.finish_step_on_interrupt():
            resume.record_later(1, fail)
            raise UserError("first")

    with pytest.raises(UserError, match="first"):
        stop()
