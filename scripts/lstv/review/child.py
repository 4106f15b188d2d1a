"""One analysis in a process of its own: what it takes in time and memory is bounded, and it can be ended at any moment."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from lstv.base.errors import StudyError, UserError
from lstv.base.processes import bounded_memory, die_with, started_without_ctrl_c
from lstv.base.shareable import shareable
from lstv.review.analysis import Result, Settings, analyse
from lstv.review.limits import Limits

_STARTUP_S = 120.0
"""Seconds that the imports of the process may take, on a slow network disk."""

UNEXPECTED = (
    "the analysis ended with an error that this program did not expect; nothing was kept of the study, and the terminal in "
    "which the app runs says more."
)


class Refused(Exception):
    """No result, and why, in one sentence."""


def run(
    given: Path,
    out: Path,
    settings: Settings,
    limits: Limits,
    say: Callable[[str], None] = lambda stage: None,
    ended: Callable[[], bool] = lambda: False,
) -> Result:
    """``analyse`` in a process of its own, bounded by ``limits.seconds`` and ``limits.memory_mb``.

    ``ended`` is asked all the time whether the process is to be ended. Must be called from a thread that outlives the
    process, because the system ends it with the thread. Raises Refused.
    """
    heard, told = get_context("spawn").Pipe(duplex=False)
    arguments = (told, os.getpid(), given, out, settings, limits)
    # no daemon: those may not have the processes that decode
    process = get_context("spawn").Process(target=_work, args=arguments, daemon=False)
    with started_without_ctrl_c():
        process.start()
    told.close()
    deadline = time.monotonic() + _STARTUP_S
    try:
        while not ended():
            if time.monotonic() > deadline:
                raise Refused(
                    f"the analysis took longer than {limits.seconds:g} s, all that one may take, and was ended."
                )
            if not heard.poll(0.1):
                continue
            kind, what = heard.recv()
            if kind == "begun":
                deadline = time.monotonic() + limits.seconds
            elif kind == "stage":
                say(what)
            elif kind == "result":
                return what
            else:
                raise Refused(what)
        raise Refused("the analysis was stopped.")
    except EOFError:
        process.join(5)
        raise Refused(_why_it_died(process.exitcode)) from None
    finally:
        process.kill()
        process.join()
        heard.close()


def _why_it_died(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "the analysis was killed by the system, probably because memory ran out; close other programs and try again."
    return UNEXPECTED


def _work(pipe: Connection, parent: int, given: Path, out: Path, settings: Settings, limits: Limits) -> None:
    die_with(parent)
    out.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(out)  # whatever a library puts aside goes with the rest
    pipe.send(("begun", ""))
    try:
        with bounded_memory(limits.memory_mb):
            result = analyse(given, out, settings, limits, lambda stage: pipe.send(("stage", stage)))
        pipe.send(("result", result))
    except (StudyError, UserError) as error:
        pipe.send(("refused", shareable(str(error), str(given), str(out))))
    except Exception as error:
        if isinstance(error, MemoryError) or re.search(r"not enough memory|allocate memory|out of memory", str(error)):
            pipe.send(("refused", f"the analysis needs more memory than {limits.memory_mb} MB, all that one may take."))
            return
        traceback.print_exc(file=sys.stderr)
        pipe.send(("refused", UNEXPECTED))
