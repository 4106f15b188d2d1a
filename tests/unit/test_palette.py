"""The colours of the levels differ for every reader, and their letters can be read on a black picture."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lstv.report.palette import LEVEL_COLOURS, rgb

# Machado, Oliveira & Fernandes 2009, table 1, severity 1.0, for linear RGB
SEEN = {
    "as drawn": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    value = np.array(rgb(colour)) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(light: np.ndarray) -> np.ndarray:
    """Ottosson 2020, from linear RGB."""
    cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
    cones.append([0.0883024619, 0.2817188376, 0.6299787005])
    lab = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099]]
    lab.append([0.0259040371, 0.7827717662, -0.808675766])
    return np.array(lab) @ np.cbrt(np.array(cones) @ np.clip(light, 0, 1))


@pytest.mark.parametrize("eyes", SEEN)
def test_any_two_levels_differ(eyes):
    seen = {level: oklab(np.array(SEEN[eyes]) @ linear(colour)) for level, colour in LEVEL_COLOURS.items()}
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 0.13, (one, other)


@pytest.mark.parametrize("level", LEVEL_COLOURS)
def test_letters_have_contrast_on_black(level):
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(LEVEL_COLOURS[level])
    assert (luminance + 0.05) / 0.05 >= 4.5
