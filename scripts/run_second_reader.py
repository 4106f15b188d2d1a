"""Run SPINEPS or TotalSpineSeg on exported images; masks that exist already are taken as they are.

It is run by the Python of the program's own environment (3.10 or newer) and needs nothing but its standard library.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.numbers import real, whole
from lstv.run import maker
from lstv.second_reader import running
from lstv.second_reader.numbering import PROGRAMS
from lstv.second_reader.programs import DISTRIBUTIONS, Program


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--program", choices=tuple(PROGRAMS), required=True, help="which program")
    parser.add_argument(
        "--command", required=True, help="its command, with {image}, {out} and {models} to be filled in"
    )
    parser.add_argument("--models", type=Path, help="folder with its weights")
    parser.add_argument(
        "--study-minutes",
        type=real(above=0, most=100_000),
        required=True,
        help="longest time that one study may take",
    )
    parser.add_argument("--images", type=Path, required=True, help="list of the exported images, CSV")
    parser.add_argument("--folder", type=Path, required=True, help="the BIDS folder that they are in")
    parser.add_argument("--part", type=whole(1), default=1, help="run this part of the studies")
    parser.add_argument("--parts", type=whole(1), default=1, help="of so many")
    parser.add_argument("--masks", type=Path, required=True, help="folder for the masks")
    parser.add_argument("--logs", type=Path, required=True, help="folder for what the program prints")
    maker.add_option_to(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="what became of each study, CSV")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.models is not None and not args.models.is_dir():
        raise UserError(args.models, " is not a directory; name the folder with the weights.")
    program = Program(args.program, args.command, args.models, args.study_minutes)
    images = {
        study_id: row
        for study_id, row in running.images_of(args.images).items()
        if running.in_part(study_id, args.part, args.parts)
    }
    settings = {"command": args.command, "models": args.models, "study_minutes": args.study_minutes}
    made = maker.provenance(args.software, DISTRIBUTIONS[args.program], settings, reader=args.program)
    rows = running.run_all(program, images, args.folder, args.masks, args.logs, _say, made)
    atomic.write_csv(args.manifest, running.COLUMNS, rows)
    counts = {
        name: sum(row["status"] == name for row in rows) for name in (running.MADE, running.TAKEN, running.NOT_MADE)
    }
    print(f"{PROGRAMS[args.program]}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0


def _say(study_id: str, status: str, reason: str) -> None:
    print(f"study {study_id}: {status}{': ' + reason if reason else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(run(main))
