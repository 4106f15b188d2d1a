#!/usr/bin/env python3
"""SLURM's client programs, pretended, under their own names: submissions are counted and their outputs appear at once.

``sbatch`` notes each call in $FAKE_SLURM/submissions. With FAKE_JOBS=run it runs what was submitted at once, in this
machine's own environment. Otherwise it touches the files that the submitted jobs would write (the study sheet, which
others read, is really made), so that Snakemake's own scheduler, grouping and executor run as they do on a cluster and
only the work is missing. ``apptainer`` runs commands without a container.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(os.environ["FAKE_SLURM"])
OUTPUTS = {
    "study_sheet": ["study_sheet.csv"],
    "infer_heatmaps": ["heatmaps/{batch}.h5"],
    "study_metrics": ["metrics/{batch}.csv"],
    "cohort_table": ["lstv_uncertainty_metrics.csv"],
    "review_queue": ["review_queue.csv", "review_queue.json"],
    "study_pages": ["page_files/{batch}.csv", "page_files/{batch}.json"],
    "cohort_report": ["report.html"],
}

LEVELS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
MEASURED = ",".join(f"{level}_{name}" for level in LEVELS for name in ("confidence", "entropy"))
HEADERS = {"lstv_uncertainty_metrics.csv": f"study_id,{MEASURED},status,reason\n"}
"""What a rule that runs beside SLURM reads."""


def sbatch(arguments: list[str]) -> str:
    command = next(word for word in arguments if word.startswith("--wrap="))
    targets = re.search(r"--target-jobs (.*?) --", command)[1].replace("'", "").replace('\\"', "").split()
    options = [word for word in arguments if word is not command]
    number = note(
        {"options": options, "rules": sorted({target.partition(":")[0] for target in targets})}, targets, command
    )
    if os.environ.get("FAKE_JOBS") == "run":
        with open(HERE / f"job-{number}.log", "w") as log:
            variables = {**os.environ, "SLURM_JOB_ID": number}
            code = subprocess.run(
                ["bash", "-c", command.removeprefix("--wrap=")], env=variables, stdout=log, stderr=log
            ).returncode
        (HERE / f"state-{number}").write_text("FAILED" if code else "COMPLETED")
        return number
    for target in targets:
        rule, _, wildcards = target.partition(":")
        values = dict(pair.split("=", 1) for pair in wildcards.split(",") if pair)
        benchmark = f"benchmarks/{'/'.join([rule, *values.values()])}.tsv"
        for name in (benchmark, *OUTPUTS[rule]):
            path = Path(os.environ["FAKE_RESULTS"], name.format(**values))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEADERS.get(path.name, ""))
        if rule == "study_sheet":
            program = ["scripts/study_sheet.py", "--kind", "sheet", "--path", "sheet.csv", "--out", str(path)]
            subprocess.run([sys.executable, *program], check=True, stdout=subprocess.DEVNULL)
    return number


def note(submission: dict, targets: list[str], command: str) -> str:
    """Write down a submission; returns its number."""
    submissions = HERE / "submissions"
    number = len(submissions.read_text().splitlines()) + 1 if submissions.exists() else 1
    with open(submissions, "a") as stream:
        stream.write(json.dumps({**submission, "jobs": len(targets), "size": len(command)}) + "\n")
    return str(number)


def srun(arguments: list[str]) -> str:
    command = next(number for number, word in enumerate(arguments) if not word.startswith("-"))
    sys.exit(subprocess.run(arguments[command:]).returncode)


def sacct(arguments: list[str]) -> str:
    if "Account%256" in arguments:
        return ""  # no job before, by whose account the plugin might go
    submissions = HERE / "submissions"
    known = len(submissions.read_text().splitlines()) if submissions.exists() else 0
    states = {number: HERE / f"state-{number}" for number in range(1, known + 1)}
    return "\n".join(
        f"{number}|{state.read_text() if state.exists() else 'COMPLETED'}" for number, state in states.items()
    )


squeue = sacct


def sacctmgr(arguments: list[str]) -> str:
    return "normal,primary,gpu" if "format=qos" in arguments else "lab"


def scontrol(arguments: list[str]) -> str:
    return "AccountingStorageType   = accounting_storage/slurmdbd\nMaxArraySize            = 1001\n"


def apptainer(arguments: list[str]) -> str:
    if "exec" in arguments:
        image = next(number for number, word in enumerate(arguments) if word.endswith(".sif"))
        sys.exit(subprocess.run(arguments[image + 1 :]).returncode)
    return "apptainer version 1.4.5"


if __name__ == "__main__":
    program = globals().get(Path(sys.argv[0]).name)
    print(program(sys.argv[1:]) if program else "")
