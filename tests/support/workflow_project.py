"""A copy of the workflow in a scratch folder, and Snakemake run in it."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from slurm_profile import PARTS, UNFINISHED_BYTECODE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Project:
    """A project folder of its own, with its own results."""

    root: Path

    def snakemake(self, *arguments: str, timeout: float = 600, profile: bool = True) -> subprocess.CompletedProcess:
        """Run Snakemake there; standard output and error come together in ``stdout``."""
        return subprocess.run(
            self.command(*arguments, profile=profile),
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def command(self, *arguments: str, profile: bool = True) -> list[str]:
        options = ["--profile", "profiles/local"] if profile else []
        return [sys.executable, "-m", "snakemake", *options, *arguments]

    @staticmethod
    def environment() -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def results(self, name: str, cohort: str = "demo") -> Path:
        return self.root / "results" / cohort / name

    def keep_demo_studies(self, count: int) -> list[str]:
        """Shorten the demo's list of studies; returns the ids that are left."""
        path = self.root / "resources/demo/studies.csv"
        with open(path, newline="") as stream:
            header, *rows = csv.reader(stream)
        with open(path, "w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *rows[:count]])
        return [row[0] for row in rows[:count]]


def copy_project(target: Path) -> Project:
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns(UNFINISHED_BYTECODE, "pointnet"))
    shutil.copy(ROOT / "slurm", target / "slurm", follow_symlinks=False)
    return Project(target)
