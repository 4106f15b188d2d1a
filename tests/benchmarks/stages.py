"""Where the time of a cohort goes, stage by stage: make benchmark, or python tests/benchmarks/stages.py [--studies DIR ...]

Runs the workflow once on the cohort and each stage's work once more alone, in one process. Reading, decoding, normalising,
the forward pass, reduction and writing are measured on a sample of the studies, one after another with one thread, so their
sum is CPU work, not waiting. Table and JSON. Numbers depend on the machine, whose facts are in the JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import cohorts

sys.path.insert(0, str(cohorts.ROOT / "tests/support"))

from lstv.base.defaults import default  # noqa: E402
from workflow_project import copy_project  # noqa: E402

COHORT = "benchmark"


class Clock:
    """CPU and wall seconds by stage."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str):
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu[stage] += time.process_time() - cpu
        self.wall[stage] += time.perf_counter() - wall


def pieces(sheet: Path, checkpoint: Path, members: str, preprocessing: str, sample: int, folder: Path) -> dict:
    """CPU milliseconds a study of what inference and metrics are made of."""
    import torch

    from lstv.dicom import series as reader
    from lstv.localizer import checkpoint as checkpoints
    from lstv.localizer import heatmap_file, inference, prepare
    from lstv.localizer.options import Options
    from lstv.uncertainty import Thresholds, batch

    torch.set_num_threads(1)
    clock = Clock()
    options = Options(preprocessing=preprocessing, members=members)
    runner = inference.Runner(
        checkpoints.load_localizer(checkpoint).network, torch.device("cpu"), options.forward_batch
    )
    rows = cohorts.study_sheet.read_sheet(sheet)[:sample]
    scale, decode = reader.intensities.scale, reader._decode

    def timed_scale(*arguments):
        with clock("normalise"):
            return scale(*arguments)

    def timed_decode(*arguments):
        with clock("decode"):
            return decode(*arguments)

    reader.intensities.scale, reader._decode = timed_scale, timed_decode
    runner.study_maps([prepare.prepare(rows[0], preprocessing, options.offsets, False, False)], members == "full")
    clock = Clock()  # the first study also set up libraries and kernels
    prepared = []
    for row in rows:
        with clock("read, decode, normalise, resize"):
            prepared.append(prepare.prepare(row, preprocessing, options.offsets, False, False))
    launched = []
    at_once = runner.studies_at_once(options.images_per_study)
    for first in range(0, len(prepared), at_once):
        with clock("forward and reduce on the device"):
            launched.append(runner.launch(prepared[first : first + at_once], members == "full"))
    maps = []
    for group in launched:
        with clock("take results"):
            maps += [make() for make in runner.finish(group)]
    out = folder / "pieces.h5"
    with heatmap_file.create(out, {"checkpoint_sha256": "0" * 64, "software_version": "benchmark"}) as writer:
        for study in maps:
            with clock("compress"):
                encoded = heatmap_file.encoded(study)
            with clock("write"):
                writer.store(encoded)
    with clock("metrics"):
        batch.measure(out, folder / "studies", folder / "manifest.csv", Thresholds(), None)
    reader.intensities.scale, reader._decode = scale, decode
    with_both = clock.cpu["read, decode, normalise, resize"]
    clock.cpu["read headers, resize"] = with_both - clock.cpu["decode"] - clock.cpu["normalise"]
    del clock.cpu["read, decode, normalise, resize"]
    return {stage: round(1000 * seconds / len(rows), 2) for stage, seconds in clock.cpu.items()}


def workflow_run(folder: Path, studies: Path, checkpoint: Path, members: str, preprocessing: str, threads: int) -> dict:
    """One run from nothing: each rule's seconds and memory from Snakemake's benchmark files, its CPU time from its shell
    (Snakemake looks at a job now and then, and misses processes that ended in between), and the whole."""
    project = copy_project(folder / "project")
    used = timed_jobs(project.root)
    settings = [
        f"cohort={COHORT}",
        f"source={{kind: rsna, path: {studies}, valid_ids: {studies}/ids.txt}}",
        f"localizer={{checkpoint: {checkpoint}, preprocessing: {preprocessing}, members: {members}, "
        f"batch_studies: {default('localizer.batch_studies')}}}",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = project.snakemake("--cores", str(threads), "--config", *settings, timeout=24 * 3600)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout[-5000:])
    rules: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    benchmarks = project.results("benchmarks", COHORT)
    for path in sorted(benchmarks.rglob("*.tsv")):
        with open(path, newline="") as stream:
            row = next(csv.DictReader(stream, delimiter="\t"))
        entry = rules[path.relative_to(benchmarks).parts[0].removesuffix(".tsv")]
        number = {
            key: float(value) if value not in ("-", "NA", "") else 0.0 for key, value in row.items() if key != "h:m:s"
        }
        entry[0] += 1
        entry[1] += number["s"]
        entry[3] = max(entry[3], number["max_rss"])
    for name, spent in cpu_of_jobs(used).items():
        rules[name][2] = spent
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    gpu = [
        line
        for path in sorted(project.results("logs", COHORT).rglob("*.log"))
        for line in path.read_text().splitlines()
        if line.startswith(("the GPU worked", "where the time went"))
    ]
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rules": {
            name: {
                "jobs": jobs,
                "seconds": round(wall, 2),
                "cpu_seconds": round(used, 2),
                "peak_memory_mib": round(rss),
            }
            for name, (jobs, wall, used, rss) in rules.items()
        },
        "snakemake_and_shells_cpu_seconds": round(cpu - sum(used for _, _, used, _ in rules.values()), 2),
        "inference_says": gpu,
    }


def timed_jobs(project: Path) -> Path:
    """Make every job of a copy of the workflow leave its CPU time, and its children's, in a folder, which is given back."""
    used = project / "cpu"
    used.mkdir()
    script = project / "containers/job_environment.sh"
    begin = "    local status=$?\n"
    # a rule's log is called like the rule
    name = """$(grep -o '/logs/[a-z_]*' <<<"$BASH_EXECUTION_STRING" | head -n 1 | cut -d/ -f3)"""
    text = script.read_text()
    assert text.count(begin) == 1
    script.write_text(text.replace(begin, f'{begin}    times >"{used}/{name}.$$"\n'))
    return used


def cpu_of_jobs(used: Path) -> dict[str, float]:
    """CPU seconds by rule of what ``timed_jobs`` had written: user and system time of the shells and their children."""
    found: defaultdict[str, float] = defaultdict(float)
    for path in used.iterdir():
        for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", path.read_text()):
            found[path.stem] += 60 * int(minutes) + float(seconds)
    return dict(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=Path, help="folder in the RSNA layout whose studies are repeated (default: phantoms)"
    )
    parser.add_argument("--checkpoint", type=Path, help="the point net (default: random weights of its size)")
    parser.add_argument("--count", type=int, default=100, help="studies of the cohort (default: 100)")
    parser.add_argument("--sample", type=int, default=24, help="of them in the stages measured alone (default: 24)")
    parser.add_argument("--codecs", default=",".join(cohorts.CODECS), help="of the phantoms, by commas")
    parser.add_argument("--members", choices=("centre", "slices", "full"), default="centre")
    parser.add_argument("--preprocessing", choices=("trained", "reference"), default="trained")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores (default: all)")
    parser.add_argument("--out", type=Path, default=Path("benchmark.json"))
    args = parser.parse_args()
    record = {"machine": cohorts.machine(), "threads": args.threads, "studies": args.count, "members": args.members}
    record |= {"preprocessing": args.preprocessing, "cohort": str(args.studies.name if args.studies else args.codecs)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = args.studies or cohorts.phantoms(folder / "phantoms", 12, tuple(args.codecs.split(",")), args.threads)
        checkpoint = (args.checkpoint or cohorts.random_weights(folder / "random.pth")).resolve()
        sheet = cohorts.repeated(cohorts.t2_series(source), args.count, folder / "cohort")
        run = workflow_run(folder, sheet.parent, checkpoint, args.members, args.preprocessing, args.threads)
        record["workflow"] = run
        record["cpu_ms_per_study"] = pieces(sheet, checkpoint, args.members, args.preprocessing, args.sample, folder)
    print(
        f"{args.count} studies, {args.members}, {args.preprocessing}, {args.threads} cores, {record['machine']['processor']}"
    )
    rate = args.count / run["seconds"]
    print(f"workflow: {run['seconds']:.1f} s, {rate:.2f} studies/s, {run['cpu_seconds']:.1f} CPU s")
    print(f"\n{'rule':20} {'jobs':>5} {'s':>8} {'CPU s':>8} {'MiB':>6}")
    for name, row in run["rules"].items():
        print(f"{name:20} {row['jobs']:5d} {row['seconds']:8.2f} {row['cpu_seconds']:8.2f} {row['peak_memory_mib']:6d}")
    print(f"{'Snakemake, shells':20} {'':5} {'':8} {run['snakemake_and_shells_cpu_seconds']:8.2f}")
    print(f"\n{'stage alone':36} CPU ms a study")
    for name, value in record["cpu_ms_per_study"].items():
        print(f"{name:36} {value:8.2f}")
    print("\n" + "\n".join(run["inference_says"]))
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
