"""How the localizer is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lstv.base.levels import LEVELS
from lstv.localizer.views import SLICE_OFFSETS, VIEWS

MEMBERS = ("centre", "slices", "full")


@dataclass(frozen=True)
class Options:
    """How to run: ``preprocessing`` trained | reference, ``members`` centre | slices | full, ``forward_batch`` images in
    one forward pass, ``workers`` decoding processes, ``without_uids`` no DICOM UIDs or file names in the results,
    ``centroids`` folder of vertebra centroid files on which patches are centred (none without), ``study_seconds`` and
    ``study_memory_mb`` what decoding one study may take, ``marks`` canal | disc: what the network's points lie on, ``field``
    lumbar | whole: whether a large field is read a second time, cut to the lumbar spine."""

    preprocessing: str = "trained"
    members: str = "centre"
    forward_batch: int = 64
    workers: int = 2
    without_uids: bool = False
    centroids: Path | None = None
    study_seconds: float = 120.0
    study_memory_mb: int = 2048
    marks: str = "canal"
    field: str = "lumbar"

    @property
    def reads_lumbar(self) -> bool:
        """The reference implementation reads every field whole; patches lie on the whole field's grid."""
        return self.field == "lumbar" and self.preprocessing == "trained" and self.centroids is None

    @property
    def offsets(self) -> tuple[int, ...]:
        return () if self.members == "centre" else SLICE_OFFSETS

    @property
    def images_per_study(self) -> int:
        patches = 0 if self.centroids is None else len(LEVELS)
        return 1 + len(self.offsets) + (len(VIEWS) if self.members == "full" else 0) + patches
