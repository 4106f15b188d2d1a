"""Series read in a process apart: a decoder that crashes on a damaged image costs its case, not the app."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from lstv.base.processes import die_with, started_without_ctrl_c
from lstv.cohort.study_sheet import Row
from lstv.report.pages import series_pack

SECONDS = 120.0
"""The longest time that reading one series may take, the start of the process included."""


class SeriesReader:
    """One process that makes the packs of series, started when it is first needed and again after a crash."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._changing = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def pack(self, row: Row) -> dict[str, Any]:
        """``series_pack.of_study``; a crash and a series that takes too long are its reason."""
        pool = self._running()
        try:
            with started_without_ctrl_c():
                asked = pool.submit(series_pack.of_study, row)
            return asked.result(self._seconds)
        except BrokenProcessPool:
            reason = "a DICOM decoder crashed on its images; export this series again"
        except TooLate:
            reason = f"reading its images took longer than {self._seconds:g} s, and was ended"
        self._end(pool)
        return series_pack.unreadable(reason)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._pool is not None:
            self._end(self._pool)

    def _running(self) -> ProcessPoolExecutor:
        with self._changing:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=get_context("spawn"), initializer=die_with, initargs=(os.getpid(),)
                )
            return self._pool

    def _end(self, pool: ProcessPoolExecutor) -> None:
        with self._changing:
            if self._pool is pool:
                self._pool = None
        for process in list((pool._processes or {}).values()):  # it has no way of its own to end one that hangs
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)
