"""Processes that end with the one that started them, and that may take so much memory and no more."""

from __future__ import annotations

import atexit
import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let the system end this process when its parent ends, however that comes and whatever this one is doing then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it went before we asked
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@contextmanager
def started_without_ctrl_c() -> Iterator[None]:
    """Processes started inside do not hear Ctrl-C, from their first instruction on: it reaches the whole terminal, and they
    are ended by the one that started them. Only the calling thread is affected meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(status: int) -> NoReturn:
    """End this process as ``sys.exit`` would, but let the system take its memory back: Python would take every module apart
    first, which takes a second where torch was loaded."""
    threading._shutdown()  # type: ignore[attr-defined]  # as Python does: waits for threads
    atexit._run_exitfuncs()  # ends children that are left, removes temporary folders
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed before the start, as by `>&-`
        with suppress(OSError, ValueError):  # its reader is gone, or it was closed since
            stream.flush()
    os._exit(status)


class bounded_memory:
    """Let what runs inside allocate at most ``memory_mb`` beyond what the process holds: beyond it, allocation fails, and
    the study with it. Counted are the process's own writable pages (Linux; elsewhere there is no limit)."""

    def __init__(self, memory_mb: int) -> None:
        self._bytes = memory_mb << 20

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_DATA)
        held = _data_bytes()
        if held is not None:
            limit = held + self._bytes
            hard = self._before[1]
            if hard == resource.RLIM_INFINITY or limit < hard:
                resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, self._before)


def _data_bytes() -> int | None:
    """Size of the data segment and private writable mappings, as RLIMIT_DATA counts them (since Linux 4.7)."""
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
