"""Widths, heights, slopes and taper of analytic shapes, at any turn and voxel size."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from lstv.anatomy.mask_section import Plane
from lstv.anatomy.mask_shape import LOWER, UPPER, shape

SIZE = 150


def turned(angle: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array([[cos, -sin], [sin, cos]])


def section(corners: np.ndarray, pixel=(0.8, 0.8), extra: np.ndarray | None = None, body=False):
    """The cut of a polygon of (posterior, superior) in mm around the middle of three equal slices."""
    axes = np.array([[0, 0, 4.0, 0], [pixel[0], 0, 0, 0], [0, -pixel[1], 0, 0], [0, 0, 0, 1]])
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij"), axis=-1).reshape(-1, 2)
    places = (grid - SIZE / 2) * [pixel[0], -pixel[1]]
    inside = Outline(corners).contains_points(places)
    if extra is not None:
        inside |= Outline(extra).contains_points(places)
    volume = np.repeat(inside.reshape(SIZE, SIZE)[..., None], 3, axis=2)
    return Plane.of(axes, 2).section(volume, body)


def trapezium(top: float, bottom: float, height: float, angle: float = 0.0) -> np.ndarray:
    sides = [(-top, height), (top, height), (bottom, -height), (-bottom, -height)]
    corners = np.array(sides) / 2
    return corners @ turned(angle).T


@pytest.mark.parametrize("pixel", [(0.6, 0.6), (1.0, 1.0), (0.7, 1.0)])
@pytest.mark.parametrize("angle", [-20.0, 0.0, 17.0, 45.0])
def test_a_trapezium(angle, pixel):
    """34 mm wide above, 24 mm below, 28 mm high; the frame is given 10 degrees off."""
    found = shape(section(trapezium(34, 24, 28, angle), pixel), turned(angle + 10) @ [0, 1])
    assert found.width(UPPER) == pytest.approx(32.5, abs=0.5)
    assert found.width(LOWER) == pytest.approx(25.5, abs=0.5)
    assert found.taper == pytest.approx(-10 / 28, abs=0.06)
    assert found.wedge == pytest.approx(0, abs=1.0)
    assert found.height(0.5) == pytest.approx(28, abs=0.5)
    assert found.slope("upper") == pytest.approx(angle, abs=1.5)
    assert found.tilt == pytest.approx(angle, abs=1.0)


@pytest.mark.parametrize("angle", [-15.0, 0.0, 30.0])
@pytest.mark.parametrize("shift", [-6.0, 0.0, 9.0])
def test_the_line_through_the_middles_of_the_endplates_of_a_sheared_body(shift, angle):
    """36 mm wide, 26 mm high, the lower surface ``shift`` mm behind the upper."""
    corners = np.array([(-18 - shift / 2, 13), (18 - shift / 2, 13), (18 + shift / 2, -13), (-18 + shift / 2, -13)])
    found = shape(section(corners @ turned(angle).T), turned(angle) @ [0, 1])
    assert found.tilt == pytest.approx(angle + np.rad2deg(np.arctan2(shift, 26)), abs=1.5)
    assert found.slope("upper") == pytest.approx(angle, abs=1.5)


@pytest.mark.parametrize("angle", [0.0, 30.0])
@pytest.mark.parametrize("wedge", [-12.0, 8.0, 16.0])
def test_a_wedge_is_positive_where_the_front_is_taller(wedge, angle):
    depth, height, rise = 34.0, 27.0, 17.0 * np.tan(np.deg2rad(wedge / 2))
    corners = np.array(
        [
            (-depth / 2, height / 2 + rise),
            (depth / 2, height / 2 - rise),
            (depth / 2, -height / 2 + rise),
            (-depth / 2, -height / 2 - rise),
        ]
    )
    found = shape(section(corners @ turned(angle).T), turned(angle) @ [0, 1])
    assert found.wedge == pytest.approx(wedge, abs=1.8)
    assert found.mean_height == pytest.approx(height, abs=0.6)
    assert found.slope("upper") == pytest.approx(angle - wedge / 2, abs=1.5)


def test_a_spur_moves_nothing():
    plain = trapezium(34, 34, 28)
    spur = np.array([(-17, -14), (-12, -14), (-15, -24)])
    found = shape(section(plain, extra=spur), np.array([0.0, 1.0]))
    assert found.width(LOWER) == pytest.approx(34, abs=0.9)
    assert found.taper == pytest.approx(0, abs=0.03)
    assert found.wedge == pytest.approx(0, abs=2.5)


def test_of_a_vertebra_with_its_arch_the_body_is_measured():
    process = np.array([(36, 6), (56, 2), (56, -8), (36, -6)])
    found = shape(section(trapezium(34, 34, 28), extra=process, body=True), np.array([0.0, 1.0]))
    assert found.depth == pytest.approx(34, abs=0.9)


def test_a_speck_is_no_section():
    assert section(trapezium(2, 2, 2)) is None


def test_an_oblique_stack_is_measured_in_its_own_plane():
    """Slices turned about the long axis by 25 degrees."""
    turn = np.eye(4)
    turn[:2, :2] = turned(25)
    axes = turn @ np.array([[0, 0, 4.0, 0], [0.8, 0, 0, 0], [0, -0.8, 0, 0], [0, 0, 0, 1]])
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij"), axis=-1).reshape(-1, 2)
    inside = Outline(trapezium(34, 24, 28, 12)).contains_points((grid - SIZE / 2) * [0.8, -0.8])
    volume = np.repeat(inside.reshape(SIZE, SIZE)[..., None], 3, axis=2)
    found = shape(Plane.of(axes, 2).section(volume), turned(12) @ [0, 1])
    assert found.width(UPPER) == pytest.approx(32.5, abs=0.5)
    assert found.slope("upper") == pytest.approx(12, abs=1.5)
