"""Prepared studies -> heatmaps written: groups of studies through the network, one after another, and writers beside it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from lstv.localizer.devices import estimate
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.localizer.inference import Launched, Runner
from lstv.localizer.options import Options
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.prepare import Prepared
from lstv.localizer.stages import Stages


def infer(
    studies: Iterable[Prepared | NotAnalysed],
    runner: Runner,
    options: Options,
    write: Callable[[StudyMaps], None],
    say: Callable[[str], None] = lambda line: None,
) -> Stages:
    """Run the localizer on prepared studies and hand each one's maps, or its status and reason, to ``write``.

    ``write`` is called once for each study, in threads beside this one, several at a time and in no fixed order. ``say``
    gets a line on what the network costs, after the first studies, where that matters. Returns where the time went.
    """
    stages = Stages()
    at_once = runner.studies_at_once(options.images_per_study)
    with_views = options.members == "full"
    waiting = iter(studies)
    launched: Launched | None = None
    groups = 0

    def finish(out: _Writer) -> None:
        nonlocal groups
        if launched is None:
            return
        with stages.time("waiting for the device and taking its results"):
            found = runner.finish(launched, options.marks)
        with stages.time("waiting for the writers"):
            out.put(*(partial(_or_failed, study, make) for study, make in zip(launched.group, found)))
        groups += 1
        if groups == 2 and runner.image_seconds is not None:  # the first group also set up the kernels
            say(estimate(runner.image_seconds, options))

    with _Writer(write, threads=min(4, max(1, options.workers // 2))) as out:
        while True:
            with stages.time("waiting for decoded studies"):
                group, ended = _next_group(waiting, at_once, out)
            if group:
                with stages.time("network"):
                    following = runner.launch(group, with_views)
                finish(out)  # of the group before, while a GPU has this one to do
                launched = following
                if not runner.runs_beside:
                    finish(out)
                    launched = None
            if ended:
                break
        finish(out)
        if groups == 1 and runner.image_seconds is not None:
            say(estimate(runner.image_seconds, options))
        with stages.time("waiting for the writers"):
            out.wait()
    return stages


def _next_group(studies: Iterator[Prepared | NotAnalysed], count: int, out: _Writer) -> tuple[list[Prepared], bool]:
    """Up to ``count`` prepared studies, and whether there are no more; the others go to the writers."""
    group: list[Prepared] = []
    for study in studies:
        if isinstance(study, NotAnalysed):
            out.put(partial(_as_it_is, study))
            continue
        group.append(study)
        if len(group) == count:
            return group, False
    return group, True


def _or_failed(study: Prepared, make: Callable[[], Analysed]) -> StudyMaps:
    """The study's maps; a defect met by one study must not take the others with it, and its type tells us where."""
    try:
        return make()
    except Exception as error:
        reason = f"unexpected {type(error).__name__} while its results were put together"
        return NotAnalysed(study.study_id, "failed", reason, study.series_id, study.flags, study.provenance)


def _as_it_is(study: NotAnalysed) -> NotAnalysed:
    return study


class _Writer:
    """Makes what is to be written and calls ``write`` with it in threads, so that the device does not wait; a bounded queue
    bounds the memory."""

    def __init__(self, write: Callable[[StudyMaps], None], threads: int) -> None:
        self._write = write
        self._queue: queue.Queue[Callable[[], StudyMaps] | None] = queue.Queue(maxsize=64)
        self._error: Exception | None = None
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> _Writer:
        for thread in self._threads:
            thread.start()
        return self

    def put(self, *studies: Callable[[], StudyMaps]) -> None:
        for maps in studies:
            if self._error:
                raise self._error
            self._queue.put(maps)

    def wait(self) -> None:
        """Until all is written. Raises what ``write`` raised."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._error:
            raise self._error

    def _run(self) -> None:
        while (maps := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(maps())
                except Exception as error:  # handed to the thread that fills the queue
                    self._error = error

    def __exit__(self, *_: object) -> None:
        if self._threads:  # it was not waited for, because something else failed; what is there is written all the same
            with suppress(Exception):
                self.wait()
