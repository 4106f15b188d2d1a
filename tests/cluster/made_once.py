"""What takes long to make and is kept in CACHE between runs, under a hash of what it is made from."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import time
from pathlib import Path

from cluster_site import CACHE, ROOT, TOOLS, USER, run, say

IMAGE_SOURCES = ("containers/Dockerfile", "containers/health_check.py", "containers/sbom.py", "envs/image.lock.txt")
TORCH = "2.13.0"  # the pinned torch; machines without a GPU have its CPU build

MORE_PAUSE = "self.next_seconds_between_status_checks + 10,"  # in the executor


def fingerprint(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        run("useradd", "--system", "--user-group", "--shell", "/bin/bash", "--home-dir", CACHE / "home", USER)
        return pwd.getpwnam(USER)


def scheduler_environment() -> Path:
    """A virtual environment with Snakemake that an unprivileged user can read; torch is in the image."""
    unwanted = ("ruff==", "snakefmt==", "black==", "opencv", "sympy==", "networkx==")
    lines = (ROOT / "envs/workflow.lock.txt").read_text().replace("\\\n", "").splitlines()  # a package and its hashes
    wanted = [line for line in lines if not line.startswith(unwanted)]
    folder = CACHE / f"snakemake-{fingerprint(*wanted, MORE_PAUSE)}"
    if not (folder / "ready").is_file():
        start = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        run("/usr/bin/python3", "-m", "venv", folder)
        (folder / "lock.txt").write_text("\n".join(wanted))
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        run(folder / "bin/pip", "install", "--quiet", "--no-deps", "-r", folder / "lock.txt", env=environment)
        without_growing_pauses(folder)
        (folder / "ready").touch()
        say(f"environment of Snakemake made in {time.monotonic() - start:.0f} s")
    return folder


def without_growing_pauses(folder: Path) -> None:
    """Let the executor look at the queue at the interval that it is given, and not 10 s later after each look that found
    nothing new. That spares the controller of a site with thousands of jobs; here it is a minute of waiting in every run."""
    (plugin,) = folder.glob("lib/python*/site-packages/snakemake_executor_plugin_slurm/__init__.py")
    code = plugin.read_text()
    assert code.count(MORE_PAUSE) == 1, f"{plugin}: the pauses are made in another way now"
    plugin.write_text(code.replace(MORE_PAUSE, MORE_PAUSE.replace(" + 10", "")))


def image() -> Path:
    """The image of our Dockerfile on a local base, as SIF."""
    made_from = [(ROOT / name).read_text() for name in IMAGE_SOURCES]
    target = CACHE / f"image-{fingerprint(TORCH, *made_from)}.sif"
    if target.is_file():
        return target
    environment = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    base = run(TOOLS / "local-base-image.sh", env=environment).splitlines()[-1]
    # how pip finds packages on this machine is not the image's business, so it is shown to the build only
    seen = [
        "/etc/pip.conf",
        "/root/.config/pip/pip.conf",
        "/etc/ssl/certs",
        "/opt/wheels",
        "/opt/pypi",
        "/opt/pypi-more",
    ]
    volumes = [f"--volume={path}:{path}:ro" for path in seen if Path(path).exists()]
    archive = CACHE / "image.tar"
    archive.unlink(missing_ok=True)
    start = time.monotonic()
    arguments = [f"--build-arg=BASE_IMAGE={base}", f"--build-arg=TORCH={TORCH}"]
    name = "localhost/lstv-uncertainty:test"
    command = ["buildah", "bud", "--layers", "-f", "containers/Dockerfile", *arguments, *volumes, "-t", name, "."]
    run(*command, cwd=ROOT, env=environment, timeout=1500)  # ends with the health check
    say(f"image built in {time.monotonic() - start:.0f} s")
    run("buildah", "push", name, f"docker-archive:{archive}", env=environment)
    unfinished = target.with_suffix(".part")
    quick = ("--mksquashfs-args", "-comp zstd -Xcompression-level 2")
    run("apptainer", "build", "--force", *quick, unfinished, f"docker-archive:{archive}", timeout=1500)
    archive.unlink()
    unfinished.chmod(0o755)
    unfinished.rename(target)
    say(f"SIF of {target.stat().st_size / 1e6:.0f} MB ready after {time.monotonic() - start:.0f} s")
    return target
