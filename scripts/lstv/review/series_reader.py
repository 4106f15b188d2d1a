"""Series read in a process apart: a decoder that crashes on a damaged image costs its case, not the app."""

from __future__ import annotations

import os
import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as TooLate
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from lstv.base.pool import Pool
from lstv.base.processes import die_with
from lstv.cohort.study_sheet import Row
from lstv.report.pages import series_pack

SECONDS = 120.0
"""The longest time that reading one series may take, the start of the process included, the wait for others not."""

_ENDED = "the app was ending; start it again and reload the page"


class SeriesReader:
    """One process that makes the packs of series, started when it is first needed and again after a crash."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._changing = threading.Lock()
        self._turn = threading.Lock()  # of one series at a time, so that time and a crash are those of that series
        self._closed = False
        self._pool: Pool | None = None

    def pack(self, row: Row) -> dict[str, Any]:
        """``series_pack.of_study``; a crash and a series that takes too long are its reason."""
        with self._turn:
            try:
                pool, asked = self._asked(row)
            except RuntimeError:  # shut down, or broken again at once
                return series_pack.unreadable(_ENDED)
            try:
                return asked.result(self._seconds)
            except BrokenProcessPool:
                reason = "a DICOM decoder crashed on its images; export this series again"
            except CancelledError:
                reason = _ENDED
            except TooLate:
                reason = f"reading its images took longer than {self._seconds:g} s, and was ended"
            self._end(pool)
            return series_pack.unreadable(_ENDED if self._closed else reason)

    def close(self) -> None:
        """End the process, whatever it is doing. No other is started."""
        with self._changing:
            self._closed = True
            pool = self._pool
        if pool is not None:
            self._end(pool)

    def _asked(self, row: Row) -> tuple[Pool, Future[dict[str, Any]]]:
        """The series, asked for of a process that runs: one that ended while it had nothing to do was broken by no series.
        Raises RuntimeError where none runs."""
        pool = self._running()
        try:
            return pool, pool.submit(series_pack.of_study, row)
        except BrokenProcessPool:
            self._end(pool)
        pool = self._running()
        return pool, pool.submit(series_pack.of_study, row)

    def _running(self) -> Pool:
        with self._changing:
            if self._closed:
                raise RuntimeError("the reader of series is closed")
            if self._pool is None:
                self._pool = Pool(1, mp_context=get_context("spawn"), initializer=die_with, initargs=(os.getpid(),))
            return self._pool

    def _end(self, pool: Pool) -> None:
        with self._changing:
            if self._pool is pool:
                self._pool = None
        for process in list((pool._processes or {}).values()):  # it has no way of its own to end one that hangs
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)
