"""End with an error where more studies failed than a run may have, so that a run of nothing does not pass for a good one.

The table, the report and all else stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lstv.base.atomic import write_json
from lstv.base.cli import argument_parser, run
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.numbers import of_setting
from lstv.base.tables import read_table
from lstv.run import maker
from lstv.run.failures import Limits, count


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the cohort table (CSV)")
    parser.add_argument(
        "--failed-share",
        type=of_setting("guard.failed_share"),
        default=default("guard.failed_share"),
        help="largest share of failures",
    )
    parser.add_argument(
        "--failed-studies",
        type=of_setting("guard.failed_studies"),
        default=default("guard.failed_studies"),
        help="fewer never end a run",
    )
    parser.add_argument("--report", type=Path, help="where the user finds every reason; named in the error")
    maker.add_option_to(parser)
    parser.add_argument("--out", type=Path, required=True, help="the counts, written where the run passes (JSON)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    limits = Limits(args.failed_share, args.failed_studies)
    found = count(read_table(args.table, ("study_id", "status", "reason")))
    if found.too_many(limits):
        raise UserError(
            f"{found.sentence(limits)}. Table and report are complete ({args.report or args.table}); mend what they name, "
            "or allow a larger share (failed_share)."
        )
    settings = {"failed_share": args.failed_share, "failed_studies": args.failed_studies}
    made = maker.provenance(args.software, (), settings, {"table": args.table})
    write_json(args.out, {"studies": found.wanted, "failed": found.failed, "provenance": made})
    print(f"{found.failed} of {found.wanted} studies failed")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
