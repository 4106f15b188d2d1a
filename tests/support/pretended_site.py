"""A cluster's client programs, pretended: what a test has to put before Snakemake so that it finds SLURM and Apptainer."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

FAKE = Path(__file__).parents[1] / "workflow/fake_slurm.py"
SLURM = ("sbatch", "srun", "sacct", "squeue", "sacctmgr", "scontrol", "sinfo", "sshare")
QUICK = (
    "--latency-wait",
    "5",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--seconds-between-status-checks",
    "1",
)


@dataclass(frozen=True)
class Site:
    """Programs in a folder of their own. ``jobs`` is run (submissions are run at once) or touch (their outputs appear)."""

    folder: Path
    jobs: str = "run"

    def environment(self, **more: str) -> dict[str, str]:
        path = (str(self.folder), str(Path(sys.executable).parent), os.environ["PATH"])
        fake = {"PATH": os.pathsep.join(path), "FAKE_SLURM": str(self.folder), "FAKE_JOBS": self.jobs}
        return {**os.environ, **fake, **more}

    def submissions(self) -> list[dict]:
        """Every sbatch until now, in order."""
        file = self.folder / "submissions"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def make_site(folder: Path, jobs: str = "run", container: bool = True) -> Site:
    folder.mkdir(parents=True)
    for name in (*SLURM, "apptainer") if container else SLURM:
        shutil.copy(FAKE, folder / name)
        (folder / name).chmod(0o755)
    return Site(folder, jobs)
