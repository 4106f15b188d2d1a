"""Studies of a sheet -> prepared images, decoded in worker processes. No torch here: a worker has no use for it.

A study is bounded in time and memory, and one that hangs or takes its process down costs itself only: each worker has one
study at a time, so it is always known whose fault it was.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import Any, Literal

from lstv.base.errors import UserError
from lstv.base.processes import bounded_memory, die_with, started_without_ctrl_c
from lstv.cohort.study_sheet import Row
from lstv.localizer.options import Options
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.prepare import Prepared, failed, prepare

_AHEAD = 4
"""Studies a worker that may be decoded before they are asked for."""
_STARTUP_S = 120.0
"""Seconds that a worker's imports may take, on a slow network disk."""
_NICE = 5
"""How far a worker stands back where processors are few: the process that imports torch and runs the network sets the pace,
and where it must wait for a study, the workers have the processors to themselves."""


Outcome = Prepared | NotAnalysed


class prepared_studies(Iterator[Outcome]):
    """Prepared studies in the order of the rows; a bounded number is decoded ahead, so that memory stays bounded too.

    ``close`` may be called from another thread than the one that takes the studies: it ends the workers at once, whatever
    they are doing, and the studies with them.
    """

    def __init__(self, rows: list[Row], phantoms_only: bool, options: Options) -> None:
        how = (options.preprocessing, options.offsets, phantoms_only, options.without_uids)
        arguments = (*how, options.centroids, options.reads_lumbar)
        self._crew = _Crew(rows, arguments, options)
        self._turns = iter(range(len(rows)))

    def __next__(self) -> Outcome:
        try:
            return self._crew.take(next(self._turns))
        except BaseException:  # StopIteration too: all are taken
            self.close()
            raise

    def close(self) -> None:
        self._crew.end()

    def __del__(self) -> None:
        self.close()


class _Crew:
    """The workers, and the thread that keeps them at work while the caller is busy with what they gave. They are started
    by that thread, because the system ends them with the thread that did."""

    def __init__(self, rows: list[Row], arguments: tuple[Any, ...], options: Options) -> None:
        self._waiting = deque(enumerate(rows))
        self._arguments = arguments
        self._options = options
        self._turn = 0
        self._done: dict[int, Outcome] = {}
        self._error: BaseException | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._heard, self._bell = get_context("spawn").Pipe(duplex=False)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()  # the caller imports torch next, and no copy must be taken meanwhile

    def take(self, turn: int) -> Outcome:
        """The outcome of a row, when it is there. Raises StopIteration when all is ended meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: turn in self._done or self._error is not None or self._ended)
            if self._error is not None:
                raise self._error
            if turn not in self._done:
                raise StopIteration
            self._turn = turn + 1
        self._bell.send(None)
        return self._done.pop(turn)

    def end(self) -> None:
        """End all processes, whatever they are doing."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._bell.send(None)
        self._thread.join()

    def _run(self) -> None:
        workers: list[_Worker] = []
        try:
            workers += [_Worker(self._options) for _ in range(self._options.workers)]
            self._started.set()
            while not self._ended:
                self._hand_out(workers)
                busy = [worker for worker in workers if not worker.idle]
                patience = min((worker.seconds_left for worker in busy), default=None)
                connection.wait(
                    [self._heard, *(worker.pipe for worker in busy)],
                    timeout=None if patience is None else max(0.0, patience),
                )
                while self._heard.poll():
                    self._heard.recv()
                results = dict(filter(None, (worker.result() for worker in busy)))
                if results:
                    with self._changed:
                        self._done.update(results)
                        self._changed.notify_all()
        except BaseException as error:  # handed to the thread that takes the studies
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            self._started.set()
            for worker in workers:
                worker.end()

    def _hand_out(self, workers: list[_Worker]) -> None:
        for worker in workers:
            if self._waiting and worker.idle and self._waiting[0][0] < self._turn + _AHEAD * len(workers):
                worker.give(*self._waiting.popleft(), self._arguments)


class _Worker:
    """One process that prepares one study after another."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._task: tuple[int, Row] | None = None
        self._start(_first_start())

    def _start(self, method: Literal["fork", "spawn"] = "spawn") -> None:
        context = get_context("fork") if method == "fork" else get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(
            target=_work, args=(other, prepare, os.getpid(), self._options.study_memory_mb), daemon=True
        )
        with started_without_ctrl_c():  # it reaches the parent, which ends its workers
            self._process.start()
        other.close()
        self._fresh = True

    @property
    def idle(self) -> bool:
        return self._task is None

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def give(self, number: int, row: Row, arguments: tuple[Any, ...], *, again: bool = False) -> None:
        """Hand over a study. A process that died meanwhile, between two studies, is replaced: it is nobody's fault."""
        self._task, self._arguments, self._again = (number, row), arguments, again
        try:
            self.pipe.send((row, arguments))
        except OSError:
            self._renew()
            self.pipe.send((row, arguments))
        self._deadline = time.monotonic() + (_STARTUP_S if self._fresh else self._options.study_seconds)

    def result(self) -> tuple[int, Outcome] | None:
        """Number and outcome of the study in hand, or None while it is at work."""
        if self._task is None:
            return None
        number, row = self._task
        try:
            if self.pipe.poll():
                study = self.pipe.recv()
                if study is None:  # it has started; the time of its study begins
                    self._fresh = False
                    self._deadline = time.monotonic() + self._options.study_seconds
                    return None
            elif self.seconds_left > 0:
                return None
            else:
                study = failed(row, self._what_took_so_long())
                self._renew()
        except UserError:
            raise
        except Exception:  # EOFError: the process is gone; others: it went while it was sending
            self._process.join(5)
            code = self._process.exitcode
            arguments = self._arguments
            if self._fresh and code != -signal.SIGKILL:  # no study's fault
                raise UserError(
                    f"a process that decodes images ended while it started (status {code}); look at the log above and run "
                    "the job again."
                ) from None
            self._renew()
            if code == -signal.SIGKILL and not self._again:
                # the system ended it, perhaps for what others took; once more
                self.give(number, row, arguments, again=True)
                return None
            study = failed(row, _why_it_died(code))
        self._task = None
        return number, study

    def _what_took_so_long(self) -> str:
        if self._fresh:  # no study's fault
            raise UserError(f"a process that decodes images did not start within {_STARTUP_S:g} s; run the job again.")
        limit = self._options.study_seconds
        return f"decoding its images took longer than {limit:g} s, all that a study may take, and was ended"

    def _renew(self) -> None:
        self._kill()
        self._start()

    def _kill(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._kill()


def _first_start() -> Literal["fork", "spawn"]:
    """How the first workers are started. A copy of this process has at once what each would take half a second to import;
    but once torch is there, or is being imported, it would inherit the state of a device, and locks that nobody opens."""
    return "fork" if sys.platform == "linux" and "torch" not in sys.modules else "spawn"


def _why_it_died(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return (
            "the process that decoded its images was killed twice, probably because memory ran out; give the job more "
            "memory or fewer decoding processes"
        )
    how = f" ({signal.Signals(-code).name})" if code and -code in set(signal.Signals) else ""
    return f"a DICOM decoder crashed{how} on its images; export this series again"


def _work(pipe: Connection, call: Callable[..., Outcome], parent: int, memory_mb: int) -> None:
    """What a worker does: studies out of the pipe, outcomes into it, until the pipe is closed or the parent is gone."""
    die_with(parent)
    os.nice(_NICE)
    pipe.send(None)  # all is imported
    while True:
        try:
            row, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        with bounded_memory(memory_mb):
            study = call(row, *arguments)
        try:
            pipe.send(study)
        except OSError:
            return
