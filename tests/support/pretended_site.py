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
CONTAINER = ("apptainer", "singularity")
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
    """Programs in a folder of their own. ``jobs`` is run (submissions are run at once) or touch (their outputs appear).

    ``machine`` is where this machine's other programs are found, as in ``PATH``.
    """

    folder: Path
    jobs: str
    machine: str

    def environment(self, **more: str) -> dict[str, str]:
        path = (str(self.folder), str(Path(sys.executable).parent), self.machine)
        fake = {"PATH": os.pathsep.join(path), "FAKE_SLURM": str(self.folder), "FAKE_JOBS": self.jobs}
        return {**os.environ, **fake, **more}

    def submissions(self) -> list[dict]:
        """Every sbatch until now, in order."""
        file = self.folder / "submissions"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def make_site(folder: Path, jobs: str = "run", container: bool = True) -> Site:
    """A site whose programs are in ``folder``; without ``container`` neither Apptainer nor Singularity is found there."""
    folder.mkdir(parents=True)
    for name in (*SLURM, *CONTAINER[:1]) if container else SLURM:
        shutil.copy(FAKE, folder / name)
        (folder / name).chmod(0o755)
    machine = os.environ["PATH"]
    if not container:
        machine = str(_without(CONTAINER, folder.with_name(f"{folder.name}-machine")))
    return Site(folder, jobs, machine)


def _without(names: tuple[str, ...], folder: Path) -> Path:
    """A folder of links to this machine's programs but the named ones, which may be installed here."""
    folder.mkdir()
    for directory in filter(os.path.isdir, os.environ["PATH"].split(os.pathsep)):
        for program in Path(directory).iterdir():
            link = folder / program.name
            if program.name not in names and not os.path.lexists(link):  # the first in PATH is the one that runs
                link.symlink_to(program)
    return folder
