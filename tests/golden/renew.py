"""Renew the golden tables. To be done in the commit that changes an output, whose message says which and why.

With --maps also the stored maps of the demo cohort are made again, from the heatmap files of `make demo`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "scripts"), str(HERE.parent / "support")]

import golden_demo  # noqa: E402
import golden_table  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=Path, nargs="+", metavar="H5", help="results/demo/heatmaps/*.h5")
    args = parser.parse_args()
    if args.maps:
        print(f"{golden_demo.STORED}: {len(golden_demo.store(args.maps))} studies")
    for cohort, path in golden_table.TABLES.items():
        was = golden_table.read(path) if path.exists() else {}
        now = golden_table.measured(cohort)
        golden_table.write(path, golden_table.kept(was, now))
        changes = golden_table.differences(was, now) if was else ["all of it is new"]
        print(f"{path}: {len(changes)} changes", *changes[:20], sep="\n  ")
    print("Commit the tables with the change that made them so, and say in its message why the output changes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
