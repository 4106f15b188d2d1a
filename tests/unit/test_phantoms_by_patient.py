"""Phantoms drawn patient by patient: spread and correlations as written, degree moves what it should and nothing else,
masks agree with the picture, controls alter only what they say."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv_evidence.phantom import cohort, generators, masks
from lstv_evidence.phantom import study as first_generator
from lstv_evidence.phantom.anatomy import L1, L5, S1, S2, column
from lstv_evidence.phantom.cohort import PhantomStudy
from lstv_evidence.phantom.spec import Nuisances, PhantomSpec
from lstv_evidence.phantoms_by_patient import anatomy, traits
from lstv_evidence.phantoms_by_patient.spec import COMPLETE, Controls, PatientSpec, parse_nuisances
from lstv_evidence.phantoms_by_patient.study import draw

CONTROLS = [item.name for item in fields(Controls)]
OF_PATIENT, OF_FIELD = CONTROLS[:2], CONTROLS[-4:]
OF_PICTURE = CONTROLS[2:-4]
PATIENTS = 300


def controlled(seed, name, severity=1.0):
    return PatientSpec(seed, controls=Controls(**{name: severity}))


def lengths(body):
    """Depth (V, 2) of the plates and height (V - 1,) of the discs in mm."""
    depth = np.linalg.norm(body.bodies[:, [1, 3]] - body.bodies[:, [0, 2]], axis=-1)
    below, above = body.bodies[1:, :2].mean(axis=1), body.bodies[:-1, 2:].mean(axis=1)
    return depth, np.linalg.norm(above - below, axis=1)


def inclination(body, index, lower=False):
    """Of the upper or lower plate of a body against the horizontal, degrees."""
    front, back = body.bodies[index, 2:] if lower else body.bodies[index, :2]
    return np.degrees(np.arctan2(back[1] - front[1], back[0] - front[0]))


@cache
def cohort_of_ordinary():
    """One row a patient, by name."""
    rows = []
    for seed in range(PATIENTS):
        body = anatomy.build(PatientSpec(seed))
        depth, height = lengths(body)
        rows.append(
            {
                "s1_ratio": depth[S1, 0] / depth[S1, 1],
                "l5_taper": depth[L5, 1] / depth[L5, 0],
                "l5_wedge": inclination(body, L5, lower=True) - inclination(body, L5),
                "slope": inclination(body, S1),
                "lordosis": inclination(body, S1) - inclination(body, L1),
                "s1_s2": height[S1],
                "s1_s2_extent": np.linalg.norm(body.discs[S1, 1] - body.discs[S1, 0]) / depth[S1, 1],
                "size": body.size,
                **{f"disc_{k}": height[L1 + k] for k in range(5)},
                **{f"grade_{k}": body.degeneration[L1 + k] for k in range(5)},
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def correlation(first, second):
    found = cohort_of_ordinary()
    return np.corrcoef(found[first], found[second])[0, 1]


# --- the patients -----------------------------------------------------------------------------------------------------


def test_same_spec_gives_same_phantom_and_another_seed_another():
    first, again, other = (draw(PatientSpec(seed)) for seed in (7, 7, 8))
    assert np.array_equal(first.sagittal(slices=(5,)), again.sagittal(slices=(5,)))
    assert np.array_equal(first.masks(slices=(5,)), again.masks(slices=(5,)))
    assert first.truth == again.truth != other.truth


def test_written_correlations_can_go_together_and_name_known_traits():
    names = [trait.name for trait in traits.TRAITS]
    assert len(set(names)) == len(names)
    assert {name for pair in traits.CORRELATIONS for name in pair[:2]} <= set(names)
    assert np.linalg.eigvalsh(traits.correlation()).min() > 0.05
    assert all(trait.low < trait.mean < trait.high and trait.source for trait in traits.TRAITS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measured", "trait"),
    [("s1_ratio", "s1_ratio"), ("l5_taper", "l5_taper"), ("l5_wedge", "l5_wedge"), ("slope", "sacral_slope")],
)
def test_drawn_forms_have_the_spread_that_is_written(measured, trait):
    values = cohort_of_ordinary()[measured]
    written = next(item for item in traits.TRAITS if item.name == trait)
    assert len(np.unique(values.round(6))) > 0.95 * PATIENTS
    assert values.mean() == pytest.approx(written.mean, abs=3 * written.deviation / PATIENTS**0.5)
    assert values.std() == pytest.approx(written.deviation, rel=0.15)
    assert written.low - 1e-6 <= values.min() and values.max() <= written.high + 1e-6


@pytest.mark.slow
def test_first_generator_has_no_spread_where_this_one_has():
    depths = [lengths(first_generator.anatomy.build(PhantomSpec(seed)))[0][S1] for seed in range(5)]
    assert np.ptp([upper / lower for upper, lower in depths]) < 1e-9
    assert np.ptp(cohort_of_ordinary()["s1_ratio"]) > 0.5


def test_traits_go_together_as_written():
    assert 0.7 < correlation("slope", "lordosis") < 0.9
    assert 0.2 < correlation("lordosis", "l5_wedge") < 0.6
    assert -0.6 < correlation("s1_ratio", "s1_s2") < -0.2
    assert 0.2 < correlation("disc_0", "disc_1") < 0.9


def test_disc_heights_differ_as_in_adults_and_only_some_follow_the_textbook():
    found = cohort_of_ordinary()
    fresh = np.all([found[f"grade_{k}"] < 0.3 for k in range(5)], axis=0)
    heights = np.stack([found[f"disc_{k}"] for k in range(5)], axis=1)
    spread = heights[found["grade_1"] < 0.3, 1]
    # 9.5 mm, 95 % range 6.97 to 12.08 between L2 and L3: J Orthop Surg Res 2018;13:34
    assert spread.std() / spread.mean() == pytest.approx(1.30 / 9.5, abs=0.03)
    follow = (np.diff(heights[:, :4], axis=1) > 0).all(axis=1) & (heights[:, 4] <= heights[:, 3])
    assert fresh.sum() > 30 and 0.2 < follow[fresh].mean() < 0.7


def test_s1_s2_is_absent_in_some_small_in_most_and_whole_in_few():
    extent = cohort_of_ordinary()["s1_s2_extent"]
    absent, whole = (extent < 0.38).mean(), (extent > 0.9).mean()
    assert 0.25 < absent < 0.42 and 0.08 < whole < 0.25


def test_lower_discs_are_worn_as_often_as_written_and_independent_of_form():
    found = cohort_of_ordinary()
    for k, name in enumerate(("L1", "L2", "L3", "L4", "L5")):
        share = traits.WORN[name]
        error = 3.5 * (share * (1 - share) / PATIENTS) ** 0.5
        assert (found[f"grade_{k}"] > 0.5).mean() == pytest.approx(share, abs=error)
    for form in ("s1_ratio", "l5_wedge", "l5_taper", "s1_s2", "lordosis"):
        assert abs(correlation("grade_4", form)) < 0.2
    assert np.corrcoef(found["grade_3"], found["grade_4"])[0, 1] > 0.25


def test_worn_disc_is_narrow_and_dark():
    bodies = [anatomy.build(PatientSpec(seed)) for seed in range(80)]
    grade = np.array([body.degeneration[L5] for body in bodies])
    signal = np.array([body.signal[L5] for body in bodies])
    height = np.array([lengths(body)[1][L5] / body.size for body in bodies])
    assert signal[grade > 0.7].mean() < 0.6 * signal[grade < 0.3].mean()
    assert height[grade > 0.7].mean() < 0.8 * height[grade < 0.3].mean()


# --- transitions ------------------------------------------------------------------------------------------------------

DEGREES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_sacralization_moves_l5_and_its_disc_step_by_step(seed):
    bodies = [anatomy.build(PatientSpec(seed, "sacralized" if d else "normal", d)) for d in DEGREES]
    depth, height = zip(*map(lengths, bodies))
    assert (np.diff([h[L5] for h in height]) < 0).all()
    assert (np.diff([d[L5, 0] / d[L5, 1] for d in depth]) > 0).all()
    extent = [np.linalg.norm(body.discs[L5, 1] - body.discs[L5, 0]) for body in bodies]
    assert (np.diff(extent) < 0).all()
    assert (np.diff([body.signal[L5] for body in bodies]) <= 0).all()
    # at 1 the disc below L5 is as the patient's own S1/S2 would be, worn by the grade of its place
    assert extent[-1] / depth[-1][L5, 1] == pytest.approx(
        np.linalg.norm(bodies[0].discs[S1, 1] - bodies[0].discs[S1, 0]) / depth[0][S1, 1], rel=0.05
    )


@pytest.mark.parametrize("seed", range(6))
def test_lumbarization_squares_s1_and_opens_s1_s2_step_by_step(seed):
    bodies = [anatomy.build(PatientSpec(seed, "lumbarized" if d else "normal", d)) for d in DEGREES]
    depth, height = zip(*map(lengths, bodies))
    assert (np.diff([d[S1, 0] / d[S1, 1] for d in depth]) < 0).all()
    assert depth[-1][S1, 0] / depth[-1][S1, 1] < 1.15
    assert (np.diff([h[S1] for h in height]) > 0).all()
    extent = [np.linalg.norm(body.discs[S1, 1] - body.discs[S1, 0]) / d[S1, 1] for body, d in zip(bodies, depth)]
    assert (np.diff(extent) > -1e-9).all() and extent[-1] > 0.99


@pytest.mark.parametrize("kind", ["sacralized", "lumbarized"])
def test_transition_leaves_the_rest_of_the_patient(kind):
    for seed in range(5):
        ordinary, changed = anatomy.build(PatientSpec(seed)), anatomy.build(PatientSpec(seed, kind, 0.8))
        assert np.array_equal(ordinary.degeneration, changed.degeneration)
        assert np.array_equal(ordinary.marrow_change, changed.marrow_change)
        above = slice(0, L1 + 1)
        assert np.allclose(lengths(ordinary)[0][above], lengths(changed)[0][above])
        lean = [np.arctan2(*column(body.bodies)) for body in (ordinary, changed)]
        assert lean[0] == pytest.approx(lean[1], abs=1e-9)


def test_numbers_change_where_the_transition_is_complete():
    def numbers(kind, degree):
        truth = draw(PatientSpec(3, kind, degree)).truth
        return truth.lumbar, truth.mobile_segments

    assert numbers("normal", 0.0) == numbers("sacralized", 0.7) == numbers("lumbarized", 0.7) == (5, 5)
    assert numbers("sacralized", COMPLETE) == (5, 4)
    assert numbers("lumbarized", COMPLETE) == (6, 6)


# --- masks ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("spec", [PatientSpec(2), PatientSpec(2, "sacralized", 0.6), controlled(2, "seam")])
def test_points_of_the_truth_lie_in_the_masks(spec):
    phantom = draw(spec)
    volume, mask = phantom.sagittal(), phantom.masks()
    assert mask.shape == volume.shape and mask.dtype == np.uint8
    for k, level in enumerate(LEVELS):
        plane, pixel = _pixel(phantom, phantom.truth.discs[level])
        assert mask[plane][pixel] == masks.DISC + 20 + k
        assert mask[plane][_pixel(phantom, phantom.truth.canal[level])[1]] == 0


@pytest.mark.slow
def test_masks_agree_with_the_picture():
    shifts = [(0, 0), (0, 2), (0, -2), (2, 0), (-2, 0)]
    rims, discs = {shift: [] for shift in shifts}, []
    for seed in range(6):
        phantom = draw(PatientSpec(seed))
        centre = (len(phantom.geometry) // 2,)
        image, mask = phantom.sagittal(slices=centre)[0].astype(float), phantom.masks(slices=centre)[0]
        assert np.isin([20, 21, 22, 23, 24, 26, 120, 121, 122, 123, 124], mask).all()
        for label in range(20, 25):
            body = np.median(image[_eroded(mask == label)])
            rim = (mask == label) & ~_eroded(mask == label, 1)
            for shift in shifts:
                rims[shift].append(image[np.roll(rim, shift, (0, 1))].mean() / body)
            departure = (
                np.square(image[where] / body - 1).mean() for where in (mask == label + 100, _eroded(mask == label))
            )
            discs.append(np.divide(*departure) ** 0.5)
    # cortical bone is darkest where the mask has its edge; a disc is a bright nucleus in a dark ring, or dark all over
    assert min(shifts, key=lambda shift: np.mean(rims[shift])) == (0, 0)
    assert min(discs) > 1.5, sorted(discs)[:4]


def test_mask_has_the_size_of_the_drawn_bodies():
    phantom = draw(PatientSpec(4))
    centre = len(phantom.geometry) // 2
    mask = phantom.masks(slices=(centre,))[0]
    pixel = phantom.plan.row_spacing * phantom.plan.column_spacing
    depth, _ = lengths(phantom.body)
    for index in range(L1, L5 + 1):
        height = np.linalg.norm(
            phantom.body.bodies[index, :2].mean(axis=0) - phantom.body.bodies[index, 2:].mean(axis=0)
        )
        # hollow plates, waist and rounded corners take about a fifth
        assert 0.72 < (mask == 20 + index - L1).sum() * pixel / (height * depth[index].mean()) < 0.98


def test_sixth_lumbar_vertebra_has_its_own_number():
    phantom = draw(PatientSpec(2, "lumbarized", 0.9))
    ordinary, changed = draw(PatientSpec(2)), phantom.masks()
    labels = set(np.unique(changed))
    assert {20, 24, 25, 26, 124, 125} <= labels and 28 not in labels
    assert 25 not in ordinary.masks() and 26 in ordinary.masks()
    bodies, discs = masks.values(6)
    assert (bodies[S1], bodies[S2], discs[L5], discs[S1]) == (25, 26, 124, 125)
    with pytest.raises(ValueError):
        masks.values(4)


def test_first_generator_has_masks_too():
    phantom = first_generator.draw(PhantomSpec(3))
    assert {20, 24, 26, 124} <= set(np.unique(phantom.masks(slices=(6,))))


def _pixel(phantom, point):
    """Index of the nearest slice and (row, column) of a patient point in it."""
    plane = min(range(len(phantom.geometry)), key=lambda k: abs(_away(phantom.geometry[k], point)[2]))
    column, row, _ = _away(phantom.geometry[plane], point)
    return plane, (round(row), round(column))


def _away(geometry, point):
    step = np.array(point) - geometry.position
    along, down = np.array(geometry.row_direction), np.array(geometry.column_direction)
    return step @ along / geometry.column_spacing, step @ down / geometry.row_spacing, step @ np.cross(along, down)


def _eroded(mask, times=3):
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


# --- controls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_PICTURE + OF_FIELD)
def test_controls_of_picture_and_scan_leave_the_patient(name):
    plain, changed = draw(PatientSpec(5)), draw(controlled(5, name))
    assert np.array_equal(plain.body.bodies, changed.body.bodies)
    assert np.array_equal(plain.body.signal, changed.body.signal)
    assert plain.look == changed.look
    assert changed.truth.mobile_segments == 5
    same = plain.sagittal(slices=(6,)), changed.sagittal(slices=(6,))
    assert same[0].shape != same[1].shape or not np.array_equal(*same)


@pytest.mark.parametrize("name", [name for name in OF_PICTURE if name != "seam"])
def test_controls_of_the_picture_move_nothing(name):
    plain, changed = draw(PatientSpec(5)), draw(controlled(5, name))
    assert np.array_equal(plain.masks(slices=(6,)), changed.masks(slices=(6,)))
    assert plain.truth == changed.truth
    assert plain.geometry == changed.geometry


@pytest.mark.parametrize(("name", "index"), list(zip(OF_PATIENT, (L5, L5 - 1))))
def test_controls_of_the_patient_change_one_disc(name, index):
    # a patient whose L5/S1 is fresh
    seed = next(k for k in range(100) if anatomy.build(PatientSpec(k)).degeneration[L5] < 0.2)
    plain, changed = anatomy.build(PatientSpec(seed)), anatomy.build(controlled(seed, name))
    (depth, height), (depth_then, height_then) = lengths(plain), lengths(changed)
    others = np.arange(len(height)) != index
    assert np.allclose(height[others], height_then[others]) and np.allclose(depth, depth_then)
    assert 0.4 < height_then[index] / height[index] < 0.7
    assert np.array_equal(plain.signal[others], changed.signal[others])
    darker = changed.signal[index] < 0.5 * plain.signal[index]
    assert darker == (name == "l5_s1_degenerated")


def test_field_cut_to_five_levels_is_a_part_of_the_same_picture():
    for severity in (0.5, 1.0):
        plain, cut = draw(PatientSpec(5)), draw(controlled(5, "five_levels", severity))
        whole, part = plain.sagittal(slices=(6,))[0], cut.sagittal(slices=(6,))[0]
        assert np.array_equal(part, whole[cut.rows, cut.columns]) and part.shape == (cut.plan.height, cut.plan.width)
        assert part.size < 0.9 * whole.size
        for found in (cut.truth.discs, cut.truth.canal):
            for point in found.values():
                plane, (row, column) = _pixel(cut, point)
                assert 8 < row < part.shape[0] - 8 and 8 < column < part.shape[1] - 8
                assert part.shape == (cut.geometry[plane].height, cut.geometry[plane].width)


def test_fields_and_matrix_are_what_they_say():
    plain = draw(PatientSpec(5)).plan

    def field(plan):
        return np.array([plan.height * plan.row_spacing, plan.width * plan.column_spacing])

    small, large, other = (draw(controlled(5, name)).plan for name in OF_FIELD[1:])
    assert field(small) == pytest.approx(0.8 * field(plain), rel=1e-3)
    assert field(large) == pytest.approx(1.4 * field(plain), rel=1e-3)
    assert field(other) == pytest.approx(field(plain), rel=1e-3) and other.height != plain.height


def test_painted_marrow_lies_in_l4_and_behind_the_column_only():
    plain, painted = draw(PatientSpec(6)), draw(controlled(6, "marrow_painted"))
    centre = (len(plain.geometry) // 2,)
    changed = plain.sagittal(slices=centre)[0] != painted.sagittal(slices=centre)[0]
    mask = plain.masks(slices=centre)[0]
    assert 0 < changed.sum() < 0.03 * changed.size
    assert (changed & (mask == 23)).sum() > 50
    assert not (changed & (mask > 0) & (mask != 23)).any()
    assert changed[mask == 0].sum() > 50


def test_seam_moves_what_lies_below_it_to_the_back():
    plain, sewn = draw(PatientSpec(5)), draw(controlled(5, "seam"))
    shift = {level: np.linalg.norm(np.subtract(sewn.truth.discs[level], plain.truth.discs[level])) for level in LEVELS}
    assert shift["l1_l2"] == shift["l2_l3"] == 0
    assert shift["l4_l5"] == pytest.approx(2.0) and shift["l5_s1"] == pytest.approx(2.0)
    centre = (len(plain.geometry) // 2,)
    before, after = plain.masks(slices=centre)[0], sewn.masks(slices=centre)[0]
    moved = np.nonzero(after == 26)[1].mean() - np.nonzero(before == 26)[1].mean()
    assert moved * plain.plan.column_spacing == pytest.approx(2.0, abs=0.4)
    assert np.array_equal(before == 20, after == 20)


def test_gamma_keeps_the_order_of_grey_values_and_blur_takes_edges():
    plain = draw(PatientSpec(5)).sagittal(slices=(6,))[0].astype(float)
    gamma = draw(controlled(5, "gamma")).sagittal(slices=(6,))[0].astype(float)
    order = np.argsort(plain, axis=None, kind="stable")
    assert (np.diff(gamma.ravel()[order]) >= 0).all()
    soft = draw(controlled(5, "blur")).sagittal(slices=(6,))[0].astype(float)
    twice = draw(controlled(5, "resampled_twice")).sagittal(slices=(6,))[0].astype(float)
    edge = np.abs(np.diff(plain, axis=0)).mean()
    assert np.abs(np.diff(soft, axis=0)).mean() < np.abs(np.diff(twice, axis=0)).mean() < edge
    assert np.corrcoef(twice.ravel(), plain.ravel())[0, 1] > 0.98


# --- lists ------------------------------------------------------------------------------------------------------------


def test_nuisances_of_both_kinds_are_read_and_others_refused():
    nuisances, controls = parse_nuisances("scoliosis=0.8;gamma=0.5")
    assert (nuisances, controls) == (Nuisances(scoliosis=0.8), Controls(gamma=0.5))
    spec = PatientSpec(1, nuisances=nuisances, controls=controls)
    assert spec.present == {"scoliosis": 0.8, "gamma": 0.5}
    with pytest.raises(UserError, match="'rust'"):
        parse_nuisances("rust=1")
    with pytest.raises(UserError, match="blur is 2"):
        Controls(blur=2)


def test_list_names_the_generator_and_an_unknown_one_is_refused(tmp_path):
    assert generators.parse("patients", 1, "normal", 0.0, "blur=0.5") == controlled(1, "blur", 0.5)
    assert generators.parse("", 1, "normal", 0.0, "noise=1") == PhantomSpec(1, nuisances=Nuisances(noise=1))
    with pytest.raises(UserError, match="generator 'x' is unknown; use one of tables, patients"):
        generators.parse("x", 1, "normal", 0.0, "")
    with pytest.raises(UserError, match="'blur' is unknown"):
        generators.parse("tables", 1, "normal", 0.0, "blur=0.5")


@pytest.mark.slow
def test_cohort_of_patients_is_written_with_its_truth(tmp_path):
    root = tmp_path / "out"
    spec = PatientSpec(4, "lumbarized", 0.9)
    cohort.write([PhantomStudy("1", spec, series=("t2",)), PhantomStudy("2", controlled(4, "five_levels"))], root, 1)
    assert len(list((root / "train_images" / "1").glob("*/*.dcm"))) == len(draw(spec).geometry)
    assert (root / "truth.csv").read_text().count("lumbarized") == 6
