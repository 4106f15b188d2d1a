"""Build the report of a cohort: one HTML file that needs no network and contains no patient's name.

The metrics and heatmap files can be given as arguments, in a file with one path per line (@FILE in place of arguments, or
--studies-list and --heatmaps-list), or by their folders: then those of the sheet's studies are taken, and no others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import whole
from lstv.base.processes import leave
from lstv.base.text import counted
from lstv.cohort import batches, study_sheet
from lstv.run import maker


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__, fromfile_prefix_chars="@")
    parser.add_argument("--table", type=Path, required=True, help="the cohort table (CSV)")
    parser.add_argument("--sheet", type=Path, required=True, help="the study sheet (CSV)")
    parser.add_argument("--studies", type=Path, nargs="*", default=[], metavar="JSON", help="metrics of the studies")
    parser.add_argument("--studies-list", type=Path, metavar="FILE", help="file with one metrics JSON a line")
    parser.add_argument("--studies-dir", type=Path, metavar="DIR", help="folder of the metrics, <study_id>.json")
    parser.add_argument("--heatmaps", type=Path, nargs="*", default=[], metavar="H5", help="heatmap files")
    parser.add_argument("--heatmaps-list", type=Path, metavar="FILE", help="file with one heatmap file a line")
    parser.add_argument("--heatmaps-dir", type=Path, metavar="DIR", help="folder of the heatmap files, <batch>.h5")
    parser.add_argument(
        "--batches", type=whole(0), default=1, help="with --heatmaps-dir: batches of the cohort (0: one a study)"
    )
    parser.add_argument("--config-summary", type=Path, metavar="JSON", help="the settings of the run")
    parser.add_argument(
        "--scan", type=Path, metavar="JSON", help="summary of the scan of a folder: what it passed over"
    )
    maker.add_option_to(parser)
    parser.add_argument(
        "--evaluation", default="", metavar="LINK", help="the evaluation's page, as a link relative to the report"
    )
    parser.add_argument("--pages-list", type=Path, metavar="CSV", help="list of the study pages (pages_index.py)")
    parser.add_argument("--pages-dir", type=Path, metavar="DIR", help="folder of the study pages")
    parser.add_argument("--title", default="Lumbosacral junction report", help="heading of the page")
    parser.add_argument("--cohort", default="", help="name of the cohort, shown under the title")
    parser.add_argument(
        "--top",
        type=whole(0),
        default=default("report.top_candidates"),
        help="at most so many studies that stand out are shown with images",
    )
    parser.add_argument(
        "--show-ids",
        choices=("yes", "no"),
        default="no",
        help="show study ids; no (the default) names studies by their line in the cohort table",
    )
    parser.add_argument("--out", type=Path, required=True, help="the report (HTML)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if (args.pages_list is None) != (args.pages_dir is None):
        raise UserError("--pages-list and --pages-dir belong together; give both or none.")
    used = [row.study_id for row in study_sheet.read_sheet(args.sheet) if row.use == "yes"]
    from lstv.report.build import build  # after the arguments are known to be good: pandas takes time

    page = build(
        table=args.table,
        sheet=args.sheet,
        studies=[*args.studies, *_listed(args.studies_list), *_metrics_of(args, used)],
        heatmap_files=[*args.heatmaps, *_listed(args.heatmaps_list), *_heatmaps_of(args, used)],
        settings=args.config_summary,
        scan=args.scan,
        software=args.software,
        out=args.out,
        title=args.title,
        top=args.top,
        show_ids=args.show_ids == "yes",
        cohort=args.cohort,
        evaluation=args.evaluation,
        pages=args.pages_list,
        pages_dir=args.pages_dir,
    )
    counts = page["counts"]
    print(
        f"{args.out}: {counted(counts['entered'], 'study')}, {counts['ok']} analysed, {counts['stands_out']} standing out"
    )
    return 0


def _metrics_of(args: argparse.Namespace, used: list[str]) -> list[Path]:
    return [args.studies_dir / f"{study_id}.json" for study_id in used] if args.studies_dir else []


def _heatmaps_of(args: argparse.Namespace, used: list[str]) -> list[Path]:
    if args.heatmaps_dir is None:
        return []
    return [args.heatmaps_dir / f"{batch}.h5" for batch in batches.batches_of(used, args.batches)]


def _listed(path: Path | None) -> list[Path]:
    if path is None:
        return []
    try:
        return [Path(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"the list {path} cannot be read ({error.strerror}); check the path.") from error


if __name__ == "__main__":
    leave(run(main))
