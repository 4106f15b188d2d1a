"""All metrics of one study from its heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstv.base.arrays import FloatArray, IndexArray
from lstv.base.levels import LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer.heatmap_file import Analysed
from lstv.uncertainty import (
    blobs,
    count,
    features,
    fields,
    identity,
    localization,
    margins,
    patches,
    quality,
    shape,
    spine_geometry,
    stability,
)
from lstv.uncertainty.localization import Thresholds

if TYPE_CHECKING:  # the reference set is made with this package's distances
    from lstv.uncertainty.feature_bank import Reference


def measure(
    maps: Analysed, thresholds: Thresholds | None = None, reference: Reference | None = None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Metrics of one analysed study: (levels, study, flags).

    ``levels`` maps each level to its metrics, ``point_px`` ([column, row] on the 160 grid) and ``point_mm`` (patient
    [x, y, z]); ``study`` holds the study's metrics, ``risk`` and ``quality``. Undefined values are None and a flag
    says why. All arithmetic is float64 from the logits. ``reference`` is the reference set of the feature distance.
    """
    thresholds = thresholds or Thresholds()
    flags: list[str] = []
    size = maps.logits.shape[-1]
    spacing = maps.geometry.grid_spacing(size)
    log_p = fields.log_softmax(maps.logits)
    levels_p = np.exp(log_p[1:])
    support = levels_p.sum(axis=0)
    centres = [fields.centre(p) for p in levels_p]
    found = [centre is not None for centre in centres]
    discs = blobs.disc_blobs(support, _superior(maps.geometry, spacing))
    shares = blobs.class_shares(levels_p, discs)
    owner = blobs.blob_of_level(levels_p, discs, shares)
    log_mass = identity.log_masses(log_p[1:], discs)

    levels = {name: _localization(p, maps.geometry) for name, p in zip(LEVELS, levels_p)}
    areas = [levels[name]["area_px"] for name in LEVELS]
    radius = shape.reference_radius(areas)
    log_sum = fields.log_sum_exp(maps.logits)
    for index, (name, p, centre) in enumerate(zip(LEVELS, levels_p, centres)):
        blob = owner[index]
        levels[name] |= _identity(shares, log_mass, blob, index)
        levels[name] |= _shape(p, radius, spacing, found[index])
        levels[name] |= {
            "peak_logit": margins.peak_logit(log_p, index),
            "max_logit": None if centre is None else margins.max_logit(maps.logits, index, centre),
            "energy": None if blob is None else margins.energy(log_sum, discs[blob]),
        }
        flags += [f"{name}_not_found"] * (not found[index])
        flags += [f"{name}_no_blob"] * (blob is None)

    entropies = [levels[name]["entropy"] for name in LEVELS]
    study = {
        "risk": localization.risk(entropies[4], found[4], thresholds),
        **{function.__name__: function(shares) for function in _OF_SHARES},
        "junction_log_odds": identity.junction_log_odds(log_mass),
        "blob_count": count.blob_count(discs),
        "missing_levels": count.missing_levels(levels_p),
        "mass_ratio": count.mass_ratio(levels_p),
        **_geometry(maps.geometry, centres, size),
        "entropy_difference": shape.entropy_difference(entropies, found),
        "peak_logit_difference": margins.peak_logit_difference([levels[n]["peak_logit"] for n in LEVELS], found),
        "energy_difference": margins.energy_difference([levels[n]["energy"] for n in LEVELS]),
    }
    flags += ["no_disc_blob"] * (not discs) + ["single_disc_blob"] * (len(discs) == 1)
    for part, words in (
        _stability(maps, levels_p, levels, discs, owner, found, spacing),
        _patches(maps, levels, spacing),
        _features(maps, levels, found, reference),
        _residuals(support, spacing, centres, areas, study["blob_count"]),
        _quality(maps, centres, spacing, sum(found)),
    ):
        study |= part
        flags += words
    study["quality"] = "problem" if any(flag.startswith("quality_") for flag in flags) else "ok"
    return levels, study, flags


_OF_SHARES = (
    identity.junction_identity_entropy,
    identity.junction_margin,
    identity.column_identity_entropy,
    identity.level_confusion,
    identity.shift_ambiguity,
    identity.lowest_disc_share_l4_l5,
    identity.lowest_disc_share_l5_s1,
    identity.second_lowest_disc_share_l4_l5,
    identity.second_lowest_disc_share_l5_s1,
    count.duplicate_labels,
    count.order_violations,
    count.count_anomaly,
)

_OF_CENTRES = (
    spine_geometry.junction_distance,
    spine_geometry.junction_distance_ratio,
    spine_geometry.l3_l4_distance_ratio,
    spine_geometry.angle_l2_l3,
    spine_geometry.angle_l3_l4,
    spine_geometry.angle_l4_l5,
    spine_geometry.angle_difference,
)


def _superior(geometry: SliceGeometry, spacing: tuple[float, float]) -> tuple[float, float]:
    return geometry.row_direction[2] * spacing[1], geometry.column_direction[2] * spacing[0]


def _localization(p: FloatArray, geometry: SliceGeometry) -> dict[str, Any]:
    point = localization.point_px(p)
    return {
        "confidence": localization.confidence(p),
        # a level that is not found is a category of its own: the entropy of its map, up to 10, would pass for doubt
        "entropy": None if point is None else localization.entropy(p),
        "spatial_entropy": None if point is None else localization.spatial_entropy(p),
        "area_px": localization.area_px(p),
        "point_px": None if point is None else list(point),
        "point_mm": None if point is None else geometry.grid_to_patient(*point, len(p)).tolist(),
    }


def _identity(shares: FloatArray, log_mass: FloatArray, blob: int | None, level: int) -> dict[str, Any]:
    if blob is None:
        return dict.fromkeys(("identity_share", "identity_entropy", "identity_margin", "identity_log_odds"))
    return {
        "identity_share": identity.identity_share(shares[blob], level),
        "identity_entropy": identity.identity_entropy(shares[blob]),
        "identity_margin": identity.identity_margin(shares[blob]),
        "identity_log_odds": identity.identity_log_odds(log_mass[blob]),
    }


def _shape(p: FloatArray, radius: float | None, spacing: tuple[float, float], found: bool) -> dict[str, Any]:
    names = ("effective_area", "expected_radial_error", "second_peak_ratio", "leak", "spread", "elongation")
    if not found:
        return dict.fromkeys(names)
    sigma = shape.covariance(p, spacing)
    return {
        "effective_area": shape.effective_area(p),
        "expected_radial_error": shape.expected_radial_error(p, spacing),
        "second_peak_ratio": None if radius is None else shape.second_peak_ratio(p, radius),
        "leak": None if radius is None else shape.leak(p, radius),
        "spread": shape.spread(sigma),
        "elongation": shape.elongation(sigma),
    }


def _geometry(geometry: SliceGeometry, centres: list[FloatArray | None], size: int) -> dict[str, Any]:
    missing = np.full(3, np.nan)
    points = np.array([missing if c is None else geometry.grid_to_patient(c[0], c[1], size) for c in centres])
    return {function.__name__: function(points) for function in _OF_CENTRES}


def _residuals(
    support: FloatArray, spacing: tuple[float, float], centres: list[FloatArray | None], areas: list[int], discs: int
) -> tuple[dict[str, Any], list[str]]:
    flags = []
    ends: dict[str, count.Residual | None] = {}
    for side, end, before in (("caudal", 4, 3), ("cranial", 0, 1)):
        ends[side] = None
        last, inner = centres[end], centres[before]
        if last is not None and inner is not None:
            radius_mm = float(np.sqrt(areas[end] * spacing[0] * spacing[1] / np.pi))
            ends[side] = count.residual(support, spacing, last, inner, radius_mm)
            flags += [f"{side}_window_outside"] * (ends[side] is None)
    return {
        "caudal_residual": count.caudal_residual(ends["caudal"]),
        "caudal_residual_distance": count.caudal_residual_distance(ends["caudal"]),
        "cranial_residual": count.cranial_residual(ends["cranial"]),
    }, flags


def _quality(
    maps: Analysed, centres: list[FloatArray | None], spacing: tuple[float, float], found: int
) -> tuple[dict[str, Any], list[str]]:
    rows = [None if centre is None else float(centre[1]) for centre in centres]
    top, bottom = quality.content_rows(maps.image)
    first, last = (top, bottom) if _superior(maps.geometry, spacing)[1] <= 0 else (bottom, top)
    contrast = quality.image_contrast(maps.image)
    values = {
        "image_contrast": contrast,
        "cranial_border_distance": quality.cranial_border_distance(rows, first, spacing[0]),
        "caudal_border_distance": quality.caudal_border_distance(rows, last, spacing[0]),
    }
    return values, quality.quality_flags(
        contrast, found, values["cranial_border_distance"], values["caudal_border_distance"]
    )


def _stability(
    maps: Analysed,
    levels_p: FloatArray,
    levels: dict[str, Any],
    discs: list[IndexArray],
    owner: list[int | None],
    found: list[bool],
    spacing: tuple[float, float],
) -> tuple[dict[str, Any], list[str]]:
    """The study's stability metrics and flags; those of the levels are added to ``levels``."""
    study: dict[str, Any] = {}
    members = maps.members if maps.members and any(kind in stability.KINDS for kind in maps.members.kinds) else None
    ran = members is not None
    flags: list[str] = [] if ran else ["members_centre_only"]
    for kind, suffix in stability.KINDS.items():
        reading = None if members is None else stability.readings(members, kind, levels_p)
        flags += [f"members_no_{suffix}"] * (reading is None and ran)
        at_disc = [] if reading is None else [stability.votes(reading, disc) for disc in discs]
        for index, name in enumerate(LEVELS):
            blob = owner[index]
            vote = at_disc[blob] if at_disc and blob is not None else None
            seen = stability.level_readings(reading, index, spacing) if reading and found[index] else None
            values = {
                "flip_rate": vote and stability.flip_rate(vote.shares),
                "mutual_information": vote and stability.mutual_information(vote.shares),
                "lost_rate": vote and stability.lost_rate(vote),
                "coordinate_variance": seen and stability.coordinate_variance(seen.centres_mm),
                "dice_disagreement": seen and stability.dice_disagreement(seen.masks, seen.valid),
            }
            levels[name] |= {f"{key}_{suffix}": value for key, value in values.items()}
            few = (vote and values["flip_rate"] is None) or (seen and values["coordinate_variance"] is None)
            flags += [f"{name}_few_votes_{suffix}"] * bool(few)
        lowest = at_disc[-1].shares if at_disc else None
        study |= {
            f"junction_flip_rate_{suffix}": None if lowest is None else stability.junction_flip_rate(lowest),
            f"junction_mutual_information_{suffix}": (
                None if lowest is None else stability.junction_mutual_information(lowest)
            ),
            f"junction_votes_{suffix}": None if lowest is None else stability.junction_votes(lowest),
        }
        flags += [f"junction_few_votes_{suffix}"] * (lowest is not None and len(lowest) < stability.MIN_VOTES)
    return study, flags


_PATCH_METRICS = ("patch_confidence", "patch_identity_share", "patch_label_shift", "patch_distance")


def _patches(maps: Analysed, levels: dict[str, Any], spacing: tuple[float, float]) -> tuple[dict[str, Any], list[str]]:
    """The study's patch metrics and flags; those of the levels are added to ``levels``."""
    given = maps.places
    flags = []
    if given is None:
        flags.append("members_no_patches")
    elif given.status != "given":
        flags.append(f"centroids_{given.status}")
    elif given.six_lumbar:
        flags.append("centroids_six_lumbar")
    shifts = []
    for index, name in enumerate(LEVELS):
        levels[name] |= dict.fromkeys(_PATCH_METRICS)
        place = given.found.get(name) if given else None
        if place is None or maps.members is None:
            flags += [f"{name}_patch_{given.missing[name]}"] if given and name in given.missing else []
            continue
        said = maps.members.probability[maps.members.names.index(f"patch-{name}")] / 255.0
        reading = patches.read(said, index, place, spacing, _superior(maps.geometry, spacing))
        if reading is None:
            flags.append(f"{name}_patch_no_disc")
            continue
        shifts.append(patches.patch_label_shift(reading, index))
        levels[name] |= {
            "patch_confidence": patches.patch_confidence(reading),
            "patch_identity_share": patches.patch_identity_share(reading, index),
            "patch_label_shift": shifts[-1],
            "patch_distance": patches.patch_distance(reading),
        }
    study = {
        "patch_agreement": patches.patch_agreement(shifts),
        "patch_column_shift": patches.patch_column_shift(shifts),
    }
    return study, flags


def _features(
    maps: Analysed, levels: dict[str, Any], found: list[bool], reference: Reference | None
) -> tuple[dict[str, Any], list[str]]:
    """Distances from the reference set and flags; those of the levels are added to ``levels``."""
    for name in LEVELS:
        levels[name]["feature_deviation"] = None
    study = {"feature_distance": None, "feature_percentile": None}
    if reference is None or maps.features is None:
        return study, ["no_reference_features" if reference is None else "no_features"]
    distance = features.feature_distance(features.direction(maps.features.bottleneck), reference.others(maps.study_id))
    percentile = features.feature_percentile(distance, reference.distances)
    flags = ["quality_unlike_reference"] * (percentile > features.UNLIKE)
    for index, name in enumerate(LEVELS):
        disc = maps.features.discs[1 + index]
        if reference.level_count[index] < features.MIN_LEVEL_STUDIES:
            flags.append(f"{name}_few_reference_studies")
        elif found[index] and np.isfinite(disc).all():
            levels[name]["feature_deviation"] = features.feature_deviation(
                disc, reference.level_mean[index], reference.level_precision[index]
            )
        elif found[index]:
            # the network's own precision put the peak just below one half, float64 just above
            flags.append(f"{name}_no_features")
    return {"feature_distance": distance, "feature_percentile": percentile}, flags
