"""What becomes of a study that gives no maps: the other half of every stage's result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lstv.base.shareable import shareable


@dataclass(frozen=True)
class NotAnalysed:
    """A study that failed or is excluded, and why (without paths, as results are shared); it goes through all stages beside
    those that were analysed."""

    study_id: str
    status: Literal["failed", "excluded"]
    reason: str = ""
    series_id: str = ""
    flags: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", shareable(self.reason))
