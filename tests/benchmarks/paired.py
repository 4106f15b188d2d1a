"""The workflow against a plain loop on the same studies: make benchmark-paired, or python tests/benchmarks/paired.py [...]

Both analyse the centre slice with preprocessing `reference`, on the CPU, with the same checkpoint and number of threads,
from the start of their first process to their table. They take turns; the ratio is the loop's time by the workflow's, so
above 1 the workflow is faster. With and without the allocator's variables, for both. Peaks and entropies of the two tables
are compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cohorts

sys.path.insert(0, str(cohorts.ROOT / "tests/support"))

from workflow_project import Project, copy_project  # noqa: E402

VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""As in containers/job_environment.sh."""

COHORT = "paired"


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout[-5000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}


def workflow(project: Project, studies: Path, checkpoint: Path, threads: int, variables: bool) -> dict[str, float]:
    """From nothing to the report."""
    shutil.rmtree(project.root / "results", ignore_errors=True)
    environment = project.environment()
    script = (cohorts.ROOT / "containers/job_environment.sh").read_text()
    if not variables:
        script = script[: script.index("# glibc gives large blocks back")]
        environment = {name: value for name, value in environment.items() if name not in VARIABLES}
    (project.root / "containers/job_environment.sh").write_text(script)
    settings = [
        f"cohort={COHORT}",
        f"source={{kind: rsna, path: {studies}, valid_ids: {studies}/ids.txt}}",
        f"localizer={{checkpoint: {checkpoint}, preprocessing: reference, members: centre, device: cpu, "
        "batch_studies: 128}",
    ]
    return timed(project.command("--cores", str(threads), "--config", *settings), project.root, environment)


def loop(sheet: Path, checkpoint: Path, threads: int, variables: bool, out: Path) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, str(Path(__file__).with_name("baseline.py")), "--sheet", str(sheet), "--checkpoint"]
    command += [str(checkpoint), "--threads", str(threads), "--out", str(out)]
    return timed(command, out.parent, environment | (VARIABLES if variables else {}))


def largest_difference(ours: Path, theirs: Path) -> float:
    """Of the columns that both tables have."""
    tables = []
    for path in (ours, theirs):
        with open(path, newline="") as stream:
            tables.append({row["study_id"]: row for row in csv.DictReader(stream)})
    largest = 0.0
    for study, row in tables[1].items():
        names = [name for name in row if name != "study_id"]
        largest = max(largest, *(abs(float(row[name]) - float(tables[0][study][name])) for name in names))
    return largest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=Path, help="folder in the RSNA layout whose studies are repeated (default: phantoms)"
    )
    parser.add_argument("--checkpoint", type=Path, help="the point net (default: random weights of its size)")
    parser.add_argument("--counts", default="33,300", help="sizes of the cohorts, by commas (default: 33,300)")
    parser.add_argument("--codecs", default=",".join(cohorts.CODECS), help="of the phantoms, by commas")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores for both (default: all)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("benchmark_paired.json"))
    args = parser.parse_args()
    record = {"machine": cohorts.machine(), "threads": args.threads, "members": "centre", "batch_studies": 128}
    record |= {"studies": "given" if args.studies else f"phantoms, {args.codecs}", "runs": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = args.studies or cohorts.phantoms(folder / "phantoms", 12, tuple(args.codecs.split(",")), args.threads)
        checkpoint = (args.checkpoint or cohorts.random_weights(folder / "random.pth")).resolve()
        project = copy_project(folder / "project")
        print(
            f"{'studies':>8} {'variables':>9} {'loop s':>8} {'workflow s':>10} {'ratio':>6} {'loop CPU':>9} {'wf CPU':>7}"
        )
        for count in (int(word) for word in args.counts.split(",")):
            sheet = cohorts.repeated(cohorts.t2_series(source), count, folder / f"cohort{count}")
            turns = {True: [], False: []}
            for _ in range(args.repeats):
                for variables in (True, False):
                    theirs = loop(sheet, checkpoint, args.threads, variables, folder / "baseline.csv")
                    ours = workflow(project, sheet.parent, checkpoint, args.threads, variables)
                    turns[variables].append((theirs, ours))
            table = project.results("lstv_uncertainty_metrics.csv", COHORT)
            differs = largest_difference(table, folder / "baseline.csv")
            for variables, pairs in turns.items():
                ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in pairs)
                a, b = min(pairs, key=lambda pair: pair[1]["seconds"])
                print(
                    f"{count:8d} {'set' if variables else 'unset':>9} {a['seconds']:8.1f} {b['seconds']:10.1f} {ratio:6.2f} "
                    f"{a['cpu_seconds']:9.1f} {b['cpu_seconds']:7.1f}",
                    flush=True,
                )
                record["runs"].append(
                    {"studies": count, "variables": variables, "median_ratio": round(ratio, 3), "pairs": pairs}
                    | {"largest_difference": differs}
                )
            print(f"{count:8d} largest difference of a peak or entropy: {differs:.2g}", flush=True)
            args.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
