"""What the patches say: the same numbering, one level off, a place without a disc, and every way of having no patch."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.base.levels import LEVELS
from lstv.localizer.heatmap_file import Analysed, Members
from lstv.localizer.patches import DiscTarget, DiscTargets
from lstv.uncertainty import measure
from made_maps import COLUMN, ROWS, SAGITTAL, as_members, five_discs, study

IN_FRONT = 14.0
"""Columns by which the given discs lie in front of the network's points."""


def place(row: float, half: float = 11.0) -> DiscTarget:
    column = COLUMN - IN_FRONT
    point = tuple(SAGITTAL.grid_to_patient(column, row, 160))
    return DiscTarget(0, (column, row), (column, row - half), (column, row + half), point)


def given(shift: int = 0) -> DiscTargets:
    """The discs of ``five_discs``, their given names ``shift`` levels too far caudal."""
    found = {LEVELS[k + shift]: place(row) for k, row in enumerate(ROWS) if 0 <= k + shift < 5}
    missing = {level: "no_centroid" for level in LEVELS if level not in found}
    return DiscTargets("given", "", found, missing)


def with_patches(targets: DiscTargets, levels: np.ndarray | None = None) -> Analysed:
    levels = five_discs() if levels is None else levels
    said = as_members([levels] * len(targets.found), "patch")
    members = Members(tuple(f"patch-{level}" for level in targets.found), said.kinds, said.probability, said.valid)
    return study(levels, members=members, targets=targets)


def test_agreement() -> None:
    levels, whole, flags = measure(with_patches(given()))
    assert (whole["patch_agreement"], whole["patch_column_shift"]) == (1, 0)
    for level in LEVELS:
        assert levels[level]["patch_label_shift"] == 0
        assert levels[level]["patch_identity_share"] > 0.99
        assert levels[level]["patch_confidence"] == pytest.approx(0.98, abs=0.01)
        assert levels[level]["patch_distance"] == pytest.approx(0, abs=0.1)
    assert flags == ["members_centre_only", "no_reference_features", "no_strip"], "patches are no members of stability"


@pytest.mark.parametrize("shift", [-1, 1])
def test_given_numbers_one_level_off(shift: int) -> None:
    levels, whole, flags = measure(with_patches(given(shift)))
    assert (whole["patch_agreement"], whole["patch_column_shift"]) == (0, -shift)
    end = LEVELS[0] if shift == 1 else LEVELS[4]
    assert levels[end]["patch_label_shift"] is None and f"{end}_patch_no_centroid" in flags
    assert levels["l3_l4"]["patch_label_shift"] == -shift
    assert levels["l3_l4"]["patch_identity_share"] < 0.01 and levels["l3_l4"]["patch_confidence"] < 0.01


def test_a_mixed_blob_is_shared() -> None:
    mixed = five_discs()
    mixed[3] = mixed[3] + 0.4 * mixed[4]
    mixed[4] = 0.6 * mixed[4]
    levels, _, _ = measure(with_patches(given(), mixed))
    assert levels["l5_s1"]["patch_identity_share"] == pytest.approx(0.6, abs=0.01)
    assert levels["l5_s1"]["patch_label_shift"] == 0


def test_distance_is_along_the_spine_and_in_millimetres() -> None:
    targets = given()
    targets.found["l3_l4"] = place(ROWS[2] - 4.0)
    levels, _, _ = measure(with_patches(targets))
    assert levels["l3_l4"]["patch_distance"] == pytest.approx(4 * 1.5, abs=0.1), "the blob lies further caudal"


def test_no_disc_at_the_place() -> None:
    gone = five_discs()
    gone[2] = 0
    levels, whole, flags = measure(with_patches(given(), gone))
    assert levels["l3_l4"]["patch_label_shift"] is None and "l3_l4_patch_no_disc" in flags
    assert whole["patch_agreement"] == 1


@pytest.mark.parametrize(
    ("targets", "flag"),
    [
        (None, "members_no_patches"),
        (DiscTargets("no_file"), "centroids_no_file"),
        (DiscTargets("refused", "centroid file 1_ctd.json ..."), "centroids_refused"),
        (DiscTargets("given", missing=dict.fromkeys(LEVELS, "outside")), "l1_l2_patch_outside"),
        (DiscTargets("given", missing=dict.fromkeys(LEVELS, "no_centroid"), six_lumbar=True), "centroids_six_lumbar"),
    ],
)
def test_every_way_of_having_no_patch(targets: DiscTargets | None, flag: str) -> None:
    levels, whole, flags = measure(study(targets=targets))
    assert flag in flags
    assert whole["patch_agreement"] is None and levels["l1_l2"]["patch_confidence"] is None


def test_patches_do_not_hide_that_other_members_ran() -> None:
    both, views = with_patches(given()), as_members([five_discs()] * 2)
    joined = [np.concatenate([getattr(both.members, name), getattr(views, name)]) for name in ("probability", "valid")]
    members = Members(both.members.names + views.names, both.members.kinds + views.kinds, *joined)
    _, whole, flags = measure(study(members=members, targets=both.targets))
    assert whole["junction_votes_views"] == 3 and whole["patch_agreement"] == 1
    assert "members_no_slices" in flags and "members_centre_only" not in flags
