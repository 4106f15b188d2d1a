"""Set the masks of SPINEPS and TotalSpineSeg beside the point net: a table, one record per study, the cohort's agreement."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.numbers import whole
from lstv.base.progress import Progress
from lstv.evaluation.figures import write_agreement
from lstv.evaluation.numbering_agreement import agreement
from lstv.run import maker
from lstv.second_reader import cohort, flags
from lstv.second_reader.numbering import PROGRAMS
from lstv.uncertainty import study_record

SEED = 2024
LIBRARIES = ("numpy", "scipy", "nibabel", "h5py")
CALLED = {cohort.POINT_NET: "point net", **PROGRAMS}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--studies", type=Path, required=True, help="CSV with a column study_id: those to be compared")
    parser.add_argument("--metrics-dir", type=Path, required=True, help="folder with <study_id>.json of each study")
    parser.add_argument("--heatmaps-dir", type=Path, required=True, help="folder of the heatmap files")
    parser.add_argument("--batches", type=whole(0), required=True, help="number of batches of the heatmap files")
    for program, called in PROGRAMS.items():
        parser.add_argument(f"--{program}", type=Path, help=f"folder with the masks of {called}")
    maker.add_option_to(parser)
    parser.add_argument("--jobs", type=whole(1), default=1, help="processes")
    parser.add_argument("--table", type=Path, required=True, help="one row per study, CSV")
    parser.add_argument("--records", type=Path, required=True, help="folder of the records, <study_id>.json each")
    parser.add_argument("--agreement", type=Path, required=True, help="agreement over the cohort, JSON")
    parser.add_argument("--agreement-table", type=Path, required=True, help="the same as a table, CSV")
    parser.add_argument("--figure", type=Path, required=True, help="offsets of numbering, SVG")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    folders = {program: getattr(args, program) for program in PROGRAMS if getattr(args, program) is not None}
    cohort.check_programs(folders)
    asked = cohort.Asked(args.metrics_dir, args.heatmaps_dir, args.batches, folders)
    study_ids = cohort.read_list(args.studies)
    with Progress(len(study_ids), "studies") as progress:
        found = cohort.compared(study_ids, asked, study_record.read, args.jobs, progress.step)
    settings = {"programs": list(folders), "seed": SEED}
    made = maker.provenance(args.software, LIBRARIES, settings)
    for one in found:
        atomic.write_json(args.records / f"{one.row['study_id']}.json", {**one.record, "provenance": made})
    pairs = {
        f"{first}/{second}": agreement([one.pairs.get((first, second), []) for one in found], SEED)
        for first, second in cohort.PAIRS
    }
    counts = [(one.row.get("spineps_lumbar"), one.row.get("totalspineseg_lumbar")) for one in found]
    counted = [[(a, b)] for a, b in counts if a is not None and b is not None]
    summary: dict[str, Any] = {
        "schema_version": cohort.SCHEMA_VERSION,
        "seed": SEED,
        "studies": len(found),
        "status": {program: _statuses(program, found) for program in folders},
        "pairs": pairs,
        "lumbar_count": {**agreement(counted, SEED), "offsets": None},
        "repeatability": {program: _repeatability(program, found) for program in folders},
        "provenance": made,
    }
    atomic.write_json(args.agreement, summary)
    names = [name for name in next(iter(pairs.values())) if name != "offsets"]
    rows = [{"pair": name, **{key: entry[key] for key in names}} for name, entry in pairs.items()]
    rows.append({"pair": "lumbar_count: spineps/totalspineseg", **{key: summary["lumbar_count"][key] for key in names}})
    atomic.write_csv(args.agreement_table, ["pair", *names], rows)
    write_agreement(pairs, CALLED, args.figure)
    atomic.write_csv(args.table, cohort.columns(list(folders)), [one.row for one in found])
    print(f"{args.table}: {progress.summary()}; {_in_words(summary)}")
    return 0


def _statuses(program: str, found: list[cohort.Compared]) -> dict[str, int]:
    return {name: sum(one.row[f"{program}_status"] == name for one in found) for name in flags.STATUSES}


def _repeatability(program: str, found: list[cohort.Compared]) -> dict[str, dict[str, float]]:
    """By measure: in how many studies, the median change when one voxel is taken off around every structure, and the
    median absolute change left when that is taken away: what an edge drawn one voxel elsewhere does."""
    names = sorted({name for one in found for name in one.eroded.get(program, {})})
    result = {}
    for name in names:
        changes = np.array([one.eroded[program][name] for one in found if name in one.eroded.get(program, {})])
        middle = float(np.median(changes))
        spread = float(np.median(np.abs(changes - middle)))
        result[name] = {
            "studies": len(changes),
            "median_change": round(middle, 4),
            "median_deviation": round(spread, 4),
        }
    return result


def _in_words(summary: dict[str, Any]) -> str:
    parts = []
    for program, counts in summary["status"].items():
        parts.append(f"{PROGRAMS[program]}: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count))
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(run(main))
