"""Fetch the named series of the RSNA 2024 lumbar competition, and no more of its archive than they take.

A second run fetches only what is missing or altered (size and CRC-32). The manifest is written last: path, size and crc32
of every file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.text import readable_bytes
from lstv_kaggle import images, options, ranged_zip, whole_archive
from lstv_kaggle.disk import PARTIAL, explained
from lstv_kaggle.images import AlteredForGood, Plan
from lstv_kaggle.remote import NoRanges, RemoteFile
from lstv_kaggle.retry import Pacer
from lstv_kaggle.sources import COMPETITION

DIRECTORY_CACHE = ".archive_directory"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--series-list", type=Path, help="CSV with study_id and series_id; or a study sheet")
    parser.add_argument("--out", type=Path, required=True, help="folder for train_images/<study>/<series>/<n>.dcm")
    parser.add_argument("--manifest", type=Path, help="the list of files written last (default: manifest.csv in --out)")
    parser.add_argument(
        "--whole-archive",
        action="store_true",
        help="fetch the archive in one piece and unpack it; without --series-list everything in it",
    )
    parser.add_argument(
        "--workers", type=int, choices=range(1, 17), default=4, metavar="1..16", help="connections (default: 4)"
    )
    options.add(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.series_list is None and not args.whole_archive:
        raise UserError("no series are named; give --series-list, or --whole-archive to fetch everything.")
    series = images.read_series_list(args.series_list) if args.series_list else None
    manifest = args.manifest or args.out / "manifest.csv"
    service, policy, pacer = options.service(args)
    with explained(args.out):
        (args.out / PARTIAL).mkdir(parents=True, exist_ok=True)
        remote = RemoteFile(
            "the competition's archive", lambda: service.competition_archive(COMPETITION), policy, pacer
        )
        if args.whole_archive or series is None:
            plan = whole_archive.fetch(remote, series, args.out, args.out / DIRECTORY_CACHE)
        else:
            plan = _selected(remote, series, args.out, pacer, args.workers)
        images.write_manifest(plan.entries, manifest)
        _tidy(args.out / PARTIAL)
    for name in plan.absent:
        print(f"not in the archive: series {name}", file=sys.stderr)
    print(
        f"{manifest}: {len(plan.entries)} files ({readable_bytes(sum(entry.size for entry in plan.entries))}), "
        f"{len(plan.entries) - len(plan.missing)} present already, {readable_bytes(remote.received)} transferred"
    )
    return 0


def _selected(remote: RemoteFile, series: set[tuple[str, str]], out: Path, pacer: Pacer, workers: int) -> Plan:
    try:
        directory = ranged_zip.read_directory(remote, out / DIRECTORY_CACHE, out / PARTIAL)
        plan = images.plan(directory, series, out, remote.what)
        if plan.missing:
            images.fetch(remote, plan.missing, out, pacer, workers)
        return plan
    except AlteredForGood:
        (out / DIRECTORY_CACHE).unlink(missing_ok=True)  # it may itself have arrived altered
        raise
    except NoRanges as error:
        raise UserError(
            f"{error} Run again with --whole-archive, in the workflow source.whole_archive: true "
            f"({readable_bytes(remote.size)} to fetch, and room to unpack it)."
        ) from None


def _tidy(partial: Path) -> None:
    """Remove what is left of a finished run; an archive that was begun is gigabytes of work, for the user to keep."""
    kept = [path for path in partial.iterdir() if path.name.startswith(whole_archive.NAME)]
    if not kept:
        shutil.rmtree(partial)
        return
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path not in kept:
            path.unlink()
    size = readable_bytes(sum(path.stat().st_size for path in kept))
    print(f"an unfinished whole archive is kept ({size}); delete {partial} if you do not want to continue it")


if __name__ == "__main__":
    sys.exit(run(main))
