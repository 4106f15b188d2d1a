"""Every flag the metrics can raise, with its meaning. ``{level}`` stands for l1_l2 .. l5_s1."""

from __future__ import annotations

from lstv.levels import LEVELS

MEANINGS = {
    "{level}_not_found": "no pixel of the level's map exceeds 0.5: the level has no point, and its entropy would be noise's",
    "{level}_no_blob": "no disc blob is led by the level",
    "{level}_few_votes_slices": "fewer than 2 slices could vote on the level",
    "{level}_few_votes_views": "fewer than 2 views could vote on the level",
    "no_disc_blob": "the network marks no disc of at least 30 pixels",
    "single_disc_blob": "the network marks a single disc of at least 30 pixels",
    "junction_few_votes_slices": "fewer than 2 slices could vote on the lowest disc",
    "junction_few_votes_views": "fewer than 2 views could vote on the lowest disc",
    "caudal_window_outside": "the place of a disc below L5/S1 lies outside the picture, or its blob covers it",
    "cranial_window_outside": "the place of a disc above L1/L2 lies outside the picture, or its blob covers it",
    "members_centre_only": "only the centre slice was run (localizer.members): numbering stability is not measured",
    "members_no_slices": "no neighbouring slices were run: the series has one slice",
    "members_no_views": "no transformed views were run (localizer.members is slices)",
    "quality_blank_image": "the centre slice is blank",
    "quality_low_contrast": "the centre slice uses less than a tenth of the intensity range",
    "quality_no_level_found": "no level is found: probably not a sagittal lumbar series",
    "quality_few_levels_found": "fewer than 3 levels are found",
    "quality_cropped_cranial": "L1/L2, or the place where it should be, is within 12 mm of the upper edge",
    "quality_cropped_caudal": "L5/S1, or the place where it should be, is within 12 mm of the lower edge",
}


def names() -> set[str]:
    """All flag names, written out for the levels."""
    return {name.format(level=level) for name in MEANINGS for level in LEVELS}
