"""Controls made in the finished picture: what a scanner, a program or a hand may do to it without any change of anatomy.

Slices are float32 (height, width) of a series with ``plan``. What is painted or moved is so in every slice of a study; gamma
takes the brightest of each slice as 1.
"""

from __future__ import annotations

import cv2
import numpy as np

from lstv_evidence.phantom.anatomy import L1, L3, L5, Anatomy
from lstv_evidence.phantom.render import MAXIMUM
from lstv_evidence.phantom.scan import Acquisition
from lstv_evidence.phantoms_by_patient.spec import PatientSpec

_CONTROLS = {"marrow_painted", "seam", "resampled_twice", "blur", "gamma"}
_SEAM_MM = 1.5
"""Half the width of the band in which the two sides of a seam are mixed."""


def altered(image: np.ndarray, spec: PatientSpec, body: Anatomy, plan: Acquisition) -> np.ndarray:
    """A slice uint16 with the picture's controls of ``spec``; the same array where there are none."""
    controls = spec.controls
    if _CONTROLS.isdisjoint(spec.present):
        return image
    picture = image.astype(np.float32)
    if controls.marrow_painted:
        picture = _marrow_painted(picture, controls.marrow_painted, body, plan)
    if controls.seam:
        picture = _seam(picture, spec, body, plan, cv2.INTER_LINEAR)
    if controls.resampled_twice:
        picture = _resampled_twice(picture, controls.resampled_twice)
    if controls.blur:
        sigma = 0.35 + 0.5 * controls.blur
        across, along = sigma / plan.column_spacing, sigma / plan.row_spacing
        picture = cv2.GaussianBlur(picture, (0, 0), across, sigmaY=along, borderType=cv2.BORDER_REPLICATE).astype("f4")
    if controls.gamma:
        # to one side or the other, by the patient
        side = 1.0 if np.random.default_rng([spec.seed, 21]).random() < 0.5 else -1.0
        top = max(float(np.percentile(picture, 99.9)), 1.0)
        picture = top * (np.clip(picture, 0, None) / top) ** np.float32(np.exp(0.5 * side * controls.gamma))
    return np.clip(np.rint(picture), 0, MAXIMUM).astype(np.uint16)


def altered_labels(mask: np.ndarray, spec: PatientSpec, body: Anatomy, plan: Acquisition) -> np.ndarray:
    """A label mask moved as the picture is."""
    return _seam(mask, spec, body, plan, cv2.INTER_NEAREST) if spec.controls.seam else mask


def moved(points: dict[str, np.ndarray], spec: PatientSpec, body: Anatomy) -> dict[str, np.ndarray]:
    """Points (u, v, w) in mm by name, moved as the picture is."""
    if not spec.controls.seam:
        return points
    middle, along = _seam_line(body)
    found = {}
    for name, point in points.items():
        below = float(np.clip(-((point[:2] - middle) @ along) / (2 * _SEAM_MM) + 0.5, 0, 1))
        found[name] = point + below * np.array([_seam_shift(spec), 0.0, 0.0])
    return found


def window(severity: float, body: Anatomy, plan: Acquisition) -> tuple[slice, slice]:
    """Rows and columns of ``plan`` that hold the five discs and little else: from one vertebra (severity 0.5) or 0.7 of
    one (1) above L1/L2 to as much below L5/S1; columns around the spine, in the proportion of the field."""
    middle = plan.pixels(body.discs[[L1, L1 + 1, L5 - 1, L5]].mean(axis=1))
    margin = 1.3 - 0.6 * severity
    start = middle[0, 1] - margin * (middle[1, 1] - middle[0, 1])
    end = middle[3, 1] + margin * (middle[3, 1] - middle[2, 1])
    first, last = max(0, int(round(start))), min(plan.height, int(round(end)))
    width = min(plan.width, int(round(plan.width * (last - first) / plan.height)))
    left = int(np.clip(round(float(middle[:, 0].mean()) - width / 2), 0, plan.width - width))
    return slice(first, last), slice(left, left + width)


def _marrow_painted(image: np.ndarray, severity: float, body: Anatomy, plan: Acquisition) -> np.ndarray:
    """Patches of the marrow of L5 over the middle of L4 and, behind the column, between the spinous processes."""
    source = body.bodies[L5].mean(axis=0)
    inside = body.bodies[L5 - 1].mean(axis=0)
    outside = body.canal.at(L3 + 0.5, 1.0) + [30.0, -6.0]
    radius = np.array([0.9, 0.7]) * (7.0 + 4.0 * severity)
    spacing = np.array([plan.column_spacing, plan.row_spacing])
    rows, columns = np.mgrid[: plan.height, : plan.width]
    here = np.stack([columns, rows], axis=-1).astype(np.float64)
    for target in (inside, outside):
        away = (here - plan.pixels(target)) * spacing
        weight = np.clip((1 - np.hypot(*np.moveaxis(away / radius, -1, 0))) / 0.2, 0, 1).astype(np.float32)
        taken = (here - plan.pixels(target) + plan.pixels(source)).astype(np.float32)
        patch = cv2.remap(image, taken[..., 0], taken[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image = weight * patch + (1 - weight) * image
    return image


def _resampled_twice(image: np.ndarray, severity: float) -> np.ndarray:
    """Turned by 2 to 5 degrees about a point between pixels, and turned back: twice interpolated, nothing is moved."""
    middle = (image.shape[1] / 2 + 0.3, image.shape[0] / 2 + 0.3)
    matrix = cv2.getRotationMatrix2D(middle, 2.0 + 3.0 * severity, 1.0)
    size = (image.shape[1], image.shape[0])
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(turned, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _seam(image: np.ndarray, spec: PatientSpec, body: Anatomy, plan: Acquisition, interpolation: int) -> np.ndarray:
    """What lies below the middle of L3 moved to the back, mixed over a narrow band."""
    middle, along = _seam_line(body)
    rows, columns = np.mgrid[: plan.height, : plan.width].astype(np.float32)
    u = plan.corner[0] + columns * plan.column_spacing - middle[0]
    v = plan.corner[1] - rows * plan.row_spacing - middle[1]
    below = np.clip(-(u * along[0] + v * along[1]) / (2 * _SEAM_MM) + 0.5, 0, 1)
    shift = np.float32(_seam_shift(spec) / plan.column_spacing)
    there = cv2.remap(image, columns - shift, rows, interpolation, borderMode=cv2.BORDER_REPLICATE)
    if interpolation == cv2.INTER_NEAREST:
        return np.where(below >= 0.5, there, image)
    return (below * there + (1 - below) * image).astype(np.float32)


def _seam_line(body: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """A point (u, v) of the seam, and the unit vector upwards along the column there."""
    along = body.bodies[L3 - 1].mean(axis=0) - body.bodies[L3 + 1].mean(axis=0)
    return body.bodies[L3].mean(axis=0), along / np.hypot(*along)


def _seam_shift(spec: PatientSpec) -> float:
    """Millimetres to the back."""
    return 1.0 + spec.controls.seam
