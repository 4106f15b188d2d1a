"""Progress of a scan, whose total grows when zip files turn up: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from lstv.base.progress import LOG_INTERVAL

_REDRAW = 0.2
"""Seconds between two drawings of the bar when nothing is done yet."""


class ScanProgress:
    """Called with (files done, files known so far)."""

    def __init__(self) -> None:
        self._start = self._said = time.monotonic()
        self._bar = tqdm(unit=" files", desc="headers") if sys.stderr.isatty() else None
        self._done = 0

    def __enter__(self) -> ScanProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        self._done = done
        if self._bar is not None:
            self._bar.total = total
            if not self._bar.update(done - self._bar.n) and time.monotonic() - self._said >= _REDRAW:
                self._said = time.monotonic()
                self._bar.refresh()  # the total alone has grown: the folders are being listed
        elif time.monotonic() - self._said >= LOG_INTERVAL:
            self._said = time.monotonic()
            print(f"headers: {done} of {total} files", flush=True)

    def summary(self) -> str:
        """Such as ``100000 files in 12.1 s, 8264/s``."""
        seconds = time.monotonic() - self._start
        return f"{self._done} files in {seconds:.1f} s, {self._done / max(seconds, 1e-9):.0f}/s"
