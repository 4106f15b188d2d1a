"""The workflow against a plain loop on the same studies: make benchmark-paired, or python tests/benchmarks/paired.py [...]

Both analyse the centre slice with preprocessing `reference`, on the same device, with the same checkpoint and number of
threads, each from the start of its first process. The loop ends with a table of peaks and entropies. The workflow runs
twice from nothing: `to table` ends with the cohort table, the loop's product and more; `whole` goes on to the report, the
review queue and the study pages. They take turns; a ratio is the loop's time by the workflow's, so above 1 the workflow is
faster. With and without the allocator's variables, for all. Peaks and entropies of the two tables are compared.

`at most` is the ratio of a program that does the loop's work and no more, on all processors from beginning to end: the
loop's time by its CPU time shared among them. Both decode and run the network with the same libraries, so no workflow that
gives the same bits comes near it.
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

from lstv.base.defaults import default  # noqa: E402
from workflow_project import Project, copy_project  # noqa: E402

VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""As in containers/job_environment.sh."""

COHORT = "paired"
TABLE = "lstv_uncertainty_metrics.csv"
RUNS = {"to_table": [f"results/{COHORT}/{TABLE}"], "whole": []}
"""Targets of the workflow's two runs."""


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


def workflow(
    project: Project, targets: list[str], studies: Path, checkpoint: Path, threads: int, device: str, variables: bool
) -> dict[str, float]:
    """From nothing to the targets."""
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
        f"localizer={{checkpoint: {checkpoint}, preprocessing: reference, members: centre, device: {device}, "
        f"batch_studies: {default('localizer.batch_studies')}}}",
    ]
    return timed(project.command("--cores", str(threads), *targets, "--config", *settings), project.root, environment)


def loop(sheet: Path, checkpoint: Path, threads: int, device: str, variables: bool, out: Path) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, str(Path(__file__).with_name("baseline.py")), "--sheet", str(sheet), "--checkpoint"]
    command += [str(checkpoint), "--threads", str(threads), "--device", device, "--out", str(out)]
    return timed(command, out.parent, environment | (VARIABLES if variables else {}))


def largest_difference(ours: Path, theirs: Path) -> float:
    """Of the columns that both tables have; a level that was not found has no entropy in the workflow's."""
    tables = []
    for path in (ours, theirs):
        with open(path, newline="") as stream:
            tables.append({row["study_id"]: row for row in csv.DictReader(stream)})
    largest = 0.0
    for study, row in tables[1].items():
        found = {
            name: value for name, value in tables[0][study].items() if name in row and name != "study_id" and value
        }
        largest = max([largest, *(abs(float(row[name]) - float(value)) for name, value in found.items())])
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
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the network (default: cpu)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("benchmark_paired.json"))
    args = parser.parse_args()
    record = {"machine": cohorts.machine(), "threads": args.threads, "device": args.device}
    record |= {"members": "centre", "batch_studies": default("localizer.batch_studies")}
    record |= {"studies": "given" if args.studies else f"phantoms, {args.codecs}", "runs": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = args.studies or cohorts.phantoms(folder / "phantoms", 12, tuple(args.codecs.split(",")), args.threads)
        checkpoint = (args.checkpoint or cohorts.random_weights(folder / "random.pth")).resolve()
        project = copy_project(folder / "project")
        print(f"{'':18} {'seconds':^26} {'CPU seconds':^26} {'ratio':^26}")
        names = ("loop", "to table", "whole")
        print(
            f"{'studies':>8} {'variables':>9} "
            + " ".join(f"{name:>8}" for name in (*names, *names, *names[1:], "at most"))
        )
        for count in (int(word) for word in args.counts.split(",")):
            sheet = cohorts.repeated(cohorts.t2_series(source), count, folder / f"cohort{count}")
            turns = {True: [], False: []}
            for _ in range(args.repeats):
                for variables in (True, False):
                    turn = {
                        "loop": loop(sheet, checkpoint, args.threads, args.device, variables, folder / "baseline.csv")
                    }
                    for name, targets in RUNS.items():
                        turn[name] = workflow(
                            project, targets, sheet.parent, checkpoint, args.threads, args.device, variables
                        )
                    turns[variables].append(turn | {"load": round(os.getloadavg()[0], 1)})
            table = project.results(TABLE, COHORT)
            differs = largest_difference(table, folder / "baseline.csv")
            for variables, taken in turns.items():
                ratios = {
                    name: statistics.median(turn["loop"]["seconds"] / turn[name]["seconds"] for turn in taken)
                    for name in RUNS
                }
                bound = statistics.median(
                    turn["loop"]["seconds"] * args.threads / turn["loop"]["cpu_seconds"] for turn in taken
                )
                best = min(taken, key=lambda turn: turn["to_table"]["seconds"])
                shown = [best[name][kind] for kind in ("seconds", "cpu_seconds") for name in ("loop", *RUNS)]
                print(
                    f"{count:8d} {'set' if variables else 'unset':>9} "
                    + " ".join(
                        [
                            *(f"{value:8.1f}" for value in shown),
                            *(f"{value:8.2f}" for value in (*ratios.values(), bound)),
                        ]
                    ),
                    flush=True,
                )
                record["runs"].append(
                    {"studies": count, "variables": variables, "turns": taken, "largest_difference": differs}
                    | {"ratio_at_most": round(bound, 3)}
                    | {"median_ratio": {name: round(ratio, 3) for name, ratio in ratios.items()}}
                )
            print(f"{count:8d} largest difference of a peak or entropy: {differs:.2g}", flush=True)
            args.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
