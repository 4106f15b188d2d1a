"""Studies of a sheet -> prepared images, decoded in worker processes. No torch here: a worker has no use for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import Any

from lstv.cohort.study_sheet import Row
from lstv.localizer.options import Options
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.prepare import Prepared, prepare


def prepared_studies(rows: list[Row], phantoms_only: bool, options: Options) -> Iterator[Prepared | NotAnalysed]:
    """Prepared studies in the order of the rows; a bounded number is decoded ahead, so that memory stays bounded too."""
    arguments = (options.preprocessing, options.offsets, phantoms_only, options.without_uids, options.centroids)
    pool = _pool(options.workers)
    try:
        pending: deque[tuple[Row, Future[Prepared | NotAnalysed]]] = deque()
        waiting = iter(rows)
        for row in islice(waiting, 4 * options.workers):
            pending.append((row, _submitted(pool, row, *arguments)))
        while pending:
            row, future = pending.popleft()
            try:
                study = future.result()
            except BrokenProcessPool:
                # a decoder took its process down; find out whether with this study, and go on with the others
                pool.shutdown(cancel_futures=True)
                pool = _pool(options.workers)
                study = _prepare_alone(row, *arguments)
                pending = deque((other, _submitted(pool, other, *arguments)) for other, _ in pending)
            following = next(waiting, None)
            if following is not None:
                pending.append((following, _submitted(pool, following, *arguments)))
            yield study
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: a forked child would inherit the device's state and torch's threads
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _submitted(pool: ProcessPoolExecutor, row: Row, *arguments: Any) -> Future[Prepared | NotAnalysed]:
    """The study handed to a worker. A pool that another study has broken meanwhile refuses it: that comes out of the future,
    in the study's turn, as where it was handed over just before."""
    try:
        return pool.submit(prepare, row, *arguments)
    except BrokenProcessPool as error:
        refused: Future[Prepared | NotAnalysed] = Future()
        refused.set_exception(error)
        return refused


def _prepare_alone(row: Row, *arguments: Any) -> Prepared | NotAnalysed:
    with _pool(1) as pool:
        try:
            return pool.submit(prepare, row, *arguments).result()
        except BrokenProcessPool:
            reason = f"a DICOM decoder crashed on the files of {row.series_dir}; export this series again"
            return NotAnalysed(row.study_id, "failed", reason, row.series_id)
