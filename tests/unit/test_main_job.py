"""profiles/slurm/main.sh: Snakemake as a job, with SLURM's signals and a Snakemake that only waits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

MAIN = Path(__file__).parents[2] / "profiles/slurm/main.sh"
SNAKEMAKE = """#!/bin/bash
printf '%s\\n' "$@" >arguments
env >environment
trap 'echo interrupted; exit 1' INT
touch started
[ -f wait ] || exit "$(cat code 2>/dev/null || echo 0)"
while :; do sleep 0.05; done
"""


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "project"
    (folder / "profiles/slurm").mkdir(parents=True)
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").touch()
    (folder / "slurm").symlink_to("profiles/slurm")
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    write(programs / "snakemake", SNAKEMAKE)
    write(
        programs / "scontrol", '#!/bin/bash\necho "$@" >>requests\nexit "$(cat requeue-code 2>/dev/null || echo 0)"\n'
    )
    write(programs / "sacct", "#!/bin/bash\nexit 1\n")
    shutil.copy(MAIN, tmp_path / "slurm_script")  # as SLURM does: a copy, started elsewhere
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def start(project: Path, *arguments: str, **more: str) -> subprocess.Popen:
    slurm = {
        "SLURM_JOB_ID": "17",
        "SLURM_SUBMIT_DIR": str(project),
        "SLURM_MEM_PER_NODE": "4096",
        "SLURM_CONF": "/s.conf",
    }
    return subprocess.Popen(
        ["bash", "slurm_script", *arguments],
        cwd=project.parent,
        env={**os.environ, **slurm, "SBATCH_QOS": "primary", "PYTHONPATH": "/other/python", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def started(project: Path) -> None:
    end = time.monotonic() + 30
    while not (project / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def requests(project: Path) -> str:
    return (project / "requests").read_text() if (project / "requests").exists() else ""


def test_arguments_go_to_snakemake_with_the_profile_and_its_code_comes_back(project):
    (project / "code").write_text("3")
    done = start(project, "--config", "source={path: a b}")
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 3, output
    assert (project / "arguments").read_text().splitlines() == ["--profile", "slurm", "--config", "source={path: a b}"]
    environment = (project / "environment").read_text()
    assert "SLURM_MEM_PER_NODE" not in environment and "SBATCH_QOS" not in environment
    assert "SLURM_CONF=/s.conf" in environment and "PYTHONPATH=" not in environment
    assert r"LSTV_MAIN_JOB=--profile slurm --config source=\{path:\ a\ b\}" in environment
    assert requests(project) == ""


def test_a_folder_that_was_deployed_has_the_profile_where_it_was_copied_to(project):
    (project / "slurm").unlink()
    done = start(project)
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 0, output
    assert (project / "arguments").read_text().splitlines() == ["--profile", "profiles/slurm"]


def test_near_its_time_limit_snakemake_stops_and_the_job_goes_back_into_the_queue(project):
    (project / "wait").touch()
    process = start(project)
    started(project)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "interrupted" in output and "in the queue again" in output, output
    assert requests(project) == "requeue 17\n"


@pytest.mark.parametrize("case", ["refused", "too often"])
def test_where_it_cannot_go_back_it_says_how_to_go_on(project, case):
    (project / "wait").touch()
    (project / "requeue-code").write_text("1")
    process = start(project, "--configfile", "my data.yaml", SLURM_RESTART_COUNT="20" if case == "too often" else "0")
    started(project)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert r"to go on: sbatch profiles/slurm/main.sh --configfile my\ data.yaml" in output
    assert (requests(project) == "") == (case == "too often")


def test_a_cancelled_job_does_not_come_back(project):
    (project / "wait").touch()
    process = start(project)
    started(project)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "interrupted" in output and requests(project) == ""


def test_with_accounting_there_is_a_report_of_what_jobs_used(project):
    write(project / ".venv/bin/sacct", "#!/bin/bash\n")
    assert start(project).wait(timeout=60) == 0
    assert "--slurm-efficiency-report" in (project / "arguments").read_text().splitlines()


def test_it_runs_in_the_project_folder_only(project):
    process = start(project, SLURM_SUBMIT_DIR=str(project.parent))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "is not the project folder" in output


def test_what_it_asks_sbatch_for():
    options = [line.removeprefix("#SBATCH ") for line in MAIN.read_text().splitlines() if line.startswith("#SBATCH ")]
    assert {"--signal=B:USR1@300", "--requeue", "--open-mode=append", "--mail-type=END,FAIL"} <= set(options)
    folder = next(line for line in options if line.startswith("--output=")).removeprefix("--output=").split("/")[0]
    assert (MAIN.parents[2] / folder / ".gitkeep").exists(), "SLURM makes no folder for the log"
