"""What the metrics of one study share: each part made once, on first use, and each undefined part with its flag.

A metric reads from a ``StudyContext`` what it needs. Where that does not exist the access raises ``Undefined`` with the
flag that says why, so that a metric is its formula and nothing else. Parts that only one family needs stay in the
family's file, as functions of the context that are asked for through ``once``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy  # its parts are loaded where they are used

from lstv.base.arrays import FloatArray, IndexArray
from lstv.base.levels import LEVELS
from lstv.localizer.heatmap_file import Analysed
from lstv.uncertainty import blobs, fields
from lstv.uncertainty.flags import Undefined

if TYPE_CHECKING:  # the feature bank is made with this package's distances
    from lstv.uncertainty.feature_bank import FeatureBank

T = TypeVar("T")

UPPER = range(len(LEVELS) - 1)
"""L1/L2 .. L4/L5: the levels that L5/S1 is compared with."""


@dataclass(frozen=True, eq=False)
class StudyContext:
    """One analysed study, with the feature bank where there is one.

    Levels are indices into ``LEVELS``, 0 = L1/L2 .. 4 = L5/S1; H = W = 160 is the grid. All arithmetic is float64.
    """

    maps: Analysed
    feature_bank: FeatureBank | None = None
    _made: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, repr=False)

    # --- the picture ----------------------------------------------------------------------------------------------

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """(row, column) spacing of the grid in mm."""
        return self.maps.geometry.grid_spacing(self.maps.logits.shape[-1])

    @cached_property
    def superior(self) -> tuple[float, float]:
        """How far one goes up in the patient per column and per row of the grid, in mm."""
        geometry = self.maps.geometry
        return geometry.row_direction[2] * self.spacing[1], geometry.column_direction[2] * self.spacing[0]

    @cached_property
    def whole(self) -> StudyContext:
        """The reading of the whole field: this one, unless a large field was cut to the lumbar spine."""
        if self.maps.whole is None:
            return self
        return StudyContext(replace(self.maps, logits=self.maps.whole, members=None, strip=None, whole=None))

    # --- the maps -------------------------------------------------------------------------------------------------

    @cached_property
    def log_probability(self) -> FloatArray:
        """ln p of background and levels, (6, H, W)."""
        return scipy.special.log_softmax(self.maps.logits.astype(np.float64), axis=0)

    @cached_property
    def probability(self) -> FloatArray:
        """p_k of the levels, (5, H, W)."""
        return np.exp(self.log_probability[1:])

    @cached_property
    def support(self) -> FloatArray:
        """S = sum_k p_k, the probability of any disc level, (H, W)."""
        support: FloatArray = self.probability.sum(axis=0)
        return support

    # --- the levels -----------------------------------------------------------------------------------------------

    @cached_property
    def centres(self) -> list[FloatArray | None]:
        """mu_k as (column, row) of the grid, None where the level is not found (``fields.centre``)."""
        return [fields.centre(probability) for probability in self.probability]

    @cached_property
    def points_mm(self) -> FloatArray:
        """mu_k in DICOM patient coordinates (x left, y posterior, z superior) in mm, (5, 3); NaN where not found."""
        size = self.maps.logits.shape[-1]
        missing = np.full(3, np.nan)
        return np.array(
            [missing if c is None else self.maps.geometry.grid_to_patient(c[0], c[1], size) for c in self.centres]
        )

    def need(self, *levels: int) -> None:
        """Raises Undefined with the flag of every one of these levels that is not found."""
        missing = [f"{LEVELS[level]}_not_found" for level in levels if self.centres[level] is None]
        if missing:
            raise Undefined(*missing)

    def found_map(self, level: int) -> FloatArray:
        """p_k (H, W) of a level. Raises Undefined where it is not found."""
        self.need(level)
        probability: FloatArray = self.probability[level]
        return probability

    def centre(self, level: int) -> FloatArray:
        """mu_k as (column, row) of the grid. Raises Undefined where the level is not found."""
        centre = self.centres[level]
        if centre is None:
            raise Undefined(f"{LEVELS[level]}_not_found")
        return centre

    def points(self, *levels: int) -> FloatArray:
        """mu_k of these levels in mm, (n, 3). Raises Undefined where one of them is not found."""
        self.need(*levels)
        points: FloatArray = self.points_mm[list(levels)]
        return points

    # --- the disc blobs -------------------------------------------------------------------------------------------

    @cached_property
    def blobs(self) -> list[IndexArray]:
        """D_1 .. D_J from cranial to caudal, each as the flat indices of its pixels; may be empty."""
        return blobs.disc_blobs(self.support, self.superior)

    @cached_property
    def shares(self) -> FloatArray:
        """q_jk, the share of level k in blob j, (J, 5). Raises Undefined where there is no blob."""
        some = self._some_blobs
        return blobs.class_shares(self.probability, some)

    @cached_property
    def log_mass(self) -> FloatArray:
        """ln sum_{D_j} p_k, (J, 5), finite even where p_k underflows. Raises Undefined where there is no blob."""
        some = self._some_blobs
        return blobs.log_masses(self.log_probability[1:], some)

    @cached_property
    def owned(self) -> list[int | None]:
        """The index of each level's blob, None where it leads none (``blobs.blob_of_level``)."""
        if not self.blobs:
            return [None] * len(LEVELS)
        return blobs.blob_of_level(self.probability, self.blobs, self.shares)

    @property
    def _some_blobs(self) -> list[IndexArray]:
        if not self.blobs:
            raise Undefined("no_disc_blob")
        return self.blobs

    def blob_of(self, level: int) -> int:
        """The index of the level's blob. Raises Undefined where the level leads none."""
        index = self.owned[level]
        if index is None:
            raise Undefined(f"{LEVELS[level]}_no_blob")
        return index

    def lowest_blob(self) -> int:
        """The index of the lowest blob, J. Raises Undefined where there is none."""
        return len(self._some_blobs) - 1

    # --- what is made of these ------------------------------------------------------------------------------------

    def once(self, function: Callable[..., T], *args: object) -> T:
        """``function(self, *args)``, computed on the first call only: metrics and the parts of a family alike.

        Raises Undefined, on every call, where the function does.
        """
        key = (function, *args)
        if key not in self._made:
            try:
                self._made[key] = function(self, *args)
            except Undefined as undefined:
                self._made[key] = undefined
        made: T | Undefined = self._made[key]
        if isinstance(made, Undefined):
            raise Undefined(*made.flags)
        return made

    def defined(self, function: Callable[..., T], levels: Iterable[int]) -> tuple[list[T], list[str]]:
        """A level's function at those of the ``levels`` where it is defined, and the flags of the others."""
        values: list[T] = []
        flags: list[str] = []
        for level in levels:
            try:
                values.append(self.once(function, level))
            except Undefined as undefined:
                flags += undefined.flags
        return values, flags

    def upper_median(self, function: Callable[..., float]) -> float:
        """Median of a level's function over L1/L2 .. L4/L5. Raises Undefined where it is defined at fewer than two."""
        values, flags = self.defined(function, UPPER)
        if len(values) < 2:
            raise Undefined(*flags)
        return float(np.median(values))
