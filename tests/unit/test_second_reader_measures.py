"""Measures on masks: documented as every metric, right on phantoms' truth, undefined where a mask does not show enough."""

from __future__ import annotations

import numpy as np
import pytest

import made_masks
from lstv.second_reader import measures
from lstv.second_reader.masks import Mask
from lstv.second_reader.numbering import fitting
from lstv_evidence.phantom import anatomy, generators, mask_files

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def of_phantom(kind: str, degree: float, style: str = mask_files.SEGMENTS, seed: int = 5):
    phantom = generators.draw(generators.parse("", seed, kind, degree, ""))
    labels, affine = mask_files.volume(phantom, style)
    program = "totalspineseg" if style.startswith("total") else "spineps"
    (numbering,) = fitting(program, [int(number) for number in np.unique(labels) if number])
    return phantom, Mask(labels.astype(np.uint16), LPS @ affine, numbering, program)


@pytest.fixture(scope="module")
def phantoms():
    return {
        name: of_phantom(kind, degree)
        for name, kind, degree in (
            ("normal", "normal", 0.0),
            ("sacralized", "sacralized", 1.0),
            ("lumbarized", "lumbarized", 1.0),
        )
    }


@pytest.fixture(scope="module")
def found(phantoms) -> dict[str, dict[str, float | None]]:
    """Every measure of each phantom."""
    return {name: measures.measured(mask) for name, (_, mask) in phantoms.items()}


def slope_of(corners: np.ndarray) -> float:
    """Degrees by which the upper endplate of a body (4, 2) rises towards the back."""
    front, back = corners[:2]
    return float(np.rad2deg(np.arctan2(back[1] - front[1], back[0] - front[0])))


@pytest.mark.parametrize("name", ["normal", "sacralized", "lumbarized"])
def test_angles_are_those_of_the_drawn_endplates(phantoms, found, name):
    bodies, values = phantoms[name][0].body.bodies, found[name]
    sacrum, third = slope_of(bodies[anatomy.S1]), slope_of(bodies[anatomy.L3])
    assert values["a_angle_deg"] == pytest.approx(sacrum, abs=2.5)
    assert values["b_angle_deg"] == pytest.approx(sacrum - third, abs=3.0)


@pytest.mark.parametrize(
    "style", ["spineps", *(pytest.param(s, marks=pytest.mark.slow) for s in ("totalspineseg", "totalspineseg_first"))]
)
def test_angles_of_a_sacrum_in_one_piece(found, style):
    _, whole = of_phantom("normal", 0.0, style)
    own, other = found["normal"], measures.measured(whole)
    assert other["a_angle_deg"] == pytest.approx(own["a_angle_deg"], abs=2.0)
    assert (
        other["s1_ratio"] is None
        and other["s1_s2_extent"] is None
        and other["vmva_difference_deg"] is None
        and other["l5_s1_disc_height_index"] is None
    )
    assert other["l5_taper"] == pytest.approx(own["l5_taper"], abs=0.05)


def test_forms_tell_the_kinds_apart(found):
    normal, sacralized, lumbarized = (found[name] for name in ("normal", "sacralized", "lumbarized"))
    assert lumbarized["s1_ratio"] < 1.2 < normal["s1_ratio"]
    assert sacralized["l5_taper"] < -0.25 < -0.15 < normal["l5_taper"]
    assert sacralized["l5_s1_disc_height_index"] < 0.6 * normal["l5_s1_disc_height_index"]
    assert lumbarized["s1_s2_extent"] > 0.9
    assert normal["s1_s2_disc_type"] < lumbarized["s1_s2_disc_type"] == 3


def middle_of(corners: np.ndarray) -> float:
    """Degrees by which the lower end of a body (4, 2), of (posterior, superior), lies behind the upper."""
    down = corners[2:].mean(axis=0) - corners[:2].mean(axis=0)
    return float(np.rad2deg(np.arctan2(down[0], -down[1])))


@pytest.mark.parametrize("name", ["normal", "sacralized", "lumbarized"])
def test_the_difference_of_mid_vertebral_angles_is_that_of_the_drawing(phantoms, found, name):
    phantom, _ = phantoms[name]
    fourth, fifth, sacrum = (
        middle_of(phantom.body.bodies[index]) for index in (anatomy.L5 - 1, anatomy.L5, anatomy.S1)
    )
    difference = found[name]["vmva_difference_deg"]
    assert difference == pytest.approx((sacrum - fifth) - (fifth - fourth), abs=6.0)


@pytest.mark.slow
def test_the_type_of_the_s1_s2_disc(phantoms):
    _, mask = phantoms["lumbarized"]
    numbers = {
        name: number for number, name in mask.numbering.disc_names([int(n) for n in np.unique(mask.labels)]).items()
    }

    def typed(labels: np.ndarray) -> float | None:
        return measures.measured(Mask(labels, mask.to_patient, mask.numbering, mask.program))["s1_s2_disc_type"]

    inside = mask.labels == numbers["S1"]
    without = np.where(inside, 0, mask.labels).astype(np.uint16)
    assert typed(without) == 1
    assert typed(np.where(np.isin(without, list(numbers.values())), 0, without)) is None, "no discs are labelled"
    # keep the front half of the disc
    places = np.stack(np.nonzero(inside), axis=-1) @ mask.to_patient[:3, :3].T
    front = places[:, 1] < np.median(places[:, 1])
    half = without.copy()
    half[tuple(np.stack(np.nonzero(inside))[:, front])] = numbers["S1"]
    assert typed(half) == 2


def test_widths_and_heights_are_those_of_the_drawing(phantoms):
    phantom, mask = phantoms["normal"]
    values = measures.measured(mask)
    corners = phantom.body.bodies[anatomy.L5]
    upper, lower = (np.linalg.norm(corners[k + 1] - corners[k]) for k in (0, 2))
    assert values["l5_ap_superior_mm"] == pytest.approx(0.85 * upper + 0.15 * lower, abs=2.5)
    assert values["l5_ap_inferior_mm"] == pytest.approx(0.15 * upper + 0.85 * lower, abs=2.5)


def test_boxes():
    """Bodies 34 x 26 mm, discs 10 mm high, of a straight spine."""
    mask = Mask(
        made_masks.labels().astype(np.uint16), LPS @ made_masks.AFFINE, made_masks.numbering("spineps"), "spineps"
    )
    values = measures.measured(mask)
    assert values["l5_ap_superior_mm"] == values["l5_ap_inferior_mm"] == pytest.approx(34, abs=0.4)
    assert values["l5_height_ratio"] == pytest.approx(26 / 34, abs=0.02)
    assert values["l5_taper"] == pytest.approx(0, abs=0.02) and values["l5_wedge_deg"] == pytest.approx(0, abs=0.2)
    assert values["l3_l4_disc_height_mm"] == pytest.approx(10, abs=0.3)
    assert values["l3_l4_disc_height_index"] == pytest.approx(10 / 26, abs=0.02)
    assert values["b_angle_deg"] == pytest.approx(values["a_angle_deg"], abs=0.3)


def test_discs_alone_have_heights_and_bodies_alone_have_forms():
    def measured(**parts):
        labels = made_masks.labels(**parts).astype(np.uint16)
        return measures.measured(Mask(labels, LPS @ made_masks.AFFINE, made_masks.numbering("spineps"), "spineps"))

    discs, bodies = measured(bodies=False), measured(discs=False)
    assert discs["l5_s1_disc_height_mm"] == pytest.approx(10, abs=0.3) and discs["l5_s1_disc_height_index"] is None
    assert discs["l5_taper"] is None and discs["a_angle_deg"] is None
    assert bodies["l5_taper"] == pytest.approx(0, abs=0.02) and bodies["l4_l5_disc_height_mm"] is None


@pytest.mark.slow
def test_erosion_takes_a_voxel_from_every_side(phantoms, found):
    phantom, mask = phantoms["normal"]
    before, after = found["normal"], measures.measured(mask, eroded=True)
    pixel = phantom.plan.column_spacing
    for name in ("l5_ap_superior_mm", "s1_ap_inferior_mm"):
        assert after[name] - before[name] == pytest.approx(-2 * pixel, abs=0.8)
    assert after["a_angle_deg"] == pytest.approx(before["a_angle_deg"], abs=1.0)
    assert after["l5_wedge_deg"] == pytest.approx(before["l5_wedge_deg"], abs=1.5)


def test_every_measure_says_what_it_is():
    assert {"s1_ratio", "l5_taper", "a_angle_deg", "l5_s1_disc_height_index"} <= set(measures.MEASURES)
    for entry in measures.MEASURES.values():
        assert all(
            (entry.title, entry.formula, entry.unit, entry.range, entry.direction, entry.undefined, entry.source)
        )
