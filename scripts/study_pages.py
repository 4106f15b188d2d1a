"""Write the pages of a batch's studies: each an HTML file and its whole series, which work from a folder without a network.

A study whose series cannot be read any more gets a page that says so. The files are named in a manifest with their sha256.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.numbers import whole
from lstv.base.processes import leave
from lstv.base.progress import Progress
from lstv.cohort import study_sheet
from lstv.report.pages import options
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--sheet", type=Path, required=True, help="the study sheet of the batch, or of the cohort (CSV)"
    )
    parser.add_argument("--table", type=Path, required=True, help="the cohort table (CSV)")
    parser.add_argument("--queue", type=Path, required=True, help="the review queue (JSON)")
    parser.add_argument("--heatmaps", type=Path, nargs="+", required=True, metavar="H5", help="heatmap files")
    parser.add_argument("--studies-dir", type=Path, required=True, help="folder of the metrics, <study_id>.json")
    parser.add_argument(
        "--which",
        choices=("reviewed", "all"),
        default=default("report.pages"),
        help="reviewed: what the report shows with pictures, and the review queue; all: every analysed study",
    )
    parser.add_argument(
        "--top",
        type=whole(0),
        default=default("report.top_candidates"),
        help="so many of the studies that stand out, and of those whose points should be looked at",
    )
    options.add_to(parser)
    maker.add_option_to(parser)
    parser.add_argument(
        "--jobs", type=whole(1), default=1, help="processes that read images and write pages (default: 1)"
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--record", type=Path, required=True, help="what was made of each study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV of what was written: file, size, sha256")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    rows = {row.study_id: row for row in study_sheet.read_sheet(args.sheet) if row.use == "yes"}
    from lstv.report.pages import batch, cohort  # after the arguments are known to be good

    known = cohort.Cohort(args.table, show_ids=args.show_ids == "yes")
    wanted = known.pages(args.which, args.top, cohort.queued_studies(args.queue))
    entries = [entry for entry in wanted if entry.study_id in rows]
    with Progress(len(entries), "pages") as progress:
        made = batch.make(
            entries,
            known,
            rows=rows,
            heatmap_files=args.heatmaps,
            studies_dir=args.studies_dir,
            folder=args.out_dir,
            title=args.title,
            jobs=args.jobs,
            step=progress.step,
        )
    settings = {name: getattr(args, name) for name in ("which", "top", "title", "show_ids")}
    libraries = (*maker.MEASURING, "pillow", *maker.DECODERS)
    known_of = maker.provenance(args.software, libraries, settings, {"table": args.table, "queue": args.queue})
    batch.write_record(args.record, entries, made, known_of)
    batch.write_manifest(args.manifest, args.out_dir, entries)
    print(f"{args.manifest}: {progress.summary()}")
    return 0


if __name__ == "__main__":
    leave(run(main))
