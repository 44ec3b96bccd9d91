"""Which precision the engine in C takes on a CPU with units for both."""

import ctypes

import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.model.native import precision
from echochamber.model.native.built import Unavailable


class Library(ctypes.CDLL):
    """In place of a built library: a product takes a given number of ticks of a made-up clock."""

    def __init__(self, name, ticks):
        self._name, self.ticks, self.calls = f"/somewhere/{name}.so", ticks, 0

    def echo_multiply(self, *_):
        self.calls += 1
        Clock.now += self.ticks


class Clock:
    now = 0.0


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """(choice, libraries) for given times of a product in bf16 and in float32, in a cache of its own."""
    monkeypatch.delenv(precision.VARIABLE, raising=False)
    monkeypatch.setattr(precision, "private_folder", lambda: tmp_path)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: Clock.now)

    def choose(bf16, float32):
        both = {torch.bfloat16: Library("a", bf16), torch.float32: Library("b", float32)}
        return precision.faster_cells(lambda dtype: both[dtype]), both

    return choose


@pytest.mark.parametrize(
    ("bf16", "float32", "choice"),
    [(1.0, 2.0, torch.bfloat16), (2.0, 1.0, torch.float32), (1.0, 1.05, torch.float32)],
)
def test_bf16_is_taken_where_it_is_clearly_faster(measured, bf16, float32, choice):
    assert measured(bf16, float32)[0] == choice


def test_the_choice_is_kept_whatever_a_later_measurement_would_say(measured):
    assert measured(1.0, 2.0)[0] == torch.bfloat16
    again, both = measured(2.0, 1.0)
    assert again == torch.bfloat16
    assert all(library.calls == 0 for library in both.values())


@pytest.mark.parametrize("content", [b"", b"float64\n", b"\xff\xfe"])
def test_a_damaged_file_is_measured_again(measured, tmp_path, content):
    measured(1.0, 2.0)
    (file,) = tmp_path.glob("precision-*.txt")
    file.write_bytes(content)
    assert measured(2.0, 1.0)[0] == torch.float32
    assert file.read_text() == "float32\n"


def test_other_libraries_are_measured_themselves(measured, tmp_path, monkeypatch):
    measured(1.0, 2.0)
    monkeypatch.setattr(precision, "cpu_description", lambda *_: b"another CPU")
    assert measured(2.0, 1.0)[0] == torch.float32
    assert len(list(tmp_path.glob("precision-*.txt"))) == 2


def test_without_a_library_it_is_float32(monkeypatch):
    monkeypatch.delenv(precision.VARIABLE, raising=False)

    def load(dtype):
        raise Unavailable("no C compiler")

    assert precision.faster_cells(load) == torch.float32


def test_the_variable_decides_and_is_checked(monkeypatch):
    monkeypatch.setenv(precision.VARIABLE, "bfloat16")
    assert precision.faster_cells(lambda dtype: pytest.fail("a library was loaded")) == torch.bfloat16
    monkeypatch.setenv(precision.VARIABLE, "float16")
    with pytest.raises(
        UserError, match="ECHOCHAMBER_ENGINE_DTYPE is 'float16'; it may be bfloat16 or float32"
    ):
        precision.faster_cells(lambda dtype: pytest.fail("a library was loaded"))
