"""Write copies of masks whose numbering a reader or a rule calls off by one, with a JSON that says what was changed and why.

Originals are never touched. What readers say comes before the rule.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lstv.base import atomic, tables
from lstv.base.cli import argument_parser, run
from lstv.base.errors import StudyError, UserError
from lstv.run import maker
from lstv.second_reader import decisions, relabel
from lstv.second_reader.files import masks_of
from lstv.second_reader.numbering import PROGRAMS

COLUMNS = ("study_id", "program", "shift", "status", "why", "mask")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="table of the second readers, CSV")
    for program, called in PROGRAMS.items():
        parser.add_argument(f"--{program}", type=Path, help=f"folder with the masks of {called}")
    parser.add_argument(
        "--verdicts", type=Path, help="what readers say: CSV with study_id and shift or lumbar_vertebrae"
    )
    parser.add_argument(
        "--rule", choices=decisions.RULES, help="outvoted: the point net and the other program agree against this one"
    )
    maker.add_option_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the relabelled masks, of their own")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    folders = {program: getattr(args, program) for program in PROGRAMS if getattr(args, program) is not None}
    if not folders or not (args.verdicts or args.rule):
        raise UserError("give a folder of masks (--spineps, --totalspineseg), and --verdicts, --rule or both.")
    for folder in folders.values():
        if not folder.is_dir():
            raise UserError(folder, " is not a directory; name the folder with the masks.")
        if args.out.resolve().is_relative_to(folder.resolve()):
            raise UserError(args.out, f" lies in {folder}, among the originals; name a folder of its own.")
    table = tables.read_table(args.table, ["study_id", *(f"{program}_offset" for program in folders)])
    told = decisions.by_readers(args.verdicts, table, list(folders)) if args.verdicts else []
    ruled = decisions.outvoted(table) if args.rule else []
    wanted = [entry for entry in decisions.together(told, ruled) if entry.program in folders]
    study_ids = {row["study_id"] for row in table} | {entry.study_id for entry in wanted}
    found = {program: masks_of(folder, program, study_ids) for program, folder in folders.items()}
    made = maker.provenance(
        args.software, ("numpy", "nibabel"), {"rule": args.rule}, {"table": args.table, "verdicts": args.verdicts}
    )
    rows = [_one(entry, found[entry.program][entry.study_id].mask, args.out, made) for entry in wanted]
    atomic.write_csv(args.out / "relabelled.csv", COLUMNS, rows)
    for row in rows:
        print(f"study {row['study_id']}, {PROGRAMS[row['program']]}: {row['status']} ({row['why']})")
    print(f"{args.out}: {sum(row['status'] == 'relabelled' for row in rows)} of {len(rows)} masks relabelled")
    return 0


def _one(entry: decisions.Decision, found: list[Path], out: Path, made: dict[str, Any]) -> dict[str, str]:
    row = {name: str(value) for name, value in asdict(entry).items()} | {"status": "left as it is", "mask": ""}
    if entry.shift == 0:
        return row
    try:
        if len(found) != 1:
            raise StudyError(
                "there is no mask of the study" if not found else "there is more than one mask of the study"
            )
        record = relabel.write(found[0], entry.program, entry.study_id, entry.shift, entry.why, out, made)
    except StudyError as error:
        return row | {"why": f"{entry.why}; {error}"}
    return row | {"status": "relabelled", "mask": str(record["mask"])}


if __name__ == "__main__":
    sys.exit(run(main))
