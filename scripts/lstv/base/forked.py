"""Work shared among copies of this process: what it has imported and read is theirs at once, and nothing starts anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar, cast

from lstv.base.errors import UserError
from lstv.base.pool import Pool
from lstv.base.processes import die_with

T = TypeVar("T")

_CHUNK = 4
"""Pieces of work handed over at once, at most."""

_work: Callable[[int], Any] | None = None


def mapped(work: Callable[[int], T], count: int, jobs: int) -> Iterator[T]:
    """``work(0)`` to ``work(count - 1)`` in that order, by ``jobs`` copies of this process; with 1, and the first always, in
    this one: what the first has to import, the copies have.

    Only for a process without threads of its own: a copy has none of them, and waits without end for what one had locked.
    What ``work`` changes stays in its copy; what it returns or raises must be fit for pickle. Raises UserError where a copy
    ends before its work.
    """
    jobs = min(jobs, count - 1) if sys.platform == "linux" else 1  # system libraries of others do not bear it
    if jobs < 2:
        yield from map(work, range(count))
        return
    import cv2

    # threads that OpenCV started for the first piece would not be there in the copies, which then wait for them
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield work(0)
        yield from _by_copies(work, count, jobs)
    finally:
        cv2.setNumThreads(threads)


def _by_copies(work: Callable[[int], T], count: int, jobs: int) -> Iterator[T]:
    """All but the first."""
    with Pool(jobs, mp_context=get_context("fork"), initializer=_begin, initargs=(work, os.getpid())) as pool:
        done = pool.map(_call, range(1, count), chunksize=max(1, min(_CHUNK, count // (2 * jobs))))
        try:
            yield from done
        except BrokenProcessPool as error:
            raise UserError(
                "a process of this job was ended, most often because the job used more memory than it has; give it more "
                "memory, or fewer processes."
            ) from error


def _begin(work: Callable[[int], Any], parent: int) -> None:
    global _work
    die_with(parent)
    _work = work


def _call(index: int) -> Any:
    return cast(Callable[[int], Any], _work)(index)
