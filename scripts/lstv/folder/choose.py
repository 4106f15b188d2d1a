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

from lstv.base.text import counted
from lstv.cohort.study_sheet import CHOSEN_BY_USER
from lstv.dicom.facts import UNUSABLE_KINDS, Facts
from lstv.dicom.stacks import MAX_LENGTH_MM, MAX_SAGITTAL_ANGLE_DEG, T2_ECHO_MS, T2_REPETITION_MS, Stack, difference
from lstv.folder import terms
from lstv.folder.series import Series, Study, uid_order

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

T1_MAX_TR, MYELO_MIN_TE, NAMED_MYELO_MIN_TE = 1200.0, 350.0, 200.0
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


@dataclass(frozen=True)
class Judgement:
    """What was found about one stack; ``reason`` is "" where it could be used."""

    stack: Stack
    plane: str
    weighting: str
    region: str
    reason: str
    names: str

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
    protocols = _examination_names(study)
    judged = {uid: [judge(stack, series, protocols) for stack in series.stacks] for uid, series in study.series.items()}
    judged = _single_images(_without_upper_stations(judged))
    best = {uid: min(found, key=_order) for uid, found in judged.items()}
    if wanted is not None:
        return _by_user(study, best, wanted)
    people = {patient for series in study.series.values() for patient in series.patients}
    if len(people) > 1:
        # common after a poor anonymisation; one of them would stand for all
        reason = f"its series name {len(people)} different patients; choose the right series yourself, or export again."
        return Choice(study, None, reason, best)
    usable = sorted((judgement for judgement in best.values() if judgement.usable), key=lambda j: j.rank)
    if not usable:
        return Choice(study, None, _why_none(best), best)
    chosen = usable[0]
    told = {uid: j if j is chosen or j.reason else replace(j, reason=_why_second(j, chosen)) for uid, j in best.items()}
    notes = [f"chosen of {len(usable)} sagittal T2 series"] if len(usable) > 1 else []
    return Choice(study, chosen, "; ".join([*notes, *_doubts(chosen, study)]), told)


def _doubts(chosen: Judgement, study: Study) -> list[str]:
    """What the reader of the sheet should know about a series that is used."""
    doubts = []
    if chosen.region == UNKNOWN:
        of_study = _regions(chosen.stack.facts, "study_description")
        also = f" (the study's name holds {' and '.join(sorted(of_study))})" if len(of_study) > 1 else ""
        doubts.append(f"its region is not named in words that are understood{also}: see that it is the lumbar spine")
    for stack in study.series[chosen.stack.facts.series_uid].stacks:
        problem, same_kind = stack.problem, stack.facts.image_kind == chosen.stack.facts.image_kind
        if problem is not None and problem.kind in ("geometry", "values") and same_kind:
            n = len(stack.images)
            doubts.append(f"{n} image{'s' * (n != 1)} of it cannot be used ({problem.text})")
    n = sum(
        len(stack.images) for stack in study.series[chosen.stack.facts.series_uid].stacks if _alike(stack, chosen.stack)
    )
    if n:
        images = "image of it was" if n == 1 else "images of it were"
        doubts.append(f"{n} {images} left out (another size, pixel spacing or orientation)")
    return doubts


def _alike(stack: Stack, chosen: Stack) -> bool:
    """Whether a reader would take these images for slices of the chosen stack: sagittal ones of its kind and echo. Localizer
    images, further echoes and Dixon images in one series are usual and not told."""
    if stack is chosen or stack.problem is not None or plane(stack.facts) != "sagittal":
        return False
    facts, other = stack.facts, chosen.facts
    alike = (facts.image_kind, facts.echo_time) == (other.image_kind, other.echo_time)
    return alike and difference(stack, chosen) in ("other_shape", "other_orientation")


def _examination_names(study: Study) -> frozenset[str]:
    """Protocol names that several series of other descriptions share: they name the examination, not the series."""
    descriptions: dict[str, set[str]] = {}
    for series in study.series.values():
        for stack in series.stacks:
            facts = stack.facts
            if facts.protocol_name:
                descriptions.setdefault(facts.protocol_name, set()).add(facts.series_description)
    return frozenset(name for name, of in descriptions.items() if len(of) > 1)


def _single_images(judged: dict[str, list[Judgement]]) -> dict[str, list[Judgement]]:
    """Say of series of one image each that they are the slices of one, where number, description and frame of reference
    are the same: some exports give every image a SeriesInstanceUID of its own."""

    def key(judgement: Judgement) -> tuple:
        facts = judgement.stack.facts
        return facts.series_number, facts.series_description, facts.frame_of_reference, judgement.plane

    single = [j for found in judged.values() for j in found if len(found) == 1 and j.stack.n_slices == 1]
    counted = Counter(key(judgement) for judgement in single if judgement.plane != UNKNOWN)

    def named(judgement: Judgement) -> Judgement:
        n = counted[key(judgement)]
        if judgement not in single or n < MIN_SLICES or judgement.stack.problem is not None:
            return judgement
        reason = (
            f"it is one of {n} images of one number and description that have a SeriesInstanceUID each: export the series "
            "with one UID"
        )
        return replace(judgement, reason=reason)

    return {uid: [named(judgement) for judgement in found] for uid, found in judged.items()} if counted else judged


def _order(judgement: Judgement) -> tuple:
    return (not judgement.usable, judgement.rank)


def _by_user(study: Study, best: Mapping[str, Judgement], wanted: str) -> Choice:
    told = {
        uid: replace(j, reason="" if uid == wanted else j.reason or "the user chose another series")
        for uid, j in best.items()
    }
    problem = best[wanted].stack.problem
    if problem is not None:
        reason = f"the series chosen by the user cannot be used ({problem.text}); choose another or export again."
        told[wanted] = replace(told[wanted], reason=reason)
        return Choice(study, None, reason, told)
    return Choice(study, told[wanted], CHOSEN_BY_USER, told)


def judge(stack: Stack, series: Series, protocols: frozenset[str] = frozenset()) -> Judgement:
    """Judge one stack of a series by itself; ``protocols`` are names that say nothing about the series."""
    facts = stack.facts
    names = _names(facts, protocols)
    judgement = Judgement(stack, plane(facts), weighting(facts, names), region(facts, protocols), "", names)
    for check in _checks:
        reason = check(judgement, series)
        if reason:
            return replace(judgement, reason=reason)
    return judgement


def _of_series(facts: Facts, protocols: frozenset[str]) -> bool:
    """Whether ProtocolName names the series. On GE scanners it names the whole examination."""
    return not facts.manufacturer.upper().startswith("GE") and facts.protocol_name not in protocols


def _names(facts: Facts, protocols: frozenset[str] = frozenset()) -> str:
    """What the series is called, in all ways in which it can be read, normalised."""
    texts = [facts.series_description, *facts.decodings.get("series_description", ())]
    if _of_series(facts, protocols):
        texts += [facts.protocol_name, *facts.decodings.get("protocol_name", ())]
    return terms.normalise(" ".join(texts))


def _regions(facts: Facts, field: str) -> frozenset[str]:
    """Regions that a name speaks of: as its character set has it, else as it might be meant."""
    for text in (getattr(facts, field), *facts.decodings.get(field, ())):
        found = terms.regions(text)
        if found:
            return found
    return frozenset()


def plane(facts: Facts) -> str:
    """sagittal, coronal, axial (by the largest component of the normal), oblique or unknown."""
    if facts.normal is None:
        return UNKNOWN
    size = np.abs(facts.normal)
    axis = int(np.argmax(size))
    if size[axis] < np.cos(np.radians(MAX_SAGITTAL_ANGLE_DEG)):
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]


def region(facts: Facts, protocols: frozenset[str] = frozenset()) -> str:
    """Region by the series' names, else BodyPartExamined, else the examination's names; several or none: see the code."""
    study = _regions(facts, "study_description")
    named = _regions(facts, "series_description")
    if _of_series(facts, protocols):
        named |= _regions(facts, "protocol_name")
    else:
        study |= _regions(facts, "protocol_name")
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


def weighting(facts: Facts, name: str | None = None) -> str:
    """T2 and its kinds, STIR, T1, proton density, FLAIR, gradient echo, diffusion, myelography, or unknown.

    Echo, repetition and inversion time (ms; PS3.3 C.8.3.1) decide where present, names (``name``) otherwise.
    """
    name = _names(facts) if name is None else name
    sequence = set(facts.scanning_sequence)
    echo, repetition, inversion = facts.echo_time, facts.repetition_time, facts.inversion_time
    if "EP" in sequence or terms.DIFFUSION.search(name):
        return "diffusion or echo planar"
    if "GR" in sequence and "SE" not in sequence:
        return "gradient echo"
    named_myelo = terms.MYELOGRAPHY.search(name) and (echo is None or echo >= NAMED_MYELO_MIN_TE)
    if named_myelo or (echo is not None and echo >= MYELO_MIN_TE):
        return "myelography"
    if inversion and "IR" not in sequence and not terms.STIR.search(name) and not terms.FLAIR.search(name):
        inversion = None  # some scanners write a fat saturation delay here
    if inversion or "IR" in sequence:
        return _inverted(inversion, repetition, echo, name)
    if terms.STIR.search(name) and not terms.T1.search(name):
        return STIR
    if terms.FLAIR.search(name):
        return "FLAIR"
    if echo is not None and echo >= T2_ECHO_MS and (repetition is None or repetition >= T2_REPETITION_MS):
        return _kind_of_t2(facts, name)
    if echo is not None and repetition is not None and repetition > 0:
        return "T1" if repetition < T1_MAX_TR else "proton density or intermediate"
    return _by_name(facts, name)


def _inverted(inversion: float | None, repetition: float | None, echo: float | None, name: str) -> str:
    if inversion:
        if STIR_TI[0] <= inversion <= STIR_TI[1]:
            return STIR
        return "T1" if inversion < 1500 and (echo is None or echo < T2_ECHO_MS) else "FLAIR"
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
    problem = judgement.stack.problem
    return problem.text if problem is not None and problem.kind in ("object", "colour") else ""


def _problem(judgement: Judgement, series: Series) -> str:
    problem = judgement.stack.problem
    if problem is None:
        return ""
    if problem.kind == "geometry":
        hint = "; it is named sagittal, ask for an export with full headers" if _named_sagittal(judgement) else ""
        return f"its images do not say where they lie in the patient ({problem.text}){hint}"
    return problem.text


def _named_sagittal(judgement: Judgement) -> bool:
    return terms.SAGITTAL.search(judgement.names) is not None


def _patients(judgement: Judgement, series: Series) -> str:
    if len(series.patients) > 1:
        return f"its files name {len(series.patients)} different patients; find out which belong before using any"
    return ""


def _kind(judgement: Judgement, series: Series) -> str:
    facts = judgement.stack.facts
    name = judgement.names
    description = terms.normalise(facts.series_description)
    if facts.image_kind in UNUSABLE_KINDS:
        return UNUSABLE_KINDS[facts.image_kind]
    if terms.LOCALIZER.search(name):
        return UNUSABLE_KINDS["localizer"]
    if terms.SUBTRACTION.search(description):
        return UNUSABLE_KINDS["subtraction"]
    if terms.PROJECTION.search(description):
        return UNUSABLE_KINDS["projection"]
    if terms.REFORMATTED.search(description) and facts.image_kind == "derived":
        return UNUSABLE_KINDS["reformatted"]
    if terms.DIXON.search(name) and facts.image_kind in ("original", "derived"):
        if terms.OPPOSED_PHASE.search(description):
            return UNUSABLE_KINDS["opposed-phase image"]
        if terms.FAT.search(description) and not terms.WATER.search(description):
            return UNUSABLE_KINDS["fat image"]
    return ""


def _plane(judgement: Judgement, series: Series) -> str:
    return "" if judgement.plane == "sagittal" else f"it is {judgement.plane}, not sagittal"


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
    if stack.length > MAX_LENGTH_MM:
        return f"its slices are {stack.length:.0f} mm apart in all (ImagePositionPatient), which cannot be"
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
    _problem,
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
        f"it has {counted(judgement.stack.n_slices, 'slice')}, the chosen one {chosen.stack.n_slices}",
        "it equals the chosen one in all criteria, and its UID or name comes later",
    )
    return next((name for name, own, other in zip(names, judgement.rank, chosen.rank) if own != other), names[-1])


def _why_none(judged: Mapping[str, Judgement]) -> str:
    counted = Counter(judgement.reason for judgement in judged.values())
    listed = "; ".join(
        f"{n} series: {reason}" for reason, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"no usable sagittal T2 series of the lumbar spine ({listed})."
