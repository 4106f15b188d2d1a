"""The downloads inside the read-only image: every failure that the programs know, and the workflow as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cluster_site import CACHE, ROOT, STRICT, Cluster, say

import kaggle_cohort
import kaggle_stub
from kaggle_stub import KaggleStub


def test_every_failure_of_the_programs_is_the_same_in_the_image(cluster: Cluster):
    """The tests of the programs themselves, run by the unprivileged user with the programs in the image.

    An altered directory of an archive is read by ours or by Python's own reader, which is the image's: each alteration is
    tried with the latter, and one of them in all three ways."""
    project = cluster.project("kaggle").root
    for name in ("tests", "pyproject.toml"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, project / name)
    command = ("python", "-m", "pytest", "-q", "-rs", "-n", "2", "-p", "no:cacheprovider", f"--basetemp={project}/work")
    chosen = ("-k", "not altered_directory or crc or (whole and not without)", "tests/unit/test_kaggle_programs.py")
    run_in_image = cluster.as_user("env", f"LSTV_KAGGLE_IMAGE={cluster.sif}", *command, *chosen)
    done = subprocess.run(run_in_image, cwd=project, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout, done.stdout
    say(f"downloads in the image: {done.stdout.splitlines()[-1]}")


def test_the_point_net_is_checked_in_the_image(cluster: Cluster, tmp_path: Path):
    """Run by root: the files are made with torch, which the unprivileged user's environment does not have."""
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path}/work",
    )
    environment = {**os.environ, "LSTV_KAGGLE_IMAGE": str(cluster.sif)}
    run = (*command, "tests/unit/test_kaggle_pointnet.py")
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout, done.stdout
    say(f"point net in the image: {done.stdout.splitlines()[-1]}")


def test_one_command_downloads_and_analyses_with_every_rule_in_the_image(cluster: Cluster, tmp_path: Path):
    """Credentials are a file in the user's home, which the image does not see; the data go outside the project."""
    files = kaggle_cohort.files(tmp_path / "dicom")
    project = cluster.project("download")
    home = project.root.parent / "download home"
    data = project.root.parent / "downloaded data"
    for folder in (home, data):
        shutil.rmtree(folder, ignore_errors=True)
    (home / ".kaggle").mkdir(parents=True)
    (home / ".kaggle/kaggle.json").write_text(json.dumps({"username": kaggle_stub.USERNAME, "key": kaggle_stub.KEY}))
    for path in (home, *home.rglob("*")):
        shutil.chown(path, cluster.user.pw_uid, cluster.user.pw_gid)
    (home / ".kaggle/kaggle.json").chmod(0o600)
    (CACHE / "runs").chmod(0o777)  # the data folder is made by the workflow
    settings = ("--configfile", "config/rsna.yaml", "--config", f"source={{path: ../{data.name}, download: true}}")
    options = ("--software-deployment-method", "apptainer", "--apptainer-args", STRICT)
    with KaggleStub(files) as kaggle:
        variables = {**kaggle.environment({}), "HOME": str(home)}
        environment = [f"{name}={value}" for name, value in variables.items()]
        command = ("snakemake", "--profile", "profiles/local", *settings, *options)
        run = cluster.as_user("env", *environment, *command)
        done = subprocess.run(run, cwd=project.root, capture_output=True, text=True, timeout=600)
        asked = len(kaggle.log)
    (CACHE / "runs").chmod(0o755)
    assert done.returncode == 0, done.stderr[-6000:]
    assert asked > 0
    kaggle_cohort.check(project.results("lstv_uncertainty_metrics.csv", "rsna"), data)
    written = [path for folder in (project.root, data) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if kaggle_stub.KEY.encode() in path.read_bytes()], "a credential was written"
    assert kaggle_stub.KEY not in done.stdout + done.stderr
    assert done.stderr.count("Activating singularity image") >= 10
