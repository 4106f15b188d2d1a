"""The test's site: its folders, its SLURM, and an unprivileged user who runs Snakemake in project folders of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slurm_profile import PARTS, UNFINISHED_BYTECODE, fill_in_site

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("LSTV_CLUSTER_CACHE", "/var/cache/lstv-cluster-tests"))
TOOLS = Path(os.environ.get("LSTV_SHARED", ROOT.parent / "shared")) / "tools"
USER = "lstvtest"
STRICT = "--nv --cleanenv --containall --no-home"
# beside the strict options, the container's temporary folders are read-only, so only the project folder can be written to
SEALED = f"{STRICT} --bind {CACHE}/empty:/tmp:ro --bind {CACHE}/empty:/var/tmp:ro"


def run(*command: str | Path, timeout: float = 900, **options) -> str:
    """Output of a command that has to succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=timeout,
        **options,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def say(text: str) -> None:
    """For the log of continuous integration: pytest shows it with -s, or where a test fails."""
    print(f"[cluster] {text}", flush=True)


@dataclass
class Project:
    """A project folder of the unprivileged user, with the SLURM profile filled in as a user would."""

    root: Path
    cluster: Cluster

    def command(self, *arguments: str) -> list[str]:
        quick = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
        return ["snakemake", "--profile", "slurm", "--latency-wait", "20", *quick, *arguments]

    def snakemake(self, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess:
        """Run it to its end; standard output and error come together in ``stdout``."""
        return subprocess.run(
            self.cluster.as_user(*self.command(*arguments)),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start it in a session of its own; its output goes to run.log."""
        with open(self.root / "run.log", "a") as log:
            return subprocess.Popen(
                self.cluster.as_user(*self.command(*arguments)),
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def submit(self, *options: str, arguments: Sequence[str] = ()) -> str:
        """Submit main.sh with ``options`` of sbatch and ``arguments`` of Snakemake; returns the number of the job."""
        quick = self.command(*arguments)[3:]
        command = ("sbatch", "--parsable", *options, "profiles/slurm/main.sh", *quick)
        return run(*self.cluster.as_user(*command), cwd=self.root, timeout=60).strip()

    def as_delivered(self) -> None:
        """The SLURM profile of a site of QOS, as it is in the repository, but for the sealed container."""
        profile = self.root / "profiles/slurm/config.yaml"
        profile.write_text((ROOT / "profiles/slurm/config.yaml").read_text().replace(f'"{STRICT}"', f'"{SEALED}"'))

    def log(self) -> str:
        return (self.root / "run.log").read_text()

    def results(self, name: str, cohort: str = "demo") -> Path:
        return self.root / "results" / cohort / name


@dataclass(frozen=True)
class Job:
    """A submission as SLURM's accounting tells of it."""

    number: str
    what: str
    partition: str
    asked: str
    state: str
    qos: str


@dataclass
class Cluster:
    folder: Path
    scheduler: Path
    sif: Path
    user: pwd.struct_passwd
    began: float = field(default_factory=time.time)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder}/bin:{self.scheduler}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }

    def as_user(self, *command: str) -> list[str]:
        home = ["HOME=" + str(CACHE / "home"), f"USER={USER}", f"LOGNAME={USER}", "LANG=C.UTF-8"]
        settings = [f"{key}={value}" for key, value in self.environment.items()]
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        return [*become, "env", "-i", *home, *settings, *command]

    def slurm(self, *command: str) -> str:
        """Output of one of SLURM's own commands, as root."""
        return run(*command, env={**os.environ, **self.environment}, timeout=60)

    def jobs(self, since: float) -> list[Job]:
        """Submissions since a time (seconds since 1970), from the accounting database."""
        begin = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since))
        columns = "--format=Submit,JobID,Comment%200,Partition,ReqTRES%100,State%40,QOS%40"
        shown = self.slurm("sacct", "-X", "-P", "-n", "--allusers", "--starttime", begin, columns)
        # sacct shows jobs that have never started whenever they were submitted, also to a SLURM that has ended since
        rows = [line.split("|") for line in shown.splitlines()]
        return [Job(*values) for submitted, *values in rows if submitted >= begin]

    def state(self, number: str) -> str:
        """State of one job, from the accounting database; of its last start where it went back into the queue."""
        shown = self.slurm("sacct", "-X", "-P", "-n", "--allusers", "-j", number, "--format=Submit,State%40")
        begin = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(self.began))
        # an earlier SLURM whose accounting is still there gave the same numbers
        states = [
            state for submitted, _, state in (line.partition("|") for line in shown.splitlines()) if submitted >= begin
        ]
        return states[-1].split()[0] if states else ""

    def queued(self, what: str, state: str) -> list[str]:
        """Numbers of the jobs in the queue whose comment begins so."""
        shown = self.slurm("squeue", "--noheader", f"--states={state}", "--format=%i|%k")
        return [line.split("|")[0] for line in shown.splitlines() if line.split("|")[1].startswith(what)]

    def restart(self, accounting: str) -> None:
        script = HERE / "one_node_slurm.sh"
        run("bash", script, "start", self.folder, accounting, timeout=300)

    def folder_of_user(self, name: str) -> Path:
        """An empty folder of the unprivileged user."""
        root = CACHE / "runs" / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        os.chown(root, self.user.pw_uid, self.user.pw_gid)
        return root

    def project(self, name: str, base: Path | None = None) -> Project:
        """A fresh project folder, or a copy of ``base`` with what it has computed."""
        root = CACHE / "runs" / name
        shutil.rmtree(root, ignore_errors=True)
        if base is not None:
            shutil.copytree(base, root, symlinks=True)
        else:
            root.mkdir(parents=True)
            for part in PARTS:
                ignored = shutil.ignore_patterns(UNFINISHED_BYTECODE, "pointnet", "private", "*.sif")
                shutil.copytree(ROOT / part, root / part, ignore=ignored)
            shutil.copy(ROOT / "slurm", root / "slurm", follow_symlinks=False)
            configuration = root / "config/config.yaml"
            configuration.write_text(f"{configuration.read_text()}\ncontainer: {self.sif}\n")
            fill_in(root / "profiles/slurm/config.yaml")
        run("chown", "-R", f"{USER}:", root)
        return Project(root, self)


def fill_in(profile: Path) -> None:
    """Put in the values of the test's site, and seal the container."""
    fill_in_site(profile)
    profile.write_text(profile.read_text().replace(f'"{STRICT}"', f'"{SEALED}"'))


def wait_for(condition, seconds: float, what: str):
    """The first true value of ``condition()``; fails with ``what`` where there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError(f"{what} did not happen within {seconds:g} s")


def kill(process: subprocess.Popen) -> None:
    """kill -9 of the whole session of a started run, as a node that fails would do."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
