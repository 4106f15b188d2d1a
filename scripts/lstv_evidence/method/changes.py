"""Changes planted in a series whose disc levels are known: what a transitional vertebra or a cropped field would do to it.

All functions take a ``Series`` (rows to posterior, columns to inferior) and ``points``, float64 (5, 2): (column, row) in
pixels of the series of the middles of the discs L1/L2 .. L5/S1. They give a new series with the planes that belong to its
pixels: nothing is padded, and pixels stay as large as they were. Every slice is changed alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lstv.base.arrays import triple
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.series import SagittalVolume

_L3_L4, _L4_L5, _L5_S1 = 2, 3, 4
_TILT = np.deg2rad(15.0)
"""L5/S1 is tilted by about this against the axis of L5; its caudal side looks to posterior."""
_SEAM_MM = 1.5


@dataclass(frozen=True)
class Change:
    """One kind of planted change: its ``name``, a ``title`` for people, the function that makes it, and whether it is a
    ``control``: a change that must not raise the score."""

    name: str
    title: str
    make: Callable[[SagittalVolume, np.ndarray], SagittalVolume]
    control: bool = False


def erase_l5_s1(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The L5/S1 disc painted over with marrow of L5, as in a complete fusion."""
    axis = _tilted(points[_L5_S1] - points[_L4_L5])
    return _painted(series, points[_L5_S1], _body(points, _L4_L5), axis, 0.3)


def fade_l5_s1(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """60 % of ``erase_l5_s1``: a disc that is left as a shadow."""
    erased = erase_l5_s1(series, points).volume
    return _mixed(series, erased, 0.6)


def bridge_l5_s1(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """L5/S1 erased with another brush: the signal goes over from L5 to S1, with the grain of L5's marrow."""
    scale = _spacing(series)
    axis = _tilted(points[_L5_S1] - points[_L4_L5])
    target = points[_L5_S1]
    along, length, t, a = _frame(series, target, axis)
    half = 0.26 * length
    weight = np.clip((1 - np.hypot(t / half, a / (0.5 * length))) / 0.25, 0, 1)
    across = np.array([along[1], -along[0]])
    share = np.clip((t / half + 1) / 2, 0, 1)
    ends = [target + (sign * half * along + a[..., None] * across) / scale for sign in (-1.15, 1.15)]
    rows, columns = np.mgrid[: series.slices[0].height, : series.slices[0].width]
    grain_from = np.stack([columns, rows], axis=-1) + _body(points, _L4_L5) - target
    volume = []
    for image in series.volume:
        smooth = cv2.GaussianBlur(image, (0, 0), 2.0)
        filled = (1 - share) * _sampled(smooth, ends[0]) + share * _sampled(smooth, ends[1])
        grain = _sampled(image, grain_from) - _sampled(smooth, grain_from)
        near = np.abs(t) < half
        volume.append(_bytes(weight * (filled + np.where(near, grain, 0)) + (1 - weight) * image))
    return replace(series, volume=np.stack(volume))


def narrow_l5_s1(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """L5/S1 narrowed to 60 % and darkened to 70 %: ordinary degeneration. A control."""
    return _degenerated(series, points[_L5_S1], _tilted(points[_L5_S1] - points[_L4_L5]))


def narrow_l4_l5(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The same of L4/L5. A control."""
    return _degenerated(series, points[_L4_L5], points[_L4_L5] - points[_L3_L4])


def resample_twice(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """Every slice resampled to 80 % and back, as a workstation might have done. A control."""
    plane = series.slices[0]
    small = (max(1, round(0.8 * plane.width)), max(1, round(0.8 * plane.height)))
    volume = [
        cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_LINEAR), (plane.width, plane.height))
        for image in series.volume
    ]
    return replace(series, volume=np.stack(volume))


def seam(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """What lies below the middle of L3 moved down by 2 mm: the seam of a doubled level without the level. A control."""
    upper = _body(points, 1)
    axis = (points[_L3_L4] - points[1]) * _spacing(series)
    step = 2.0 * axis / np.hypot(*axis) / _spacing(series)
    return _moved_below(series, upper, -step, rows=series.slices[0].height)


def gamma(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """Intensities to the power of 0.8. A control."""
    table = np.rint(255 * (np.arange(256) / 255) ** 0.8).astype(np.uint8)
    return replace(series, volume=table[series.volume])


def noise(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """Gaussian noise with a standard deviation of 4 % of the range. A control."""
    grain = np.random.default_rng(7).normal(0, 0.04 * 255, series.volume.shape)
    return replace(series, volume=_bytes(series.volume + grain))


def blur(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """Blurred by a Gaussian of 0.8 mm. A control."""
    across, down = 0.8 / _spacing(series)
    return replace(series, volume=np.stack([cv2.GaussianBlur(i, (0, 0), across, sigmaY=down) for i in series.volume]))


def repaint_l4(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The middle of the L4 body painted over with marrow of L5: the same brush where no disc is. A control."""
    return _painted(series, _body(points, _L3_L4), _body(points, _L4_L5), points[_L4_L5] - points[_L3_L4], 0.2)


def crop_caudal(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The field ends in the middle of L5: L5/S1 and the sacrum are outside."""
    end = int(round(_body(points, _L4_L5)[1]))
    return _window(series, 0, end, points)


def crop_cranial(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The field begins in the middle of L2: L1/L2 is outside."""
    start = int(round(_body(points, 0)[1]))
    return _window(series, start, series.slices[0].height, points)


def crop_control(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """The field ends one vertebra above L1/L2 and one below L5/S1: smaller, so shown larger, but whole. A control."""
    above, below = points[0] - (points[1] - points[0]), points[_L5_S1] + (points[_L5_S1] - points[_L4_L5])
    start = max(0, int(round(above[1])))
    end = min(series.slices[0].height, int(round(below[1])))
    return _window(series, start, end, points)


def duplicate_l4(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """A sixth lumbar vertebra: from the middle of L3 to the middle of L4 everything is there twice.

    What lies below is moved down, and the field moves by half of that, so that both ends lose as much.
    """
    upper, lower = _body(points, 1), _body(points, _L3_L4)
    step = lower - upper
    moved = _moved_below(series, lower, -step, rows=series.slices[0].height + int(round(step[1])))
    start = int(round(step[1] / 2))
    return _rows(moved, start, start + series.slices[0].height)


def remove_l4(series: SagittalVolume, points: np.ndarray) -> SagittalVolume:
    """Four lumbar vertebrae: what lies from the middle of L3 to the middle of L4 is taken out, the rest moved up.

    The field becomes as much lower, and narrower in proportion.
    """
    upper, lower = _body(points, 1), _body(points, _L3_L4)
    step = lower - upper
    left = series.slices[0].height - int(round(step[1]))
    return _window(_moved_below(series, upper, step, rows=left), 0, left, points, of=series.slices[0].height)


CHANGES = (
    Change("repaint_l4", "control: L4 painted with marrow", repaint_l4, control=True),
    Change("crop_control", "control: smaller field, all discs in it", crop_control, control=True),
    Change("narrow_l5_s1", "control: L5/S1 narrow and dark", narrow_l5_s1, control=True),
    Change("narrow_l4_l5", "control: L4/L5 narrow and dark", narrow_l4_l5, control=True),
    Change("resample_twice", "control: resampled twice", resample_twice, control=True),
    Change("seam", "control: a seam in L3", seam, control=True),
    Change("gamma", "control: gamma 0.8", gamma, control=True),
    Change("noise", "control: noise", noise, control=True),
    Change("blur", "control: blur", blur, control=True),
    Change("erase_l5_s1", "L5/S1 disc erased", erase_l5_s1),
    Change("bridge_l5_s1", "L5/S1 disc erased, second brush", bridge_l5_s1),
    Change("fade_l5_s1", "L5/S1 disc 60 % erased", fade_l5_s1),
    Change("crop_caudal", "field ends in L5", crop_caudal),
    Change("crop_cranial", "field begins in L2", crop_cranial),
    Change("duplicate_l4", "a level twice (six discs)", duplicate_l4),
    Change("remove_l4", "a level taken out (four discs)", remove_l4),
)


def _body(points: np.ndarray, disc: int) -> np.ndarray:
    """Middle of the vertebra below a disc."""
    return (points[disc] + points[disc + 1]) / 2


def _spacing(series: SagittalVolume) -> np.ndarray:
    """(column, row) spacing in mm."""
    return np.array([series.slices[0].column_spacing, series.slices[0].row_spacing])


def _tilted(axis: np.ndarray) -> np.ndarray:
    """The axis of L5, turned to that of the L5/S1 disc."""
    cos, sin = np.cos(_TILT), np.sin(_TILT)
    return np.array([cos * axis[0] + sin * axis[1], -sin * axis[0] + cos * axis[1]])


def _frame(
    series: SagittalVolume, target: np.ndarray, axis: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Unit vector along ``axis``, its length in mm, every pixel's distance (H, W) from ``target`` along and across it."""
    scale = _spacing(series)
    length = float(np.hypot(*(axis * scale)))
    along = axis * scale / length
    rows, columns = np.mgrid[: series.slices[0].height, : series.slices[0].width]
    away = (np.stack([columns, rows], axis=-1) - target) * scale
    return along, length, away @ along, away @ np.array([along[1], -along[0]])


def _degenerated(series: SagittalVolume, target: np.ndarray, axis: np.ndarray) -> SagittalVolume:
    """The disc around ``target`` narrowed to 60 % along ``axis`` and darkened to 70 %; the vertebrae are stretched to it."""
    along, length, t, a = _frame(series, target, axis)
    reach = 0.34 * length
    weight = np.clip((1 - np.hypot(t / reach, a / (0.6 * length))) / 0.3, 0, 1)
    inside = 0.12 * length
    # inside the new disc 0.6 of the old one a millimetre, then the rest of the way to where nothing moves
    away = np.abs(t)
    from_there = np.where(
        away <= inside, away / 0.6, inside / 0.6 + (away - inside) * (reach - inside / 0.6) / (reach - inside)
    )
    moved = np.where(away < reach, np.sign(t) * from_there - t, 0.0) * weight
    rows, columns = np.mgrid[: series.slices[0].height, : series.slices[0].width]
    there = np.stack([columns, rows], axis=-1) + moved[..., None] * along / _spacing(series)
    dark = 1 - 0.3 * weight * np.clip((1.2 * inside - away) / (0.4 * inside), 0, 1)
    return replace(series, volume=np.stack([_bytes(dark * _sampled(image, there)) for image in series.volume]))


def _mixed(series: SagittalVolume, other: np.ndarray, share: float) -> SagittalVolume:
    return replace(series, volume=_bytes(share * other.astype(np.float64) + (1 - share) * series.volume))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _painted(
    series: SagittalVolume, target: np.ndarray, source: np.ndarray, axis: np.ndarray, half: float
) -> SagittalVolume:
    """An ellipse around ``target`` filled with what lies around ``source``, folded to and fro along ``axis``.

    ``axis`` (column, row) in pixels is as long as a vertebra with its disc; the ellipse reaches ``half`` of that along it
    and 0.55 across, and fades over its outer fifth. What is taken reaches 0.18 along and 0.4 across, which is marrow.
    """
    scale = _spacing(series)
    along, length, t, a = _frame(series, target, axis)
    across = np.array([along[1], -along[0]])
    radius = np.hypot(t / (half * length), a / (0.55 * length))
    weight = np.clip((1 - radius) / 0.2, 0, 1)
    reach = 0.18 * length
    folded = np.abs((t + reach) % (4 * reach) - 2 * reach) - reach
    there = source + (folded[..., None] * along + 0.7 * a[..., None] * across) / scale
    volume = [
        np.rint(weight * _sampled(image, there) + (1 - weight) * image).astype(np.uint8) for image in series.volume
    ]
    return replace(series, volume=np.stack(volume))


def _moved_below(series: SagittalVolume, seam: np.ndarray, shift: np.ndarray, rows: int) -> SagittalVolume:
    """Beyond the line through ``seam`` at right angles to the column, the pixel at x shows what was at x + ``shift``."""
    scale = _spacing(series)
    along = shift * scale * np.sign(shift[1])
    along /= np.hypot(*along)
    y, x = np.mgrid[:rows, : series.slices[0].width]
    here = np.stack([x, y], axis=-1).astype(np.float64)
    beyond = np.clip(((here - seam) * scale) @ along / (2 * _SEAM_MM) + 0.5, 0, 1)
    volume = [
        np.rint(beyond * _sampled(image, here + shift) + (1 - beyond) * _sampled(image, here)).astype(np.uint8)
        for image in series.volume
    ]
    slices = tuple(replace(plane, height=rows) for plane in series.slices)
    return replace(series, volume=np.stack(volume), slices=slices)


def _sampled(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    where = where.astype(np.float32)
    sampled = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled.astype(np.float64)


def _window(series: SagittalVolume, start: int, end: int, points: np.ndarray, of: int | None = None) -> SagittalVolume:
    """Rows ``start`` to ``end``, and the columns around the spine in the same proportion of the field.

    The network sees every field stretched to a square, so that rows alone would also change the shape of the anatomy.
    ``of``: the height of the field that the proportion is of (default: of the series).
    """
    width = series.slices[0].width
    keep = min(width, int(round(width * (end - start) / (of or series.slices[0].height))))
    left = int(np.clip(round(float(points[:, 0].mean()) - keep / 2), 0, width - keep))
    return _columns(_rows(series, start, end), left, left + keep)


def _rows(series: SagittalVolume, start: int, end: int) -> SagittalVolume:
    slices = tuple(replace(_at(plane, 0, start), height=end - start) for plane in series.slices)
    return replace(series, volume=np.ascontiguousarray(series.volume[:, start:end]), slices=slices)


def _columns(series: SagittalVolume, start: int, end: int) -> SagittalVolume:
    slices = tuple(replace(_at(plane, start, 0), width=end - start) for plane in series.slices)
    return replace(series, volume=np.ascontiguousarray(series.volume[:, :, start:end]), slices=slices)


def _at(plane: SliceGeometry, column: int, row: int) -> SliceGeometry:
    """The plane with its first pixel at another one."""
    return replace(plane, position=triple(plane.to_patient(column, row)))
