"""Inference on a GPU with a network of the published size: python tests/benchmarks/gpu.py [--out DIR]

Makes a few phantoms, repeats them to 2,000 studies (hard links), and runs infer_heatmaps.py as the workflow does, with
random weights: all studies and one batch of 128 with the centre slice, a part with members. For each run: studies a second,
share of the time in which the GPU worked (CUDA events, and nvidia-smi's utilisation), where the driving thread's time went,
memory. Sized to four minutes on 16 cores and a current GPU. --device cpu tries the script itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cohorts


class Sampler:
    """nvidia-smi's utilisation and memory, five times a second."""

    def __enter__(self) -> Sampler:
        self.samples: list[tuple[float, float]] = []
        self._process = None
        if shutil.which("nvidia-smi"):
            query = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-lms", "200"]
            self._process = subprocess.Popen(["nvidia-smi", *query], stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        for line in self._process.stdout:
            try:
                self.samples.append(tuple(float(word) for word in line.split(",")[:2]))
            except ValueError:
                continue

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()

    def result(self) -> dict:
        if not self.samples:
            return {}
        busy = [use for use, _ in self.samples]
        return {
            "smi_mean_utilisation_percent": round(sum(busy) / len(busy), 1),
            "smi_peak_memory_mib": max(used for _, used in self.samples),
        }


def first(sheet: Path, count: int) -> Path:
    """The sheet's first studies, as a sheet."""
    shorter = sheet.with_name(f"first-{count}.csv")
    shorter.write_text("".join(sheet.read_text().splitlines(keepends=True)[: count + 1]))
    return shorter


def measured(name: str, sheet: Path, weights: Path, folder: Path, device: str, workers: int, *options: str) -> dict:
    out = folder / f"{name}.h5"
    command = [
        sys.executable,
        str(cohorts.SCRIPTS / "infer_heatmaps.py"),
        "--sheet",
        str(sheet),
        "--checkpoint",
        str(weights),
    ]
    command += ["--device", device, "--workers", str(workers), "--threads", str(workers), "--out", str(out), *options]
    # in a pipeline's job these come from containers/job_environment.sh
    shell = f". {cohorts.ROOT / 'containers/job_environment.sh'}; exec " + " ".join(f"'{word}'" for word in command)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with Sampler() as sampler:
        done = subprocess.run(
            ["bash", "-c", shell], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout[-2500:], flush=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    studies = len(sheet.read_text().splitlines()) - 1
    record = {
        "run": name,
        "studies": studies,
        "seconds": round(seconds, 2),
        "studies_per_second": round(studies / seconds, 2),
        "cpu_seconds_per_study": round(
            (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / studies, 4
        ),
        "peak_memory_of_one_process_mib": round(after.ru_maxrss / 1024),
        "file_mib": round(out.stat().st_size / 2**20, 1),
        **sampler.result(),
    }
    for line in done.stdout.splitlines():
        if line.startswith("where the time went: "):
            record["where_the_time_went"] = line.split(": ", 1)[1]
        if match := re.match(r"the GPU worked ([\d.]+) of ([\d.]+) s, at most ([\d.]+) GiB", line):
            record["gpu_busy_share"] = round(float(match[1]) / float(match[2]), 3)
            record["gpu_peak_memory_gib"] = float(match[3])
        if line.startswith("device "):
            record["device"] = line
            if match := re.search(r"(\d+) images a study", line):
                record["images"] = int(match[1])
    shutil.rmtree(folder / ".kept", ignore_errors=True)
    out.unlink()
    print(json.dumps(record, indent=1), flush=True)
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="in the runs with the centre slice (default: 2000)")
    parser.add_argument("--member-studies", type=int, default=600, help="in those with members (default: 600)")
    parser.add_argument("--phantoms", type=int, default=24, help="different ones among them (default: 24)")
    parser.add_argument("--codecs", default=",".join(cohorts.CODECS), help="transfer syntaxes, by commas")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="decoding processes")
    parser.add_argument("--forward-batch", type=int, default=64)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--weights", type=Path, help="a checkpoint (default: random weights of the published size)")
    parser.add_argument("--limit", type=float, default=230, help="seconds after which no further run begins")
    parser.add_argument(
        "--out", type=Path, default=Path(os.environ.get("OUT", ".")), help="folder for gpu_benchmark.json"
    )
    args = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights = args.weights or cohorts.random_weights(folder / "random.pth")
        source = cohorts.phantoms(folder / "phantoms", args.phantoms, tuple(args.codecs.split(",")), args.workers)
        sheet = cohorts.repeated(cohorts.t2_series(source), args.studies, folder / "cohort")
        print(f"{args.studies} studies made of {args.phantoms} in {time.perf_counter() - begun:.1f} s", flush=True)
        batch = str(args.forward_batch)
        part = first(sheet, min(args.member_studies, args.studies))
        plans = [
            ("centre-one-batch", first(sheet, min(128, args.studies)), ()),
            ("centre", sheet, ()),
            ("full", part, ("--members", "full")),
            ("slices", part, ("--members", "slices")),
            ("full-passes-of-256", part, ("--members", "full", "--forward-batch", "256")),
        ]
        record = {"machine": cohorts.machine(), "codecs": args.codecs, "workers": args.workers, "runs": []}
        for name, studies, options in plans:
            if time.perf_counter() - begun > args.limit:
                print(f"no time left for: {name}", flush=True)
                continue
            options = ("--forward-batch", batch, *options)
            record["runs"].append(measured(name, studies, weights, folder, args.device, args.workers, *options))
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / "gpu_benchmark.json").write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
