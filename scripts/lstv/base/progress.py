"""Progress of a long job: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, NoReturn, TextIO

from lstv.base.text import duration, readable_bytes

if TYPE_CHECKING:  # imported where a terminal shows it
    from tqdm import tqdm

LOG_INTERVAL = 10.0
"""Seconds between two lines in a log."""

_REDRAW = 0.2
"""Seconds between two drawings of a bar whose total alone has grown."""


class Progress:
    """Counts what is finished; may be used by several threads. A context manager.

    Args:
        total: how much there is; 0 where it is not yet known, and ``reach`` tells it.
        unit: what is counted, in the plural; ``bytes`` are shown in kB, MB and GB.
        label: what is going on, in front of the bar and of each line.
        stream: where it is shown; None shows a bar on standard error and lines on standard output.
        interval: seconds between the lines of a log.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        label: str = "",
        stream: TextIO | None = None,
        interval: float = LOG_INTERVAL,
    ) -> None:
        self._total, self._unit, self._label, self._interval = total, unit, label, interval
        self._terminal = stream or sys.stderr
        self._log = stream or sys.stdout
        self._counts: Counter[str] = Counter()
        self._done = self._said_of = 0
        self._lock = threading.Lock()
        self._start = self._said = time.monotonic()
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Progress:
        if self._terminal.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._total or None,
                desc=self._label or None,
                unit="B" if self._unit == "bytes" else f" {self._unit}",
                unit_scale=self._unit == "bytes",
                file=self._terminal,
                dynamic_ncols=True,
            )
        elif self._unit == "bytes":
            self._line(f"{readable_bytes(self._total)} to go")
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
            elif self._unit == "bytes" and self._said_of != self._done:
                self._line(self._state())

    def step(self, status: str) -> None:
        """One more is finished, with this status."""
        with self._lock:
            self._counts[status] += 1
            self._moved(1)

    def add(self, count: int) -> None:
        """So many more are finished."""
        with self._lock:
            self._moved(count)

    def reach(self, done: int, total: int) -> None:
        """So many are finished of so many known so far."""
        with self._lock:
            grown, self._total = total != self._total, total
            if self._bar is not None:
                self._bar.total = total
                if grown and done == self._done and time.monotonic() - self._said >= _REDRAW:
                    self._said = time.monotonic()
                    self._bar.refresh()
            self._moved(done - self._done)

    def note(self, text: str) -> None:
        """Show a sentence without disturbing the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.write(text, file=self._terminal)
            else:
                print(text, file=self._log, flush=True)

    def summary(self) -> str:
        """Such as ``20 of 20 studies in 3.1 s, 6.5/s (ok 18, excluded 1, failed 1)``."""
        seconds = time.monotonic() - self._start
        counts = ", ".join(f"{status} {count}" for status, count in self._counts.most_common())
        said = f"{self._done} of {self._total} {self._unit} in {seconds:.1f} s, {self._done / max(seconds, 1e-9):.1f}/s"
        return f"{said} ({counts})" if counts else said

    def _moved(self, count: int) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= self._interval:
            self._line(self._state())

    def _line(self, text: str) -> None:
        self._said, self._said_of = time.monotonic(), self._done
        print(f"{self._label}: {text}" if self._label else text, file=self._log, flush=True)

    def _state(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-3)
        rate = self._done / seconds
        left = f", about {duration((self._total - self._done) / rate)} left" if 0 < self._done < self._total else ""
        if self._unit == "bytes":
            amount = f"{readable_bytes(self._done)} of {readable_bytes(self._total)}"
            return f"{amount}, {readable_bytes(int(rate))}/s{left}"
        return f"{self.summary()}{left}"
