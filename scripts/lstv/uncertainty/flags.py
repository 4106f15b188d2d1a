"""Every flag the metrics can raise, with its meaning, in the order in which flags are written.

``{level}`` stands for l1_l2 .. l5_s1. Flags of a level that follow one another are written level by level.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from lstv.base.levels import LEVELS


class Undefined(Exception):
    """A quantity has no value; ``flags`` say why, one or more of ``MEANINGS``."""

    def __init__(self, flag: str, *more: str) -> None:
        super().__init__(flag, *more)
        self.flags = (flag, *more)


MEANINGS = {
    "{level}_not_found": "no pixel of the level's map exceeds 0.5: the level has no point, and its entropy would be noise's",
    "{level}_not_found_in_whole_field": "the level is found only where the large field is cut to the lumbar spine: it has a "
    "point, and no entropy",
    "{level}_no_blob": "no disc blob is led by the level",
    "no_disc_blob": "the network marks no disc of at least 30 pixels",
    "single_disc_blob": "the network marks a single disc of at least 30 pixels",
    "members_centre_only": "only the centre slice was run: numbering stability is not measured",
    "members_no_slices": "no neighbouring slices were run: the series has one slice",
    "{level}_few_votes_slices": "fewer than 2 slices could vote on the level",
    "junction_few_votes_slices": "fewer than 2 slices could vote on the lowest disc",
    "junction_few_places_slices": "L5/S1 was found in fewer than 3 slices",
    "members_no_views": "no transformed views were run: members are slices only",
    "{level}_few_votes_views": "fewer than 2 views could vote on the level",
    "junction_few_votes_views": "fewer than 2 views could vote on the lowest disc",
    "members_no_patches": "no vertebra centroids were given: no patches were run",
    "centroids_no_file": "there is no centroid file of the study: no patches were run",
    "centroids_refused": "the study's centroid file does not place its points in the patient: no patches were run",
    "centroids_six_lumbar": "the given centroids name six lumbar vertebrae: the disc below L5 is none of the five levels",
    "{level}_patch_no_centroid": "the given centroids lack a vertebra next to the level: no patch",
    "{level}_patch_outside": "the given place of the level lies outside the slices: no patch",
    "{level}_patch_no_disc": "the network marks no disc at the given place of the level",
    "no_reference_features": "no feature bank was given: feature distances are not measured",
    "no_features": "the heatmaps hold no features: run the inference again for feature distances",
    "quality_unlike_reference": "inside the network the slice is less like the feature bank's studies than 99 % of these",
    "{level}_few_reference_studies": "the level is found in too few studies of the feature bank for its feature deviation",
    "{level}_no_features": "the level's region is empty in the network's own precision: no features were averaged",
    "caudal_window_outside": "the place of a disc below L5/S1 lies outside the picture, or its blob covers it",
    "cranial_window_outside": "the place of a disc above L1/L2 lies outside the picture, or its blob covers it",
    "quality_blank_image": "the centre slice is blank",
    "quality_low_contrast": "the centre slice uses less than a tenth of the intensity range",
    "quality_no_level_found": "no level is found: probably not a sagittal lumbar series",
    "quality_few_levels_found": "fewer than 3 levels are found",
    "no_strip": "no strip was laid along the discs: fewer than three points on one column, or heatmaps of an older version",
    "no_disc_chain": "no discs are to be seen along the points",
    "{level}_no_place": "the level's point coincides with that of another level",
    "junction_disc_not_measured": "fewer than two discs above L5/S1, or too little of it in the picture, to compare it with",
    "junction_sides_not_seen": "the slices to the left and right of the centre slice are missing or show nothing at L5/S1",
    "field_cut_to_lumbar": "the picture is more than 10 levels high: it was cut to the lumbar spine and read again; peak, "
    "entropies, area and risk are of the whole field",
    "field_cropped_cranial": "the picture ends less than a vertebra above the first disc",
    "field_cropped_caudal": "the picture ends less than a vertebra below the last disc: the sacrum is not seen",
    "points_off_discs": "a point above L5/S1 lies in a vertebra: look at the localizer",
    "levels_at_one_disc": "two levels above L5/S1 are marked at one disc: there are fewer discs than names",
    "points_no_column": "the points of three or more levels do not lie on one column: look at the localizer",
    "upper_level_missing": "L1/L2, L2/L3 or L3/L4 is not found though other levels are: look at the localizer",
}


def _written_out() -> list[str]:
    names: list[str] = []
    for of_level, together in groupby(MEANINGS, key=lambda name: "{level}" in name):
        block = list(together)
        names += [name.format(level=level) for level in LEVELS for name in block] if of_level else block
    return names


_ORDER = {name: index for index, name in enumerate(_written_out())}


def names() -> set[str]:
    """All flag names, written out for the levels."""
    return set(_ORDER)


def in_order(raised: Iterable[str]) -> list[str]:
    """Flags in the order in which they are written, each once. Raises ValueError for one that has no meaning here."""
    unknown = sorted(set(raised) - set(_ORDER))
    if unknown:
        raise ValueError(f"flag {unknown[0]} is not in flags.MEANINGS")
    return sorted(set(raised), key=_ORDER.__getitem__)
