"""Inference batches: which studies share a job."""

from __future__ import annotations

import hashlib


def batch_count(studies: int, batch_studies: int) -> int:
    """Number of inference batches: the smallest power of two that keeps them near ``batch_studies``; 0 means that each
    study is its own batch."""
    if batch_studies == 1:
        return 0
    count = 1
    while count * batch_studies < studies:
        count *= 2
    return count


def batch_of(study_id: str, count: int) -> str:
    """Name of a study's batch: by the hash of its id, so that another study's coming or going does not move it."""
    if count == 0:
        return study_id
    return f"batch-{int(hashlib.sha256(study_id.encode()).hexdigest(), 16) % count:04d}-of-{count:04d}"
