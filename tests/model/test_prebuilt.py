"""The engine as a wheel ships it: one library for each kind of CPU, the same bits as one built here."""

import importlib.util
import shutil
import tomllib
from pathlib import Path

import pytest
import torch

from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.native import library, prebuilt

from .test_native import BF16, PROMPTS, _keys, _logprobs_and_gradients, _model, _sample

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(
        library.why_not() is not None, reason=f"the engine in C does not run: {library.why_not()}"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler `cc` on the path"),
]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """This CPU's library in the folder of a wheel; loaded by nobody yet."""
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    yield prebuilt.build(library.cpu_kind(library.cell_dtype()), tmp_path)
    library.load.cache_clear()


def _outputs(tokenizer):
    """Log-probabilities, entropies and gradients of a small model, and what it samples, by the engine."""
    model = _model(max_positions=256)
    model.use_native(2)
    ids = torch.randint(0, 300, (3, 41), generator=torch.Generator().manual_seed(1))
    weights = torch.linspace(-1, 1, 3 * 40)
    numbers = _logprobs_and_gradients(model, ids, AttentionRanges.causal(3, 40), weights, autocast=BF16)
    texts = [
        completion.token_ids
        for group in _sample(model, tokenizer, PROMPTS, _keys(3, 8), max_new_tokens=12)
        for completion in group
    ]
    return [numbers[0], numbers[1].detach(), *numbers[2].values()], texts


def test_the_shipped_library_gives_the_bits_of_one_built_here(shipped, tokenizer, monkeypatch):
    library.load.cache_clear()
    monkeypatch.setattr(library, "load_prebuilt", lambda cells: None)
    built = library.load()._name
    expected, texts = _outputs(tokenizer)
    monkeypatch.undo()
    monkeypatch.setattr(prebuilt, "FOLDER", shipped.parent)
    monkeypatch.setattr(library, "load_built", lambda cells: pytest.fail("a library was built"))
    library.load.cache_clear()
    assert library.load()._name == str(shipped) != built
    found, texts_again = _outputs(tokenizer)
    assert len(found) == len(expected) > 6
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert texts_again == texts


@pytest.mark.parametrize("content", [b"", b"no library"])
def test_one_that_the_system_cannot_load_is_left_for_one_built_here(shipped, content):
    shipped.write_bytes(content)
    assert library.load_prebuilt(library.cell_dtype()) is None
    library.load.cache_clear()
    assert library.load()._name != str(shipped)


def test_another_version_s_library_is_not_taken(shipped):
    shipped.rename(shipped.with_name(f"kernels-{library.cpu_kind(library.cell_dtype())}-0123456789abcdef.so"))
    assert library.load_prebuilt(library.cell_dtype()) is None


@pytest.mark.parametrize("target", prebuilt.TARGETS)
def test_every_kind_of_cpu_compiles_whatever_this_one_is(target, tmp_path):
    assert prebuilt.build(target, tmp_path).stat().st_size > 10_000
    assert "-march=native" not in prebuilt.flags_of(target)


def test_cibuildwheel_makes_one_wheel_for_all_versions_of_python():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    assert settings["build"] == "cp311-manylinux_x86_64"
    assert settings["environment"] == {"ECHOCHAMBER_PREBUILD": "1"}
    assert "--exclude libgomp.so.1" in settings["linux"]["repair-wheel-command"]  # torch brings it
    spec = importlib.util.spec_from_file_location("prebuilt_by_path", prebuilt.__file__)  # as setup.py does
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.path_of("avx2") == prebuilt.path_of("avx2")
