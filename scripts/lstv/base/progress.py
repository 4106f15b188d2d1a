"""Progress of a long job: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tqdm import tqdm

LOG_INTERVAL = 10.0
"""Seconds between two lines in a log."""


class Progress:
    """Counts finished things by their status."""

    def __init__(self, total: int, unit: str) -> None:
        self._total, self._unit = total, unit
        self._counts: Counter[str] = Counter()
        self._start = self._said = time.monotonic()
        self._bar = tqdm(total=total, unit=f" {unit}") if sys.stderr.isatty() else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, status: str) -> None:
        """One more is finished."""
        self._counts[status] += 1
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._said >= LOG_INTERVAL:
            self._said = time.monotonic()
            print(self.summary(), flush=True)

    def summary(self) -> str:
        """Such as ``20 of 20 studies in 3.1 s, 6.5/s (ok 18, excluded 1, failed 1)``."""
        seconds = time.monotonic() - self._start
        done = sum(self._counts.values())
        counts = ", ".join(f"{status} {count}" for status, count in self._counts.most_common())
        return f"{done} of {self._total} {self._unit} in {seconds:.1f} s, {done / max(seconds, 1e-9):.1f}/s ({counts})"
