"""Write a contact sheet of all series of one study of a folder, so that a series is chosen by eye.

The folder is scanned as scan_folder.py does it, with the same options, so that ids and choices are the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lstv.base import atomic
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.folder import sheet
from lstv.folder.choose import choose
from lstv.folder.pseudonym import Naming, Pseudonyms, Uids, load_key
from lstv.folder.scan import scan
from lstv.folder.series import build_studies


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="folder to scan; everything below it is looked at")
    add("--study", required=True, help="study id, as in the study sheet")
    add("--out", type=Path, required=True, help="the contact sheet (HTML)")
    add("--choices", type=Path, help="CSV with study_id, series_id: series that you chose yourself")
    add("--ids", choices=("pseudonym", "uid"), default=default("source.ids"), help="ids, as in the scan")
    add("--key", type=_path, help="key of the pseudonyms that the scan used")
    add(
        "--descriptions",
        choices=tuple(sheet.DESCRIPTIONS),
        help="words of series descriptions (default: known technical ones with pseudonyms, else keep all)",
    )
    add("--jobs", type=whole(1), default=1, help="processes that read headers")
    return parser.parse_args(argv)


def _path(text: str) -> Path:
    """With the home in place of ``~``: as the workflow quotes paths, no shell does it."""
    return Path(os.path.expanduser(text))


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    naming = _naming(args)
    wanted = sheet.read_choices(args.choices) if args.choices else {}
    found = scan(args.folder, jobs=args.jobs)
    study = next((study for study in build_studies(found.found) if naming.study(study.uid) == args.study), None)
    if study is None:
        raise UserError(f"--study {args.study} is not in the folder; the study sheet has the ids of its studies.")
    chosen_by_user = next((uid for uid in study.series if naming.series(uid) == wanted.get(args.study)), None)
    describe = sheet.DESCRIPTIONS[args.descriptions or ("known" if naming.pseudonymous else "keep")]
    from lstv.report import contact_sheet  # after the study is known to be there

    atomic.write_text(args.out, contact_sheet.html(choose(study, chosen_by_user), naming, found.directories, describe))
    print(f"{args.out}: {len(study.series)} series")
    return 0


def _naming(args: argparse.Namespace) -> Naming:
    if args.ids == "uid":
        return Uids()
    if args.key is None or not args.key.is_file():
        raise UserError("pseudonymous ids need the key of the scan; give --key FILE or --ids uid.")
    return Pseudonyms(load_key(args.key)[0])


if __name__ == "__main__":
    sys.exit(run(main))
