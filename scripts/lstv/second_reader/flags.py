"""Statuses of a program on a study; every flag that its mask can raise, with its meaning, in the order of writing.

``{reader}`` is the program.
"""

from __future__ import annotations

from collections.abc import Iterable

from lstv.second_reader.numbering import PROGRAMS

OK, REFUSED, NOT_RUN, FAILED = "ok", "refused", "not_run", "failed"
STATUSES = (OK, REFUSED, NOT_RUN, FAILED)
"""Of a program on a study."""

MEANINGS = {
    "{reader}_not_run": "the program has not been run on this study",
    "{reader}_failed": "the program ended without a mask",
    "{reader}_several": "there is more than one mask of the program for this study",
    "{reader}_unreadable": "the mask cannot be read as NIfTI",
    "{reader}_not_3d": "the mask does not have three dimensions",
    "{reader}_not_labels": "the mask holds floating-point numbers or negative ones instead of label numbers",
    "{reader}_no_geometry": "the mask does not say where its voxels lie in the patient",
    "{reader}_other_grid": "the mask is not on the grid of the series: another series, resampled, or cropped",
    "{reader}_empty": "the mask is empty",
    "{reader}_other_labels": "the mask's label numbers are not those of the program",
    "{reader}_upside_down": "the mask's vertebrae stand in the wrong order from head to foot: it is flipped",
    "{reader}_mirrored": "the mask's sacrum lies in front of its lowest lumbar vertebra: it is flipped",
    "{reader}_not_at_points": "the mask's spine is not where the point net's is",
    "{reader}_lumbar_not_whole": "the mask does not show all from T12 to the sacrum: lumbar vertebrae are not counted",
    "{reader}_no_offset": "fewer than two levels could be matched with the point net's",
    "{reader}_off_by_more": "the levels differ by more than two, which no numbering does",
    "{reader}_uneven": "the mask's names differ from the point net's by different numbers of levels along the spine",
}


def names() -> list[str]:
    """All flags, written out for the programs, in their order."""
    return [flag.format(reader=reader) for reader in PROGRAMS for flag in MEANINGS]


def in_order(raised: Iterable[str]) -> list[str]:
    """Flags in the order in which they are written, each once. Raises ValueError for one without a meaning."""
    order = {name: index for index, name in enumerate(names())}
    unknown = sorted(set(raised) - set(order))
    if unknown:
        raise ValueError(f"flag {unknown[0]} is not in second_reader.flags.MEANINGS")
    return sorted(set(raised), key=order.__getitem__)
