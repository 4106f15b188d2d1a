"""Anatomy of one patient: traits -> tables of bodies and discs -> transition -> wear -> the column that is drawn.

Bodies, canal and frame of the body are those of ``lstv_evidence.phantom.anatomy``; here only the tables are made otherwise.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from lstv_evidence.phantom import anatomy
from lstv_evidence.phantom.anatomy import BODIES, DISCS, L1, L5, S1, S2, VERTEBRAE, Anatomy
from lstv_evidence.phantoms_by_patient import traits
from lstv_evidence.phantoms_by_patient.spec import PatientSpec

_HEIGHT, _UPPER, _LOWER, _WEDGE = range(4)
_DISC_HEIGHT, _DISC_WEDGE, _SIGNAL, _EXTENT = range(4)
_S1_S2 = {
    "share": (0.0, 0.33, 0.36, 0.80, 0.97, 1.0),
    "height": (0.6, 0.9, 1.4, 3.6, 5.0, 6.5),
    "extent": (0.25, 0.35, 0.40, 0.85, 1.0, 1.0),
    "signal": (0.14, 0.15, 0.18, 0.32, 0.42, 0.48),
}
"""The disc between S1 and S2 by its percentile in the population (``share``): none worth the name, a small one, one of full
depth, one of full depth and height. Height in mm, depth relative to the plates, T2 signal (CSF = 1). Cut points after
O'Driscoll 1996, less the transitional spines in it; sizes are proposals."""
_FEATURES = ("body_height", "depth", "wedge", "disc_height", "signal", "extent")
_OWN_PACE = 0.25
"""Each feature of a transitional vertebra goes its own way: the degree to the power exp(normal of this deviation)."""
_NORMAL = NormalDist()


def build(spec: PatientSpec) -> Anatomy:
    """Draw the anatomy of a phantom; the same spec gives the same arrays."""
    rng = np.random.default_rng([spec.seed, 11])
    patient = traits.draw(rng)
    body, disc = _tables(patient, rng)
    grade = _wear(spec, patient, rng)
    pace = dict(zip(_FEATURES, np.exp(rng.normal(0.0, _OWN_PACE, len(_FEATURES)))))
    slope = np.deg2rad(patient["sacral_slope"])
    ordinary = anatomy.stack(body, _worn(disc, grade), slope)
    body, disc = _transitional(spec, body, disc, pace)
    disc = _worn(disc, grade)
    if spec.controls.l4_l5_narrowed:
        disc[L5 - 1, _DISC_HEIGHT] *= 0.75 - 0.25 * spec.controls.l4_l5_narrowed
    bodies = _standing_as(ordinary, anatomy.stack(body, disc, slope))
    position = anatomy.positions(spec.shift, 1.0)
    return Anatomy(
        spec=spec,
        bodies=bodies,
        discs=anatomy.between(bodies, disc[:, _EXTENT]),
        signal=np.clip(disc[:, _SIGNAL], 0.08, 0.85),
        degeneration=grade,
        lateral=anatomy.lateral(spec.nuisances.scoliosis, rng, bodies),
        half_width=anatomy.half_width(body, position),
        position=position,
        sacral=np.clip(position - L5, 0.0, 1.0),
        bridged=disc[:, _EXTENT] < 0.995,
        canal=anatomy.canal(spec.shift, position, bodies, rng, patient["size"]),
        size=patient["size"],
        marrow_change=_marrow_change(spec.seed, grade),
    )


def _tables(patient: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows as in BODIES and DISCS of the patient without transition and wear."""
    count = len(VERTEBRAE)
    own = {name: sd * traits.neighbours(rng, count) for name, sd in traits.LEVEL_DEVIATION.items()}
    size, slender = patient["size"], patient["slender"]
    body, disc = BODIES.copy(), DISCS[:-1].copy()
    body[:, _HEIGHT] *= size * slender * (1 + own["body_height"])
    body[:, [_UPPER, _LOWER]] *= (size / slender * (1 + own["body_depth"]))[:, None]
    body[:, _WEDGE] += own["body_wedge"]
    body[L5, _WEDGE] = patient["l5_wedge"]
    body[L5, _LOWER] = body[L5, _UPPER] * patient["l5_taper"]
    # the sacrum fits below L5, and below S1 follows in proportion
    body[S1, _UPPER] = body[L5, _LOWER] * BODIES[S1, _UPPER] / BODIES[L5, _LOWER]
    narrowed = body[S1, _UPPER] / patient["s1_ratio"] / body[S1, _LOWER]
    body[S1, _LOWER] *= narrowed
    body[S2:, [_UPPER, _LOWER]] *= narrowed
    body[S1:, _WEDGE] *= patient["sacral_curve"]
    disc[:, _DISC_HEIGHT] *= size * patient["disc_thickness"] * np.clip(1 + own["disc_height"][:-1], 0.65, 1.4)
    disc[:, _DISC_WEDGE] += own["disc_wedge"][:-1]
    disc[:, _SIGNAL] *= rng.normal(1.0, 0.06, count - 1)
    share = _NORMAL.cdf(patient["s1_s2"])
    height, extent, signal = (
        np.interp(share, _S1_S2["share"], _S1_S2[name]) for name in ("height", "extent", "signal")
    )
    below = height / DISCS[S1, 0]
    disc[S1, _DISC_HEIGHT] = height * size
    disc[S1, _EXTENT] = extent
    disc[S1, _SIGNAL] = max(0.12, signal + float(rng.normal(0.0, 0.05)))
    disc[S2:, _DISC_HEIGHT] *= float(np.clip(below, 0.5, 1.5))
    _set_lordosis(patient["lordosis"], body, disc)
    return body, disc


def _set_lordosis(wanted: float, body: np.ndarray, disc: np.ndarray) -> None:
    """Spread what is missing of the lordosis from L1 to S1 over the discs (0.7), the lower ones more, and L1 to L4."""
    missing = wanted - body[L1 : L5 + 1, _WEDGE].sum() - disc[L1 : L5 + 1, _DISC_WEDGE].sum()
    disc[L1 : L5 + 1, _DISC_WEDGE] += 0.7 * missing * np.array([0.12, 0.17, 0.21, 0.25, 0.25])
    body[L1:L5, _WEDGE] += 0.3 * missing * np.array([0.15, 0.2, 0.3, 0.35])


def _transitional(
    spec: PatientSpec, body: np.ndarray, disc: np.ndarray, pace: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The patient's own tables read lower or higher by as much of a level as the degree says, feature by feature."""
    if not spec.shift:
        return body, disc
    index = np.arange(len(VERTEBRAE))

    def moved(table: np.ndarray, *features: str) -> np.ndarray:
        columns = []
        for column, feature in zip(table.T, features):
            position = anatomy.positions(np.sign(spec.shift) * abs(spec.shift) ** pace[feature], 1.0)
            columns.append(np.interp(position[: len(column)], index[: len(column)], column))
        return np.stack(columns, axis=1)

    form = moved(body, "body_height", "depth", "depth", "wedge")
    space = moved(disc, "disc_height", "wedge", "signal", "extent")
    near = slice(L1 + 2, S1 + 1)
    change = (form - body)[near, _WEDGE].sum() + (space - disc)[near, _DISC_WEDGE].sum()
    anatomy.share_break(spec.kind, float(change), form, space)
    return form, space


def _wear(spec: PatientSpec, patient: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Grade (V - 1,) of each disc, 0 fresh to 1: independent of transition and form."""
    shares = [traits.WORN.get(name, 0.05) for name in VERTEBRAE[:-1]]
    limit = np.array([_NORMAL.inv_cdf(1 - share) for share in shares])
    own = rng.standard_normal(len(limit))
    liability = np.sqrt(traits.SHARED_WEAR) * patient["wear"] + np.sqrt(1 - traits.SHARED_WEAR) * own
    grade = np.array([_NORMAL.cdf(1.1 * value) for value in liability - limit])
    grade = anatomy.worn_more(grade, spec.nuisances.degeneration, spec.seed)
    if spec.controls.l5_s1_degenerated:
        grade[L5] = max(grade[L5], 0.5 + 0.5 * spec.controls.l5_s1_degenerated)
    return grade


def _marrow_change(seed: int, grade: np.ndarray) -> np.ndarray:
    """Signal, depth and middle (V - 1, 3) of the changed marrow beside worn lumbar discs."""
    rng = np.random.default_rng([seed, 13])
    count = len(grade)
    index = np.arange(count)
    lumbar = (index >= L1) & (index <= L5)
    there = lumbar & (grade > 0.6) & (rng.random(count) < traits.MARROW_CHANGE)
    signal = np.where(rng.random(count) < 0.75, rng.uniform(1.25, 1.7, count), rng.uniform(0.45, 0.75, count))
    depth = there * rng.uniform(3.0, 9.0, count)
    return np.stack([signal, depth, rng.uniform(-0.5, 0.4, count)], axis=1)


def _worn(disc: np.ndarray, grade: np.ndarray) -> np.ndarray:
    """The discs narrowed and darkened by their grade."""
    disc = disc.copy()
    disc[:, _DISC_HEIGHT] *= 1 - 0.55 * np.clip((grade - 0.3) / 0.7, 0.0, 1.0)
    disc[:, _SIGNAL] *= 1 - 0.8 * grade
    return disc


def _standing_as(ordinary: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """The column turned so that L1 stands over S1 as it does in the same patient without transition."""
    lean = [np.arctan2(*anatomy.column(column)) for column in (ordinary, bodies)]
    return anatomy.turned(bodies, float(lean[1] - lean[0]))
