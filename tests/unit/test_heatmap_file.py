"""The heatmap file gives back what was written, is never half there, and other files are refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from lstv.base.errors import UserError
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Analysed, Features, Members
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.patches import DiscTarget, DiscTargets

GEOMETRY = SliceGeometry((1.0, 2.0, 3.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.5, 0.75, 400, 320)


def study(study_id="a", members=True):
    random = np.random.default_rng(0)
    return Analysed(
        study_id,
        "77",
        GEOMETRY,
        random.integers(0, 255, (160, 160), dtype=np.uint8),
        random.normal(size=(6, 160, 160)).astype(np.float32),
        ("reoriented",),
        {"series_uid": "1.2"},
        Members(
            ("slice-1", "rotation-5"),
            ("slice", "view"),
            random.integers(0, 255, (2, 5, 160, 160), dtype=np.uint8),
            random.random((2, 160, 160)) > 0.5,
        )
        if members
        else None,
        Features(random.normal(size=2048).astype(np.float16), np.full((6, 16), np.nan, np.float16)),
        DiscTargets("given", "", {"l5_s1": DiscTarget(-1, (80.0, 99.5), (80.0, 90.0), (81.0, 109.0), (1.0, 2.0, 3.0))}),
    )


def test_round_trip(tmp_path):
    path = tmp_path / "x.h5"
    written = study()
    with heatmap_file.create(path, {"checkpoint_sha256": "ab"}) as writer:
        writer.write(written)
        writer.write(NotAnalysed("b", "failed", "no slices"))
    assert heatmap_file.read_run(path) == {"checkpoint_sha256": "ab"}
    found = heatmap_file.read_study(path, "a")
    assert (found.series_id, found.flags, found.provenance, found.geometry) == (
        "77",
        ("reoriented",),
        {"series_uid": "1.2"},
        GEOMETRY,
    )
    np.testing.assert_array_equal(found.logits, written.logits)
    np.testing.assert_array_equal(found.image, written.image)
    np.testing.assert_array_equal(found.members.probability, written.members.probability)
    np.testing.assert_array_equal(found.members.valid, written.members.valid)
    assert found.members.names == written.members.names
    np.testing.assert_array_equal(found.features.bottleneck, written.features.bottleneck)
    np.testing.assert_array_equal(found.features.discs, written.features.discs)
    assert found.features.discs.dtype == np.float16
    assert found.targets == written.targets
    assert heatmap_file.read_study(path, "a", members=False).members is None
    assert heatmap_file.study_ids(path) == ["a", "b"]
    failed = heatmap_file.read_study(path, "b")
    assert failed == NotAnalysed("b", "failed", "no slices")


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), heatmap_file.create(tmp_path / "x.h5", {}) as writer:
        writer.write(study())
        raise RuntimeError("interrupted")
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_the_same_for_the_same_studies(tmp_path):
    for name in ("x.h5", "y.h5"):
        with heatmap_file.create(tmp_path / name, {"a": 1}) as writer:
            writer.write(study())
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "y.h5").read_bytes()


def test_wrong_files(tmp_path):
    with pytest.raises(UserError, match=r"none\.h5 cannot be read"):
        heatmap_file.read_study(tmp_path / "none.h5", "a")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(UserError, match="cannot be read"):
        heatmap_file.read_study(tmp_path / "text.h5", "a")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["format_version"] = 0
    with pytest.raises(UserError, match="has format 0"):
        heatmap_file.read_study(tmp_path / "old.h5", "a")
    with heatmap_file.create(tmp_path / "x.h5", {}) as writer:
        writer.write(study())
    with pytest.raises(UserError, match="has no study zz"):
        heatmap_file.read_study(tmp_path / "x.h5", "zz")


def test_a_study_with_all_members_stays_below_two_megabytes(tmp_path):
    rows, columns = np.mgrid[:160, :160]
    blob = np.exp(-((rows - 80) ** 2 + (columns - 80) ** 2) / 60.0)
    probability = np.broadcast_to((255 * blob).astype(np.uint8), (26, 5, 160, 160)).copy()
    maps = study(members=False)
    members = Members(("m",) * 26, ("view",) * 26, probability, np.ones((26, 160, 160), dtype=bool))
    with heatmap_file.create(tmp_path / "x.h5", {}) as writer:
        writer.write(Analysed(**{**maps.__dict__, "members": members}))
    assert (tmp_path / "x.h5").stat().st_size < 2 << 20


def test_grid_points_in_the_patient():
    # the grid's outer edge is the slice's outer edge: half a pixel beyond the first centre on both
    corner = GEOMETRY.grid_to_patient(-0.5, -0.5, 160)
    np.testing.assert_allclose(corner, GEOMETRY.to_patient(-0.5, -0.5))
    np.testing.assert_allclose(GEOMETRY.grid_to_patient(159.5, 159.5, 160), GEOMETRY.to_patient(319.5, 399.5))
    np.testing.assert_allclose(GEOMETRY.to_patient(10, 20), [1, 2 + 7.5, 3 - 10])
    assert GEOMETRY.grid_spacing(160) == (1.25, 1.5)
