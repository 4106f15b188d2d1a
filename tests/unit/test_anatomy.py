"""Signs in the picture, on spines drawn by formula: the places, turns and contrasts are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drawn_spine import MARROW, DrawnSpine, draw
from lstv.anatomy import chain, offset, picture, signs, strip
from lstv.anatomy.disc_score import NOT_SEEN, disc_score
from lstv.anatomy.picture import Picture
from lstv.anatomy.symmetry import asymmetry
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import strips

DOWN, BACK = np.array([0.0, 1.0]), np.array([1.0, 0.0])


def _strip(
    spine: DrawnSpine, places: np.ndarray | None = None, levels: tuple | None = None, marks: str = "disc"
) -> strip.Strip:
    named: list = [None] * 5
    for level, point in zip(levels or range(5), spine.grid(spine.discs[:5] if places is None else places)):
        named[level] = point
    points = strip.column(named, 160, spine.plane)
    picture = Picture(spine.pixels.astype(np.float32), spine.plane.row_spacing, spine.plane.column_spacing)
    return strip.lay(spine.pixels[None], spine.plane, points, offset.disc_offset(picture, points, marks))


def _ratio(found: signs.Signs) -> float:
    return float(np.nanmedian(found.contrast / found.contrast_above))


# --- disc score -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [0.4, 1.6])
def test_the_disc_score_sees_dark_and_bright_discs_and_not_marrow(signal):
    spine = draw([signal] * 5)
    picture = Picture(spine.pixels.astype(np.float32), 0.8, 0.8)
    places = np.array([spine.discs[2], spine.discs[2] + [0.0, 18.0]])
    on, off = disc_score(picture, places, np.tile(DOWN, (2, 1)), np.tile(BACK, (2, 1)), MARROW, 36.0)
    assert on > 0.25 and off < 0.05


def test_a_place_outside_the_picture_has_no_disc_score():
    picture = Picture(np.full((50, 50), 90.0, np.float32))
    assert disc_score(picture, np.array([25.0, 2.0]), DOWN, BACK, 90.0, 36.0) == NOT_SEEN


# --- strip ----------------------------------------------------------------------------------------------------------


def test_a_strip_is_small_and_straight_along_a_tilted_column():
    spine = draw([0.4] * 5, tilt=20.0)
    laid = _strip(spine)
    assert laid.pixels.nbytes < 60_000 and laid.pixels.dtype == np.uint8
    assert np.allclose(np.diff(laid.places_mm), 36.0, atol=0.01)
    assert np.allclose(laid.slopes_deg, 20.0, atol=0.01)
    row = round(laid.places_mm[2])
    # the disc is a straight band from one border of the column to the other
    # the brightest of the column, which is marrow, is stretched to 200
    assert np.all(np.abs(laid.pixels[0, row, 15:46].astype(int) - 80) <= 4)
    assert np.all(np.abs(laid.pixels[0, row + 18, 15:46].astype(int) - 200) <= 4)


def test_a_dark_column_beside_bright_fat_keeps_its_shades():
    spine = draw([0.4] * 5)
    dark = replace(spine, pixels=(spine.pixels * 0.2).astype(np.uint8))
    bright = dark.pixels.copy()
    bright[:, -60:] = 255
    marrow = _strip(replace(dark, pixels=bright)).pixels[0, 150 + 18, 15:46]
    assert np.all(np.abs(marrow.astype(int) - 200) <= 4)


def test_where_the_picture_ends_a_strip_is_zero():
    laid = _strip(draw([0.4] * 5, first=20.0, size=(180.0, 200.0)))
    first, last = laid.places_mm[0], laid.places_mm[-1]
    assert not laid.pixels[0, : int(first - 21)].any() and not laid.pixels[0, int(last + 17) :].any()
    assert laid.pixels[0, int(first - 18) : int(last + 14)].all()


def test_black_padding_is_no_picture():
    spine = draw([0.4] * 5)
    padded = spine.pixels.copy()
    padded[:40] = 0
    laid = _strip(replace(spine, pixels=padded))
    assert not laid.pixels[0, : int(laid.places_mm[0] - 60 + 40 * 0.8 - 1)].any()


def test_a_strip_turns_to_the_patient_whichever_way_the_slice_is_stored():
    spine = draw([0.4, 0.4, 0.4, 0.4, 0.7], tilt=10.0)
    plane = spine.plane
    mirrored = DrawnSpine(
        spine.pixels[:, ::-1].copy(),
        replace(plane, position=(0.0, (plane.width - 1) * 0.8, 0.0), row_direction=(0.0, -1.0, 0.0)),
        spine.discs * [-1, 1] + [(plane.width - 1) * 0.8, 0],
    )
    one, other = _strip(spine), _strip(mirrored)
    assert np.abs(one.pixels.astype(int) - other.pixels.astype(int)).max() <= 1
    assert np.allclose(one.slopes_deg, other.slopes_deg)


def test_fewer_than_three_places_are_no_column():
    spine = draw([0.4] * 5)
    points = spine.grid(spine.discs)
    assert strip.column([points[0], None, None, None, points[4]], 160, spine.plane) is None
    assert strip.column([points[0], points[0], points[0], points[3], None], 160, spine.plane) is None
    assert strip.column([points[0], None, points[2], None, points[4]], 160, spine.plane).levels == (0, 2, 4)


@pytest.mark.parametrize("distance", [18.0, 24.0, 31.0])
def test_the_offset_from_canal_to_discs_is_found(distance):
    spine = draw([0.4, 1.5, 0.5, 0.4, 0.95], tilt=8.0, noise=4.0)
    back = np.array([np.cos(np.deg2rad(8.0)), -np.sin(np.deg2rad(8.0))])
    laid = _strip(spine, spine.discs + distance * back, marks="canal")
    # the column is 34 mm deep and the score looks 15 mm across: within 9 mm it sees nothing but disc
    assert abs(laid.offset_mm - distance) <= 10
    assert _strip(spine).offset_mm == 0


# --- chain ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tilt", "noise", "gap", "signals"),
    [
        (0.0, 0.0, 36.0, [0.4] * 6),
        (15.0, 10.0, 36.0, [0.4, 1.5, 0.5, 1.4, 0.6, 0.5]),
        (-10.0, 5.0, 28.0, [1.5, 1.4, 1.5, 1.6, 1.3, 1.3]),
        (5.0, 5.0, 44.0, [0.4, 0.6, 0.5, 0.4, 0.6, 0.5]),
    ],
)
def test_the_chain_finds_the_discs_between_the_points(tilt, noise, gap, signals):
    spine = draw(signals, gap=gap, tilt=tilt, noise=noise, first=40.0, size=(320.0, 240.0), height=0.28 * gap)
    found = signs.read(_strip(spine))
    assert np.allclose(found.indices - found.indices[0], np.arange(5), atol=0.12)
    assert found.away.max() < 0.12 and np.abs(found.steps - 1).max() < 0.12


def test_a_sixth_disc_that_is_not_named_is_a_step_of_two():
    spine = draw([0.4] * 6, gap=30.0)
    found = signs.read(_strip(spine, spine.discs[[0, 1, 2, 4, 5]]))
    assert found.steps == pytest.approx([1, 1, 2, 1], abs=0.15)
    assert found.indices[-1] - found.indices[0] == pytest.approx(5, abs=0.15)


def test_a_point_in_a_vertebra_is_away_from_the_discs():
    spine = draw([0.4] * 5)
    places = spine.discs.copy()
    places[2, 1] += 17.0
    found = signs.read(_strip(spine, places))
    assert found.away[2] > 0.35 and np.delete(found.away, 2).max() < 0.15


def test_two_names_for_one_disc_are_a_step_of_nothing():
    spine = draw([0.4] * 5)
    places = spine.discs.copy()
    places[1] = places[0] + [0.0, 4.0]
    found = signs.read(_strip(spine, places))
    assert found.steps[0] < 0.3


def test_a_picture_of_one_grey_has_no_chain():
    spine = draw([1.0] * 5)
    flat = replace(spine, pixels=np.full_like(spine.pixels, 100))
    found = signs.read(_strip(flat))
    assert found is None or np.all(found.contrast[np.isfinite(found.contrast)] < 0.02)


# --- contrast of L5/S1 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 6.0])
@pytest.mark.parametrize("tilt", [0.0, 12.0])
@pytest.mark.parametrize(
    ("signal", "expected", "tolerance"), [(0.5, 1.0, 0.1), (0.75, 0.5, 0.1), (1.5, 1.0, 0.12), (1.0, 0.0, 0.13)]
)
def test_the_contrast_of_l5_s1_is_that_of_its_departure_from_marrow(signal, expected, tolerance, tilt, noise):
    spine = draw([0.5, 0.5, 0.5, 0.5, signal], tilt=tilt, noise=noise)
    assert _ratio(signs.read(_strip(spine))) == pytest.approx(expected, abs=tolerance)


def test_the_contrast_does_not_depend_on_brightness_or_pixel_size():
    one = _ratio(signs.read(_strip(draw([0.5, 0.5, 0.5, 0.5, 0.7], spacing=0.5))))
    other = draw([0.5, 0.5, 0.5, 0.5, 0.7], spacing=1.0)
    darker = replace(other, pixels=(other.pixels * 0.5).astype(np.uint8))
    assert _ratio(signs.read(_strip(darker))) == pytest.approx(one, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_whole_intensities_leave_the_contrast_within_one_per_cent(seed, monkeypatch):
    spine = draw([0.5, 0.6, 0.4, 0.5, 0.7], tilt=7.0, noise=3.0, spacing=0.7, seed=seed)
    laid = _strip(spine)
    rounded = _ratio(signs.read(laid))
    exact = strip.sampled(spine.pixels[None].astype(np.float32), spine.plane, _column(spine), 0.0)[0]
    monkeypatch.setattr(strip.Strip, "picture", lambda self, index=0: Picture(exact))
    assert rounded == pytest.approx(_ratio(signs.read(laid)), rel=0.01)


def _column(spine: DrawnSpine) -> strip.Column:
    return strip.column(spine.grid(spine.discs[:5]), 160, spine.plane)


def test_without_l5_s1_there_is_no_contrast_and_no_slope():
    spine = draw([0.5] * 5)
    found = signs.read(_strip(spine, spine.discs[:4], levels=(0, 1, 2, 3)))
    assert np.isnan(found.contrast).all() and found.junction is None and np.isnan(found.slope_deg)


# --- the end of the picture -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("below", "expected"), [(18.0, 0.5), (36.0, 1.0), (60.0, 60 / 36)])
def test_the_reach_is_the_picture_beyond_the_last_disc(below, expected):
    spine = draw([0.5] * 5, first=60.0, size=(60.0 + 4 * 36.0 + below, 200.0))
    found = signs.read(_strip(spine))
    assert found.reach_caudal == pytest.approx(expected, abs=0.1)
    assert found.reach_cranial == pytest.approx(60 / 36, abs=0.1)


def test_a_missing_last_level_takes_the_place_of_a_disc():
    spine = draw([0.5] * 5, first=60.0, size=(60.0 + 4 * 36.0 + 20.0, 200.0))
    # the last disc in the picture has no name: it is the outermost one all the same
    found = signs.read(_strip(spine, spine.discs[:4], levels=(0, 1, 2, 3)))
    assert found.reach_caudal == pytest.approx(20 / 36, abs=0.1)
    # a fused L5/S1 without a name: the sacrum is in the picture
    fused = draw([0.5] * 4 + [1.0], first=60.0, size=(60.0 + 4 * 36.0 + 50.0, 200.0))
    found = signs.read(_strip(fused, fused.discs[:4], levels=(0, 1, 2, 3)))
    assert found.reach_caudal == pytest.approx(50 / 36, abs=0.1)


def test_spacing_survives_missing_and_doubled_names():
    spine = draw([0.5] * 5)
    places = np.array([spine.discs[0], spine.discs[1], spine.discs[1] + [0, 5.0], spine.discs[3]])
    assert chain.find_chain is not None
    assert _strip(spine, places, levels=(0, 1, 3, 4)).usual_gap() == pytest.approx(36, abs=6)


def test_points_that_turn_back_have_directions_and_no_strip():
    """Two opposite steps add to nothing: their sum has no direction of its own."""
    plane = SliceGeometry((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 1.0, 1.0, 160, 160)
    column = strip.column([(20.0, 50.0), (60.0, 50.0), (30.0, 50.0)], 160, plane)
    assert column is not None and np.isfinite(column.moved(25.0).points).all()
    logits = np.full((6, 160, 160), -9.0)
    for level, x in enumerate((20, 60, 30), start=1):
        logits[level, 46:55, x - 4 : x + 5] = 9.0
    for marks in ("canal", "disc"):
        strips.cut(np.zeros((1, 160, 160), np.uint8), plane, logits, marks)  # whatever it gives, it does not fail


@pytest.mark.parametrize("beyond", ["constant", "nearest"])
def test_both_libraries_read_a_picture_alike(beyond, monkeypatch):
    generator = np.random.default_rng(5)
    pixels = generator.uniform(0, 255, (40, 30)).astype(np.float32)
    pixels[:, :2] = np.nan
    columns, rows = (generator.uniform(-3, size + 2, (50, 60)).astype(np.float32) for size in (30, 40))
    columns[:5], rows[5:10] = np.round(columns[:5]), np.round(rows[5:10])  # on pixels, and on the edge
    columns[10, :4], rows[10, :4] = [0, 29, 29, 0], [0, 0, 39, 39]
    read = []
    for rounds in (False, True):
        monkeypatch.setattr(picture, "_OPENCV_ROUNDS", rounds)
        read.append(picture.bilinear(pixels, columns, rows, beyond))
    assert np.isnan(read[0]).any() and (np.isnan(read[0]) == np.isnan(read[1])).all()
    np.testing.assert_allclose(*read, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "size", "places"),
    [
        (np.float32, (40, 30), (0, 5)),
        (np.float32, (40, 30), (7,)),
        (np.float32, (40, 30), (33_000, 2)),
        (np.float32, (40, 33_000), (4, 5)),
        (np.float64, (40, 30), (4, 5)),
        (np.uint8, (40, 30), (4, 5)),
    ],
    ids=["no place", "a line", "many places", "a wide picture", "float64", "uint8"],
)
def test_a_picture_is_read_whatever_its_size_and_type(kind, size, places, monkeypatch):
    generator = np.random.default_rng(6)
    pixels = generator.uniform(0, 255, size).astype(kind)
    columns, rows = (generator.uniform(-2, 31, places).astype(np.float32) for _ in range(2))
    read = []
    for rounds in (False, True):
        monkeypatch.setattr(picture, "_OPENCV_ROUNDS", rounds)
        read.append(picture.bilinear(pixels, columns, rows, "constant"))
    assert read[0].shape == places and read[0].dtype == np.float32
    np.testing.assert_allclose(*read, rtol=1e-5)


# --- left and right -------------------------------------------------------------------------------------------------


def _sides(left: np.ndarray, right: np.ndarray) -> strip.Strip:
    """A strip whose neighbours of the centre slice show these pixels, (300, 61)."""
    pixels = np.stack([np.full((strip.LENGTH_MM, 2 * strip.HALF_WIDTH_MM + 1), 90), left, right])
    return strip.Strip(pixels.astype(np.uint8), (2, 3, 4), (80.0, 115.0, 150.0), (0.0, 0.0, 0.0), 0.0)


def test_the_asymmetry_is_one_minus_the_correlation_of_both_sides_within_reach():
    shades = np.random.default_rng(0).integers(50, 100, (300, 61))
    assert asymmetry(_sides(shades, shades), 150.0, 18.0) == pytest.approx(0.0)
    assert asymmetry(_sides(shades, 2 * shades + 10), 150.0, 18.0) == pytest.approx(0.0), "brighter is no other form"
    assert asymmetry(_sides(shades, 200 - shades), 150.0, 18.0) == pytest.approx(2.0)
    assert asymmetry(_sides(shades, shades[::-1]), 150.0, 18.0) == pytest.approx(1.0, abs=0.1), "nothing in common"
    other = shades.copy()
    other[:132] = other[168:] = 70
    assert asymmetry(_sides(shades, other), 150.0, 18.0) == pytest.approx(0.0), "beyond the reach"


def test_the_asymmetry_is_undefined_where_a_side_is_missing_blank_or_hardly_seen():
    shades = np.random.default_rng(0).integers(50, 100, (300, 61))
    whole = _sides(shades, shades)
    assert np.isnan(asymmetry(replace(whole, pixels=whole.pixels[:2]), 150.0, 18.0))
    assert np.isnan(asymmetry(_sides(shades, np.full_like(shades, 70)), 150.0, 18.0))
    assert np.isnan(asymmetry(_sides(shades, np.where(np.arange(61) < 2, shades, 0)), 150.0, 18.0))
    assert np.isnan(asymmetry(whole, 400.0, 18.0)), "beyond the strip"
