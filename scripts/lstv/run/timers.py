"""Timers that would keep a process alive after its work is done."""

from __future__ import annotations

import threading


def cancel(module: str) -> None:
    """Cancel the timers of this process whose function is of ``module``."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and getattr(thread.function, "__module__", "") == module:
            thread.cancel()
