"""The yardstick of training: a positive rate, found in about the time it was given."""

import time

import torch

from echochamber.model.peak import matrix_peak


def test_rate_is_that_of_the_fastest_product():
    assert 1e8 < matrix_peak(torch.float32, seconds=0.3) < 1e13


def test_a_size_that_would_overrun_is_left_out(monkeypatch):
    """17 GFLOP do not fit into a millisecond."""
    sizes = []
    ordinary = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape: sizes.append(shape[0]) or ordinary(*shape))
    assert matrix_peak(torch.float32, sizes=(256, 2048, 4096), seconds=3e-3) > 0
    assert set(sizes) == {256}


def test_slow_products_do_not_hold_up_training():
    """Well under the minute that one 2048 by 2048 product in bf16 takes on a CPU without such units."""
    started = time.perf_counter()
    assert matrix_peak(torch.bfloat16) > 0
    assert time.perf_counter() - started < 20
