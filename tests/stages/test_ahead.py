"""Batches are read by a thread, one step ahead, in order; what goes wrong there is seen here."""

import threading

import pytest

from echochamber.stages.pretrain import ahead


def test_batches_come_in_order_and_one_is_read_ahead():
    read, third = [], threading.Event()

    def slow(step):
        read.append((step, threading.current_thread() is threading.main_thread()))
        if step == 5:
            third.set()
        return step * 10

    with ahead(slow, range(3, 7)) as batches:
        assert next(batches) == 30
        assert next(batches) == 40
        assert third.wait(10), "the batch after the one in use is not read ahead"
        assert list(batches) == [50, 60]
    assert read == [(step, False) for step in range(3, 7)]


def test_nothing_is_read_where_no_step_is_left():
    with ahead(lambda step: pytest.fail("read"), range(0)) as batches:
        assert list(batches) == []


def test_an_error_of_the_thread_arrives():
    def broken(step):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), ahead(broken, range(2)) as batches:
        next(batches)
