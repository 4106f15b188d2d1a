"""Random lumbar anatomy in millimetres: vertebrae, discs, canal and sacrum of the mid-sagittal plane, and the column's
way to the side.

Frame of the body: u to posterior, v to superior, w to the left; (0, 0) is the middle of the L3 body. A vertebra is a
quadrilateral; column and sacrum are stacked from S1 upwards and downwards with a height and a wedge angle for every body
and every disc. Transitional anatomy reads the same tables at a fractional position: the S1 of a lumbarized phantom of
degree 1 stands at 0.8 of the way from S1 to L5.

The tables hold values of a typical adult, chosen for looks; they are no reference for measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lstv.base.levels import LEVELS
from lstv_evidence.phantom.spec import PhantomSpec

VERTEBRAE = tuple(
    [f"T{n}" for n in range(5, 13)] + [f"L{n}" for n in range(1, 6)] + [f"S{n}" for n in range(1, 6)] + ["Co1", "Co2"]
)
T12, L1, L3, L5, S1, S2 = (VERTEBRAE.index(name) for name in ("T12", "L1", "L3", "L5", "S1", "S2"))

# height, depth of upper and lower endplate (mm), wedge (degrees, positive where the front is taller)
BODIES = np.array(
    [
        (18.0, 24.5, 25.0, -3.5),  # T5
        (18.5, 25.0, 26.0, -3.5),
        (19.0, 26.0, 27.0, -3.5),
        (20.0, 27.0, 28.0, -3.5),
        (20.5, 28.0, 29.0, -3.0),
        (21.5, 29.0, 30.0, -3.0),
        (22.5, 30.0, 31.0, -3.5),
        (24.0, 31.0, 32.0, -3.0),
        (25.5, 31.5, 32.5, -1.5),  # L1
        (26.5, 32.5, 33.5, 0.0),
        (27.0, 33.5, 34.5, 1.5),
        (27.0, 34.5, 35.0, 3.0),
        (26.5, 35.0, 34.5, 9.0),
        (29.0, 33.5, 22.5, -4.0),  # S1
        (24.5, 20.0, 16.0, -10.0),
        (20.5, 15.0, 12.5, -13.0),
        (17.0, 12.0, 10.0, -14.0),
        (14.0, 9.5, 7.5, -12.0),
        (10.0, 7.5, 6.0, -10.0),
        (8.0, 5.5, 3.5, -10.0),
    ]
)
# disc below each body: height (mm), wedge (degrees), T2 signal of the nucleus (CSF = 1), depth relative to the endplates
DISCS = np.array(
    [
        (3.8, -0.5, 0.45, 1.0),  # T5/T6
        (4.0, -0.5, 0.45, 1.0),
        (4.0, -0.5, 0.45, 1.0),
        (4.2, 0.0, 0.45, 1.0),
        (4.6, 0.0, 0.48, 1.0),
        (5.0, 0.0, 0.50, 1.0),
        (5.6, 0.5, 0.52, 1.0),
        (6.8, 1.5, 0.56, 1.0),  # T12/L1
        (8.0, 3.5, 0.60, 1.0),
        (9.2, 5.5, 0.62, 1.0),
        (10.2, 7.5, 0.62, 1.0),
        (11.0, 10.0, 0.62, 1.0),
        (10.0, 14.0, 0.60, 1.0),  # L5/S1
        (2.8, -2.0, 0.26, 0.72),  # S1/S2, rudimentary
        (1.6, -2.0, 0.18, 0.72),
        (1.2, -2.0, 0.14, 0.7),
        (1.2, -2.0, 0.12, 0.7),
        (1.8, -2.0, 0.12, 0.8),
        (1.2, -2.0, 0.12, 0.8),
        (0.0, 0.0, 0.12, 0.8),
    ]
)
# thecal sac at each body: front-to-back diameter, half width, distance from the posterior wall (mm)
_SAC = np.array(
    [(13.0, 8.5, 2.0)] * 6
    + [(14.5, 9.0, 2.0), (16.0, 9.5, 1.8)]
    + [(16.5, 10.0, 1.6), (16.0, 10.0, 1.6), (15.5, 10.0, 1.8), (15.0, 10.5, 2.2), (14.0, 10.5, 3.5)]
    + [
        (11.5, 9.5, 5.0),
        (8.0, 6.5, 4.0),
        (5.0, 4.0, 3.0),
        (4.0, 3.0, 2.0),
        (3.0, 2.0, 2.0),
        (2.0, 2.0, 1.0),
        (2.0, 2.0, 1.0),
    ]
)
CHANGE_AT_DEGREE_1 = 0.8
_FOLLOWING = {0: 1.0, 1: 0.6, 2: 0.3}
SAMPLES_PER_VERTEBRA = 16


@dataclass(frozen=True)
class Canal:
    """Thecal sac sampled along the column; ``tau`` counts vertebrae (3.0 = middle of body 3, 3.5 = disc below it).

    ``wall`` (M, 2): posterior wall of bodies and discs; ``posterior`` (M, 2): unit vector away from it; ``diameter``,
    ``half_width``, ``gap`` (M,) in mm. ``end`` is the tau where the sac ends, ``conus`` where the cord does.
    """

    tau: np.ndarray
    wall: np.ndarray
    posterior: np.ndarray
    diameter: np.ndarray
    half_width: np.ndarray
    gap: np.ndarray
    end: float
    conus: float

    def at(self, tau: float, fraction: float) -> np.ndarray:
        """Point (2,) at ``fraction`` of the sac's diameter behind its front."""
        index = int(np.argmin(np.abs(self.tau - tau)))
        return self.wall[index] + self.posterior[index] * (self.gap[index] + fraction * self.diameter[index])


@dataclass(frozen=True)
class Anatomy:
    """Geometry of one phantom, V = len(VERTEBRAE) bodies and V - 1 discs, in mm of the body frame.

    ``bodies`` (V, 4, 2) and ``discs`` (V - 1, 4, 2): corners upper front, upper back, lower front, lower back.
    ``signal`` (V - 1,): nucleus signal of each disc relative to CSF; ``degeneration`` (V - 1,): 0..1.
    ``lateral`` (V,): how far each body lies to the left of the mid-sagittal plane; ``half_width`` (V,).
    ``position`` (V,): where in the tables of a normal spine each body is read: 12.0 is L5, 13.0 is S1, a fraction is
    between; ``sacral`` (V,): how sacral (1) or lumbar (0) a body looks; ``bridged`` (V - 1,): whether marrow joins the
    bodies around the disc; ``size``: overall scale. ``marrow_change`` (V - 1, 3): changed marrow on either side of a disc,
    its signal relative to marrow, how deep it reaches (mm; 0: there is none) and where its middle lies from front (-1) to
    back (1).
    """

    spec: PhantomSpec
    bodies: np.ndarray
    discs: np.ndarray
    signal: np.ndarray
    degeneration: np.ndarray
    lateral: np.ndarray
    half_width: np.ndarray
    position: np.ndarray
    sacral: np.ndarray
    bridged: np.ndarray
    canal: Canal
    size: float
    marrow_change: np.ndarray = field(default_factory=lambda: np.zeros((len(VERTEBRAE) - 1, 3)))

    def lateral_at(self, tau: npt.ArrayLike) -> np.ndarray:
        """Lateral position (mm, left positive) at fractional vertebra positions."""
        return np.interp(np.asarray(tau), np.arange(len(VERTEBRAE)), self.lateral)

    def form_at(self, tau: np.ndarray) -> np.ndarray:
        """Position in the tables of a normal spine at fractional vertebra positions."""
        return np.interp(tau, np.arange(len(VERTEBRAE)), self.position)

    def height_of(self, index: float) -> float:
        """v (mm) of the body that stands where ``index`` stands in a normal spine, counted from the sacrum as whoever
        plans the scan would: one body higher where L5 is sacralized."""
        heights = self.bodies[:, :, 1].mean(axis=1)
        return float(np.interp(index - CHANGE_AT_DEGREE_1 * self.spec.shift, np.arange(len(heights)), heights))

    def points(self, where: str) -> dict[str, np.ndarray]:
        """(u, v, w) in mm of every counted disc by level name, ``where`` = ``disc`` (centre) or ``canal``.

        Five levels, and ``s1_s2`` as the sixth where S1 is lumbarized.
        """
        names = {level: L1 + k for k, level in enumerate(LEVELS)}
        if self.spec.kind == "lumbarized" and self.spec.degree > 0:
            names["s1_s2"] = S1
        found = {}
        for level, index in names.items():
            plane = self.discs[index].mean(axis=0) if where == "disc" else self.canal.at(index + 0.5, 0.5)
            found[level] = np.array([*plane, self.lateral_at(index + 0.5)])
        return found


def build(spec: PhantomSpec) -> Anatomy:
    """Draw the anatomy of a phantom; the same spec gives the same arrays."""
    rng = np.random.default_rng([spec.seed, 1])
    size = float(np.clip(rng.normal(1.0, 0.06), 0.86, 1.15))
    body, disc = _tables(spec, rng, size)
    degeneration = _degeneration(spec, rng)
    disc[:, 0] *= 1.0 - 0.5 * np.clip(degeneration - 0.25, 0.0, 1.0)
    signal = disc[:, 2] * rng.normal(1.0, 0.06) * (1.0 - 0.8 * degeneration)
    slope = np.deg2rad(np.clip(rng.normal(38.0, 7.0), 22.0, 56.0))
    bodies = _stand_up(stack(body, disc, slope), rng)
    position = positions(spec.shift)
    sacral = np.clip(position - L5, 0.0, 1.0)
    return Anatomy(
        spec=spec,
        bodies=bodies,
        discs=between(bodies, disc[:, 3]),
        signal=np.clip(signal, 0.08, 0.85),
        degeneration=degeneration,
        lateral=lateral(spec.nuisances.scoliosis, rng, bodies),
        half_width=half_width(body, position),
        position=position,
        sacral=sacral,
        bridged=sacral[:-1] > 0.5,
        canal=canal(spec.shift, position, bodies, rng, size),
        size=size,
    )


def positions(shift: float, most: float = CHANGE_AT_DEGREE_1) -> np.ndarray:
    """Where in the tables each body, and the disc below it, is read (V,): at its own place, or up to ``most`` places
    lower (``shift`` > 0, sacralized) or higher (``shift`` < 0, lumbarized)."""
    index = np.arange(len(VERTEBRAE), dtype=np.float64)
    change = most * shift
    # the transitional body and all below it change fully, those above it less and less
    junction = L5 if shift > 0 else S1
    weight = np.array([1.0 if i >= junction else _FOLLOWING.get(junction - i, 0.0) for i in range(len(VERTEBRAE))])
    weight[index > S2 + 1] = 0.5
    weight[-1] = 0.0
    return index + change * weight


def _tables(spec: PhantomSpec, rng: np.random.Generator, size: float) -> tuple[np.ndarray, np.ndarray]:
    index = np.arange(len(VERTEBRAE))
    position = positions(spec.shift)
    body = np.stack([np.interp(position, index, column) for column in BODIES.T], axis=1)
    disc = np.stack([np.interp(position, index, column) for column in DISCS.T], axis=1)[:-1]
    slender = rng.normal(1.0, 0.05)
    body[:, 0] *= size * slender * rng.normal(1.0, 0.025, len(body))
    body[:, 1:3] *= size / slender * rng.normal(1.0, 0.02, (len(body), 1))
    body[:, 3] += rng.normal(0.0, 1.3, len(body))
    disc[:, 0] *= size * np.clip(rng.normal(1.0, 0.13), 0.7, 1.3) * rng.normal(1.0, 0.07, len(disc))
    disc[:, 1] += rng.normal(0.0, 1.2, len(disc))
    # lordosis: flat to strong backs scale all lumbar wedges; the sacrum's curve varies on its own
    lordosis = np.clip(rng.normal(1.0, 0.24), 0.45, 1.55)
    body[L1 : L5 + 1, 3] *= lordosis
    disc[L1 : L5 + 1, 1] *= lordosis
    near = slice(L1 + 2, S1 + 1)
    change = np.interp(position, index, BODIES[:, 3])[near].sum() - BODIES[near, 3].sum()
    change += np.interp(position, index, DISCS[:, 1])[near].sum() - DISCS[near, 1].sum()
    share_break(spec.kind, change, body, disc)
    body[S1:, 3] *= np.clip(rng.normal(1.0, 0.3), 0.4, 1.6)
    return body, disc


def share_break(kind: str, change: float, body: np.ndarray, disc: np.ndarray) -> None:
    """Give back most of the lordosis that the transitional form adds or takes (``change`` degrees), so that the
    lumbosacral break is spread over two levels and the patient still stands upright. Changes the wedges in place."""
    if kind == "lumbarized":
        body[[L5, S1], 3] -= 0.7 * change * np.array([0.2, 0.2])
        disc[[L5 - 1, L5, S1], 1] -= 0.7 * change * np.array([0.1, 0.25, 0.25])
    elif kind == "sacralized":
        body[[L5 - 1, L5 - 2], 3] -= 0.6 * change * np.array([0.3, 0.1])
        disc[[L5 - 1, L5 - 2], 1] -= 0.6 * change * np.array([0.35, 0.25])


def _degeneration(spec: PhantomSpec, rng: np.random.Generator) -> np.ndarray:
    count = len(VERTEBRAE) - 1
    grade = 0.35 * rng.beta(1.0, 3.0, count)
    grade[L5 - 1 : L5 + 1] += 0.25 * rng.beta(1.0, 3.0, 2)
    return worn_more(grade, spec.nuisances.degeneration, spec.seed)


def worn_more(grade: np.ndarray, severity: float, seed: int) -> np.ndarray:
    """Grades (V - 1,) of the discs, 0..1, with the nuisance of that severity: more of the lower discs are hit."""
    extra, count = np.random.default_rng([seed, 2]), len(grade)
    hit = extra.random(count) < np.linspace(0.3, 0.85, count)
    return np.clip(grade + severity * hit * extra.uniform(0.5, 1.0, count), 0.0, 1.0)


def half_width(body: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Half width to the side (V,) in mm of bodies of a table: the upper sacrum is wider for its depth."""
    sacral = np.clip(position - L5, 0.0, 1.0)
    return 0.69 * body[:, 1] * (1 + 0.35 * sacral * np.clip(S2 + 1 - position, 0.0, 1.0))


def stack(body: np.ndarray, disc: np.ndarray, slope: float) -> np.ndarray:
    """Corners of the bodies (V, 4, 2), built upwards and downwards from the upper plate of S1, which is inclined by
    ``slope`` radians against the horizontal. ``body``, ``disc``: rows as in ``BODIES`` and ``DISCS``."""
    count = len(body)
    bodies = np.zeros((count, 4, 2))

    def plate(centre: np.ndarray, angle: float, depth: float, shift: float) -> np.ndarray:
        forward = np.array([-np.cos(angle), -np.sin(angle)])
        return np.stack([centre + forward * (depth / 2 + shift), centre - forward * (depth / 2 - shift)])

    def step(centre: np.ndarray, angle: float, height: float, wedge: float) -> tuple[np.ndarray, float]:
        # upwards: an anteriorly taller segment turns the next plate backwards
        turned = angle - np.deg2rad(wedge)
        middle = (angle + turned) / 2
        return centre + height * np.array([-np.sin(middle), np.cos(middle)]), turned

    centre, angle = np.zeros(2), slope
    for i in range(L5, -1, -1):
        centre, angle = step(centre, angle, disc[i, 0], disc[i, 1])
        lower = plate(centre, angle, body[i, 2], 0.0)
        centre, angle = step(centre, angle, body[i, 0], body[i, 3])
        bodies[i] = np.concatenate([plate(centre, angle, body[i, 1], 0.0), lower])
    centre, angle = np.zeros(2), slope
    for i in range(S1, count):
        upper = plate(centre, angle, body[i, 1], 0.0)
        centre, angle = step(centre, angle, -body[i, 0], -body[i, 3])
        # the front of a sacral body recedes more than its back
        taper = body[i, 1] - body[i, 2]
        bodies[i] = np.concatenate([upper, plate(centre, angle, body[i, 2], -0.12 * taper)])
        if i < count - 1:
            centre, angle = step(centre, angle, -disc[i, 0], -disc[i, 1])
    return bodies


def between(bodies: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Corners of the discs (V - 1, 4, 2) between bodies; ``extent`` (V - 1,): their depth relative to the endplates."""
    discs = np.stack([bodies[:-1, 2], bodies[:-1, 3], bodies[1:, 0], bodies[1:, 1]], axis=1)
    middle = discs.mean(axis=1, keepdims=True)
    return middle + (discs - middle) * extent[:, None, None]


def _stand_up(bodies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn about L3 until L1 stands at a drawn distance before or behind S1; L3's middle becomes the origin."""
    wanted = rng.normal(-1.0, 9.0)
    reach = column(bodies)
    return turned(bodies, np.arctan2(-wanted, np.hypot(*reach)) - np.arctan2(-reach[0], reach[1]))


def column(bodies: np.ndarray) -> np.ndarray:
    """(u, v) in mm from the middle of S1's upper plate to the middle of L1."""
    return bodies[L1].mean(axis=0) - bodies[S1, :2].mean(axis=0)


def turned(bodies: np.ndarray, angle: float) -> np.ndarray:
    """The column turned by ``angle`` (radians) about the middle of L3, which becomes the origin."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (bodies - bodies[L3].mean(axis=0)) @ rotation.T


def lateral(scoliosis: float, rng: np.random.Generator, bodies: np.ndarray) -> np.ndarray:
    """How far each body (V,) lies to the left in mm; ``scoliosis`` 0..1 bends the column by up to 15 mm."""
    height = bodies[:, :, 1].mean(axis=1)
    tilt, offset, bow = rng.normal(0.0, 0.012), rng.normal(0.0, 1.2), rng.normal(0.0, 1.0)
    length, phase, side = rng.uniform(200.0, 320.0), rng.uniform(-0.6, 0.6), rng.choice([-1.0, 1.0])
    amplitude = bow + side * 15.0 * scoliosis
    curve = amplitude * np.cos(2 * np.pi * (height - 10.0) / length + phase)
    # the scan was planned so that L3 is near the middle slice
    planned = curve - 0.6 * np.interp(0.0, height[::-1], curve[::-1])
    return offset + tilt * height + planned


def canal(shift: float, position: np.ndarray, bodies: np.ndarray, rng: np.random.Generator, size: float) -> Canal:
    """The thecal sac behind ``bodies``; where it ends and how wide it is follows the form of the vertebrae."""
    count = len(bodies)
    tau = np.arange(-0.5, count - 1.0, 1.0 / SAMPLES_PER_VERTEBRA)
    knots = np.concatenate([np.arange(count) - 0.36, np.arange(count) + 0.36])
    order = np.argsort(knots)
    points = np.concatenate([bodies[:, 1], bodies[:, 3]])[order]
    wall = np.stack([np.interp(tau, knots[order], points[:, k]) for k in (0, 1)], axis=1)
    wall = _smooth(wall, 7)
    along = np.gradient(wall, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    posterior = np.stack([-along[:, 1], along[:, 0]], axis=1)
    form = np.interp(tau, np.arange(count), position)
    sac = np.stack([np.interp(form, np.arange(count), column) for column in _SAC.T], axis=1) * size
    width = np.clip(rng.normal(1.0, 0.1), 0.75, 1.25)
    diameter = sac[:, 0] * width * (1 + 0.04 * rng.standard_normal() * np.cos(np.pi * tau))
    return Canal(
        tau=tau,
        wall=wall,
        posterior=posterior,
        diameter=diameter,
        half_width=sac[:, 1] * np.sqrt(width),
        gap=sac[:, 2] * np.clip(rng.normal(1.0, 0.2), 0.5, 1.6),
        end=float(S2 - 0.6 * shift + np.clip(rng.normal(0.0, 0.45), -0.9, 0.9)),
        conus=float(L1 + np.clip(rng.normal(0.1, 0.65), -1.4, 1.4)),
    )


def _smooth(values: np.ndarray, half: int) -> np.ndarray:
    """Moving average over 2 half + 1 samples along axis 0, ends held."""
    padded = np.pad(values, [(half, half), (0, 0)], mode="edge")
    total = np.cumsum(np.pad(padded, [(1, 0), (0, 0)]), axis=0)
    return (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)
