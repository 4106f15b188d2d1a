"""How property tests run: the same examples every time, nothing kept on the disk."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

quick = settings(
    max_examples=60,
    deadline=None,  # the machine may be busy
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
