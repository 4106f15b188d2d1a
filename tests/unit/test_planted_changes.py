"""Planted changes: what they do to pixels and planes, how their effects are counted, and the program on phantoms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import planted_changes
import provenance
from lstv.base.errors import StudyError, UserError
from lstv.base.levels import LEVELS
from lstv.cohort.study_sheet import Row
from lstv.dicom import intensities
from lstv.dicom.series import SagittalVolume
from lstv.localizer.options import Options
from lstv_evidence.method import changes, design, effects, effects_text, planting
from lstv_evidence.method.planting import ORIGINAL, Planted
from lstv_evidence.phantom import cohort
from lstv_evidence.phantom.spec import PhantomSpec
from lstv_evidence.phantom.study import draw

DEMO = Path(__file__).parents[2] / "resources" / "demo" / "pointnet_demo.pth"


@pytest.fixture(scope="module")
def spine():
    """Three slices of a phantom and the middles of its discs in pixels."""
    phantom = draw(PhantomSpec(77))
    centre = len(phantom.plan.offsets) // 2
    chosen = (centre - 1, centre, centre + 1)
    scaled, _, _ = intensities.scale(
        list(phantom.sagittal(slices=chosen)), [intensities.IDENTITY] * 3, intensities.TRAINED_PERCENTILES
    )
    planes = tuple(phantom.geometry[k] for k in chosen)
    discs = phantom.body.points("disc")
    points = np.array([phantom.plan.pixels(discs[level]) for level in LEVELS])
    return SagittalVolume(np.stack(scaled), planes, (), {}, True), points


def at(series, patient):
    """Grey value of the centre slice at a point of the patient, and whether it is in the field."""
    plane = series.slices[series.centre]
    away = np.asarray(patient) - plane.position
    column = int(round(float(away @ plane.row_direction) / plane.column_spacing))
    row = int(round(float(away @ plane.column_direction) / plane.row_spacing))
    inside = 0 <= row < plane.height and 0 <= column < plane.width
    return (int(series.volume[series.centre][row, column]) if inside else None), inside


def patient(series, point):
    return series.slices[series.centre].to_patient(*point)


@pytest.mark.parametrize("change", changes.CHANGES, ids=lambda change: change.name)
def test_planes_belong_to_the_pixels(spine, change):
    series, points = spine
    before = series.volume.copy()
    changed = change.make(series, points)
    assert np.array_equal(series.volume, before), "the original is left alone"
    assert changed.volume.dtype == np.uint8 and len(changed.slices) == len(series.slices)
    for image, plane, old in zip(changed.volume, changed.slices, series.slices):
        assert image.shape == (plane.height, plane.width)
        assert (plane.row_spacing, plane.column_spacing) == (old.row_spacing, old.column_spacing)


@pytest.mark.parametrize("name", ["crop_caudal", "crop_cranial", "crop_control"])
def test_a_crop_leaves_everything_in_its_place_in_the_patient(spine, name):
    series, points = spine
    cropped = getattr(changes, name)(series, points)
    seen = [at(cropped, patient(series, np.rint(point))) for point in points]
    outside = {"crop_caudal": [4], "crop_cranial": [0], "crop_control": []}[name]
    assert [k for k, (_, inside) in enumerate(seen) if not inside] == outside
    for point, (grey, inside) in zip(np.rint(points).astype(int), seen):
        assert not inside or grey == series.volume[series.centre][point[1], point[0]]
    moved = (np.array(cropped.slices[0].position) - series.slices[0].position) @ series.slices[0].row_direction
    spine_column = points[:, 0].mean() - moved / series.slices[0].column_spacing
    if name != "crop_control":
        assert spine_column == pytest.approx(cropped.slices[0].width / 2, abs=1.5), "the spine is in the middle"
    # the field keeps its proportions
    old, new = series.slices[0], cropped.slices[0]
    assert new.width / new.height == pytest.approx(old.width / old.height, rel=0.02)


def test_duplicating_shows_the_segment_twice_and_keeps_what_lies_above(spine):
    series, points = spine
    step = (points[3] - points[1]) / 2
    doubled = changes.duplicate_l4(series, points)
    assert doubled.slices[0].height == series.slices[0].height
    above = patient(series, np.rint(points[1]))
    assert at(doubled, above)[0] == at(series, above)[0]
    image = series.volume[series.centre].astype(int)
    start = int(round(step[1] / 2))
    for level, shift in ((2, 0), (2, 1), (3, 1), (4, 1)):
        column, row = np.rint(points[level] + shift * step - [0, start]).astype(int)
        source_column, source_row = np.rint(points[level]).astype(int)
        patch = doubled.volume[doubled.centre][row - 3 : row + 4, column - 3 : column + 4].astype(int)
        source = image[source_row - 3 : source_row + 4, source_column - 3 : source_column + 4]
        assert abs(patch - source).mean() < 12, (level, shift)


def test_removing_brings_the_next_disc_up_by_one_segment(spine):
    series, points = spine
    step = (points[3] - points[1]) / 2
    fewer = changes.remove_l4(series, points)
    assert fewer.slices[0].height == series.slices[0].height - round(step[1])
    for level in (3, 4):
        moved = series.slices[series.centre].to_patient(*(points[level] - step))
        assert abs(at(fewer, moved)[0] - at(series, patient(series, points[level]))[0]) < 40


def test_erasing_fills_the_disc_with_marrow_and_touches_nothing_far_from_it(spine):
    series, points = spine
    erased = changes.erase_l5_s1(series, points)
    image, after = series.volume[series.centre].astype(int), erased.volume[erased.centre].astype(int)

    def level(picture, point):
        column, row = np.rint(point).astype(int)
        return picture[row - 2 : row + 3, column - 2 : column + 3].mean()

    marrow = level(image, (points[3] + points[4]) / 2)
    assert abs(level(after, points[4]) - marrow) < 0.35 * abs(level(image, points[4]) - marrow)
    column, row = np.rint(points[4]).astype(int)
    assert after[row - 6 : row + 7, column - 6 : column + 7].max() < 1.5 * marrow, "no disc in what was painted over it"
    rows, columns = np.nonzero(image != after)
    away = np.hypot((columns - points[4][0]), (rows - points[4][1]))
    assert away.max() < np.hypot(*(points[4] - points[3]))


def test_points_before_the_canal_are_moved_to_the_front(spine):
    series, _ = spine
    levels = {level: {"point_px": [80.0, 30.0 + 20 * k]} for k, level in enumerate(LEVELS)}
    plain, moved = (
        planting.disc_points({"study_id": "s", "levels": levels, "study": {"disc_offset": mm}}, series)
        for mm in (0.0, 25.0)
    )
    assert np.allclose(plain[:, 0] - moved[:, 0], 25.0 / series.slices[0].column_spacing)
    assert plain[0, 0] == pytest.approx(80.5 * series.slices[0].width / 160 - 0.5)


def test_nothing_is_planted_where_a_point_lies_off_its_disc():
    levels = {level: {"point_px": [80.0, 30.0]} for level in LEVELS}
    on = {"levels": levels, "flags": [], "study": {"off_disc": 0.1}}
    assert planting.why_not(on) == ""
    for flag in ("points_off_discs", "levels_at_one_disc"):
        assert "do not lie on discs" in planting.why_not(on | {"flags": [flag]})
    assert "0.40 distances" in planting.why_not(on | {"study": {"off_disc": 0.4}})
    lost = on | {"levels": levels | {"l5_s1": {"point_px": None}}}
    assert planting.why_not(lost) == "l5_s1 is not found on the original"


@pytest.mark.parametrize(("name", "left"), [("erase_l5_s1", 0.3), ("bridge_l5_s1", 0.3), ("fade_l5_s1", 0.75)])
def test_brushes_take_the_disc_away(spine, name, left):
    series, points = spine
    changed = getattr(changes, name)(series, points)

    def departure(image):
        column, row = np.rint(points[4]).astype(int)
        return np.abs(image[row - 3 : row + 4, column - 5 : column + 6].astype(float) - marrow).mean()

    column, row = np.rint((points[3] + points[4]) / 2).astype(int)
    marrow = float(series.volume[1][row - 2 : row + 3, column - 2 : column + 3].mean())
    assert departure(changed.volume[1]) < left * departure(series.volume[1])


# --- effects ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_replicates(monkeypatch):
    """No test here looks at the intervals of the bootstrap."""
    monkeypatch.setattr(effects, "_REPLICATES", 20)


def made(index, **shift):
    """A study whose metrics are all ``index`` and, after each change, moved by ``shift`` (metric -> amount)."""
    from lstv import uncertainty

    def record(amounts):
        levels = {level: {e.name: 1.0 * index for e in uncertainty.metrics("level")} for level in LEVELS}
        values = {e.name: 1.0 * index for e in uncertainty.metrics("study")}
        for name, amount in amounts.items():
            values[name] = None if amount is None else values[name] + amount
        for level in LEVELS:
            levels[level] |= {"point_px": [1.0, 1.0], "point_mm": [0.0, 0.0, -36.0 * LEVELS.index(level)]}
        study = values | {"quality": "ok", "risk": "low"}
        return {"study_id": f"s{index}", "status": "ok", "flags": [], "levels": levels, "study": study} | {
            "provenance": {}
        }

    records = {change.name: record(shift) for change in changes.CHANGES}
    return Planted(f"s{index}", "", {ORIGINAL: record({})} | records, {})


def test_effects_count_direction_and_size_in_units_of_the_originals(few_replicates):
    studies = [made(k, junction_margin=-3.0, blob_count=0.0, caudal_residual=None) for k in range(7)]
    record = effects.effects(studies)
    found = {entry["metric"]: entry["changes"]["erase_l5_s1"] for entry in record["metrics"]}
    assert found["junction_margin"]["down"] == 7 and found["junction_margin"]["moved"]
    assert found["junction_margin"]["median_in_sd"] == pytest.approx(-3 / (1.4826 * 2))
    assert found["blob_count"]["same"] == 7 and not found["blob_count"]["moved"]
    assert found["caudal_residual"]["became_undefined"] == 7 and found["caudal_residual"]["median"] is None
    assert not found["l5_s1_entropy"]["moved"]
    text = effects_text.text(record)
    assert "**−1.0, 0↑ 7↓**" in text and "moves with: none of them" in text


@pytest.mark.slow
def test_a_change_in_few_studies_is_no_movement(few_replicates):
    studies = [made(k, junction_margin=-3.0 if k < 2 else 0.0) for k in range(7)]
    found = {entry["metric"]: entry for entry in effects.effects(studies)["metrics"]}
    assert found["junction_margin"]["changes"]["crop_caudal"]["down"] == 2
    assert not found["junction_margin"]["changes"]["crop_caudal"]["moved"]


@pytest.mark.slow
def test_changes_both_ways_are_no_movement_however_large(few_replicates):
    studies = [made(k, junction_margin=-30.0 if k < 4 else 30.0) for k in range(7)]
    found = {entry["metric"]: entry for entry in effects.effects(studies)["metrics"]}["junction_margin"]["changes"]
    assert found["crop_caudal"]["median_in_sd"] < -1 and not found["crop_caudal"]["moved"]


def test_too_few_studies_are_refused_with_the_reasons():
    studies = [made(1), Planted("x", "l5_s1 is not found on the original", {}, {})]
    with pytest.raises(UserError, match="planted in 1 studies.*x: l5_s1 is not found"):
        effects.effects(studies)


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    design.write_list(design.specs(design.Design(3, 0, 0), seed=9), 9, folder / "phantoms.csv")
    for study in cohort.read_list(folder / "phantoms.csv"):
        rows = cohort.write_study(study, folder / "train_images")[1]
        with open(folder / "train_series_descriptions.csv", "a") as stream:
            if stream.tell() == 0:
                stream.write("study_id,series_id,series_description\n")
            stream.writelines(f"{study.study_id},{series},{name}\n" for series, name in rows)
    return folder


@pytest.mark.slow
def test_program_measures_every_change_on_phantoms(phantoms, tmp_path):
    arguments = [
        "--path",
        phantoms,
        "--checkpoint",
        DEMO,
        "--members",
        "centre",
        "--device",
        "cpu",
        "--marks",
        "canal",
    ]
    arguments += ["--out", tmp_path / "p.json", "--csv", tmp_path / "p.csv", "--markdown", tmp_path / "p.md"]
    assert planted_changes.main([*map(str, arguments), "--previews", str(tmp_path / "previews")]) == 0
    record = json.loads((tmp_path / "p.json").read_text())
    assert provenance.only(record)["configuration"] == {"members": "centre", "marks": "canal", "device": "cpu"}
    assert record["studies"] == 3 and not record["left_out"]
    assert set(record["flags"]) == {change.name for change in changes.CHANGES}
    assert 1.0 <= record["places"][ORIGINAL]["median_rank"] <= 2.0
    assert [row["change"] for row in record["discrimination"]] == [change.name for change in changes.CHANGES]
    assert len(list((tmp_path / "previews").glob("*.png"))) == 3
    assert "field ends in L5" in (tmp_path / "p.md").read_text()


@pytest.mark.parametrize("where", ["of_series", "_measured", "disc_points"])
def test_a_study_that_fails_on_the_way_is_left_out_with_its_reason(spine, monkeypatch, where):
    def fails(*_):
        raise StudyError("the reason")

    monkeypatch.setattr(planting, "read_volume", lambda folder: replace(spine[0], phantom=True))
    monkeypatch.setattr(planting, "_measured", lambda *_: [{"study_id": "a"}])
    monkeypatch.setattr(planting, "why_not", lambda record: "")
    monkeypatch.setattr(planting, where, fails)
    (found,) = planting.plant([Row("a", "s", "folder")], None, Options(), {})
    assert (found.study_id, found.reason, found.records) == ("a", "the reason", {})


def test_demo_localizer_is_refused_for_real_series(spine, monkeypatch):
    monkeypatch.setattr(planting, "read_volume", lambda folder: replace(spine[0], phantom=False))
    with pytest.raises(UserError, match="no phantom"):
        planting.plant([Row("a", "s", "folder")], None, Options(), {"demo_weights": True})
