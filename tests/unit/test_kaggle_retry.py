"""Waiting: as long as the server asks, never longer than is sensible, and together."""

from __future__ import annotations

import email.utils
import threading
import time

import pytest

from lstv.base.errors import UserError
from lstv_kaggle.retry import Pacer, Policy, Stopped, retry_after


def test_retry_after_as_seconds_as_date_and_unreadable():
    assert retry_after({"Retry-After": "17"}) == 17
    assert retry_after({"Retry-After": email.utils.formatdate(time.time() + 40, usegmt=True)}) == pytest.approx(
        40, abs=2
    )
    assert retry_after({"Retry-After": email.utils.formatdate(time.time() - 40, usegmt=True)}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


def test_backoff_doubles_up_to_a_minute():
    policy = Policy(wait=2)
    for attempt, least in ((1, 2), (2, 4), (3, 8), (10, 60)):
        assert least <= policy.backoff(attempt) <= least * 1.25


def test_all_threads_share_a_pause():
    pacer = Pacer(Policy(wait=0.2), note=lambda text: None)
    start, ends = time.monotonic(), []
    pacer.pause(1, "busy")

    def wait() -> None:
        pacer.wait()
        ends.append(time.monotonic() - start)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(ends) >= 0.2


def test_a_pause_beyond_what_is_sensible_ends_with_a_sentence():
    pacer = Pacer(Policy(longest_wait=900), note=lambda text: None)
    with pytest.raises(UserError, match="asks to wait 3600 s .* run again after"):
        pacer.pause(1, "status 429", {"Retry-After": "3600"})


def test_stop_ends_a_wait():
    pacer = Pacer(Policy(wait=30), note=lambda text: None)
    pacer.pause(1, "busy")
    threading.Timer(0.05, pacer.stop).start()
    with pytest.raises(Stopped):
        pacer.wait()
