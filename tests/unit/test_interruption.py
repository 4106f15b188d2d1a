"""What a run says at its end where somebody interrupted it, as told from a run in which a job failed."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lstv.run import interruption


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_run_that_nobody_interrupted_says_nothing():
    interruption.watch()
    assert interruption.sentence() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_noticed_and_does_what_it_did(number):
    seen = []
    signal.signal(number, lambda given, frame: seen.append(given))
    interruption.watch()
    os.kill(os.getpid(), number)
    assert seen == [number] and interruption.sentence() == "Interrupted; the same command goes on."
    interruption.watch()
    assert interruption.sentence() is None  # of the next run in this process


def test_what_was_ignored_stays_ignored_and_other_threads_do_not_fail():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interruption.watch()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = []
    thread = threading.Thread(target=lambda: failed.append(interruption.watch()))
    thread.start()
    thread.join()
    assert failed == [None] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
