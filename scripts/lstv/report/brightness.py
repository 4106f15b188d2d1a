"""How bright a picture is shown."""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import ByteArray

_BACKGROUND, _WHITE = 5, 98.5
"""Values up to this are no tissue; of the others, this percentile is shown as white."""

_ROWS, _COLUMNS = (0.1, 0.9), (0.25, 0.75)
"""Part of the picture that counts, where the spine is: fat beside the coil would leave it dark."""


def white(image: ByteArray) -> float:
    """The value of a uint8 image (H, W) that is shown as white; 255 where the image has no tissue."""
    (top, bottom), (left, right) = (
        (round(first * size), round(last * size)) for (first, last), size in zip((_ROWS, _COLUMNS), image.shape)
    )
    middle = image[top:bottom, left:right]
    filled = middle[middle > _BACKGROUND]
    return float(np.percentile(filled, _WHITE)) if filled.size else 255.0


def windowed(image: ByteArray) -> ByteArray:
    """uint8 (H, W) with the grey scale stretched up to ``white``. For looking only."""
    stretched: ByteArray = np.clip(image * (255.0 / white(image)), 0, 255).astype(np.uint8)
    return stretched
