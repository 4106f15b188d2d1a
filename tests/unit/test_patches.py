"""Patches stand where the patient's geometry says, at the scale of the slice, and go back to where they came from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lstv.base.levels import GRID, LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import patches
from lstv.localizer.patches import DiscTargets, shifted, shifted_back, targets
from lstv_evidence.phantom.anatomy import L1
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec
from lstv_evidence.phantom.study import Phantom, draw

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")


def body_centroids(phantom: Phantom) -> dict[str, np.ndarray]:
    """Centroids of the drawn vertebral bodies in patient mm."""
    body = phantom.body
    found = {}
    for index, name in enumerate(NAMES, start=L1):
        plane = body.bodies[index].mean(axis=0)
        found[name] = phantom.plan.patient(np.array([*plane, body.lateral_at(index)]))
    return found


@pytest.fixture(scope="module", params=[Nuisances(), Nuisances(scoliosis=1.0)], ids=["straight", "scoliosis"])
def phantom(request) -> Phantom:
    return draw(PhantomSpec(520, nuisances=request.param))


def test_places_are_those_of_the_true_discs(phantom: Phantom) -> None:
    planes = phantom.geometry
    centre = len(planes) // 2
    given = targets(body_centroids(phantom), planes, centre)
    assert (given.status, list(given.found), given.missing) == ("given", list(LEVELS), {})
    for level, place in given.found.items():
        truth = np.array(phantom.truth.discs[level])
        assert np.linalg.norm(np.array(place.point_mm) - truth) < 8, level
        plane = planes[centre + place.slice]
        # what is written in grid pixels is the point in the patient, but for its distance from the slice
        there = plane.grid_to_patient(*place.disc_px, GRID)
        normal = np.cross(plane.row_direction, plane.column_direction)
        away = np.array(place.point_mm) - there
        np.testing.assert_allclose(away, (away @ normal) * normal, atol=1e-6)
        distances = [abs((np.array(place.point_mm) - other.position) @ normal) for other in planes]
        assert abs(away @ normal) == pytest.approx(min(distances), abs=1e-6), "not the nearest slice"


def test_scoliosis_takes_other_slices_than_the_centre() -> None:
    phantom = draw(PhantomSpec(520, nuisances=Nuisances(scoliosis=1.0)))
    given = targets(body_centroids(phantom), phantom.geometry, len(phantom.geometry) // 2)
    assert len({place.slice for place in given.found.values()}) > 1


PLANES = tuple(SliceGeometry((x, -100.0, 100.0), (0, 1, 0), (0, 0, -1), 0.5, 0.75, 400, 320) for x in (-4.0, 0.0, 4.0))
"""Three slices of 200 mm x 240 mm, rows to posterior, columns to inferior."""

COLUMN = {name: np.array([0.0, -20.0, 80.0 - 30.0 * k]) for k, name in enumerate(NAMES)}


def test_geometry_by_hand() -> None:
    place = targets(COLUMN, PLANES, 1).found["l1_l2"]
    # disc at y -20, z 65: 80 mm to the right of and 35 mm below the first pixel's centre; a grid pixel is 1.5 x 1.25 mm
    assert place.disc_px == pytest.approx(((80 / 0.75 + 0.5) / 2 - 0.5, (35 / 0.5 + 0.5) * 0.4 - 0.5))
    assert place.point_mm == (0.0, -20.0, 65.0) and place.slice == 0
    assert place.shift == (26, 52)


def test_the_place_stands_in_the_middle_and_nothing_is_resampled() -> None:
    image = np.random.default_rng(0).integers(1, 255, (GRID, GRID), dtype=np.uint8)
    for place in targets(COLUMN, PLANES, 1).found.values():
        patch = shifted(image, place.shift)
        column, row = (round(value) for value in place.disc_px)
        at = round(place.disc_px[1]) + place.shift[1], round(place.disc_px[0]) + place.shift[0]
        assert max(abs(at[0] - 79.5), abs(at[1] - 79.5)) <= 1
        assert patch[at] == image[row, column]
        back = shifted_back(patch, place.shift)
        seen = shifted_back(shifted(np.ones_like(image), place.shift), place.shift) > 0
        np.testing.assert_array_equal(back[seen], image[seen])
        assert not back[~seen].any()
        np.testing.assert_array_equal(seen, shifted_back(np.ones((GRID, GRID), bool), place.shift))


@pytest.mark.parametrize("shift", [(0, 0), (5, -3), (-160, 0), (0, 200), (-7, 12)])
def test_shifts_in_every_direction(shift: tuple[int, int]) -> None:
    maps = np.arange(1, 2 * GRID * GRID + 1).reshape(2, GRID, GRID)
    moved = shifted(maps, shift)
    for row, column in ((0, 0), (80, 80), (159, 159)):
        source = row - shift[1], column - shift[0]
        inside = all(0 <= value < GRID for value in source)
        assert (moved[:, row, column] == (maps[(slice(None), *source)] if inside else 0)).all()


def test_fallbacks_are_recorded_for_each_level() -> None:
    without_l2 = {name: point for name, point in COLUMN.items() if name != "L2"}
    assert targets(without_l2, PLANES, 1).missing == {"l1_l2": "no_centroid", "l2_l3": "no_centroid"}
    low = {name: point - [0, 0, 90] for name, point in COLUMN.items()}
    assert targets(low, PLANES, 1).missing == {"l4_l5": "outside", "l5_s1": "outside"}
    aside = {name: point + [9.0, 0, 0] for name, point in COLUMN.items()}
    assert targets(aside, PLANES, 1).missing == dict.fromkeys(LEVELS, "outside")
    assert not targets({name: point + [7.0, 0, 0] for name, point in COLUMN.items()}, PLANES, 1).missing


def test_six_lumbar_vertebrae_leave_the_lowest_level_open() -> None:
    given = targets(COLUMN | {"L6": np.array([0.0, -20.0, -55.0])}, PLANES, 1)
    assert given.six_lumbar and given.missing == {"l5_s1": "no_centroid"}


def test_the_middle_of_a_whole_sacrum_is_not_taken_for_s1() -> None:
    far = COLUMN | {"S1": COLUMN["L5"] + [0.0, 0.0, -70.0]}
    assert patches.disc_point(far, "l5_s1") == pytest.approx(COLUMN["L5"] + [0, 0, -18.0])
    assert patches.disc_point(COLUMN, "l5_s1") == pytest.approx(COLUMN["L5"] + [0, 0, -15.0])


def test_json_round_trip() -> None:
    given = replace(targets(COLUMN, PLANES, 1), missing={"l1_l2": "outside"}, reason="x")
    assert DiscTargets.from_json(json.loads(json.dumps(given.as_json()))) == given
