"""Anatomy -> MR signal on sagittal slices: tissue painted back to front, texture, coil, blur, ghosts, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lstv_evidence.phantom import shapes
from lstv_evidence.phantom.anatomy import L1, L5, S1, S2, T12, VERTEBRAE, Anatomy
from lstv_evidence.phantom.painter import BELLY, FAT, FLUID, LIGAMENT, MARROW, MUSCLE, PLAIN, UNIT, Painter, mark
from lstv_evidence.phantom.scan import Acquisition, Look

_Triple = tuple[float, float, float]
_Organ = tuple[_Triple, _Triple, float, int]

MAXIMUM = 4095
"""Largest stored value (12 bits)."""
_CORTEX = 0.55
"""Half the thickness of cortical bone in mm."""


@dataclass(frozen=True)
class Palette:
    """Signal of each tissue relative to CSF on T2."""

    csf: float
    cord: float
    roots: float
    marrow: float
    bone: float
    annulus: float
    disc: float
    fat: float
    muscle: float
    belly: float
    vessel: float


def palette(look: Look, weighting: str) -> Palette:
    """Tissue signals of ``weighting`` ``T2`` or ``T1`` for the look of a study. ``disc`` scales the nucleus signal."""
    if weighting == "T1":
        return Palette(0.16, 0.34, 0.26, 0.52, 0.07, 0.2, 0.45, 0.95, 0.26, 0.4, 0.06)
    return Palette(
        csf=look.csf,
        cord=0.42 * look.csf,
        roots=0.62 * look.csf,
        marrow=look.marrow,
        bone=0.06,
        annulus=0.12,
        disc=0.55 + 0.45 * look.csf,
        fat=look.fat,
        muscle=look.muscle,
        belly=0.42,
        vessel=0.04,
    )


def render(
    anatomy: Anatomy, scan: Acquisition, look: Look, *, weighting: str = "T2", slices: tuple[int, ...] | None = None
) -> np.ndarray:
    """Stored values uint16 (n, height, width), 0..MAXIMUM, of the given slice indices (all by default).

    A slice looks the same whether rendered alone or with the others.
    """
    chosen = tuple(range(len(scan.offsets))) if slices is None else slices
    stage = _Stage(anatomy, scan, look, palette(look, weighting))
    return np.stack([stage.slice(index) for index in chosen])


def labels(
    anatomy: Anatomy,
    scan: Acquisition,
    look: Look,
    bodies: np.ndarray,
    discs: np.ndarray,
    slices: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Label masks uint8 (n, height, width) of the slices that ``render`` draws, 0 where nothing is labelled.

    ``bodies`` (V,), ``discs`` (V - 1,): value of each vertebral body (to the middle of its cortical bone, without its
    arch) and of each disc; 0 leaves it out. Bodies cover discs, as in the picture.
    """
    chosen = tuple(range(len(scan.offsets))) if slices is None else slices
    stage = _Stage(anatomy, scan, look, palette(look, "T2"))
    return np.stack([stage.labels(index, bodies, discs) for index in chosen])


class _Stage:
    """What all slices of a study share, and the painting of one."""

    def __init__(self, anatomy: Anatomy, scan: Acquisition, look: Look, tissue: Palette) -> None:
        self.anatomy, self.scan, self.look, self.tissue = anatomy, scan, look, tissue
        self.rng = np.random.default_rng([anatomy.spec.seed, 5])
        rng = self.rng
        canal = anatomy.canal
        index = np.arange(len(VERTEBRAE))
        self.front = _line(anatomy.bodies[:, [0, 2]].reshape(-1, 2), 5)
        behind = (
            np.interp(anatomy.form_at(canal.tau), [0, T12, L1 + 2, L5, S1, S2, S2 + 3], [30, 34, 36, 32, 20, 13, 9])
            * anatomy.size
        )
        self.back = canal.wall + canal.posterior * (canal.gap + canal.diameter + behind)[:, None]
        self.waist = np.interp(anatomy.position, [T12, L1, L5, S1, S2], [1.4, 1.8, 1.8, 1.0, 0.5]) * anatomy.size
        self.hollow = np.interp(index, [T12 - 2, L1, L5], [0.8, 1.3, 1.5]) * (1 - anatomy.sacral)
        self.tint = rng.normal(1.0, 0.05, len(index))
        harmonics = rng.normal(0.0, 0.28, (len(index), 6)) * anatomy.size
        self.wobble = harmonics @ np.concatenate(
            [f(k * shapes.ANGLES)[None] for k in (2, 3, 5) for f in (np.sin, np.cos)]
        )
        self.spinous_shape = rng.normal(0.0, 0.9, (len(index), len(shapes.SPINOUS_LUMBAR), 2))
        self.spinous_tilt = rng.normal(0.0, 0.1, len(index))
        self.spinous_side = rng.normal(0.0, 1.3, len(index))
        self.spinous_size = rng.normal(0.95, 0.1, len(index)) * anatomy.size
        self.conus_front = rng.uniform(0.2, 0.38)
        self.root_paths = rng.uniform(0.5, 0.97, (9, 4))
        self.veins = np.stack([rng.uniform(3.0, 9.0, len(index)), rng.uniform(1.0, 2.4, len(index))], axis=1)
        self.spots = [
            (int(rng.integers(T12 - 1, L5 + 1)), rng.uniform(-0.5, 0.5, 2), rng.uniform(2.5, 5.5), rng.uniform(-8, 8))
            for _ in range(rng.poisson(0.7))
        ]
        fork = L1 + 3.3 + rng.normal(0.0, 0.4)
        self.vessels = ((9.0, 9.0, fork), (-15.0, 10.0, fork + 0.9))
        self._skin(rng)
        self._organs(rng)
        self._fields(rng)

    # -- shared parts --------------------------------------------------------------------------------------------------

    def _skin(self, rng: np.random.Generator) -> None:
        scan = self.scan
        low = scan.corner[1] - scan.height * scan.row_spacing - 20
        v = np.linspace(scan.corner[1] + 20, low, 60)
        order = np.argsort(self.back[:, 1])
        back = np.interp(v, self.back[order, 1], self.back[order, 0])
        back = _average(back, 9)
        lumbar = self.anatomy.height_of(L5)
        flat = np.max(back[v > lumbar - 30]) if np.any(v > lumbar - 30) else back.max()
        supine = rng.uniform(0.2, 0.55)
        fascia = np.maximum(back, (1 - supine) * back + supine * flat)
        thickness = rng.uniform(5.0, 22.0)
        hip = rng.uniform(0.3, 1.6) * np.exp(-(((v - lumbar + 45) / 45) ** 2))
        skin = _average(fascia + thickness * (1 + hip), 5)
        self.fascia = np.stack([fascia, v], axis=1)
        self.skin = np.stack([skin, v], axis=1)
        wave = np.sin(v[None, :] / rng.uniform(20, 60, (3, 1)) + rng.uniform(0, 6, (3, 1)))
        self.septa = (rng.uniform(0.15, 0.85, (3, 1)) + 0.08 * wave)[:, :, None]
        order = np.argsort(self.front[:, 1])
        front = np.interp(v, self.front[order, 1], self.front[order, 0])
        girth = rng.uniform(70.0, 140.0) + 14 * np.sin(v / rng.uniform(55, 90) + rng.uniform(0, 6))
        navel = rng.uniform(5.0, 22.0) * np.exp(-(((v + rng.uniform(15, 45)) / 8) ** 2))
        belly = _average(front, 15) - girth + navel
        self.belly_skin = np.stack([belly, v], axis=1)
        self.belly_wall = np.stack([belly + rng.uniform(6.0, 24.0), v], axis=1)

    def _organs(self, rng: np.random.Generator) -> None:
        """Ellipsoids of the belly: centre (u, v, w), radii (u, v, w), signal, texture."""
        front = np.interp(0.0, self.front[::-1, 1], self.front[::-1, 0])
        organs: list[_Organ] = [((front - 75, 110, -40), (50, 65, 60), 0.5 * self.tissue.belly, PLAIN)]
        for _ in range(16):
            centre = (front - rng.uniform(25, 110), rng.uniform(-110, 70), rng.uniform(-50, 50))
            radius = rng.uniform(9, 22)
            signal = float(rng.choice([0.06, 0.2, 0.3, 0.55, 0.8]))
            organs.append((centre, (radius, radius * rng.uniform(0.6, 1.3), radius * 1.3), signal, BELLY))
        sacrum = self.anatomy.bodies[S2 + 1].mean(axis=0)
        organs.append(
            ((sacrum[0] - rng.uniform(28, 36), sacrum[1] - 8, rng.uniform(-10, 10)), (13, 20, 18), 0.1, PLAIN)
        )
        size = rng.uniform(14, 30)
        bladder = (sacrum[0] - 62 - size, sacrum[1] - rng.uniform(15, 35), rng.uniform(-8, 8))
        organs.append((bladder, (size * 1.2, size, size * 1.2), 0.92 * self.tissue.csf, FLUID))
        self.organs = organs

    def _fields(self, rng: np.random.Generator) -> None:
        """Coil and saturation map, and noise fields of several grain sizes (each twice, to vary from slice to slice)."""
        scan, look = self.scan, self.look
        rows, columns = scan.height, scan.width
        u = scan.corner[0] + np.arange(columns) * scan.column_spacing
        v = scan.corner[1] - np.arange(rows) * scan.row_spacing
        canal = self.anatomy.canal
        order = np.argsort(canal.wall[:, 1])
        wall = _average(np.interp(v, canal.wall[order, 1], canal.wall[order, 0]), 25)
        depth = u[None, :] - (0.5 * wall + 0.5 * wall.mean())[:, None]
        coil = np.exp(np.clip(depth / look.reach, -3.0, 0.45))
        middle, extent = rng.uniform(-30, 20), rng.uniform(170, 300)
        coil *= (1 / (1 + ((v - middle) / extent) ** 4))[:, None]
        coil *= _smooth_field(rng, rows, columns, 4, 4, 0.06) + 1
        order = np.argsort(self.front[:, 1])
        front = _average(np.interp(v, self.front[order, 1], self.front[order, 0]), 41)
        band = u[None, :] - (front - rng.uniform(6, 22))[:, None]
        coil *= look.saturation + (1 - look.saturation) / (1 + np.exp(-np.clip(band / rng.uniform(3, 8), -30, 30)))
        self.coil = coil.astype(np.float32)
        mm = scan.row_spacing
        grains = {"fine": (1.5, 1.5), "middle": (4.0, 4.0), "streak": (18.0, 2.2), "coarse": (20.0, 16.0)}
        self.grain = {
            name: [
                _smooth_field(rng, rows, columns, int(rows * mm / g[0]) + 2, int(columns * mm / g[1]) + 2, 1.0)
                for _ in range(2)
            ]
            for name, g in grains.items()
        }
        bank = (rows + 64, columns + 64)
        self.noise = [(look.noise * rng.standard_normal(bank, dtype=np.float32)) for _ in range(2)]

    # -- one slice -----------------------------------------------------------------------------------------------------

    def slice(self, index: int) -> np.ndarray:
        """Stored values uint16 (height, width) of slice ``index``."""
        rng = np.random.default_rng([self.anatomy.spec.seed, 6, index])
        offset = float(self.scan.offsets[index])
        painter = Painter(self.scan)
        self._paint(painter, offset, rng)
        image = painter.signal.astype(np.float32)
        image *= self._texture(painter.texture, offset)
        image *= self.coil * np.float32(1 / UNIT)
        cv2.GaussianBlur(image, (5, 5), self.look.sharpness, dst=image, borderType=cv2.BORDER_REPLICATE)
        if self.look.ghost:
            image = self._ghosts(image, rng)
        rows, columns = image.shape
        parts = []
        for bank in self.noise:
            y, x = rng.integers(0, 64, 2)
            parts.append(bank[y : y + rows, x : x + columns])
        magnitude = cv2.magnitude(image + parts[0], np.ascontiguousarray(parts[1]))
        return np.clip(np.rint(magnitude * np.float32(self.look.gain)), 0, MAXIMUM).astype(np.uint16)

    def labels(self, index: int, bodies: np.ndarray, discs: np.ndarray) -> np.ndarray:
        """Labels uint8 (height, width) of slice ``index``; see ``labels`` of this module."""
        mask = np.zeros((self.scan.height, self.scan.width), np.uint8)
        q = (float(self.scan.offsets[index]) - self.anatomy.lateral) / self.anatomy.half_width
        between = (q[:-1] + q[1:]) / 2
        shown = _crossed(between)
        hollow, bulge = self._disc_shape(shown, between[shown])
        outlines = shapes.discs(self.anatomy.discs[shown], between[shown], hollow, bulge)
        mark(mask, self.scan, outlines, discs[shown])
        shown = _crossed(q)
        mark(mask, self.scan, self._body_outlines(shown, q, 0.0), bodies[shown])
        return mask

    def _texture(self, classes: np.ndarray, offset: float) -> np.ndarray:
        #                     PLAIN MARROW MUSCLE FAT BELLY LIGAMENT FLUID
        amounts = {
            "fine": (0.0, 0.07, 0.05, 0.03, 0.05, 0.1, 0.02),
            "middle": (0.0, 0.06, 0.16, 0.06, 0.15, 0.3, 0.03),
            "streak": (0.0, 0.0, 0.42, 0.04, 0.08, 0.25, 0.0),
            "coarse": (0.04, 0.03, 0.15, 0.05, 0.42, 0.1, 0.0),
        }
        cos, sin = np.float32(np.cos(offset * 0.13)), np.float32(np.sin(offset * 0.13))
        factor = np.ones(classes.shape, np.float32)
        for name, row in amounts.items():
            table = np.zeros(256, np.float32)
            table[: len(row)] = row
            first, second = self.grain[name]
            factor += cv2.LUT(classes, table) * cv2.addWeighted(first, float(cos), second, float(sin), 0.0)
        return np.maximum(factor, 0.15, out=factor)

    def _ghosts(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        axis = 0 if self.look.phase_rows else 1
        step = int(image.shape[axis] / rng.uniform(5.5, 9.0))
        ghosted = image.copy()
        for order, share in ((1, 1.0), (2, 0.5)):
            weight = np.float32(self.look.ghost * share)
            ghosted += weight * (np.roll(image, order * step, axis) + np.roll(image, -order * step, axis))
        return cv2.blur(ghosted, (3, 1) if axis else (1, 3))

    def _paint(self, painter: Painter, offset: float, rng: np.random.Generator) -> None:
        away = offset - self.anatomy.lateral
        tau = self.anatomy.canal.tau
        away_tau = offset - self.anatomy.lateral_at(tau)
        self._paint_trunk(painter, offset, away_tau)
        self._paint_canal(painter, away_tau, rng)
        self._paint_posterior(painter, away)
        self._paint_column(painter, away)

    def _paint_trunk(self, painter: Painter, offset: float, away_tau: np.ndarray) -> None:
        tissue, canal = self.tissue, self.anatomy.canal
        painter.fill([_closed(self.belly_skin, self.skin)], tissue.fat, FAT)
        layer = self.skin - self.fascia
        painter.lines([self.fascia + share * layer for share in self.septa], 0.55 * tissue.fat)
        painter.lines([self.skin], 0.35 * tissue.fat, 2)
        painter.fill([_closed(self.belly_wall, self.fascia)], tissue.belly, BELLY)
        wall = painter_strip(self.belly_wall, 7.0)
        painter.fill([wall], tissue.muscle, MUSCLE)
        for centre, radii, signal, texture in self.organs:
            share = 1 - ((offset - centre[2]) / radii[2]) ** 2
            if share > 0.05:
                painter.fill([shapes.ROUND * np.array(radii[:2]) * share**0.5 + centre[:2]], signal, texture)
        # muscles behind the column; fat and ligaments between the spinous processes near the midline
        middle = np.abs(np.median(away_tau)) < 5.0
        painter.fill([_closed(canal.wall, self.fascia)], tissue.muscle, MUSCLE)
        if middle:
            painter.fill([_closed(canal.wall, self.back)], 0.45 * tissue.fat, LIGAMENT)
        else:
            form = self.anatomy.form_at(canal.tau)
            low = form > L5 - 1.0
            shares = np.clip((form[low] - L5 + 1.0) / 2.0, 0.0, 1.0)[:, None] ** 0.7
            inner = canal.wall[low] + (self.back[low] - canal.wall[low]) * (0.75 * (1 - shares))
            outer = self.back[low] + (canal.wall[low] - self.back[low]) * (0.25 * (1 - shares))
            painter.fill([_closed(inner, outer)], 0.4 * tissue.fat, LIGAMENT)
        # fat before the sacrum and a thin layer before the lumbar column
        form = self.anatomy.form_at(np.linspace(0, len(VERTEBRAE) - 1, len(self.front)))
        ahead = np.interp(form, [0, L5, S1, S2 + 3], [3, 4, 9, 10])
        painter.fill(
            [_closed(self.front - [[1.0, 0.0]] * ahead[:, None], self.front + [4.0, 0.0])], 0.75 * tissue.fat, FAT
        )
        side = np.median(away_tau)
        if abs(side) > 20:
            self._paint_psoas(painter, abs(side))
        for position, radius, last in self.vessels:
            inside = 1 - ((offset - position - np.median(self.anatomy.lateral)) / radius) ** 2
            if inside > 0.1:
                count = int(len(self.front) * (last + 0.5) / len(VERTEBRAE))
                way = np.linspace(0.0, 1.0, count)[:, None] ** [[1.0, 0.0]]
                width = 2 * radius * inside**0.5 * np.clip((1.0 - way[:, :1]) / 0.12, 0.0, 1.0) ** 0.5
                width = width * (1 + 0.12 * np.sin(9 * way[:, :1] + self.spinous_tilt[0] * 60))
                edge = self.front[:count] - [4.0, 0.0] - 3.0 * np.sin(5 * way[:, :1] + self.tint[0] * 60) * [[1.0, 0.0]]
                painter.fill([_closed(edge - width * [[1.0, 0.0]], edge)], tissue.vessel, PLAIN)

    def _paint_psoas(self, painter: Painter, side: float) -> None:
        canal = self.anatomy.canal
        tau = np.linspace(L1 - 0.3, S1 + 1.5, 24)
        points = np.stack([np.interp(tau, canal.tau, canal.wall[:, k]) for k in (0, 1)], axis=1)
        share = np.clip((side - 18) / 12, 0, 1) * np.sin(np.linspace(0.25, np.pi - 0.3, 24)) ** 0.7
        centre = points + np.stack([np.linspace(-8, -40, 24), np.zeros(24)], axis=1)
        painter.fill(
            [_closed(centre - [[19.0, 0]] * share[:, None], centre + [[19.0, 0]] * share[:, None])],
            self.tissue.muscle,
            MUSCLE,
        )

    def _paint_canal(self, painter: Painter, away: np.ndarray, rng: np.random.Generator) -> None:
        tissue, canal = self.tissue, self.anatomy.canal
        tau, post = canal.tau, canal.posterior

        def line(millimetres: np.ndarray, keep: np.ndarray) -> np.ndarray:
            return (canal.wall + post * np.asarray(millimetres)[:, None])[keep]

        form = self.anatomy.form_at(tau)
        bony = form < S2 + 2.5
        rear = canal.gap + canal.diameter
        inside = np.abs(away) < canal.half_width + 1.5
        for run in _runs(inside & bony):
            painter.fill([_closed(line(rear * 0 - 1, run), line(rear + 3.0, run))], 0.1, PLAIN)
        for run in _runs(~inside & bony & (np.abs(away) < 22)):
            painter.fill([_closed(line(rear * 0 - 1, run), line(rear * 0.85, run))], 0.72 * tissue.fat, FAT)
        # epidural fat: behind the sac at each interlaminar space, and all around it in the sacrum
        if np.abs(np.median(away)) < 7:
            for i in np.flatnonzero(self.anatomy.sacral < 0.95)[T12 - 2 :]:
                size = 6.5 * self.anatomy.size * (1 - self.anatomy.sacral[i])
                wide = np.exp(-(((tau - i - 0.55) / 0.2) ** 2)) * size
                keep = np.abs(tau - i - 0.55) < 0.36
                painter.fill([_closed(line(rear - 1, keep), line(rear + wide, keep))], 0.85 * tissue.fat, FAT)
        sacral = (form > L5 + 0.3) & bony & (np.abs(away) < np.maximum(canal.half_width + 1.6, 9.0))
        for run in _runs(sacral):
            painter.fill([_closed(line(rear * 0 + 0.8, run), line(rear + 2.0, run))], 0.8 * tissue.fat, FAT)
        ending = np.sqrt(np.clip((canal.end - tau) / 0.5, 0, 1))
        share = np.sqrt(np.clip(1 - (away / canal.half_width) ** 2, 0, 1)) * ending
        centre = canal.gap + canal.diameter / 2
        half = canal.diameter / 2 * share
        for run in _runs(half > 0.6):
            painter.fill([_closed(line(centre - half - 0.6, run), line(centre + half + 0.6, run))], 0.12, PLAIN)
            painter.fill([_closed(line(centre - half, run), line(centre + half, run))], tissue.csf, FLUID)
        self._paint_nerves(painter, away, half, centre, rng)

    def _paint_nerves(
        self, painter: Painter, away: np.ndarray, half: np.ndarray, centre: np.ndarray, rng: np.random.Generator
    ) -> None:
        tissue, canal = self.tissue, self.anatomy.canal
        tau = canal.tau

        def line(millimetres: np.ndarray, keep: np.ndarray) -> np.ndarray:
            return (canal.wall + canal.posterior * millimetres[:, None])[keep]

        taper = np.clip((canal.conus - tau) / 0.7, 0, 1) ** 0.7
        cord = 4.1 * self.anatomy.size * taper * np.sqrt(np.clip(1 - (away / 5.0) ** 2, 0, 1))
        middle = centre + (self.conus_front - 0.2) * canal.diameter * (1 - taper)
        # roots lie in the rear of the sac below the conus and thin out downwards
        below = (tau > canal.conus - 0.8) & (tau < canal.end - 0.25) & (half > 2.0)
        fade = np.interp(tau, [canal.conus - 0.8, canal.conus + 0.3, L5, S2], [0.25, 0.42, 0.2, 0.08])
        for run in _runs(below):
            painter.fill(
                [_closed(line(centre + half * (0.95 - 2 * fade), run), line(centre + half * 0.95, run))],
                0.5 * (tissue.csf + tissue.roots),
                FLUID,
            )
            where = np.linspace(0, 1, self.root_paths.shape[1])
            span = np.linspace(0, 1, int(run.sum()))
            for path in self.root_paths[rng.permutation(len(self.root_paths))[:5]]:
                fraction = np.ones(len(tau))
                fraction[run] = np.interp(span, where, path + rng.normal(0, 0.05, len(path)))
                painter.lines([line(centre + half * (2 * fraction - 1), run)], tissue.roots)
        for run in _runs(cord > 0.4):
            painter.fill([_closed(line(middle - cord, run), line(middle + cord, run))], tissue.cord, FLUID)

    def _paint_posterior(self, painter: Painter, away: np.ndarray) -> None:
        anatomy, tissue = self.anatomy, self.tissue
        marrow, bone = 0.95 * tissue.marrow, tissue.bone
        for i in range(len(VERTEBRAE) - 4):
            distance = abs(away[i])
            behind = anatomy.canal.posterior[self._sample(i + 0.1)]
            rear = anatomy.canal.at(i + 0.12, 1.0) + 3.0 * behind
            wall = anatomy.canal.at(i, 0.0)
            scale = float(self.spinous_size[i])
            parts: list[np.ndarray] = []
            lumbar = anatomy.sacral[i] < 0.5
            if distance < 26 and lumbar and distance > 8.5:
                fade = min(max(float(26 - distance) / 8, 0.35), 1.0)
                parts += [
                    shapes.attach(outline, wall, behind, anatomy.size * (0.8 + 0.2 * fade))
                    for outline in ((shapes.PEDICLE,) if distance < 17 else ())
                ]
                parts += [
                    shapes.attach(outline, wall, behind, anatomy.size * fade, float(self.spinous_tilt[i]))
                    for outline in (shapes.UPPER_JOINT, shapes.LOWER_JOINT)
                ]
                nerve = anatomy.canal.at(i + 0.33, 0.0) + 4.0 * behind
                painter.fill([shapes.ROUND * [2.6, 3.4] + nerve], 1.6 * tissue.muscle, PLAIN)
            elif distance > 4.0 and lumbar and distance < 12:
                parts.append(shapes.attach(shapes.LAMINA, rear, behind, scale * 0.95))
            near = abs(away[i] - self.spinous_side[i])
            if near < 4.6:
                share = np.sqrt(1 - (near / 5.0) ** 2)
                thoracic = min(max((L1 - 0.5 - i) / 2.5, 0.0), 1.0)
                outline = thoracic * shapes.SPINOUS_THORACIC + (1 - thoracic) * shapes.SPINOUS_LUMBAR
                outline = outline + self.spinous_shape[i] * (1 - anatomy.sacral[i])
                small = float(np.interp(anatomy.position[i], [L5 - 1, L5, S1], [1.0, 0.78, 0.36]))
                parts.append(
                    shapes.attach(
                        outline * [share, 0.6 + 0.4 * share], rear, behind, scale * small, self.spinous_tilt[i]
                    )
                )
            painter.fill([shapes.grow(part, 0.9) for part in parts], bone)
            painter.fill([shapes.grow(part, -0.7) for part in parts], marrow * float(self.tint[i]), MARROW)

    def _sample(self, tau: float) -> int:
        return int(np.argmin(np.abs(self.anatomy.canal.tau - tau)))

    def _paint_column(self, painter: Painter, away: np.ndarray) -> None:
        anatomy, tissue = self.anatomy, self.tissue
        q = away / anatomy.half_width
        self._paint_discs(painter, q)
        shown = _crossed(q)
        if not len(shown):
            return
        marrow = tissue.marrow * (1 + 0.08 * anatomy.sacral[shown]) * self.tint[shown]
        painter.fill(self._body_outlines(shown, q, _CORTEX), tissue.bone)
        for points, signal in zip(self._body_outlines(shown, q, -_CORTEX), marrow):
            painter.fill([points], float(signal), MARROW)
        self._paint_marrow_changes(painter, q)
        for i in np.flatnonzero(np.abs(away) < 6):
            if anatomy.position[i] > S1 + 0.3:
                continue
            back = anatomy.bodies[i, [1, 3]].mean(axis=0)
            inward = anatomy.bodies[i].mean(axis=0) - back
            inward /= np.linalg.norm(inward)
            up = np.array([-inward[1], inward[0]])
            reach, half = self.veins[i]
            wedge = np.array([back - 0.6 * inward + half * up, back + reach * inward, back - 0.6 * inward - half * up])
            painter.fill([wedge], tissue.marrow * (1.5 - 0.4 * abs(away[i]) / 6), MARROW)
        for body, (s, t), radius, side in self.spots:
            share = 1 - ((away[body] - side) / radius) ** 2
            if share > 0:
                centre = shapes.place(np.array([[s, t]]), anatomy.bodies[body : body + 1])[0, 0]
                painter.fill([shapes.ROUND * radius * share**0.5 + centre], 1.55 * tissue.marrow, MARROW)

    def _paint_marrow_changes(self, painter: Painter, q: np.ndarray) -> None:
        """Marrow of another signal beside the endplates of a worn disc."""
        anatomy = self.anatomy
        half = np.linspace(0.0, np.pi, 15)
        for i in np.flatnonzero(anatomy.marrow_change[:, 1] > 0):
            share = 1 - np.abs(q[i]) / 0.8
            if share <= 0.1:
                continue
            signal, depth, middle = anatomy.marrow_change[i]
            for body, side in ((i, -1.0), (i + 1, 1.0)):
                height = shapes.sizes(anatomy.bodies[body : body + 1])[1][0]
                s = np.clip(middle + 0.6 * np.cos(half) * share**0.5, -0.9, 0.9)
                t = side * (0.86 - 2 * depth * share**0.5 / height * np.sin(half))
                outline = shapes.place(np.stack([s, t], axis=-1), anatomy.bodies[body : body + 1])[0]
                painter.fill([outline], float(signal) * self.tissue.marrow, MARROW)

    def _body_outlines(self, shown: np.ndarray, q: np.ndarray, grow: float) -> np.ndarray:
        """Outlines (N, K, 2) of the bodies ``shown`` (N,), grown by ``grow`` mm from the middle of their cortical bone;
        ``q`` (V,): where the slice crosses each body, as a fraction of its half width."""
        corners = self.anatomy.bodies[shown]
        return shapes.bodies(corners, q[shown], self.wobble[shown] + grow, self.hollow[shown], self.waist[shown])

    def _disc_shape(self, shown: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far (N,) in mm the discs ``shown`` (N,) reach into their neighbours, and bulge backwards at ``side``."""
        hollow = (self.hollow[:-1] + self.hollow[1:])[shown] / 2
        bulge = 2.6 * self.anatomy.degeneration[shown] * (1 - self.anatomy.sacral[shown]) * (1 - 0.5 * np.abs(side))
        return hollow, bulge

    def _paint_discs(self, painter: Painter, q: np.ndarray) -> None:
        anatomy, tissue = self.anatomy, self.tissue
        q = (q[:-1] + q[1:]) / 2
        shown = _crossed(q)
        if not len(shown):
            return
        fused = shown[anatomy.bridged[shown]]
        if len(fused):
            between = np.stack([anatomy.bodies[fused, 2], anatomy.bodies[fused, 3]], axis=1)
            below = np.stack([anatomy.bodies[fused + 1, 0], anatomy.bodies[fused + 1, 1]], axis=1)
            painter.fill(np.concatenate([between, below[:, ::-1]], axis=1), tissue.marrow, MARROW)
        corners, side = anatomy.discs[shown], q[shown]
        hollow, bulge = self._disc_shape(shown, side)
        signal = anatomy.signal[shown] * tissue.disc
        outer = shapes.discs(corners, side, hollow, bulge)
        inner = shapes.discs(corners, side, hollow, 0.4 * bulge, 0.84)
        core_side = np.clip(side / 0.8, -1, 1)
        core = shapes.discs(corners, core_side, 0.8 * hollow, 0 * bulge, 0.68, rounded=True)
        cleft = shapes.discs(corners, core_side, 0 * hollow, 0 * bulge, 0.1, rounded=True)
        middle = cleft.mean(axis=1, keepdims=True)
        along = (corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2])[:, None] / 2
        stretch = 0.42 * np.cos(np.linspace(0, 2 * np.pi, cleft.shape[1], endpoint=False))[None, :, None]
        cleft = middle + (cleft - middle) * 0.9 + stretch * along * 0.55
        painter.fill(outer, tissue.annulus)
        for k, value in enumerate(signal):
            value = float(value)
            painter.fill([inner[k]], tissue.annulus + 0.3 * max(0.0, value - tissue.annulus), FLUID)
            if abs(core_side[k]) < 0.95:
                painter.fill([core[k]], value, FLUID)
                if value > 0.4 * tissue.disc:
                    painter.fill([cleft[k]], 0.72 * value, FLUID)


def painter_strip(line: np.ndarray, width: float) -> np.ndarray:
    """Band of ``width`` mm behind a line (K, 2)."""
    return _closed(line, line + [width, 0.0])


def _closed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Polygon between two lines that run the same way."""
    return np.concatenate([first, second[::-1]])


def _crossed(q: np.ndarray) -> np.ndarray:
    """Indices of the bodies or discs that a slice crosses at ``q`` of their half width."""
    return np.flatnonzero(np.abs(q) < 0.985)


def _runs(keep: np.ndarray) -> list[np.ndarray]:
    """Contiguous stretches (masks) of at least three samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], keep.astype(np.int8), [0]])))
    masks = []
    for start, stop in zip(edges[::2], edges[1::2]):
        if stop - start >= 3:
            mask = np.zeros(len(keep), bool)
            mask[start:stop] = True
            masks.append(mask)
    return masks


def _line(points: np.ndarray, half: int) -> np.ndarray:
    """Points (K, 2) resampled to 120 and smoothed."""
    where = np.linspace(0, len(points) - 1, 120)
    return np.stack([_average(np.interp(where, np.arange(len(points)), points[:, k]), half) for k in (0, 1)], axis=1)


def _average(values: np.ndarray, half: int) -> np.ndarray:
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")


def _smooth_field(
    rng: np.random.Generator, rows: int, columns: int, coarse_rows: int, coarse_columns: int, sigma: float
) -> np.ndarray:
    """Random field float32 (rows, columns) of standard deviation about ``sigma`` from a coarse grid of normal values."""
    grid = rng.standard_normal((coarse_rows, coarse_columns), dtype=np.float32) * np.float32(sigma)
    return cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)
