"""Progress with bytes and rate: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn, TextIO

from lstv_kaggle.disk import readable

if TYPE_CHECKING:  # imported where a terminal shows it
    from tqdm import tqdm


class Progress:
    """Counts transferred bytes; may be used by several threads. A context manager.

    Args:
        total: bytes expected.
        label: what is fetched.
        stream: where to show it; a bar if it is a terminal.
        interval: seconds between the lines of a log.
    """

    def __init__(self, total: int, label: str, stream: TextIO | None = None, interval: float = 10.0) -> None:
        self._total, self._label, self._interval = total, label, interval
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.Lock()
        self._done = 0
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Progress:
        self._start = self._shown = time.monotonic()
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._total, desc=self._label, unit="B", unit_scale=True, file=self._stream, dynamic_ncols=True
            )
        else:
            self._line(f"{self._label}: {readable(self._total)} to go")
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
            else:
                self._show()

    def add(self, count: int) -> None:
        """Count bytes."""
        with self._lock:
            self._done += count
            if self._bar is not None:
                self._bar.update(count)
            elif time.monotonic() - self._shown >= self._interval:
                self._show()

    def note(self, text: str) -> None:
        """Show a sentence without disturbing the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.write(text, file=self._stream)
            else:
                self._line(text)

    def _show(self) -> None:
        self._shown = time.monotonic()
        rate = self._done / max(self._shown - self._start, 1e-3)
        self._line(f"{self._label}: {readable(self._done)} of {readable(self._total)}, {readable(int(rate))}/s")

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
