"""Hand-made studies that reach the rare branches of the metrics, one name for each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from drawn_spine import DrawnSpine, draw
from lstv.base.levels import LEVELS
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import strips
from lstv.localizer.heatmap_file import Analysed, Features, Members, StudyMaps
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.patches import DiscTarget, DiscTargets
from lstv.uncertainty import feature_bank
from lstv.uncertainty.feature_bank import FeatureBank
from made_maps import COLUMN, GRID, ROWS, SAGITTAL, as_logits, as_members, five_discs, soft_disc, study, textured_image

RUN = {
    "checkpoint_sha256": "0" * 64,
    "checkpoint_file": "net.pth",
    "preprocessing": "trained",
    "software_version": "0",
}

FEET_UP = replace(SAGITTAL, column_direction=(0.0, 0.0, 1.0))
OBLIQUE = SliceGeometry((3.0, -90.0, 70.0), (0.28, 0.96, 0.0), (0.0, 0.0, -1.0), 0.9, 0.45, 400, 512)

CLASSES = np.arange(5)[:, None, None]


@cache
def reference_set() -> FeatureBank:
    """240 studies; L1/L2 is found in 60 of them, too few for its deviation."""
    studies = {f"r{k:03}": features(k) for k in range(240)}
    for k in range(180):
        studies[f"r{k:03}"].discs[1] = np.nan
    return feature_bank.fit(studies, {name: RUN[name] for name in feature_bank.SAME_RUN})


def features(seed: int, away: float = 0.0) -> Features:
    """Features of a cloud in 64 dimensions; ``away`` moves them out of it."""
    # the legacy generator, whose numbers never change
    random = np.random.RandomState(seed)
    bottleneck = 5 + random.normal(size=64) + 10 * away * np.sign(np.arange(64) % 2 - 0.5)
    return Features(bottleneck.astype(np.float16), (random.normal(size=(6, 16)) + away).astype(np.float16))


def column(rows: tuple[float, ...] = ROWS, columns: tuple[float, ...] = (COLUMN,) * 5, **shape: float) -> np.ndarray:
    """Level maps (5, 160, 160) of five discs at these places."""
    return np.stack([soft_disc(c, r, **shape) for c, r in zip(columns, rows)])


def mixed(blob: int, other: int, share: float) -> np.ndarray:
    """Five discs, of which disc ``blob`` is to ``share`` called by level ``other``."""
    maps = five_discs()
    maps[other] += share * maps[blob]
    maps[blob] *= 1 - share
    return maps


def moved(maps: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.roll(maps, (rows, columns), axis=(1, 2))


def joined(*members: Members) -> Members:
    return Members(
        tuple(name for part in members for name in part.names),
        tuple(kind for part in members for kind in part.kinds),
        np.concatenate([part.probability for part in members]),
        np.concatenate([part.valid for part in members]),
    )


def seen(rows: slice) -> np.ndarray:
    """Members saw these rows only."""
    valid = np.zeros((GRID, GRID), bool)
    valid[rows] = True
    return valid


def slices() -> Members:
    """Neighbouring slices: moved, one level off, dim, and one without any disc."""
    maps = five_discs()
    return as_members([moved(maps, 1, 0), moved(maps, 2, -1), np.roll(maps, 1, axis=0), maps * 0.4, maps * 0], "slice")


def views() -> Members:
    """Views that agree, move, doubt the lowest disc, and saw only a part."""
    maps = five_discs()
    said = [maps, moved(maps, 0, 2), mixed(4, 3, 0.7), mixed(4, 3, 0.6), moved(maps, -1, 1)]
    valid = [seen(slice(None))] * 3 + [seen(slice(60, None)), seen(slice(0, 112))]
    return as_members(said, "view", valid)


def place(row: float, column: float = COLUMN - 14, half: float = 11.0) -> DiscTarget:
    point = tuple(SAGITTAL.grid_to_patient(column, row, GRID).tolist())
    return DiscTarget(0, (column, row), (column, row - half), (column, row + half), point)


def patches(found: dict[str, DiscTarget], maps: np.ndarray | None = None, **values: object) -> dict:
    """Places and the patches that were run there, as fields of a study."""
    said = as_members([five_discs() if maps is None else maps] * max(1, len(found)), "patch")
    members = Members(tuple(f"patch-{level}" for level in found), said.kinds, said.probability, said.valid)
    targets = DiscTargets("given", "", found, **{"missing": {}, **values})
    return {"targets": targets, "members": members if found else None}


def patch_studies() -> dict[str, Analysed]:
    same = {level: place(row) for level, row in zip(LEVELS, ROWS)}
    lower = {level: place(row) for level, row in zip(LEVELS, ROWS[1:])}
    partly = {"l2_l3": same["l2_l3"], "l3_l4": place(143.0), "l4_l5": place(ROWS[3], COLUMN - 60)}
    no_file = DiscTargets("no_file")
    six = patches(same | {"l4_l5": place(ROWS[4])}, mixed(3, 2, 0.3), six_lumbar=True)
    return {
        "patches_agree": study(**patches(same)),
        "patches_one_level_off": study(**patches(lower, missing={"l5_s1": "outside"})),
        "patches_partly_without_disc": study(**patches(partly, missing={"l1_l2": "no_centroid", "l5_s1": "outside"})),
        "patches_none_found": study(**patches({}, missing=dict.fromkeys(LEVELS, "no_centroid"))),
        "patches_six_lumbar": study(**six),
        "patches_and_views": study(**six | {"members": joined(six["members"], views())}),
        "patches_no_file": study(targets=no_file),
        "patches_no_file_with_views": study(targets=no_file, members=views()),
        "patches_refused": study(targets=DiscTargets("refused", "the points lie outside of the patient")),
    }


def feature_studies() -> dict[str, Analysed]:
    """Studies that are measured against the feature bank."""
    hole = features(903)
    hole.discs[4] = np.nan
    return {
        "features_alike": study(features=features(900)),
        "features_of_the_reference": study(study_id="r007", features=features(7)),
        "features_unlike": study(features=features(901, away=6.0)),
        "features_l5_s1_not_found": study(five_discs() * (CLASSES != 4), features=features(902)),
        "features_empty_level": study(features=hole),
        "features_missing": study(),
        "features_blank": study(features=Features(np.zeros(64, np.float16), np.full((6, 16), np.nan, np.float16))),
    }


def member_studies() -> dict[str, Analysed]:
    maps = five_discs()
    nothing = as_members([maps * 0] * 3, "view")
    unseen = [as_members([maps] * 2, kind, [seen(slice(0, 0))] * 2) for kind in ("view", "slice")]
    return {
        "members_slices_only": study(members=slices()),
        "members_views_only": study(members=views()),
        "members_full": study(members=joined(slices(), views())),
        "members_found_nothing": study(members=nothing),
        "members_saw_nothing": study(members=joined(*unseen)),
        "members_of_an_empty_study": study(maps * 0, members=joined(slices(), views())),
        "members_without_l5_s1": study(maps * (CLASSES != 4), members=joined(slices(), views())),
        "members_found_but_no_blob": study(_small_l5_s1(), members=joined(slices(), views())),
        "members_doubtful_junction": study(mixed(4, 3, 0.45), members=joined(slices(), views())),
    }


def _small_l5_s1() -> np.ndarray:
    maps = five_discs()
    maps[4] = soft_disc(COLUMN, ROWS[4], radius=2.0)
    return maps


def map_studies() -> dict[str, Analysed]:
    maps = five_discs()
    noise = np.exp(np.random.RandomState(7).normal(0, 3, (6, GRID, GRID)))
    twice = maps.copy()
    twice[4] += soft_disc(COLUMN + 3, 143, peak=0.93)
    above = maps.copy()
    above[0] += soft_disc(COLUMN, 8, peak=0.4)
    shared = maps.copy()
    shared[3] = 0.48 * (maps[4] + maps[3])
    shared[4] = 0.47 * maps[4]
    bent = column((30, 51, 73, 92, 108), (70, 78, 82, 80, 66))
    return {
        "five_discs": study(),
        "nothing": study(maps * 0),
        "flat": study(np.full((5, GRID, GRID), 0.15)),
        "noise": study((noise / noise.sum(axis=0))[1:]),
        "all_one_class": study(np.stack([maps.sum(axis=0), *[maps[0] * 0] * 4])),
        "l5_s1_everywhere": study(np.stack([*[maps[0] * 0] * 4, np.full((GRID, GRID), 0.99)])),
        "without_l1_l2": study(maps * (CLASSES != 0)),
        "without_l4_l5": study(maps * (CLASSES != 3)),
        "without_l5_s1": study(maps * (CLASSES != 4)),
        "only_l5_s1": study(maps * (CLASSES == 4)),
        "only_l1_l2_and_l2_l3": study(maps * (CLASSES < 2)),
        "two_blobs_of_l5_s1": study(twice),
        "disc_above_l1_l2": study(above),
        "junction_mixed": study(mixed(4, 3, 0.4)),
        "cut_field": study(whole=as_logits(maps * (CLASSES != 4))),
        "second_lowest_mixed": study(mixed(3, 4, 0.35)),
        "junction_mixed_with_l1_l2": study(mixed(4, 0, 0.3)),
        "shared_below_one_half": study(shared),
        "order_broken": study(maps[[0, 1, 3, 2, 4]]),
        "one_level_off": study(np.stack([maps[0] * 0, *maps[:4]])),
        "small_l5_s1": study(_small_l5_s1()),
        "diffuse_l5_s1": study(np.stack([*maps[:4], soft_disc(COLUMN, ROWS[4], radius=9, edge=4.0, peak=0.8)])),
        "discs_touch": study(column((40, 52, 64, 76, 88))),
        "discs_flow_together": study(column((40, 46, 52, 58, 64), radius=5.0, edge=2.0, peak=0.5)),
        "bent": study(bent),
        "feet_up": study(maps[::-1], geometry=FEET_UP),
        "oblique": study(bent, geometry=OBLIQUE),
    }


def picture_studies() -> dict[str, Analysed]:
    padded = textured_image()
    padded[:14] = padded[-30:] = 0
    return {
        "cropped_below": study(column((52, 75, 98, 121, 149))),
        "cropped_above": study(column((6, 28, 50, 72, 94))),
        "cropped_by_padding": study(image=padded),
        "cropped_below_feet_up": study(column((150, 128, 106, 84, 62)), geometry=FEET_UP),
        "l5_s1_outside": study(column((58, 82, 106, 130, 154)) * (CLASSES != 4)),
        "low_contrast": study(image=(textured_image() // 16 + 40).astype(np.uint8)),
        "blank": study(image=np.zeros((GRID, GRID), np.uint8)),
    }


def drawn(
    spine: DrawnSpine,
    targets: np.ndarray | None = None,
    missing: tuple[int, ...] = (),
    sides: tuple[DrawnSpine, ...] = (),
) -> Analysed:
    """A drawn spine whose localizer marks discs at these places, with its strip; ``sides`` are the neighbouring slices."""
    points = spine.grid(spine.discs[:5] if targets is None else targets)
    levels = np.stack(
        [np.zeros((GRID, GRID)) if k in missing else soft_disc(*point, radius=5.0) for k, point in enumerate(points)]
    )
    made = study(levels, geometry=spine.plane)
    slices = np.stack([each.pixels for each in (spine, *sides)])
    return replace(made, strip=strips.cut(slices, spine.plane, made.logits, "disc"))


def _ringed(spine: DrawnSpine) -> Analysed:
    """L2/L3 is a ring around L1/L2: both are found, in one place."""
    (column, row), *_ = spine.grid(spine.discs)
    levels = np.stack([soft_disc(*point, radius=5.0) for point in spine.grid(spine.discs[:5])])
    levels[0] = soft_disc(column, row, radius=3.0)
    levels[1] = np.clip(soft_disc(column, row, radius=7.0) - soft_disc(column, row, radius=4.0), 0, 1)
    made = study(levels, geometry=spine.plane)
    return replace(made, strip=strips.cut(spine.pixels[None], spine.plane, made.logits, "disc"))


def strip_studies() -> dict[str, Analysed]:
    whole = draw([0.5] * 5, first=70.0, size=(320.0, 200.0))
    in_vertebra, together = whole.discs.copy(), whole.discs.copy()
    in_vertebra[2, 1] += 18.0
    together[1] = together[0] + [0.0, 5.0]
    short = whole.discs[[0, 0, 0, 1, 1]] + [[0, 0], [0, 0], [0, 0], [0, 0], [0.0, 14.0]]
    six = draw([0.5] * 6, gap=32.0)
    flat = replace(whole, pixels=np.full_like(whole.pixels, 100))
    ends = draw([0.5] * 5, first=60.0, size=(60.0 + 4 * 36.0 + 2.0, 200.0))
    return {
        "strip_whole": drawn(whole),
        "strip_tilted_noisy": drawn(draw([0.5, 1.4, 0.6, 0.5, 0.7], tilt=12.0, noise=5.0)),
        "strip_erased_l5_s1": drawn(draw([0.5] * 4 + [0.97], first=70.0, size=(320.0, 200.0))),
        "strip_six_discs": drawn(six, six.discs[[0, 1, 2, 4, 5]]),
        "strip_in_vertebra": drawn(whole, in_vertebra),
        "strip_doubled_disc": drawn(whole, together),
        "strip_one_place_twice": _ringed(whole),
        "strip_l5_s1_too_high": drawn(whole, short, missing=(0, 1)),
        "strip_without_l3_l4": drawn(whole, missing=(2,)),
        "strip_without_l5_s1": drawn(whole, missing=(4,)),
        "strip_flat": drawn(flat),
        "strip_ends_at_l5_s1": drawn(ends),
        "strip_begins_at_l1_l2": drawn(draw([0.5] * 5, first=14.0)),
        "strip_of_three_slices": drawn(whole, sides=(whole, draw([0.5] * 5, first=76.0, size=(320.0, 200.0)))),
    }


def unmeasured_studies() -> dict[str, StudyMaps]:
    broken = study()
    broken.logits[2, 5, 5] = np.nan
    return {
        "not_finite": broken,
        "failed": NotAnalysed("x", "failed", reason="the series has no slices"),
        "excluded": NotAnalysed("x", "excluded", reason="no sagittal series", flags=("mixed_shapes",)),
    }


def made_studies() -> dict[str, tuple[StudyMaps, FeatureBank | None]]:
    """Every study under its name, with the feature bank it is measured against."""
    plain = (
        map_studies() | member_studies() | patch_studies() | picture_studies() | strip_studies() | unmeasured_studies()
    )
    named = {name: (maps, None) for name, maps in plain.items()}
    named["features_without_reference"] = (study(features=features(900)), None)
    named |= {name: (maps, reference_set()) for name, maps in feature_studies().items()}
    # the study that is in the reference itself keeps its id
    return {
        name: (maps if maps.study_id == "r007" else replace(maps, study_id=name), r)
        for name, (maps, r) in named.items()
    }
