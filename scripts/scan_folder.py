"""Scan any folder of DICOM files and write the study sheet: every study found, the series chosen, the reason if none.

Example: scan_folder.py --folder /data/export --key ~/.config/lstv-uncertainty/key --out data/mine/study_sheet.csv
--series-lists resources/private/mine/series --all-series data/mine/series.csv
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lstv.base.atomic import write_csv, write_json
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.private_files import write_private
from lstv.base.progress import Progress
from lstv.base.text import counted
from lstv.cohort.study_sheet import write_sheet
from lstv.folder import sheet
from lstv.folder.choose import Choice, choose
from lstv.folder.passed_over import of_notices
from lstv.folder.pseudonym import Naming, Pseudonyms, Uids, load_key
from lstv.folder.scan import EXAMPLES, NOTICES, Scan, scan
from lstv.folder.series import Study, build_studies
from lstv.run import maker


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="folder to scan; everything below it is looked at")
    add("--out", type=Path, required=True, help="study sheet to write (CSV)")
    add(
        "--series-lists",
        type=Path,
        required=True,
        help="folder for file lists, one per chosen series; do not share it",
    )
    add("--extracted", type=Path, help="folder for series unpacked from zip files (default: beside --series-lists)")
    add("--all-series", type=Path, help="also write every series found, its facts and why it was (not) chosen (CSV)")
    add("--summary", type=Path, help="also write counts of what was found and passed over (JSON)")
    maker.add_option_to(parser)
    add("--choices", type=Path, help="CSV with study_id, series_id: series that you chose yourself")
    add(
        "--ids",
        choices=("pseudonym", "uid"),
        default=default("source.ids"),
        help="ids in all outputs (default: %(default)s)",
    )
    add("--key", type=_path, help="key of the pseudonyms, made on first use (mode 0600); keep it outside the results")
    add(
        "--mapping",
        type=_path,
        help="private table from ids back to UIDs and patients (mode 0600), outside the results",
    )
    add(
        "--descriptions",
        choices=tuple(sheet.DESCRIPTIONS),
        help="words of series descriptions in the tables (default: known technical ones with pseudonyms, else keep all)",
    )
    add("--jobs", type=whole(1), default=_cores(), help="processes that read headers (default: %(default)s)")
    return parser.parse_args(argv)


def _path(text: str) -> Path:
    """With the home in place of ``~``: as the workflow quotes paths, no shell does it."""
    return Path(os.path.expanduser(text))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    _refuse_to_share(args)
    naming = _naming(args)
    wanted = sheet.read_choices(args.choices) if args.choices else {}
    with Progress(0, "files", label="headers") as progress:
        found = scan(args.folder, jobs=args.jobs, progress=progress.reach)
    print(progress.summary())
    lists = Path(os.path.abspath(args.series_lists))
    private_folders = sheet.PrivateFolders(lists, args.extracted or lists.parent / "extracted")
    private_folders.lists.mkdir(parents=True, exist_ok=True)
    private_folders.extracted.mkdir(parents=True, exist_ok=True)
    # not among the lists: the workflow removes those when the scan fails, and then this is wanted most
    _report(found, private_folders.lists.with_name(f"{private_folders.lists.name}_passed_over.txt"))
    studies = build_studies(found.found)
    if not studies and found.notices["nifti"]:
        raise UserError(
            f"{args.folder} holds {found.notices['nifti']} NIfTI files and no DICOM; arrange them as BIDS does (each as "
            "sub-<label>/anat/sub-<label>_T2w.nii.gz) and take that folder as a source of kind bids."
        )
    if not studies:
        raise UserError(
            f"none of the {found.n_files} files under {args.folder} is DICOM with study and series UIDs; check the path."
        )
    choices = _choices(studies, naming, wanted)
    told = args.descriptions or ("known" if naming.pseudonymous else "keep")
    describe = sheet.DESCRIPTIONS[told]
    rows = sheet.study_rows(choices, naming, private_folders, found.directories, describe)
    if args.all_series:
        write_csv(args.all_series, sheet.SERIES_COLUMNS, sheet.series_rows(choices, naming, describe))
    if args.summary:
        settings = {"ids": args.ids, "descriptions": told}
        made = maker.provenance(args.software, ("numpy", "pydicom"), settings, {"choices": args.choices})
        write_json(args.summary, {**sheet.summary(found, choices), "provenance": made})
    if args.mapping:
        sheet.write_mapping(args.mapping, choices, naming)
    write_sheet(rows, args.out)
    lost = of_notices(found.notices)
    if lost:
        print(f"{lost}.")
    usable = sum(bool(row.series_dir) for row in rows)
    print(f"{counted(len(rows), 'study')}, {usable} of them with a series to use: {args.out}")
    return 0


def _refuse_to_share(args: argparse.Namespace) -> None:
    """Raise UserError where something private would lie among the outputs."""
    private = ("key", "mapping", "series_lists", "extracted") if args.ids == "pseudonym" else ("key", "mapping")
    shared = {path.resolve().parent for path in (args.out, args.all_series, args.summary) if path is not None}
    # of the folder in which one works, and of the home, only the files themselves are results
    wide = {Path.cwd(), Path(os.path.realpath(os.path.expanduser("~")))}
    for name in private:
        path = getattr(args, name)
        if path is None:
            continue
        location = Path(os.path.realpath(path))
        for results in shared:
            if location.parent == results if results in wide else location.is_relative_to(results):
                raise UserError(
                    f"--{name.replace('_', '-')} {path} lies in the results folder {results}, which may be shared; put it "
                    "elsewhere."
                )


def _naming(args: argparse.Namespace) -> Naming:
    if args.ids == "uid":
        return Uids()
    if args.key is None:
        raise UserError("pseudonymous ids need a key file; give --key FILE (made on first use) or --ids uid.")
    key, warning = load_key(args.key)
    if warning:
        print(f"Warning: {warning}", file=sys.stderr)
    return Pseudonyms(key)


def _choices(studies: Sequence[Study], naming: Naming, wanted: dict[str, str]) -> list[Choice]:
    choices = []
    for study in studies:
        series_id = wanted.pop(naming.study(study.uid), None)
        uid = next((uid for uid in study.series if naming.series(uid) == series_id), None)
        if series_id and uid is None:
            raise UserError(
                f"--choices names series {series_id} of study {naming.study(study.uid)}, which that study does not have; "
                "correct its line (the table of all series has the ids)."
            )
        choices.append(choose(study, uid))
    if wanted:
        raise UserError(f"--choices names study {next(iter(wanted))}, which is not in the folder; correct its line.")
    return choices


def _report(found: Scan, examples: Path) -> None:
    """Say how much was passed over; which files, in ``examples`` beside the lists only: paths often name patients."""
    examples.unlink(missing_ok=True)
    for kind, number in sorted(found.notices.items()):
        print(f"{number} x {NOTICES[kind]}")
    if found.notices:
        lines = [f"{kind}\t{path}\n" for kind, paths in sorted(found.examples.items()) for path in paths]
        write_private(examples, "".join(lines).encode("utf-8", "surrogateescape"))
        print(f"    the first {EXAMPLES} of each kind: {examples}")


if __name__ == "__main__":
    sys.exit(run(main))
