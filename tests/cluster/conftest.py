"""A real one-node SLURM, a real Apptainer and the image from our own Dockerfile, where the machine can have them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster_site import CACHE, HERE, TOOLS, USER, Cluster, run, say
from made_once import image, scheduler_environment, unprivileged_user


def reason_to_skip(asked: bool) -> str:
    if not asked:
        return "cluster tests install SLURM and take minutes: ask for them with -m cluster"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "cluster tests need root on Debian"
    if shutil.which("apptainer") is None and not (TOOLS / "install-apptainer.sh").is_file():
        return "no apptainer here, and no script that installs it (LSTV_SHARED)"
    if not (TOOLS / "local-base-image.sh").is_file():
        return "no script here that makes a local base image (LSTV_SHARED)"
    return ""


@pytest.hookimpl(tryfirst=True)  # before -m selects by the marks that are set here
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reason = reason_to_skip(asked=config.option.markexpr == "cluster")
    for item in items:
        if item.path.is_relative_to(HERE) and "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """SLURM with accounting, running."""
    for folder in (CACHE, CACHE / "runs", CACHE / "home", CACHE / "empty"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    assert CACHE.stat().st_uid == 0, f"{CACHE} belongs to someone else"
    script = HERE / "one_node_slurm.sh"
    run("bash", script, "install", timeout=900)
    if shutil.which("apptainer") is None or shutil.which("buildah") is None:
        run("bash", TOOLS / "install-apptainer.sh", timeout=900)
    if Path("/dev/fuse").exists():
        Path("/dev/fuse").chmod(0o666)  # lets an unprivileged user mount a SIF
    user = unprivileged_user()
    os.chown(CACHE / "home", user.pw_uid, user.pw_gid)
    with ThreadPoolExecutor() as beside:  # each takes minutes where it is not there yet
        environment, sif = beside.submit(scheduler_environment), beside.submit(image)
        made = Cluster(CACHE / "slurm", environment.result(), sif.result(), user)
    start = time.monotonic()
    run("bash", script, "start", made.folder, "slurmdbd", timeout=300)
    if USER not in made.slurm("sacctmgr", "--noheader", "--parsable2", "show", "user", "format=user").split():
        made.slurm("sacctmgr", "--immediate", "--quiet", "add", "user", USER, "account=lab")
    if "gpu" not in made.slurm("sacctmgr", "-nP", "show", "associations", f"user={USER}", "format=qos"):
        made.slurm("sacctmgr", "--immediate", "--quiet", "modify", "user", USER, "set", "qos=normal,primary,gpu")
    say(f"SLURM started in {time.monotonic() - start:.0f} s")
    try:
        yield made
    finally:
        run("bash", script, "stop", made.folder, timeout=120)
