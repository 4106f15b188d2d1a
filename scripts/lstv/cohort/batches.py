"""Inference batches: which studies share a job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable


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


def batches_of(studies: Iterable[str], count: int) -> list[str]:
    """Names of the batches that these studies make, in order."""
    return sorted({batch_of(study_id, count) for study_id in studies})


_NAME = re.compile(r"batch-\d{4,}-of-(\d{4,})")


def outgrown(name: str, studies: Collection[str], names: Iterable[str]) -> set[str]:
    """Of ``names`` those of batches from before their cohort was divided as it is now, which the batch ``name`` with its
    ``studies`` shows; none where that is not a name that ``batch_of`` gives."""
    own = _NAME.fullmatch(name)
    if own is None and set(studies) != {name}:
        return set()
    found = set()
    for other in names:
        batch = _NAME.fullmatch(other)
        if (batch is None and own is not None and other in studies) or (batch and (own is None or batch[1] != own[1])):
            found.add(other)  # a study that was a batch of its own; a batch of another number of them
    return found
