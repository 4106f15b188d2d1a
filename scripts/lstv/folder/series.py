"""From scanned headers to the series and studies of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lstv.dicom.facts import Facts, Image, image
from lstv.dicom.headers import Header
from lstv.dicom.pixels import quiet_pydicom
from lstv.dicom.stacks import Stack, split

Source = str | tuple[str, str]
"""A file's path, or (path of a zip file, name of the member)."""

Own = tuple[Source, int, tuple[bytes, ...]]
"""Of one scanned image: where it is, its number in the file, and the raw values that are its own."""


@dataclass
class Series:
    """All images of one SeriesInstanceUID, sorted into stacks (usable ones first, then the largest)."""

    uid: str
    stacks: list[Stack]
    n_duplicates: int
    patients: frozenset[str]

    @property
    def n_files(self) -> int:
        return len({image.source for stack in self.stacks for image in stack.images})


@dataclass
class Study:
    """All series of one StudyInstanceUID, by series UID."""

    uid: str
    series: dict[str, Series]

    @property
    def facts(self) -> Facts:
        return next(iter(self.series.values())).stacks[0].facts


def uid_order(uid: str) -> tuple:
    """Sort key that compares the components of a UID as numbers, so that 1.2.9 comes before 1.2.10."""
    parts = uid.split(".")
    numbers = tuple((0, int(part), "") if part.isdecimal() and len(part) <= 64 else (1, 0, part) for part in parts)
    return numbers, uid  # 1.02 and 1.2 are two UIDs


def build_studies(found: Mapping[tuple[bytes, ...], Iterable[Own]]) -> list[Study]:
    """Sort scanned images (``Header.shared`` -> the images that share it) into studies, in the order of their UIDs.

    An image met twice (same SOP Instance UID, frame and position in one series) counts once: unzipped before zipped, then
    by path.
    """
    with quiet_pydicom():  # of names that do not fit their character set
        return _studies(found)


def _studies(found: Mapping[tuple[bytes, ...], Iterable[Own]]) -> list[Study]:
    grouped: dict[str, dict[str, list[Image]]] = {}
    for shared in sorted(found):
        images = [image(source, Header(shared, own, frame)) for source, frame, own in found[shared]]
        facts = images[0].facts
        grouped.setdefault(facts.study_uid, {}).setdefault(facts.series_uid, []).extend(images)
    return [
        Study(uid, {series: _series(series, parts[series]) for series in sorted(parts, key=uid_order)})
        for uid, parts in sorted(grouped.items(), key=lambda item: uid_order(item[0]))
    ]


def source_order(source: Source) -> tuple:
    """Sort key: files before members of zip files, then by name."""
    return (0, source, "") if isinstance(source, str) else (1, *source)


def _series(uid: str, images: list[Image]) -> Series:
    images.sort(key=lambda image: (source_order(image.source), image.frame))
    seen: set[tuple] = set()
    kept = []
    for image_ in images:
        # after a poor anonymisation all images may have one UID; where they lie tells them apart
        same = (image_.sop_instance, image_.frame, image_.position)
        if image_.sop_instance and same in seen:
            continue
        seen.add(same)
        kept.append(image_)
    patients = frozenset(image_.facts.patient_id for image_ in images if image_.facts.patient_id)
    return Series(uid, split(kept), len(images) - len(kept), patients)
