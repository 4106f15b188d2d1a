"""Write the chosen series of the studies of a sheet as NIfTI, in a BIDS folder.

Values and voxels' places in the patient are exactly those of the DICOM files. Without --manifest the folder is made
complete; with it only the images are written, and bids_dataset.py describes those of all batches.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.progress import Progress
from lstv.bids import dataset
from lstv.bids.exported import write_manifest
from lstv.cohort import study_sheet
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet, CSV")
    parser.add_argument("--study", action="append", default=[], help="this study only; may be given more than once")
    parser.add_argument("--out", type=Path, required=True, help="the BIDS folder")
    parser.add_argument("--manifest", type=Path, help="CSV to write of what became of each study")
    parser.add_argument("--name", default="lumbar MR", help="name of the data set in its description")
    parser.add_argument("--jobs", type=whole(1), default=1, help="processes")
    maker.add_option_to(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    rows = study_sheet.read_sheet(args.sheet)
    unknown = sorted(set(args.study) - {row.study_id for row in rows})
    if unknown:
        raise UserError(args.sheet, f" has no study {unknown[0]}; correct --study.")
    rows = [row for row in rows if not args.study or row.study_id in args.study]
    with Progress(len(rows), "studies") as progress:
        exported = dataset.export_all(rows, args.out, max(1, args.jobs), progress.step)
    for study in exported:
        if study.status == "failed":
            print(f"study {study.study_id}: {study.reason}")
    if args.manifest:
        write_manifest(exported, args.manifest)
    else:
        made = maker.provenance(args.software, dataset.LIBRARIES, {"name": args.name})
        dataset.describe(exported, args.out, args.name, made)
    print(f"{args.out}: {progress.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
