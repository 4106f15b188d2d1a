"""The feature bank: made from heatmap files of other studies, kept in one file, read by the metrics."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstv.base import atomic, checksums
from lstv.base.arrays import FloatArray, IndexArray
from lstv.base.errors import UserError, cause
from lstv.base.levels import LEVELS
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Features
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty.features import MIN_LEVEL_STUDIES, NEIGHBOUR, direction, neighbour_distance

FORMAT_VERSION = 1
MIN_STUDIES = 200

SAME_RUN = ("checkpoint_sha256", "preprocessing")
"""Facts of a run on which features depend: reference and study must agree in them."""

_ARRAYS = ("directions", "distances", "level_count", "level_mean", "level_precision")


@dataclass(frozen=True)
class FeatureBank:
    """A fitted feature bank of n studies.

    ``run``: the facts of SAME_RUN. ``directions`` float32 (n, C): the studies' bottleneck features at length 1;
    ``distances`` float64 (n,): each one's leave-one-out feature_distance. ``level_count`` (5,), ``level_mean`` (5, c),
    ``level_precision`` (5, c, c): decoder features of each level over the studies that have it, float64. ``sha256`` is
    that of the file from which it was read; empty where it was not.
    """

    study_ids: tuple[str, ...]
    run: dict[str, Any]
    directions: npt.NDArray[np.float32]
    distances: FloatArray
    level_count: IndexArray
    level_mean: FloatArray
    level_precision: FloatArray
    sha256: str = ""

    def others(self, study_id: str) -> npt.NDArray[np.float32]:
        """Directions of the studies of the feature bank without the study itself."""
        return self.directions[[name != study_id for name in self.study_ids]]

    def check(self, run: dict[str, Any], study_id: str) -> None:
        """Raises UserError where the study's heatmaps come from another network or preprocessing."""
        for name in SAME_RUN:
            if run.get(name) != self.run.get(name):
                raise UserError(
                    f"the reference features were made with {name} {self.run.get(name)}, the heatmaps of study {study_id} "
                    f"with {run.get(name)}; make the reference from heatmaps of the same localizer."
                )


def collect(files: Iterable[Path]) -> tuple[dict[str, Features], dict[str, Any]]:
    """Features of every analysed study in the heatmap files by study id, and the facts of SAME_RUN.

    Raises UserError where a study comes twice, features are missing, or the files come from different runs.
    """
    found: dict[str, Features] = {}
    facts: dict[str, Any] = {}
    for path in files:
        run = {name: value for name, value in heatmap_file.read_run(path).items() if name in SAME_RUN}
        if facts and run != facts:
            raise UserError(f"heatmap file {path} comes from another localizer or preprocessing than those before it.")
        facts = run
        for study_id in heatmap_file.study_ids(path):
            maps = heatmap_file.read_study(path, study_id, members=False)
            if isinstance(maps, NotAnalysed):
                continue
            if study_id in found:
                raise UserError(f"study {study_id} is in two of the heatmap files; give each study once.")
            if maps.features is None:
                raise UserError(f"heatmap file {path} has no features; run the inference again.")
            found[study_id] = maps.features
    return found, facts


def fit(features: dict[str, Features], run: dict[str, Any]) -> FeatureBank:
    """Fit the reference. Raises UserError with fewer than 200 studies."""
    if len(features) < MIN_STUDIES:
        raise UserError(
            f"the feature bank has {len(features)} analysed studies, but distances to fewer than {MIN_STUDIES} say "
            "little; give the heatmap files of more studies."
        )
    study_ids = sorted(features)
    directions = np.stack([direction(features[name].bottleneck) for name in study_ids])
    distances = [neighbour_distance(own, np.delete(directions, i, axis=0)) for i, own in enumerate(directions)]
    discs = np.stack([features[name].discs for name in study_ids]).astype(np.float64)
    count, level_mean, precision = zip(*(_fit_level(discs[:, 1 + level]) for level in range(len(LEVELS))))
    return FeatureBank(
        tuple(study_ids),
        run,
        directions,
        np.array(distances),
        np.array(count),
        np.stack(level_mean),
        np.stack(precision),
    )


def _fit_level(features: FloatArray) -> tuple[int, FloatArray, FloatArray]:
    """Count, mean and precision of the rows that are defined; zeros where there are too few."""
    known = features[np.isfinite(features).all(axis=1)]
    size = features.shape[1]
    if len(known) < MIN_LEVEL_STUDIES:
        return len(known), np.zeros(size), np.zeros((size, size))
    precision: FloatArray = np.linalg.pinv(ledoit_wolf(known), hermitian=True).astype(np.float64, copy=False)
    return len(known), known.mean(axis=0), precision


def ledoit_wolf(samples: FloatArray) -> FloatArray:
    """Covariance (p, p) of samples (n, p), shrunk towards a multiple of the identity.

    Source: Ledoit and Wolf, J. Multivariate Analysis 88 (2004) 365: (1 - s) S + s (tr S / p) I with the s that they derive.
    """
    count, size = samples.shape
    centred = samples - samples.mean(axis=0)
    covariance = centred.T @ centred / count
    target = np.trace(covariance) / size * np.eye(size)
    away = ((covariance - target) ** 2).sum()
    noise = (((centred**2).sum(axis=1) ** 2).sum() / count - (covariance**2).sum()) / count
    share = min(1.0, max(0.0, noise / away)) if away > 0 else 0.0
    shrunk: FloatArray = (1 - share) * covariance + share * target
    return shrunk


def write(bank: FeatureBank, path: Path) -> None:
    """Write the reference as a NumPy archive, atomically."""
    facts = {"format_version": FORMAT_VERSION, "run": bank.run, "study_ids": list(bank.study_ids)}
    arrays = {name: getattr(bank, name) for name in _ARRAYS}
    with atomic.replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, facts=np.array(json.dumps(facts, sort_keys=True)), **arrays)


def read(path: Path) -> FeatureBank:
    """Read a feature bank. Raises UserError where the file is missing or was not written by ``write``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(str(archive["facts"]))
            arrays = {name: archive[name] for name in _ARRAYS}
        digest = checksums.file_digest(path)
    except (OSError, EOFError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise UserError(
            f"reference file {path} cannot be read ({cause(error)}); make it with scripts/reference_features.py."
        ) from error
    if facts.get("format_version") != FORMAT_VERSION or len(facts["study_ids"]) <= NEIGHBOUR:
        raise UserError(
            f"reference file {path} is of another version; make it again with scripts/reference_features.py."
        )
    return FeatureBank(tuple(facts["study_ids"]), facts["run"], **arrays, sha256=digest)
