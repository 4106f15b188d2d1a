"""Widths, heights and slopes of a vertebral body or a disc in its sagittal cut.

All is measured in the structure's own frame: ``up`` from its lower to its upper surface, ``back`` across it. Widths and
heights are areas of bands divided by the bands' thickness, so that steps of the voxels average out. The frame is turned
until its ``back`` is half-way between the two surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstv.anatomy.mask_section import Section

UPPER, LOWER, HALF_BAND = 0.85, 0.15, 0.10
"""Bands in which the anteroposterior widths near the upper and lower surface are taken, as shares of the height: within the
rounded rims."""
ANTERIOR, MIDDLE, POSTERIOR = 0.15, 0.5, 0.85
"""Places of the three heights, as shares of the depth from the front."""
_TURNS = 4
_EDGE_SHARE = (0.15, 0.85)
_COLUMNS = 18
_TAPER_BANDS = np.linspace(0.15, 0.85, 8)


@dataclass(frozen=True)
class Shape:
    """One structure in its frame. ``back``, ``up`` (2,) unit vectors of the slice; ``s``, ``t`` (N,) its points in mm along
    them; ``upper``, ``lower``: slopes of its two surfaces against ``back`` in radians, positive where the back is higher.
    ``bottom``, ``top``, ``front``, ``rear``: mean places of its four sides over their middle parts in mm, so that a spur
    at a corner moves none of them. ``upper_middle``, ``lower_middle`` (2,): the middles of the two surfaces in mm along
    ``back`` and ``up``, half-way between the corners in which straight lines along the four sides meet."""

    back: np.ndarray
    up: np.ndarray
    s: np.ndarray
    t: np.ndarray
    area: float
    upper: float
    lower: float
    bottom: float
    top: float
    front: float
    rear: float
    upper_middle: np.ndarray
    lower_middle: np.ndarray

    def width(self, share: float, half: float = HALF_BAND) -> float:
        """Anteroposterior width in mm at a share of the height, from below."""
        whole = self.top - self.bottom
        return self._band(self.t, self.bottom + (share - half) * whole, self.bottom + (share + half) * whole)

    def height(self, share: float, half: float = HALF_BAND) -> float:
        """Height in mm at a share of the depth, from the front."""
        whole = self.rear - self.front
        return self._band(self.s, self.front + (share - half) * whole, self.front + (share + half) * whole)

    @property
    def depth(self) -> float:
        """Whole anteroposterior extent in mm."""
        return self.rear - self.front

    @property
    def mean_width(self) -> float:
        """Mean of the widths near the two surfaces."""
        return (self.width(UPPER) + self.width(LOWER)) / 2

    @property
    def mean_height(self) -> float:
        """Mean of the heights in front, in the middle and at the back."""
        return (self.height(ANTERIOR) + self.height(MIDDLE) + self.height(POSTERIOR)) / 3

    @property
    def wedge(self) -> float:
        """Angle between the two surfaces in degrees, positive where the front is taller."""
        return float(np.rad2deg(self.lower - self.upper))

    @property
    def taper(self) -> float:
        """Change of the anteroposterior width on the way down, mm per mm: the median of the slopes between bands
        (Theil-Sen); negative where the structure narrows downwards."""
        widths = np.array([self.width(share, 0.05) for share in _TAPER_BANDS])
        down = -_TAPER_BANDS * (self.top - self.bottom)
        first, second = np.triu_indices(len(down), 1)
        return float(np.median((widths[second] - widths[first]) / (down[second] - down[first])))

    @property
    def tilt(self) -> float:
        """Angle in degrees of the line from the middle of the upper to the middle of the lower surface against the patient's
        longitudinal axis, downwards: positive where the lower end lies further back."""
        across, along = self.lower_middle - self.upper_middle
        down = across * self.back + along * self.up
        return float(np.rad2deg(np.arctan2(down[0], -down[1])))

    def slope(self, surface: str) -> float:
        """Slope of the ``upper`` or ``lower`` surface in degrees against the patient's anteroposterior axis: positive where
        its back end is higher."""
        own = self.upper if surface == "upper" else self.lower
        return float(np.rad2deg(np.arctan2(self.back[1], self.back[0]) + own))

    def _band(self, along: np.ndarray, low: float, high: float) -> float:
        # a point stands for a small square: at a band's ends it counts by the part of it that lies inside
        side = float(np.sqrt(self.area))
        inside = np.clip((along - low) / side + 0.5, 0, 1) * np.clip((high - along) / side + 0.5, 0, 1)
        return float(inside.sum() * self.area / (high - low))


def shape(section: Section, up: np.ndarray) -> Shape:
    """The frame and surfaces of a structure; ``up`` (2,): about the direction from its lower to its upper surface."""
    points = section.points - section.middle
    up = np.asarray(up, dtype=np.float64) / np.linalg.norm(up)
    for _ in range(_TURNS):
        back = np.array([up[1], -up[0]])
        s, t = points @ back, points @ up
        turn = (_side(s, t, 1).angle + _side(s, t, -1).angle) / 2
        # towards the back the surfaces rise by ``turn``: turn the frame with them
        up = np.cos(turn) * up - np.sin(turn) * back
    back = np.array([up[1], -up[0]])
    s, t = points @ back, points @ up
    upper, lower, rear, front = _side(s, t, 1), _side(s, t, -1), _side(t, s, 1), _side(t, s, -1)
    places = lower.place, upper.place, front.place, rear.place
    middles = [(_corner(surface, front) + _corner(surface, rear)) / 2 for surface in (upper, lower)]
    return Shape(back, up, s, t, section.area, upper.angle, lower.angle, *places, *middles)


class _Side(NamedTuple):
    """A side as a straight line: its ``angle`` in radians, its mean ``place`` in mm across it, and ``at`` what place in mm
    along it that is."""

    angle: float
    place: float
    at: float


def _corner(surface: _Side, end: _Side) -> np.ndarray:
    """Where a surface and the front or rear meet, (2,) in mm along ``back`` and ``up``."""
    rise, lean = np.tan(surface.angle), np.tan(end.angle)
    # s = end.place + lean (t - end.at), t = surface.place + rise (s - surface.at)
    s = (end.place + lean * (surface.place - rise * surface.at - end.at)) / (1 - lean * rise)
    return np.array([s, surface.place + rise * (s - surface.at)])


def _side(along: np.ndarray, across: np.ndarray, sign: int) -> _Side:
    """The side where ``across`` is largest (sign 1) or smallest (-1), over its middle part along ``along``."""
    low, high = np.quantile(along, [0.003, 0.997])
    edges = low + (high - low) * np.linspace(*_EDGE_SHARE, _COLUMNS + 1)
    column = np.digitize(along, edges) - 1
    places = [index for index in range(_COLUMNS) if (column == index).any()]
    ends = np.array([sign * (sign * across[column == index]).max() for index in places])
    middles = (edges[:-1] + edges[1:])[places] / 2
    if len(places) < 3:
        return _Side(0.0, float(ends.mean()) if len(ends) else 0.0, float(middles.mean()) if len(ends) else 0.0)
    return _Side(float(np.arctan(np.polyfit(middles, ends, 1)[0])), float(ends.mean()), float(middles.mean()))
