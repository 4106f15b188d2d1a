"""Heatmaps with known properties for the tests: discs on the 160 grid, their logits, and whole studies."""

from __future__ import annotations

import numpy as np

from lstv.dicom.geometry import SliceGeometry
from lstv.localizer.heatmap_file import Analysed, Members
from lstv.uncertainty.context import StudyContext

GRID = 160
ROWS = (30.0, 52.0, 74.0, 96.0, 118.0)
"""Rows of five discs, L1/L2 to L5/S1, 22 pixels apart."""

COLUMN = 80.0
TAIL = 1e-7

SAGITTAL = SliceGeometry(
    position=(5.0, -120.0, 90.0),
    row_direction=(0.0, 1.0, 0.0),
    column_direction=(0.0, 0.0, -1.0),
    row_spacing=0.75,
    column_spacing=0.5,
    height=320,
    width=480,
)
"""Rows run to posterior, columns to inferior; on the 160 grid a pixel is 1.5 mm x 1.5 mm."""


def hard_disc(column: float, row: float, radius: float = 7.0, peak: float = 1.0) -> np.ndarray:
    """Map (160, 160): ``peak`` within ``radius`` pixels of the centre, 0 elsewhere."""
    y, x = np.mgrid[:GRID, :GRID]
    return np.where((x - column) ** 2 + (y - row) ** 2 <= radius**2, peak, 0.0)


def soft_disc(column: float, row: float, radius: float = 6.0, edge: float = 0.5, peak: float = 0.98) -> np.ndarray:
    """Map (160, 160): a disc whose edge falls off as a logistic function of width ``edge`` pixels."""
    y, x = np.mgrid[:GRID, :GRID]
    return peak / (1 + np.exp((np.hypot(x - column, y - row) - radius) / edge))


def five_discs(**changes: float) -> np.ndarray:
    """Level maps (5, 160, 160) of a spine in which every disc has its own class."""
    return np.stack([soft_disc(COLUMN, row, **changes) for row in ROWS])


def flipped() -> np.ndarray:
    """``five_discs`` whose lowest disc is called L4/L5 as well: no L5/S1 is found."""
    levels = five_discs()
    levels[3] = levels[3] + levels[4]
    levels[4] = 0
    return levels


def as_logits(levels: np.ndarray) -> np.ndarray:
    """float32 logits (6, 160, 160) whose softmax is ``levels`` (5, 160, 160) with a small tail everywhere."""
    levels = np.maximum(levels, TAIL)
    background = np.maximum(1 - levels.sum(axis=0, keepdims=True), TAIL)
    return np.log(np.concatenate([background, levels])).astype(np.float32)


def textured_image() -> np.ndarray:
    """uint8 (160, 160) that uses the whole range and has content in every row."""
    return np.tile(np.linspace(0, 255, GRID), (GRID, 1)).astype(np.uint8)


def study(levels: np.ndarray | None = None, study_id: str = "1", **fields: object) -> Analysed:
    """An ok study with these level maps (default: ``five_discs``)."""
    levels = five_discs() if levels is None else levels
    values = {"geometry": SAGITTAL, "image": textured_image(), "logits": as_logits(levels)} | fields
    return Analysed(study_id, "s", **values)


def as_members(readings: list[np.ndarray], kind: str = "view", valid: list[np.ndarray] | None = None) -> Members:
    """Members of one kind that read these level maps; they saw the whole slice unless ``valid`` says otherwise."""
    seen = valid or [np.ones((GRID, GRID), bool)] * len(readings)
    return Members(
        tuple(f"{kind}{index}" for index in range(len(readings))),
        (kind,) * len(readings),
        np.stack([np.rint(255 * reading).astype(np.uint8) for reading in readings]),
        np.stack(seen),
    )


def context(**parts: object) -> StudyContext:
    """A context that holds these parts, whatever its maps would say; the other parts follow from them."""
    made = StudyContext(parts.pop("maps", None), parts.pop("reference", None))
    made.__dict__.update({"whole": made} | parts)
    return made


def one_map(probability: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> StudyContext:
    """A context in which every level has this map."""
    return context(probability=np.stack([probability] * 5), spacing=spacing)
