"""Outlines of vertebrae, discs and posterior elements at a distance from the middle of the column.

Outlines are polygons (K, 2) or stacks (N, K, 2) of (u, v) in mm of the body frame (see anatomy.py). Local coordinates of
a quadrilateral: s from -1 (front) to 1 (back), t from -1 (below) to 1 (above).
"""

from __future__ import annotations

import numpy as np

ANGLES = np.linspace(0.0, 2 * np.pi, 28, endpoint=False)
"""Directions (28,) of the outline's points."""
ROUND = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
"""Circle of radius 1 (28, 2)."""
_EXPONENT = 0.28
SQUARE = np.sign(ROUND) * np.abs(ROUND) ** _EXPONENT
"""Square of half side 1 with rounded corners (28, 2)."""

# lumbar and thoracic spinous process, lamina, pedicle, joint processes: (posterior, superior) in mm from the back of the
# canal (processes, lamina) or from the middle of the posterior wall (pedicle, joints)
SPINOUS_LUMBAR = np.array(
    [(-1, 6), (8, 5), (20, 4), (28, 1), (31, -5), (29, -13), (22, -14), (12, -9), (4, -8), (-1, -6)]
)
SPINOUS_THORACIC = np.array(
    [(-1, 6), (8, 3), (18, -5), (28, -15), (34, -21), (33, -25), (27, -24), (15, -15), (6, -9), (-1, -6)]
)
LAMINA = np.array([(-1.5, 7), (2, 8), (5, 3), (5.5, -4), (3.5, -10), (0.5, -9), (-1, -3), (-2, 3)])
PEDICLE = np.array([(-4, 11), (3, 9.5), (13, 10), (14, 5), (12, 1), (3, 1), (-4, -1)])
UPPER_JOINT = np.array([(11, 5), (12, 12), (14, 18), (17, 18.5), (18, 13), (18, 6), (15, 3)])
LOWER_JOINT = np.array([(13, 8), (19, 8), (23, 1), (25, -8), (24, -16), (20, -17), (18, -10), (16, -2), (13, 2)])


def place(outline: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Local outline (K, 2) or (N, K, 2) -> body coordinates (N, K, 2) in the quadrilaterals ``corners`` (N, 4, 2)."""
    s, t = outline[..., :1], outline[..., 1:]
    upper_front, upper_back, lower_front, lower_back = (corners[:, None, k] for k in range(4))
    above = (1 - s) / 2 * upper_front + (1 + s) / 2 * upper_back
    below = (1 - s) / 2 * lower_front + (1 + s) / 2 * lower_back
    return (1 + t) / 2 * above + (1 - t) / 2 * below


def sizes(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean depth and height (N,) in mm of quadrilaterals (N, 4, 2)."""
    depth = np.linalg.norm(corners[:, [1, 3]] - corners[:, [0, 2]], axis=-1).mean(axis=1)
    height = np.linalg.norm(corners[:, [0, 1]] - corners[:, [2, 3]], axis=-1).mean(axis=1)
    return depth, height


def section(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Front and back reach (0..1) of a body at the fraction ``q`` of its half width: kidney-shaped in the axial plane."""
    q = np.clip(np.abs(q), 0.0, 1.0)
    return np.clip(1 - q**2.6, 0.0, 1.0) ** 0.42, np.clip(1 - q**6, 0.0, 1.0) ** 0.4 * (1 + 0.05 * q * q)


def bodies(corners: np.ndarray, q: np.ndarray, grow: np.ndarray, hollow: np.ndarray, waist: np.ndarray) -> np.ndarray:
    """Outlines (N, K, 2) of bodies at ``q``, grown by ``grow`` (N, K) mm; ``hollow`` and ``waist`` (N,) in mm: how far
    the endplates and the front and back walls curve inwards."""
    depth, height = sizes(corners)
    front, back = section(q)
    s, t = SQUARE[None, :, 0], SQUARE[None, :, 1]
    t = t * (1 - (2 * hollow / height)[:, None] * (1 - s * s) + 2 * grow / height[:, None])
    s = s * (1 - (2 * waist / depth)[:, None] * (1 - np.clip(t * t, 0, 1)))
    s = np.where(s < 0, s * front[:, None], s * back[:, None]) * (1 + 2 * grow / depth[:, None])
    return place(np.stack([s, t], axis=-1), corners)


def discs(
    corners: np.ndarray, q: np.ndarray, hollow: np.ndarray, bulge: np.ndarray, scale: float = 1.0, rounded: bool = False
) -> np.ndarray:
    """Outlines (N, K, 2) of discs at ``q``; ``hollow`` (N,) mm into each neighbour, ``bulge`` (N,) mm backwards."""
    depth, height = sizes(corners)
    front, back = section(q)
    base = ROUND if rounded else SQUARE
    s, t = base[None, :, 0] * scale, base[None, :, 1] * min(1.0, scale * 1.1)
    t = t * (1 + (2 * hollow / np.maximum(height, 0.5))[:, None] * (1 - s * s))
    s = s * (1 + 0.05 * scale * (1 - np.clip(t * t, 0, 1)))
    s = np.where(s < 0, s * front[:, None], s * back[:, None] + (2 * bulge / depth)[:, None] * np.clip(s, 0, 1) ** 3)
    return place(np.stack([s, t], axis=-1), corners)


def grow(outline: np.ndarray, millimetres: float) -> np.ndarray:
    """Outline (..., K, 2) moved outwards from its centroid by about ``millimetres``."""
    centre = outline.mean(axis=-2, keepdims=True)
    away = outline - centre
    return centre + away * (1 + millimetres / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1.0))


def attach(outline: np.ndarray, at: np.ndarray, posterior: np.ndarray, scale: float, tilt: float = 0.0) -> np.ndarray:
    """Posterior element: local (posterior, superior) mm -> body coordinates at the point ``at``, tilted (radians)."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    posterior = np.array([cos * posterior[0] - sin * posterior[1], sin * posterior[0] + cos * posterior[1]])
    superior = np.array([-posterior[1], posterior[0]])
    return at + scale * (outline[:, :1] * posterior + outline[:, 1:] * superior)
