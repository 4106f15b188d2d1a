"""Which series of a study the localizer gets: its sagittal T2 of the lumbar spine, and why each other one not.

Every stack of a series is judged by itself: first by what disqualifies it (in the order of ``_checks``), then ranked.
Geometry and sequence timing decide before names; names decide where the header leaves the question open.
Ranking, best first: region (lumbar by name; unknown; more than lumbar), weighting (T2, in-phase Dixon, fat-suppressed
T2, STIR, single shot), original before derived, 2-D before 3-D, ordinary field of view, most slices, lowest UID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lstv.cohort.study_sheet import CHOSEN_BY_USER
from lstv.folder import enhanced, terms
from lstv.folder.series import Facts, Series, Stack, Study, uid_order

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
MR_IMAGES = frozenset({MR_IMAGE} | {uid.decode() for uid in enhanced.SOP_CLASSES})
_OTHER_OBJECTS = (
    ("1.2.840.10008.5.1.4.1.1.7", "a screenshot (secondary capture)"),
    ("1.2.840.10008.5.1.4.1.1.88", "a structured report"),
    ("1.2.840.10008.5.1.4.1.1.104", "a document (PDF or similar)"),
    ("1.2.840.10008.5.1.4.1.1.11", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "MR spectroscopy"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data, a registration or a segmentation"),
)

MAX_TILT_DEGREES = 45.0
"""A plane is sagittal when its normal is within this angle of the patient's left-right axis."""
MIN_SLICES = 5
"""Fewer slice positions are a localizer or a fragment."""
MIN_HEIGHT_MM = 120.0
"""Five lumbar discs do not fit in a lower field of view (our bound, well below the usual 240 to 350 mm)."""
MAX_HEIGHT_MM = 450.0
"""A higher field of view is a whole-spine image, in which the 160 x 160 grid of the localizer leaves too little."""
USUAL_HEIGHT_MM = (180.0, 400.0)
MAX_IN_PLANE_SPREAD_MM = 50.0
"""Slices of one stack lie behind each other; a larger shift within the plane means several stations in one series."""
STATION_MM = 100.0
"""Stacks of one frame of reference whose centres differ by more than this along z are stations of one examination."""

T1_MAX_TR, T2_MIN_TE, T2_MIN_TR, MYELO_MIN_TE = 1200.0, 60.0, 900.0, 350.0
STIR_TI = (80.0, 300.0)
"""Inversion times in ms that null fat at 0.3 to 3 T (about 0.69 of its T1; 130 to 230 ms in use)."""

T2, T2_IN_PHASE, T2_FAT_SUPPRESSED, STIR, T2_SINGLE_SHOT = (
    "T2",
    "T2 in phase",
    "T2 fat-suppressed",
    "STIR",
    "T2 single-shot",
)
_WEIGHTINGS = (T2, T2_IN_PHASE, T2_FAT_SUPPRESSED, STIR, T2_SINGLE_SHOT)
UNKNOWN = "unknown"
_REGIONS = (terms.LUMBAR, UNKNOWN)

_UNUSABLE_KINDS = {
    "screen capture": "it is a screen capture",
    "localizer": "it is a localizer",
    "reformatted": "it is reformatted from other images",
    "projection": "it is a projection of other images",
    "subtraction": "it is a subtraction of other images",
    "map": "it is a computed map or a diffusion image",
    "phase image": "it is a phase, real or imaginary image",
    "fat image": "it is the fat image of a Dixon sequence",
    "opposed-phase image": "it is the opposed-phase image of a Dixon sequence",
}


@dataclass(frozen=True)
class Judgement:
    """What was found about one stack; ``reason`` is "" where it could be used."""

    stack: Stack
    plane: str
    weighting: str
    region: str
    reason: str

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def rank(self) -> tuple:
        """Sort key, best first; for usable stacks."""
        facts, height = self.stack.facts, self.stack.height
        usual = height is None or USUAL_HEIGHT_MM[0] <= height <= USUAL_HEIGHT_MM[1]
        return (
            _REGIONS.index(self.region) if self.region in _REGIONS else len(_REGIONS),
            _WEIGHTINGS.index(self.weighting) if self.weighting in _WEIGHTINGS else len(_WEIGHTINGS),
            facts.image_kind == "derived",
            facts.acquisition_type == "3D",
            not usual,
            -self.stack.n_slices,
            uid_order(facts.series_uid),
        )


@dataclass(frozen=True)
class Choice:
    """One study's outcome: ``chosen`` or None, ``reason`` in words (may be "" where there was only one to choose), and the
    judgement of each series by its UID; what speaks against a series that is not chosen stands in its ``reason``."""

    study: Study
    chosen: Judgement | None
    reason: str
    judgements: dict[str, Judgement]


def choose(study: Study, wanted: str | None = None) -> Choice:
    """Choose the series of one study; ``wanted`` is that SeriesInstanceUID of it which the user decided on, if any."""
    judged = {uid: [judge(stack, series) for stack in series.stacks] for uid, series in study.series.items()}
    judged = _without_upper_stations(judged)
    best = {uid: min(found, key=_order) for uid, found in judged.items()}
    if wanted is not None:
        return _by_user(study, best, wanted)
    people = {patient for series in study.series.values() for patient in series.patients if patient}
    if len(people) > 1:
        # common after a poor anonymisation; one of them would stand for all
        reason = f"its series name {len(people)} different patients; choose the right series yourself, or export again."
        return Choice(study, None, reason, best)
    usable = sorted((judgement for judgement in best.values() if judgement.usable), key=lambda j: j.rank)
    if not usable:
        return Choice(study, None, _why_none(best), best)
    chosen = usable[0]
    told = {uid: j if j is chosen or j.reason else replace(j, reason=_why_second(j, chosen)) for uid, j in best.items()}
    reason = f"chosen of {len(usable)} sagittal T2 series" if len(usable) > 1 else ""
    return Choice(study, chosen, reason, told)


def _order(judgement: Judgement) -> tuple:
    return (not judgement.usable, judgement.rank)


def _by_user(study: Study, best: Mapping[str, Judgement], wanted: str) -> Choice:
    told = {
        uid: replace(j, reason="" if uid == wanted else j.reason or "the user chose another series")
        for uid, j in best.items()
    }
    if best[wanted].plane == UNKNOWN:
        reason = "the series chosen by the user has no usable image orientation; choose another or export again."
        told[wanted] = replace(told[wanted], reason=reason)
        return Choice(study, None, reason, told)
    return Choice(study, told[wanted], CHOSEN_BY_USER, told)


def judge(stack: Stack, series: Series) -> Judgement:
    """Judge one stack of a series by itself."""
    facts = stack.facts
    judgement = Judgement(stack, plane(facts), weighting(facts), region(facts), "")
    for check in _checks:
        reason = check(judgement, series)
        if reason:
            return replace(judgement, reason=reason)
    return judgement


def plane(facts: Facts) -> str:
    """sagittal, coronal, axial (by the largest component of the normal), oblique or unknown."""
    if facts.normal is None:
        return UNKNOWN
    size = np.abs(facts.normal)
    axis = int(np.argmax(size))
    if size[axis] < np.cos(np.radians(MAX_TILT_DEGREES)):
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]


def region(facts: Facts) -> str:
    """Region by the series' names, else BodyPartExamined, else the study's name; several or none: see the code."""
    study = terms.regions(facts.study_description)
    named = terms.regions(f"{facts.series_description} {facts.protocol_name}")
    if not named:
        named = terms.regions(facts.body_part)
        if named and terms.LUMBAR not in named and terms.LUMBAR in study:
            return UNKNOWN  # BodyPartExamined is often left over from the examination before
    if not named:
        named = study
        if len(named) > 1:
            return UNKNOWN  # an examination of several regions; which one this series shows is open
    if not named:
        return UNKNOWN
    if len(named) == 1:
        return next(iter(named))
    if terms.LUMBAR in named:
        return terms.WHOLE_SPINE if {terms.CERVICAL, terms.WHOLE_SPINE} & named else "thoracolumbar"
    return terms.WHOLE_SPINE if terms.WHOLE_SPINE in named else " and ".join(sorted(named))


def weighting(facts: Facts) -> str:
    """T2 and its kinds, STIR, T1, proton density, FLAIR, gradient echo, diffusion, myelography, or unknown.

    Echo, repetition and inversion time (ms; PS3.3 C.8.3.1) decide where present, names otherwise.
    """
    name = terms.normalise(f"{facts.series_description} {facts.protocol_name}")
    sequence = set(facts.scanning_sequence)
    echo, repetition, inversion = facts.echo_time, facts.repetition_time, facts.inversion_time
    if "EP" in sequence or terms.DIFFUSION.search(name):
        return "diffusion or echo planar"
    if "GR" in sequence and "SE" not in sequence:
        return "gradient echo"
    if terms.MYELOGRAPHY.search(name) or (echo is not None and echo >= MYELO_MIN_TE):
        return "myelography"
    if inversion and "IR" not in sequence and not terms.STIR.search(name) and not terms.FLAIR.search(name):
        inversion = None  # some scanners write a fat saturation delay here
    if inversion or "IR" in sequence:
        return _inverted(inversion, repetition, echo, name)
    if terms.STIR.search(name) and not terms.T1.search(name):
        return STIR
    if terms.FLAIR.search(name):
        return "FLAIR"
    if echo is not None and echo >= T2_MIN_TE and (repetition is None or repetition >= T2_MIN_TR):
        return _kind_of_t2(facts, name)
    if echo is not None and repetition is not None and repetition > 0:
        return "T1" if repetition < T1_MAX_TR else "proton density or intermediate"
    return _by_name(facts, name)


def _inverted(inversion: float | None, repetition: float | None, echo: float | None, name: str) -> str:
    if inversion:
        if STIR_TI[0] <= inversion <= STIR_TI[1]:
            return STIR
        return "T1" if inversion < 1500 and (echo is None or echo < T2_MIN_TE) else "FLAIR"
    if terms.STIR.search(name):
        return STIR
    return "T1" if terms.T1.search(name) else "inversion recovery with unknown inversion time"


def _by_name(facts: Facts, name: str) -> str:
    if terms.T2_STAR.search(name):
        return "gradient echo"
    t1, t2 = terms.T1.search(name), terms.T2.search(name)
    if t2 and not t1:
        return _kind_of_t2(facts, name)
    if t1 and not t2:
        return "T1"
    return "proton density or intermediate" if terms.PROTON.search(name) else UNKNOWN


def _kind_of_t2(facts: Facts, name: str) -> str:
    dixon = terms.DIXON.search(name)
    if facts.image_kind == "in-phase image" or (dixon and terms.IN_PHASE.search(name)):
        return T2_IN_PHASE
    if facts.image_kind == "water image" or terms.WATER.search(name) and dixon:
        return T2_FAT_SUPPRESSED
    if terms.SINGLE_SHOT.search(name) or facts.sequence_name.casefold().startswith(("*hf", "h2d", "*h2d")):
        return T2_SINGLE_SHOT
    if "FS" in facts.scan_options or terms.FAT_SUPPRESSED.search(name):
        return T2_FAT_SUPPRESSED
    return T2


def _object(judgement: Judgement, series: Series) -> str:
    facts = judgement.stack.facts
    for prefix, name in _OTHER_OBJECTS:
        if facts.sop_class == prefix or facts.sop_class.startswith(prefix + "."):
            return f"it is {name}"
    if facts.modality != "MR":
        return f"its modality is {facts.modality or 'not given'}, not MR"
    if facts.sop_class not in MR_IMAGES:
        return "it holds no MR images"
    return "its functional groups describe no frames; export it as classic MR images" if facts.frames > 1 else ""


def _patients(judgement: Judgement, series: Series) -> str:
    if len(series.patients) > 1:
        return f"its files name {len(series.patients)} different patients; find out which belong before using any"
    return ""


def _kind(judgement: Judgement, series: Series) -> str:
    facts = judgement.stack.facts
    name = terms.normalise(f"{facts.series_description} {facts.protocol_name}")
    description = terms.normalise(facts.series_description)
    if facts.image_kind in _UNUSABLE_KINDS:
        return _UNUSABLE_KINDS[facts.image_kind]
    if terms.LOCALIZER.search(name):
        return _UNUSABLE_KINDS["localizer"]
    if terms.SUBTRACTION.search(description):
        return _UNUSABLE_KINDS["subtraction"]
    if terms.PROJECTION.search(description):
        return _UNUSABLE_KINDS["projection"]
    if terms.REFORMATTED.search(description) and facts.image_kind == "derived":
        return _UNUSABLE_KINDS["reformatted"]
    if terms.DIXON.search(name) and facts.image_kind in ("original", "derived"):
        if terms.OPPOSED_PHASE.search(description):
            return _UNUSABLE_KINDS["opposed-phase image"]
        if terms.FAT.search(description) and not terms.WATER.search(description):
            return _UNUSABLE_KINDS["fat image"]
    return ""


def _plane(judgement: Judgement, series: Series) -> str:
    facts = judgement.stack.facts
    if judgement.plane == UNKNOWN:
        named = terms.SAGITTAL.search(terms.normalise(f"{facts.series_description} {facts.protocol_name}"))
        hint = "; it is named sagittal, ask for an export with full headers" if named else ""
        return f"its images carry no usable orientation{hint}"
    if judgement.plane != "sagittal":
        return f"it is {judgement.plane}, not sagittal"
    if any(file.position is None for file in judgement.stack.files):
        return "images without a position in the patient are among it"
    return ""


def _weighting(judgement: Judgement, series: Series) -> str:
    if judgement.weighting in _WEIGHTINGS:
        return ""
    if judgement.weighting == UNKNOWN:
        return "neither times nor name tell its weighting; name it in the list of choices if it is a T2"
    return f"its weighting is {judgement.weighting}, not T2"


def _coverage(judgement: Judgement, series: Series) -> str:
    stack = judgement.stack
    if stack.n_slices < MIN_SLICES:
        return f"it has {stack.n_slices} slice position{'s' * (stack.n_slices != 1)}, fewer than {MIN_SLICES}"
    if stack.in_plane_spread > MAX_IN_PLANE_SPREAD_MM:
        return (
            f"its slices are shifted by {stack.in_plane_spread:.0f} mm within the plane: several stations in one series"
        )
    height = stack.height
    if height is not None and height < MIN_HEIGHT_MM:
        return f"its field of view is {height:.0f} mm high, too low for five lumbar discs"
    if height is not None and height > MAX_HEIGHT_MM:
        return f"its field of view is {height:.0f} mm high, a whole-spine image"
    return ""


def _region(judgement: Judgement, series: Series) -> str:
    if judgement.region in (terms.LUMBAR, UNKNOWN, terms.WHOLE_SPINE, "thoracolumbar"):
        return ""
    return f"it shows {judgement.region} by its names, not the lumbar spine"


_checks: tuple[Callable[[Judgement, Series], str], ...] = (
    _object,
    _patients,
    _plane,
    _kind,
    _weighting,
    _region,
    _coverage,
)


def _without_upper_stations(judged: dict[str, list[Judgement]]) -> dict[str, list[Judgement]]:
    """Refuse usable stacks that lie above another one of the same frame of reference, unless they are named lumbar."""
    lowest: dict[str, float] = {}
    for judgement in (j for found in judged.values() for j in found if j.usable):
        frame, z = judgement.stack.facts.frame_of_reference, judgement.stack.centre_z
        if frame and z is not None:
            lowest[frame] = min(z, lowest.get(frame, z))

    def place(judgement: Judgement) -> Judgement:
        z = judgement.stack.centre_z
        base = lowest.get(judgement.stack.facts.frame_of_reference)
        if (
            not judgement.usable
            or judgement.region == terms.LUMBAR
            or z is None
            or base is None
            or z - base <= STATION_MM
        ):
            return judgement
        return replace(judgement, reason=f"it lies {z - base:.0f} mm above another sagittal T2 series of the study")

    return {uid: [place(judgement) for judgement in found] for uid, found in judged.items()}


def _why_second(judgement: Judgement, chosen: Judgement) -> str:
    """Why a usable series came behind the chosen one: the first part of the rank in which they differ."""
    region = "an unnamed region" if judgement.region == UNKNOWN else judgement.region
    names = (
        f"it shows {region}, the chosen one {chosen.region}",
        f"it is {judgement.weighting}, the chosen one {chosen.weighting}",
        "it is derived, the chosen one original",
        "it is a 3-D acquisition, the chosen one 2-D",
        "its field of view is unusual, that of the chosen one not",
        f"it has {judgement.stack.n_slices} slices, the chosen one {chosen.stack.n_slices}",
        "it equals the chosen one in all criteria, and its UID is higher",
    )
    return next(name for name, own, other in zip(names, judgement.rank, chosen.rank) if own != other)


def _why_none(judged: Mapping[str, Judgement]) -> str:
    counted = Counter(judgement.reason for judgement in judged.values())
    listed = "; ".join(
        f"{n} series: {reason}" for reason, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"no usable sagittal T2 series of the lumbar spine ({listed})."
