"""What all tests share."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As in a shell script's background: what a test starts would ignore Ctrl-C as well, and could not be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that run Snakemake first, then those with a browser, then other slow ones: all other workers would wait for
    a long file that begins last."""
    first = ("workflow", "browser", "slow")
    rank: dict[Path, int] = {}
    for item in items:
        own = min((n for n, mark in enumerate(first) if item.get_closest_marker(mark)), default=len(first))
        rank[item.path] = min(own, rank.get(item.path, len(first)))
    items.sort(key=lambda item: rank[item.path])  # stable: the order within a file stays


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on the garbage collector runs, and leaves alone what was imported: torch, scipy and all tests are a million
    objects, each of which it would look at again and again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Give the next test the number of threads that this one began with, whatever its fixtures did, those of its module too;
    and the answer to SIGTERM.

    A program called in the tests' own process sets both for the whole process (``--threads``; the app ends when it is asked
    to), and the last bits of a convolution on one thread are not those on two. Without this a test depends on which tests
    ran before it in the same worker.
    """
    torch = sys.modules.get("torch")
    before, asked_to_end = torch.get_num_threads() if torch else None, signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, asked_to_end)
    if torch:
        torch.set_num_threads(before)
