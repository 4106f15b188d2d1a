"""Whether a run ends because somebody asked for it (Ctrl-C, a time limit) and not because a job failed."""

from __future__ import annotations

import signal
from types import FrameType

SENTENCE = "Interrupted; the same command goes on."

_asked: list[int] = []


def watch() -> None:
    """From now on notice SIGINT and SIGTERM, and leave what they do as it is. In the main thread only, elsewhere nothing
    is noticed."""
    _asked.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)

        def noted(given: int, frame: FrameType | None, handler: object = handler) -> None:
            _asked.append(given)
            if callable(handler):
                handler(given, frame)

        if callable(handler):
            try:
                signal.signal(number, noted)
            except ValueError:  # not the main thread
                return


def sentence() -> str | None:
    """What to say at the end of a run that failed; None where nobody interrupted it."""
    return SENTENCE if _asked else None
