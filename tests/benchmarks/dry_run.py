"""What a dry run takes for a growing number of studies: python tests/benchmarks/dry_run.py [2000 20000 ...]

Wall and CPU seconds, peak memory, length of what is printed and its longest line; with the batch size of the schema.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from workflow_project import ROOT, copy_project

sys.path.insert(0, str(ROOT / "scripts"))

from lstv.base.defaults import default  # noqa: E402


def main() -> int:
    counts = [int(word) for word in sys.argv[1:]] or [
        20,
        2000,
        20_000,
        100_000,
    ]  # in this order: the memory is the largest so far
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
                f"localizer={{checkpoint: resources/net.pth, batch_studies: {default('localizer.batch_studies')}}}",
            ]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            done = project.snakemake("-n", "--config", *settings, timeout=3600)
            seconds = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if done.returncode:
                print(done.stdout)
                return 1
            memory, longest = after.ru_maxrss / 1024, max(map(len, done.stdout.splitlines()))
            print(
                f"{count:7d} studies: {seconds:6.1f} s, {cpu:6.1f} CPU s, {memory:5.0f} MiB, "
                f"{len(done.stdout)} characters, at most {longest} in a line",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
