"""Every flag the metrics can raise, with its meaning. ``{level}`` stands for l1_l2 .. l5_s1."""

from __future__ import annotations

from lstv.base.levels import LEVELS

MEANINGS = {
    "{level}_not_found": "no pixel of the level's map exceeds 0.5: the level has no point, and its entropy would be noise's",
    "{level}_no_blob": "no disc blob is led by the level",
    "{level}_few_votes_slices": "fewer than 2 slices could vote on the level",
    "{level}_few_votes_views": "fewer than 2 views could vote on the level",
    "{level}_patch_no_centroid": "the given centroids lack a vertebra next to the level: no patch",
    "{level}_patch_outside": "the given place of the level lies outside the slices: no patch",
    "{level}_patch_no_disc": "the network marks no disc at the given place of the level",
    "{level}_few_reference_studies": "the level is found in too few reference studies for its feature deviation",
    "{level}_no_features": "the level's region is empty in the network's own precision: no features were averaged",
    "no_disc_blob": "the network marks no disc of at least 30 pixels",
    "single_disc_blob": "the network marks a single disc of at least 30 pixels",
    "junction_few_votes_slices": "fewer than 2 slices could vote on the lowest disc",
    "junction_few_votes_views": "fewer than 2 views could vote on the lowest disc",
    "caudal_window_outside": "the place of a disc below L5/S1 lies outside the picture, or its blob covers it",
    "cranial_window_outside": "the place of a disc above L1/L2 lies outside the picture, or its blob covers it",
    "members_centre_only": "only the centre slice was run (localizer.members): numbering stability is not measured",
    "members_no_slices": "no neighbouring slices were run: the series has one slice",
    "members_no_views": "no transformed views were run (localizer.members is slices)",
    "members_no_patches": "no vertebra centroids were given (localizer.centroids): no patches were run",
    "centroids_no_file": "there is no centroid file of the study: no patches were run",
    "centroids_refused": "the study's centroid file does not place its points in the patient: no patches were run",
    "centroids_six_lumbar": "the given centroids name six lumbar vertebrae: the disc below L5 is none of the five levels",
    "no_reference_features": "no reference set was given (reference.features): feature distances are not measured",
    "no_features": "the heatmaps hold no features: run the inference again for feature distances",
    "quality_blank_image": "the centre slice is blank",
    "quality_low_contrast": "the centre slice uses less than a tenth of the intensity range",
    "quality_no_level_found": "no level is found: probably not a sagittal lumbar series",
    "quality_few_levels_found": "fewer than 3 levels are found",
    "quality_cropped_cranial": "L1/L2, or the place where it should be, is within 12 mm of the upper edge",
    "quality_cropped_caudal": "L5/S1, or the place where it should be, is within 12 mm of the lower edge",
    "quality_unlike_reference": "inside the network the slice is less like the reference studies than 99 % of these are",
}


def names() -> set[str]:
    """All flag names, written out for the levels."""
    return {name.format(level=level) for name in MEANINGS for level in LEVELS}
