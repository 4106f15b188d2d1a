"""How often, how long and how politely a request is tried again."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lstv.base.errors import UserError

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed later."""


@dataclass(frozen=True)
class Policy:
    """``retries`` without progress before giving up; the first pause ``wait`` in seconds doubles up to ``longest_wait``,
    which is also the longest Retry-After that is obeyed by waiting; ``connect`` and ``read`` are time limits in seconds."""

    retries: int = 6
    wait: float = 2.0
    longest_wait: float = 900.0
    connect: float = 20.0
    read: float = 60.0

    @property
    def timeout(self) -> tuple[float, float]:
        return (self.connect, self.read)

    def backoff(self, attempt: int) -> float:
        """Seconds before attempt 1, 2, ...: doubling, at most a minute, with a random quarter so that threads spread."""
        return min(self.wait * 2 ** (attempt - 1), 60.0, self.longest_wait) * random.uniform(1.0, 1.25)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: a number or a date), or None."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


@dataclass
class Pacer:
    """One pause for all threads: when the server asks one of them to wait, none goes on asking."""

    policy: Policy
    note: Callable[[str], None]
    _until: float = 0.0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pause(self, attempt: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        """Plan a pause before the next request. Raises UserError where the server asks for more than is sensible."""
        asked = retry_after(headers or {})
        seconds = self.policy.backoff(attempt) if asked is None else asked
        if seconds > self.policy.longest_wait:
            raise UserError(
                f"Kaggle limits the rate and asks to wait {seconds:.0f} s ({reason}); what was fetched is kept: run again "
                "after that time."
            )
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)
        if seconds >= 1:
            self.note(f"{reason}: waiting {seconds:.0f} s before the next try")

    def wait(self) -> None:
        """Sleep until the planned pause is over. Raises Stopped when ``stop`` was called."""
        while True:
            if self._stopped.is_set():
                raise Stopped
            with self._lock:
                left = self._until - time.monotonic()
            if left <= 0:
                return
            self._stopped.wait(left)

    def stop(self) -> None:
        """Let every thread end at its next chunk or request."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()


class Stopped(Exception):
    """Another thread failed for good."""
