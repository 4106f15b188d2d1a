"""The cuts of a mask's structures that measures are taken of, each made once."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lstv.anatomy.mask_section import Plane, Section
from lstv.anatomy.mask_shape import Shape, shape
from lstv.base.arrays import FloatArray
from lstv.second_reader.masks import Mask
from lstv.second_reader.numbering import LUMBAR, SACRUM, VERTEBRAE

_SURFACE_MM = 28.0
"""Depth of a sacrum in one piece that belongs to S1, about; its upper surface is all that is measured on it."""


class NotMeasured(Exception):
    """The mask does not show what a measure needs."""


class Cuts:
    """The cuts of one mask's structures, each made once. ``eroded``: with one voxel taken off around every structure."""

    def __init__(self, mask: Mask, eroded: bool = False) -> None:
        self._mask, self._eroded = mask, eroded
        self._plane = Plane.of(mask.to_patient, mask.sagittal_axis)
        numbers = [int(number) for number in np.unique(mask.labels) if number]
        self._bodies = {mask.numbering.vertebrae[n]: n for n in numbers if n in mask.numbering.vertebrae}
        self._discs = {name: number for number, name in mask.numbering.disc_names(numbers).items()}
        self._sections: dict[int, Section | None] = {}
        self._shapes: dict[tuple[str, str], Shape] = {}

    @property
    def sacrum_in_segments(self) -> bool:
        """Whether S1 has a number of its own, and not that of the whole sacrum."""
        return "S2" in self._bodies

    def body(self, name: str) -> Shape:
        """A vertebral body. Raises NotMeasured where it is not there, or is the whole sacrum."""
        if name == SACRUM and not self.sacrum_in_segments:
            raise NotMeasured
        return self._shape("body", name)

    def disc(self, name: str) -> Shape:
        """The disc below a vertebra. Raises NotMeasured where it is not there."""
        return self._shape("disc", name)

    def has_disc(self, name: str) -> bool:
        """Whether the mask labels the disc below a vertebra."""
        return name in self._discs

    @property
    def labels_discs(self) -> bool:
        """Whether the mask labels discs at all."""
        return bool(self._discs)

    def caudal_bodies(self) -> tuple[Shape, Shape, Shape]:
        """The two lowest lumbar vertebrae and S1, from above. Raises NotMeasured where one is missing, or the sacrum is in
        one piece."""
        lumbar = [name for name in LUMBAR if name in self._bodies]
        if len(lumbar) < 2:
            raise NotMeasured
        return self.body(lumbar[-2]), self.body(lumbar[-1]), self.body(SACRUM)

    def sacral_surface(self) -> Shape:
        """S1, or what of a sacrum in one piece lies next to the disc above it: only its upper surface means something."""
        if self.sacrum_in_segments:
            return self.body(SACRUM)
        key = ("surface", SACRUM)
        if key not in self._shapes:
            section, up = self._section(self._bodies, SACRUM, body=True), self._up_at_sacrum()
            along = (section.points - self._disc_middle()) @ up
            near = section.points[along > -_SURFACE_MM]
            if len(near) < len(section.points) / 10:
                raise NotMeasured
            self._shapes[key] = shape(Section(near, section.area), up)
        return self._shapes[key]

    def _shape(self, kind: str, name: str) -> Shape:
        if (kind, name) not in self._shapes:
            section = self._section(self._bodies if kind == "body" else self._discs, name, body=kind == "body")
            self._shapes[kind, name] = shape(section, self._up(kind, name))
        return self._shapes[kind, name]

    def _section(self, numbers: dict[str, int], name: str, body: bool) -> Section:
        number = numbers.get(name)
        if number is None:
            raise NotMeasured
        if number not in self._sections:
            inside = self._mask.labels == number
            if self._eroded:
                inside = _eroded(inside, self._plane.axis)
            self._sections[number] = self._plane.section(inside, body)
        found = self._sections[number]
        if found is None:
            raise NotMeasured
        return found

    def _up(self, kind: str, name: str) -> FloatArray:
        """About the direction from lower to upper surface: that of the column there."""
        if kind == "body" and name == SACRUM:
            return self._disc_middle() - self._middle("body", SACRUM)
        if kind == "disc" and name in self._bodies:
            lower = self._neighbour(name, 1)
            deep = lower is None or (lower == SACRUM and not self.sacrum_in_segments)
            below = self._middle("disc", name) if deep else self._middle("body", str(lower))
            return self._middle("body", name) - below
        known = "body" if kind == "body" else "disc"  # a mask of discs only
        order = [upper for upper in VERTEBRAE if upper in (self._bodies if known == "body" else self._discs)]
        place = order.index(name)
        upper, lower = order[max(place - 1, 0)], order[min(place + 1, len(order) - 1)]
        if known == "body" and lower == SACRUM and not self.sacrum_in_segments:
            lower = name
        if upper == lower:
            raise NotMeasured
        return self._middle(known, upper) - self._middle(known, lower)

    def _neighbour(self, name: str, step: int) -> str | None:
        order = [upper for upper in VERTEBRAE if upper in self._bodies]
        place = order.index(name) + step
        return order[place] if 0 <= place < len(order) else None

    def _middle(self, kind: str, name: str) -> FloatArray:
        place: FloatArray = self._section(self._bodies if kind == "body" else self._discs, name, kind == "body").middle
        return place

    def _lowest(self) -> str:
        """The vertebra whose disc lies above the sacrum."""
        lumbar = [name for name in LUMBAR if name in self._discs]
        if not lumbar:
            raise NotMeasured
        return lumbar[-1]

    def _disc_middle(self) -> FloatArray:
        return self._middle("disc", self._lowest())

    def _up_at_sacrum(self) -> np.ndarray:
        """Across the disc above the sacrum, whose lower surface is the sacrum's upper one."""
        up: np.ndarray = self.disc(self._lowest()).up
        return up


def _eroded(inside: np.ndarray, axis: int) -> np.ndarray:
    """One voxel less around a structure, within the sagittal slices."""
    cross = np.expand_dims(ndimage.generate_binary_structure(2, 1), axis)
    eroded: np.ndarray = ndimage.binary_erosion(inside, cross)
    return eroded
