"""How long cohorts take, computed from two short runs: python tests/benchmarks/expected.py [--kept] [--gpu FILE]

Runs tests/benchmarks/stages.py with few and with more studies, takes each rule's start and its cost a study from the two,
adds inference on a GPU as tests/benchmarks/gpu.py measured it once, and a whole run of stages.py there, and writes
docs/evidence/times.json and the table of docs/hpc.md. With --kept the runs of the JSON are taken, and only the table is
written anew. On a busy machine CPU seconds grow.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cohorts

from lstv.base.atomic import write_json, write_text
from lstv.base.defaults import default
from lstv.cohort.batches import batch_count
from lstv.localizer.options import Options

TIMES, PAGE = cohorts.ROOT / "docs/evidence/times.json", cohorts.ROOT / "docs/hpc.md"
BEGIN, END = "<!-- times: tests/benchmarks/expected.py -->", "<!-- end of times -->"
COUNTS = (8, 520)
"""Studies of the two runs: one batch and two, so that what a job costs can be told from what a study costs."""

STUDIES = (10, 283, 2000, 20_000)
MEMBERS = ("centre", "slices", "full")
BATCH = default("localizer.batch_studies")
BY_BATCH = ("batch_sheet", "infer_heatmaps", "study_metrics", "study_pages")
PROCESSES = (4, 16)
"""Of a batch, and of few batches together: as in workflow/rules/common.smk."""

STEP_SECONDS = 30.0
"""On SLURM from the end of a job to the start of one that needs it: the profile looks at jobs after 20 s; the rest is a
guess."""

STEPS = 7
"""Jobs that wait for each other: sheet, batch, heatmaps, metrics, table, queue and pages, report."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one job's start and of each study (of a page in ``study_pages``)."""

    start: float
    study: float


@dataclass(frozen=True)
class Costs:
    """``rules`` with the centre slice; ``more``, what the members add to a study on a CPU; Snakemake's own seconds at its
    start and for each job; by members, inference on a GPU with 16 cores beside it."""

    rules: dict[str, Cost]
    more: dict[str, float]
    snakemake: Cost
    gpu: dict[str, Cost]


def costs(record: dict[str, Any]) -> Costs:
    """What two runs say; a cost that comes out below nothing, as noise can make it, is nothing."""
    few, more = record["runs"]
    counts = [run["studies"] for run in (few, more)]
    rules = {}
    for name, one in few["rules"].items():
        other = more["rules"][name]
        units = [pages(count) if name == "study_pages" else count for count in counts]
        jobs, seconds = (one["jobs"], other["jobs"]), (one["cpu_seconds"], other["cpu_seconds"])
        rules[name] = _solved(jobs, units, seconds)
    total = [sum(rule["jobs"] for rule in run["rules"].values()) for run in (few, more)]
    own = [run["snakemake_and_shells_cpu_seconds"] for run in (few, more)]
    more = {members: record["forward_ms"] / 1000 * (_images(members) - 1) for members in MEMBERS}
    on_gpu = {run["run"]: run for run in record["gpu"]}
    return Costs(rules, more, _solved((1, 1), total, own), _of_gpu(on_gpu))


def _images(members: str) -> int:
    return replace(Options(), members=members).images_per_study


def _solved(jobs: tuple[int, int], units: list[int], seconds: Any) -> Cost:
    """Start and cost of a unit: jobs * start + units * cost = seconds, twice."""
    study = (seconds[1] * jobs[0] - seconds[0] * jobs[1]) / (units[1] * jobs[0] - units[0] * jobs[1])
    study = max(0.0, study)
    return Cost(max(0.0, (seconds[0] - study * units[0]) / jobs[0]), study)


def _of_gpu(runs: dict[str, dict[str, Any]]) -> dict[str, Cost]:
    """A batch's start from two runs with the centre slice; the same start in the run with all members. What lies between is
    in proportion to the images."""
    one, centre, full = runs["centre-one-batch"], runs["centre"], runs["full"]
    study = (centre["seconds"] - one["seconds"]) / (centre["studies"] - one["studies"])
    start = one["seconds"] - study * one["studies"]
    image = ((full["seconds"] - start) / full["studies"] - study) / (full["images"] - 1)
    return {members: Cost(start, study + image * (_images(members) - 1)) for members in MEMBERS}


def pages(studies: int) -> int:
    """Study pages of a cohort with the default settings."""
    return min(studies, sum(default(f"review.{name}") for name in ("ambiguous", "sample", "localizer")))


def local(known: Costs, studies: int, cores: int, gpu: bool = False, members: str = "centre") -> float:
    """Seconds of a run on one machine of which all cores are busy wherever they can be."""
    batches = batch_count(studies, BATCH)
    at_once, rounds = min(cores, batches * _processes(batches)), math.ceil(batches / cores)
    seconds = known.snakemake.start + known.snakemake.study * _jobs(known, batches)
    for name, rule in known.rules.items():
        if name == "infer_heatmaps":  # one after another, each with all cores
            cost = known.gpu[members] if gpu else Cost(rule.start, (rule.study + known.more[members]) / cores)
            seconds += batches * cost.start + studies * cost.study
        elif name in BY_BATCH:
            seconds += (
                rounds * rule.start + rule.study * (pages(studies) if name == "study_pages" else studies) / at_once
            )
        else:
            seconds += rule.start + rule.study * studies
    return seconds


def _processes(batches: int) -> int:
    """Processes that share a batch's metrics, or its pages."""
    most, together = PROCESSES
    return min(most, max(1, together // batches))


def _jobs(known: Costs, batches: int) -> int:
    return sum(batches if name in BY_BATCH else 1 for name in known.rules)


def slurm(known: Costs, studies: int, members: str = "centre", gpus: int = 4, cores: int = 8, group: int = 16) -> float:
    """Seconds of a run on a cluster where nothing waits for a free node: so many GPU jobs at once, each with ``cores``."""
    batches = batch_count(studies, BATCH)
    in_group = min(group, batches)
    begun = known.snakemake.start  # every job begins with a Snakemake of its own
    seconds = begun + STEPS * STEP_SECONDS
    for name, rule in known.rules.items():
        if name == "infer_heatmaps":
            cost = known.gpu[members]  # the decoders bound it: half the cores, twice the time
            each = begun + cost.start + cost.study * 16 / cores * studies / batches
            seconds += math.ceil(batches / gpus) * each
        elif name in BY_BATCH:
            units = pages(studies) if name == "study_pages" else studies
            seconds += in_group * (begun + rule.start + rule.study * units / batches / _processes(batches))
        else:
            seconds += begun + rule.start + rule.study * studies
    return seconds


def words(seconds: float) -> str:
    """Two figures are all that such a number is good for."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds < 20 else f"{5 * round(seconds / 5)} s"
    minutes = seconds / 60
    if minutes < 10:
        return f"{minutes:.1f} min"
    hours = minutes / 60
    return f"{minutes:.0f} min" if hours < 1.5 else f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def table(record: dict[str, Any]) -> str:
    """The part of docs/hpc.md, in Markdown."""
    known = costs(record)
    columns = {
        "laptop, 4 cores": lambda n, members: local(known, n, 4, members=members),
        "16 cores": lambda n, members: local(known, n, 16, members=members),
        "16 cores and a GPU": lambda n, members: local(known, n, 16, gpu=True, members=members),
        "SLURM, 4 GPU jobs at once": lambda n, members: slurm(known, n, members),
    }
    lines = [f"| studies | `members` | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    lines += [
        f"| {n:,} | {members} | {' | '.join(words(seconds(n, members)) for seconds in columns.values())} |"
        for members in known.gpu
        for n in STUDIES
    ]
    cores = record["cores"]
    seen = "; ".join(
        f"{run['studies']} studies in {words(run['seconds'])} (computed: {words(local(known, run['studies'], cores))})"
        for run in record["runs"]
    )
    on_gpu = {run["run"]: run for run in record["gpu"]}
    centre, full, whole = on_gpu["centre"], on_gpu["full"], record["gpu_whole"]
    computed = words(local(known, whole["studies"], 16, gpu=True))
    infer, metrics = (known.rules[name] for name in ("infer_heatmaps", "study_metrics"))
    busy = f"{100 * centre['gpu_busy_share']:.0f} %"
    parts = (
        f"Measured: whole runs on {cores} cores of a machine with {record['processor']} that others used too, {seen}; and "
        f"inference alone on {record['gpu_device']} with 16 cores, {centre['studies']:,} studies in "
        f"{centre['seconds']:.0f} s with the centre slice (the GPU worked {busy} of the time) and {full['studies']} in "
        f"{full['seconds']:.0f} s with {full['images']} images each; the whole run of {whole['studies']:,} there, "
        f"centre slice, in {words(whole['seconds'])} (computed: {computed}).",
        "Every cell of the table is computed from these: CPU seconds of each rule's start and of each study, taken from "
        "the two runs, with all cores busy and disks that are no hindrance, so "
        f"a cell is the least to expect. On a CPU inference takes {infer.study:.2f} CPU seconds a study, "
        f"{known.more['full']:.1f} more with `full` ({_images('full')} images, each counted like the first; `slices` has "
        f"{_images('slices')}), "
        f"and {infer.start:.1f} for a batch's start; metrics {metrics.study:.3f} and {metrics.start:.1f}; on the GPU "
        f"a batch takes {known.gpu['centre'].start:.1f} s for its start. Phantoms of 11 to 17 slices, "
        f"a third each uncompressed, RLE and JPEG 2000; {pages(10**6)} study pages at most.",
        "SLURM is without waiting for nodes, with 8 cores beside each GPU, where the decoders take twice the time of 16, "
        f"and with {STEP_SECONDS:.0f} s from the end of a job to the start of the next that needs it, which is assumed. A "
        "slower GPU takes longer with `full`.",
    )
    for part in parts:
        lines += ["", *textwrap.wrap(part, 150)]
    return "\n".join(lines)


def measured(gpu: dict[str, Any]) -> dict[str, Any]:
    """Both runs of the workflow, and the figures of the GPU."""
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in COUNTS:
            out = Path(scratch, f"{count}.json")
            command = [sys.executable, str(Path(__file__).with_name("stages.py")), "--count", str(count)]
            subprocess.run([*command, "--sample", "8", "--out", str(out)], check=True)
            found = json.loads(out.read_text())
            found["workflow"].pop("inference_says")
            runs.append({"studies": count, **found["workflow"]})
    machine, forward = found["machine"], found["cpu_ms_per_study"]["forward and reduce on the device"]
    about = {"processor": machine["processor"], "cores": found["threads"], "python": machine["python"]}
    return about | {"forward_ms": forward, "runs": runs, **gpu}


def of_gpu(path: Path) -> dict[str, Any]:
    """What the table takes from gpu_benchmark.json."""
    found = json.loads(path.read_text())
    device = found["runs"][0]["device"].split("(", 1)[-1].split(",")[0]
    if any("images" not in run for run in found["runs"]):
        sys.exit(f"{path} does not say how many images a study had; run tests/benchmarks/gpu.py again.")
    keys = ("run", "studies", "images", "seconds", "cpu_seconds_per_study", "gpu_busy_share")
    return {"gpu_device": f"an {device}", "gpu": [{key: run.get(key) for key in keys} for run in found["runs"]]}


def of_whole(path: Path) -> dict[str, Any]:
    """What the table takes from the JSON of stages.py on the machine with the GPU."""
    found = json.loads(path.read_text())
    return {"gpu_whole": {"studies": found["studies"], "seconds": found["workflow"]["seconds"]}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", action="store_true", help="take the runs of docs/evidence/times.json")
    parser.add_argument(
        "--gpu", type=Path, help="gpu_benchmark.json (default: the figures of docs/evidence/times.json)"
    )
    parser.add_argument("--gpu-whole", type=Path, help="JSON of stages.py there (default: as with --gpu)")
    args = parser.parse_args()
    record = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    gpu = of_gpu(args.gpu) if args.gpu else {key: record[key] for key in ("gpu_device", "gpu")}
    gpu |= of_whole(args.gpu_whole) if args.gpu_whole else {"gpu_whole": record["gpu_whole"]}
    record = {**record, **gpu} if args.kept else measured(gpu)
    write_json(TIMES, record)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{table(record)}\n{END}{rest.partition(END)[2]}")
    print(table(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
