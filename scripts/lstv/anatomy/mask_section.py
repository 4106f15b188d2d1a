"""One structure of a label mask cut in the middle: its pixels in a sagittal plane, in mm to posterior and to superior.

Bodies are cut in the slice through their own middle, so that a scoliosis does not shift the cut. Where a vertebra was
labelled with its arch, the body is the largest piece of the cut: in the midline the canal parts it from the process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

LEAST_PIXELS = 20
_FINER = 4
"""Parts of a pixel along each side, so that a band across a slanted structure has the area that it should."""


@dataclass(frozen=True)
class Section:
    """Points (N, 2) that fill a structure evenly, (posterior, superior) in mm of its slice; each stands for ``area`` mm2."""

    points: np.ndarray
    area: float

    @property
    def middle(self) -> np.ndarray:
        """Centre of gravity (2,)."""
        return self.points.mean(axis=0)


@dataclass(frozen=True)
class Plane:
    """How a mask's sagittal slices lie: ``axis`` of the array across them, ``to_patient`` (4, 4) and the plane's directions
    ``posterior`` and ``superior`` (3,) in the patient, made orthogonal."""

    axis: int
    to_patient: np.ndarray
    posterior: np.ndarray
    superior: np.ndarray

    @classmethod
    def of(cls, to_patient: np.ndarray, axis: int) -> Plane:
        """The plane of the slices along ``axis``; ``to_patient``: voxel -> mm of the DICOM patient system."""
        steps = np.delete(to_patient[:3, :3], axis, axis=1)
        normal = np.cross(steps[:, 0], steps[:, 1])
        normal /= np.linalg.norm(normal)
        superior = np.array([0.0, 0.0, 1.0]) - normal[2] * normal
        superior /= np.linalg.norm(superior)
        posterior = np.cross(normal, superior)
        return cls(axis, to_patient, posterior * np.sign(posterior[1] or 1.0), superior)

    def flat(self, points: np.ndarray) -> np.ndarray:
        """(posterior, superior) (..., 2) in mm of places (..., 3) in the patient."""
        return np.stack([points @ self.posterior, points @ self.superior], axis=-1)

    def section(self, inside: np.ndarray, body: bool = False) -> Section | None:
        """The cut of a structure, bool (I, J, K), through its middle; None where that is too small to be measured.

        ``body``: only the largest piece of the cut, which is the vertebral body.
        """
        across = np.flatnonzero(inside.any(axis=tuple(k for k in range(3) if k != self.axis)))
        if not len(across):
            return None
        counts = inside.sum(axis=tuple(k for k in range(3) if k != self.axis))[across]
        layer = int(np.rint(np.average(across, weights=counts)))
        cut = np.take(inside, layer, axis=self.axis)
        if body:
            cut = _largest(cut)
        pixels = np.argwhere(cut)
        if len(pixels) < LEAST_PIXELS:
            return None
        parts = (np.arange(_FINER) + 0.5) / _FINER - 0.5
        finer = np.stack(np.meshgrid(parts, parts, indexing="ij"), axis=-1).reshape(-1, 2)
        fine = (pixels[:, None] + finer[None]).reshape(-1, 2)
        voxels = np.insert(fine, self.axis, layer, axis=1)
        places = voxels @ self.to_patient[:3, :3].T + self.to_patient[:3, 3]
        steps = np.delete(self.to_patient[:3, :3], self.axis, axis=1)
        area = float(np.linalg.norm(np.cross(steps[:, 0], steps[:, 1]))) / _FINER**2
        return Section(self.flat(places), area)


def _largest(cut: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(cut)
    if count < 2:
        return cut
    sizes = np.bincount(pieces.ravel())[1:]
    return pieces == 1 + int(sizes.argmax())
