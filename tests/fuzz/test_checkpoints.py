"""Checkpoint folders with changed values and damaged files: sampled from, or refused in one line."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import strategies as st

from .command import Portion, call, check, fuzz, portions
from .values import damaged, mutated, values

JSON_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"


def _header(content: bytes) -> tuple[dict[str, object], bytes]:
    """The header of a safetensors file and the numbers after it."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


@st.composite
def _changes(draw: st.DrawFn, whole: dict[str, bytes]) -> dict[str, bytes]:
    """File -> other content, for one file or two."""
    changes: dict[str, bytes] = {}
    for name in draw(
        st.lists(st.sampled_from([*JSON_FILES, "config.json", INDEX, WEIGHTS]), min_size=1, max_size=2)
    ):
        content = whole[name]
        if draw(st.integers(0, 3)) == 0:
            changes[name] = draw(damaged(content))
        elif name == WEIGHTS:
            header, numbers = _header(content)
            text = json.dumps(draw(mutated(header))).encode()
            changes[name] = struct.pack("<Q", len(text)) + text + numbers
        else:
            changes[name] = json.dumps(draw(mutated(json.loads(content)))).encode()
    if draw(st.integers(0, 9)) == 0:
        key = draw(
            st.sampled_from(("num_hidden_layers", "max_position_embeddings", "vocab_size", "hidden_size"))
        )
        config = json.loads(whole["config.json"]) | {key: draw(st.one_of(st.integers(0, 10**12), values))}
        changes["config.json"] = json.dumps(config).encode()
    return changes


@pytest.mark.parametrize("portion", portions("checkpoints", default=5))
def test_checkpoints(portion: Portion, checkpoint: Path) -> None:
    names = [WEIGHTS, *JSON_FILES]
    whole = {name: (checkpoint / name).read_bytes() for name in names}
    weights = dict.fromkeys(_header(whole[WEIGHTS])[0], WEIGHTS)
    whole[INDEX] = json.dumps({"weight_map": weights}).encode()

    def one(changes: dict[str, bytes]) -> None:
        for name, content in changes.items():
            (checkpoint / name).write_bytes(content)
        try:
            check(call("sample", checkpoint, "2 + 2?", "-n", 1, "--max-new-tokens", 2))
        finally:
            for name in names:
                (checkpoint / name).write_bytes(whole[name])
            (checkpoint / INDEX).unlink(missing_ok=True)

    fuzz(portion, one, changes=_changes(whole))
