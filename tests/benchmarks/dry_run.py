"""Seconds of a dry run for a growing number of studies: python tests/benchmarks/dry_run.py [2000 20000 ...]"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from workflow_project import copy_project


def main() -> int:
    counts = [int(word) for word in sys.argv[1:]] or [20, 2000]
    with tempfile.TemporaryDirectory() as scratch:
        project = copy_project(Path(scratch) / "project")
        (project.root / "resources/net.pth").write_bytes(b"not read in a dry run")
        for count in counts:
            data = project.root / f"data-{count}"
            data.mkdir()
            lines = ["study_id,series_id,series_description"]
            lines += [f"{10**9 + 7 * i},{10**9 + 7 * i + 1},Sagittal T2/STIR" for i in range(count)]
            (data / "train_series_descriptions.csv").write_text("\n".join(lines) + "\n")
            (data / "ids.txt").write_text("\n".join(line.split(",")[0] for line in lines[1:]))
            settings = [
                f"cohort=bench{count}",
                f"source={{kind: rsna, path: {data}, valid_ids: {data}/ids.txt}}",
                "localizer={checkpoint: resources/net.pth}",
            ]
            start = time.monotonic()
            done = project.snakemake("-n", "--quiet", "all", "--config", *settings, timeout=3600)
            seconds = time.monotonic() - start
            if done.returncode:
                print(done.stdout)
                return 1
            print(f"{count:7d} studies: {seconds:6.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
