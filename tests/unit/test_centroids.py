"""Vertebra centroids: both forms give the same patient coordinates, and what does not place its points is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lstv.base.errors import StudyError
from lstv.localizer.centroids import existing_files, read_centroids

POINTS = {f"L{k + 1}": (2.0 + k, -10.0 + 3 * k, 80.0 - 35.0 * k) for k in range(5)} | {"S1": (7.0, 20.0, -95.0)}
"""mm in the DICOM patient system."""

NUMBERS = {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24, "L6": 25, "S1": 26}

# a sagittal image: voxel axes run to posterior, inferior, right, and are tilted a little about the left-right axis
TILT = np.deg2rad(8.0)
ROTATION = np.array(
    [[0, 0, 1.0], [-np.cos(TILT), np.sin(TILT), 0], [-np.sin(TILT), -np.cos(TILT), 0]]
)  # columns: where each voxel axis goes in the NIfTI world (right, anterior, superior)
ZOOM = np.array([0.6, 0.7, 4.4])
ORIGIN = np.array([-30.0, 120.0, 150.0])
HEADER = {
    "direction": ["P", "I", "R"],
    "zoom": ZOOM.tolist(),
    "origin": ORIGIN.tolist(),
    "rotation": ROTATION.tolist(),
    "shape": [400, 400, 15],
}


def world(point) -> np.ndarray:
    return np.array(point) * [-1, -1, 1]


def voxel(point) -> list[float]:
    return (ROTATION.T @ (world(point) - ORIGIN) / ZOOM).tolist()


def labelled(points=POINTS, offset=0) -> list[dict]:
    return [
        {"label": NUMBERS[name] + offset, **dict(zip("XYZ", voxel(point), strict=True))}
        for name, point in points.items()
    ]


FORMS = {
    "plain": POINTS,
    "plain by number": {str(NUMBERS[name]): point for name, point in POINTS.items()},
    "labels": [HEADER, *labelled()],
    "labels with part": [HEADER, *labelled(offset=50 * 256), *labelled({"L1": (0, 0, 0)}, offset=42 * 256)],
    "points of interest": [
        HEADER | {"format": "POI"},
        {str(NUMBERS[n]): {"50": voxel(p), "100": [1, 2, 3]} for n, p in POINTS.items()} | {"124": {"50": [1, 2, 3]}},
    ],
    "names": [HEADER | {"format": "POI"}, {name: {"50": voxel(p)} for name, p in POINTS.items()}],
    "nifti world": [{"format": "POI_GLOBAL"}, {n: {"50": world(p).tolist()} for n, p in POINTS.items()}],
    "itk world": [
        {"format": "POI_GLOBAL", "coordinate_system": "itk"},
        {n: {"50": list(p)} for n, p in POINTS.items()},
    ],
}


def written(folder: Path, content: object) -> Path:
    path = folder / "7_ctd.json"
    path.write_text(json.dumps(content) if not isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_points(tmp_path: Path, form: str) -> None:
    found = read_centroids(written(tmp_path, FORMS[form]))
    assert list(found) == list(POINTS)
    for name, point in POINTS.items():
        np.testing.assert_allclose(found[name], point, atol=1e-6)


def test_nan_points_and_other_vertebrae_are_left_out(tmp_path: Path) -> None:
    other = [{"label": 19, "X": 1, "Y": 2, "Z": 3}, {"label": 26, "X": float("nan"), "Y": 0, "Z": 0}]
    found = read_centroids(written(tmp_path, [HEADER, *labelled({"L4": POINTS["L4"], "L5": POINTS["L5"]}), *other]))
    assert list(found) == ["L4", "L5"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not readable JSON"),
        ("3", "neither a JSON object nor a list"),
        ([HEADER], "without points"),
        ([HEADER, "x"], "without points"),
        ([HEADER, {"a": 1}], "without label or parts"),
        ([{"direction": ["P", "I", "R"]}, *labelled()], "without zoom, rotation, origin"),
        ([HEADER | {"direction": ["R", "A", "S"]}, *labelled()], "contradicts itself"),
        ([HEADER | {"direction": ["A", "I", "R"]}, *labelled()], "contradicts itself"),
        ([HEADER | {"rotation": (2 * ROTATION).tolist()}, *labelled()], "invalid grid"),
        ([HEADER | {"zoom": [1, 0, 1]}, *labelled()], "invalid grid"),
        ([HEADER | {"zoom": [1, 1]}, *labelled()], "a grid that cannot be read"),
        ([HEADER | {"direction": ["X", "I", "R"]}, *labelled()], "a grid that cannot be read"),
        ([{"format": "POI_GLOBAL", "coordinate_system": "mni"}, {"L1": {"50": [1, 2, 3]}}], "coordinate_system 'mni'"),
        ({"L1": [1, 2]}, "three numbers"),
        ({"L1": [1, 2, None]}, "three numbers"),
        ({"L1": "x"}, "three numbers"),
        ({"L4": [0, 0, 0], "L5": [0, 0, -4]}, "4 mm apart"),
        ({"L4": [0, 0, 0], "L5": [0, 0, -300]}, "300 mm apart"),
    ],
)
def test_what_places_no_points_is_refused_in_one_sentence(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(StudyError, match=words) as refused:
        read_centroids(written(tmp_path, content))
    assert "7_ctd.json" in str(refused.value) and "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value), "the path may tell who the patient is"


def test_a_gap_of_two_vertebrae_is_no_mistake(tmp_path: Path) -> None:
    assert len(read_centroids(written(tmp_path, {"L1": [0, 0, 0], "L4": [0, 0, -105]}))) == 2


def test_only_files_that_are_there_are_inputs(tmp_path: Path) -> None:
    written(tmp_path, {})
    assert existing_files(str(tmp_path), ["7", "8"]) == [str(tmp_path / "7_ctd.json")]
    assert existing_files(None, ["7"]) == []
