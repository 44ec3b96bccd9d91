"""Studies with changed and damaged files: read and shown as far as they go, or refused in one line."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import strategies as st

from echochamber.core.checksums import UNCHECKED
from tests.study.tiny import OVERRIDES, payload

from .command import Portion, call, check, fuzz, portions, whole_or_absent
from .values import damaged, mutated


@st.composite
def _changes(draw: st.DrawFn, whole: dict[str, bytes]) -> dict[str, bytes | None]:
    """File of the study -> other content, None for a lost one."""
    changes: dict[str, bytes | None] = {}
    small = [
        name for name in whole if name in ("study.json", "stages.jsonl") or name.endswith("manifest.json")
    ]
    for name in draw(
        st.lists(st.sampled_from([*whole, *small, "study.json"]), min_size=1, max_size=2, unique=True)
    ):
        content, way = whole[name], draw(st.integers(0, 9))
        if way == 0:
            changes[name] = None
        elif way < 6 and name.endswith(".json"):
            changes[name] = json.dumps(draw(mutated(json.loads(content)))).encode()
        else:
            changes[name] = draw(damaged(content))
    return changes


def _write(folder: Path, files: dict[str, bytes | None]) -> None:
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)


def _content(folder: Path) -> dict[str, bytes]:
    """Every file of a study but its page and locks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".html")
    }


@pytest.mark.parametrize("portion", portions("artifacts", default=0, size=250))
def test_damaged_studies_are_read_or_refused(portion: Portion, tiny_study: Path, tmp_path: Path) -> None:
    whole, page = _content(tiny_study), tmp_path / "out" / "page.html"
    commands = {
        "report": ["report", tiny_study, "--out", page],
        "clean": ["clean", tiny_study],
        "sample": ["sample", tiny_study, "2 + 2?", "-n", 1, "--max-new-tokens", 2],
        "plan": ["study", "smoke", *OVERRIDES, "--out", tiny_study, "--dry-run"],
        "ledger": ["ledger", tiny_study],
    }

    def one(changes: dict[str, bytes | None], command: str) -> None:
        _write(tiny_study, changes)
        try:
            ended = check(call(*commands[command]))
            assert page.is_file() == (command == "report" and ended.status == 0)
            whole_or_absent(page)
        finally:
            _write(tiny_study, {name: whole[name] for name in changes})
            page.unlink(missing_ok=True)

    fuzz(portion, one, changes=_changes(whole), command=st.sampled_from(sorted(commands)))


@pytest.mark.parametrize("portion", portions("continued studies", default=0, size=25))
def test_damaged_studies_continue_to_the_same_bytes(
    portion: Portion, tiny_study: Path, tmp_path: Path
) -> None:
    whole, copy, expected = _content(tiny_study), tmp_path / "study", payload(tiny_study)

    def one(changes: dict[str, bytes | None]) -> None:
        shutil.copytree(tiny_study, copy)
        _write(copy, changes)
        ended = check(call("study", "smoke", *OVERRIDES, "--out", copy, "--verify"))
        assert ended.status == 0, ended.err
        assert payload(copy) == expected
        assert all(name in whole or Path(name).name in UNCHECKED or "/." in name for name in _content(copy))
        shutil.rmtree(copy)

    fuzz(portion, one, changes=_changes(whole))
