"""A pool's processes leave Ctrl-C to the one that started them."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import get_context

import pytest

from lstv.base.pool import Pool


def blocks_ctrl_c(_: int) -> tuple[int, bool]:
    return os.getpid(), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_its_processes_do_not_hear_ctrl_c(method):
    with Pool(2, mp_context=get_context(method)) as pool:
        found = dict(pool.map(blocks_ctrl_c, range(8)))
    assert os.getpid() not in found and all(found.values())
    assert not blocks_ctrl_c(0)[1]


def test_what_has_not_begun_is_dropped_after_an_error():
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Pool(1, mp_context=get_context("fork")) as pool:
        waiting = [pool.submit(sleeps, 0.5) for _ in range(40)]
        raise KeyboardInterrupt
    assert waiting[-1].cancelled() and time.monotonic() - start < 15


def test_all_is_done_where_nothing_fails():
    with Pool(2, mp_context=get_context("fork")) as pool:
        done = [pool.submit(sleeps, 0.01) for _ in range(6)]
    assert [future.result() for future in done] == [0.01] * 6
