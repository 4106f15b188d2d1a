"""Where jobs run: what is wrong with a run on a cluster or in a container, and what a container has to see of the disk."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError

FILL_IN = "FILL_IN"
"""What stands in profiles/slurm/config.yaml where the user has to put a value of the own site."""

_PROFILE = "profiles/slurm/config.yaml"
_OF_THE_PROFILE = "study_metrics.turn"  # nothing else sets it; without it a group asks for the sum of all its studies
_MOST_BINDS = 32
_FORGOTTEN_TOO_SOON = 240  # seconds; Snakemake asks for the state of its jobs every three minutes at least
_UNBINDABLE = (",", ":", '"', "\n")
_CONTAINER = "apptainer"
_PROGRAMS = ("APPTAINER", "SINGULARITY")


@dataclass(frozen=True)
class Run:
    """A run as Snakemake was asked for it.

    ``methods`` are the names of the software deployment methods that are on, ``image`` is the configuration's
    ``container``, ``device`` its ``localizer.device``. The rest is looked at only where ``executor`` is slurm: ``resources``
    are the values of the profile as text by key (``slurm_account``) or rule and key (``infer_heatmaps.slurm_partition``),
    ``status_command`` is how the state of jobs is asked for (sacct or squeue), ``slurm`` SLURM's own configuration, ``qos``
    the names that the user may ask for; none where SLURM did not tell.
    """

    executor: str
    methods: frozenset[str]
    image: str
    device: str = "auto"
    resources: Mapping[str, str] = field(default_factory=dict)
    no_account: bool = False
    status_command: str = "squeue"
    slurm: Mapping[str, str] = field(default_factory=dict)
    qos: frozenset[str] = frozenset()


def problems(run: Run) -> list[str]:
    """One sentence with the fix for each thing that would make the jobs fail or run where they should not."""
    found = []
    contained = _CONTAINER in run.methods
    if run.executor == "slurm":
        if not contained:
            found.append(
                "the container is off, so jobs would run with whatever the nodes have installed: start with "
                f"--profile slurm as it is, or add --software-deployment-method {_CONTAINER}."
            )
        found += _slurm_problems(run)
        asked = [run.resources.get(f"infer_heatmaps.{key}", "").strip("'\"") for key in ("gpu", "gres")]
        if run.device == "cpu" and any(value not in ("", "0") for value in asked):
            found.append(
                f"localizer.device is cpu, but {_PROFILE} asks for a GPU for infer_heatmaps: put gpu: 0 and a CPU partition "
                "there, or set localizer.device to auto."
            )
    if contained:
        found += _image_problems(run.image)
    return found


MAIN_JOB = "LSTV_MAIN_JOB"
"""Variable by which profiles/slurm/main.sh says that Snakemake runs as a job: its arguments, quoted for a shell."""


def refused_downloads(rules: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """The sentence that a job of a cluster downloads nothing; ``rules`` are those that would run and fetch something."""
    names = sorted(set(rules))
    if not names or MAIN_JOB not in environment:
        return []
    return [
        f"files are still to be downloaded ({', '.join(names)}), but Snakemake runs as a job, and the nodes of a cluster "
        "often have no network. On the login node, before the same sbatch again: "
        f"snakemake inputs {environment[MAIN_JOB].strip()}"
    ]


def slurm_configuration() -> dict[str, str]:
    """What ``scontrol show config`` tells; empty where SLURM does not answer."""
    try:
        shown = subprocess.run(
            ("scontrol", "show", "config"), capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(re.findall(r"^(\w+) *= (.*?) *$", shown, re.MULTILINE))


def of_slurm(resources: Mapping[str, str], executor_settings: Any) -> dict[str, Any]:
    """What a ``Run`` on SLURM is asked about beside its executor; ``executor_settings`` are those of Snakemake's plugin."""
    return {
        "resources": resources,
        "no_account": executor_settings.no_account,
        "status_command": executor_settings.status_command,
        "slurm": slurm_configuration(),
        "qos": allowed_qos(getpass.getuser()),
    }


def given_resources(asked: Any) -> dict[str, str]:
    """Values of default-resources and set-resources as text, by key and by rule.key; ``asked`` are Snakemake's settings."""
    found = {key: str(value.raw) for key, value in (asked.default_resources or {}).items()}
    for rule, values in asked.overwrite_resources.items():
        found.update({f"{rule}.{key}": str(value.raw) for key, value in values.items()})
    return found


def allowed_qos(user: str) -> frozenset[str]:
    """The QOS that ``sacctmgr`` knows for a user; empty where it does not answer or names none."""
    command = ("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=qos")
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(shown.replace(",", " ").split())


def left_blank(resources: Mapping[str, str]) -> list[str]:
    """One sentence for each value of the profile that is still to be filled in; ``resources`` as those of a ``Run``."""
    return [
        f"{key} is still {FILL_IN} in {_PROFILE}: put in your site's value or delete the line (docs/hpc.md)."
        for key in sorted(resources)
        if FILL_IN in resources[key]
    ]


def _slurm_problems(run: Run) -> list[str]:
    found = []
    given = {key: value.strip("'\"") for key, value in run.resources.items()}
    asked_qos = sorted({value for key, value in given.items() if key.split(".")[-1] == "qos" and value})
    if not given.get("slurm_account") and not run.no_account and not asked_qos:
        found.append(
            f"neither an account nor a QOS is set: put qos or slurm_account into default-resources of {_PROFILE} (sacctmgr "
            "show associations user=$USER lists yours), or slurm-no-account: true where the site has neither."
        )
    unknown = [name for name in asked_qos if FILL_IN not in name and run.qos and name not in run.qos]
    if unknown:
        found.append(
            f"the QOS {', '.join(unknown)} of {_PROFILE} is not one of yours here, which are {', '.join(sorted(run.qos))}: "
            "put in one of these, or delete the qos lines where partitions decide (docs/hpc.md)."
        )
    found += left_blank(given)
    found += [
        f"{key.removesuffix('.gres')} asks for a GPU by gres and by gpu: put gpu: 0 beside gres in {_PROFILE}, or delete "
        "gres."
        for key, value in sorted(given.items())
        if key.endswith(".gres") and value.startswith("gpu") and given.get(f"{key.removesuffix('gres')}gpu", "1") != "0"
    ]
    if _OF_THE_PROFILE not in given:
        found.append(
            "the set-resources of the profile are not in force: --set-resources on the command line replaces them all, the "
            f"GPU partition and the size of group jobs too. Change {_PROFILE} instead."
        )
    accounting = run.slurm.get("AccountingStorageType", "").removeprefix("accounting_storage/")
    if accounting in ("none", "(null)") and (run.status_command == "sacct" or given.get("slurm_account") or asked_qos):
        found.append(
            "this SLURM has no accounting database, so it has no accounts and no QOS and sacct cannot tell how jobs "
            f"ended: put slurm-no-account: true instead of slurm_account and qos into {_PROFILE} and keep "
            "slurm-status-command: squeue there."
        )
    elif run.status_command == "squeue" and _seconds(run.slurm.get("MinJobAge", "")) < _FORGOTTEN_TOO_SOON:
        found.append(
            f"this SLURM forgets jobs {run.slurm['MinJobAge']} after their end, so squeue may miss how they ended: put "
            f"slurm-status-command: sacct into {_PROFILE}."
        )
    return found


def _seconds(text: str) -> float:
    found = re.match(r"\d+", text)
    return float(found[0]) if found else float("inf")


def _image_problems(image: str) -> list[str]:
    if any(character.isspace() for character in image):
        return [f"container {image!r} has a blank in its path, which Snakemake refuses: move or rename the image."]
    if "://" in image and not image.startswith("file://"):
        name = image.removesuffix(":latest")
        if name == image and ("@" in name or ":" in name.rsplit("/", 1)[-1]):
            return []
        return [
            f"container {image} names no version, so one run could use two images: add one, for instance {name}:0.1.0."
        ]
    if not Path(image.removeprefix("file://")).exists():  # a file, or an unpacked image
        return [
            f"the container image {image} does not exist: build it (containers/README.md), or set container in the "
            "configuration to your .sif file or to docker://name:version."
        ]
    return []


def unseen_image(image: str) -> str:
    """On a node: why no job can run there where the image is a file that only other machines see; else ""."""
    if "://" in image and not image.startswith("file://"):
        return ""
    if Path(image.removeprefix("file://")).exists():
        return ""
    return (
        f"The node {platform.node()} does not see the container image {image}: put it on a file system that all nodes "
        "share, and set container in the configuration to it; the same command then goes on."
    )


def container_program() -> str | None:
    """What starts containers here, apptainer or singularity; None where neither is to be found."""
    return next((name.lower() for name in _PROGRAMS if shutil.which(name.lower())), None)


NO_CONTAINER_PROGRAM = (
    "neither apptainer nor singularity is to be found here: load the site's module (module load apptainer, or module load "
    "singularity; module avail lists the names), or install it."
)


def in_container(image: str, arguments: str, command: Sequence[str]) -> list[str]:
    """The command that runs another in an image, with the ``arguments`` of ``apptainer exec`` in one string."""
    program = container_program() or _CONTAINER
    return [program, "exec", *shlex.split(arguments), image.removeprefix("file://"), *command]


def cannot_be_seen(image: str, arguments: str, paths: Iterable[str | os.PathLike]) -> list[str]:
    """One sentence for each existing path that a container does not see, found by starting one.

    ``arguments`` are those of ``apptainer exec`` in one string. An image that is not on this machine is not looked into.
    """
    wanted = sorted({os.path.abspath(path) for path in paths if os.path.exists(path)})
    image = image.removeprefix("file://")
    if not wanted or not os.path.exists(image):
        return []
    program = container_program()
    if program is None:
        return [NO_CONTAINER_PROGRAM]
    # the paths go through standard input: a large cohort's would be too many for a command line
    look = 'while IFS= read -r -d "" path; do [ -r "$path" ] || printf "%s\\0" "$path"; done'
    command = in_container(image, arguments, ["bash", "-c", look])
    listed = "".join(f"{path}\0" for path in wanted)
    try:
        done = subprocess.run(command, input=listed, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return [f"the image {image} did not start within five minutes here; try: {program} exec {image} true"]
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return [f"the image {image} does not start here ({said}); docs/hpc.md lists what may be the matter."]
    return [
        f"the container does not see {path}: add --bind {shlex.quote(path)} to apptainer-args in {_PROFILE}, or ask why "
        "this site does not let folders be bound."
        for path in done.stdout.split("\0")
        if path
    ]


def linked(folder: str | os.PathLike[str]) -> list[str]:
    """Entries of a folder that are symbolic links, which may lead out of what a container is shown; [] for no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return []


def folders(folder: str | os.PathLike[str]) -> list[str]:
    """The folders in a folder, not those in them; [] for no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return []


def bind_paths(
    project: str | os.PathLike, read: Iterable[str | os.PathLike], written: Iterable[str | os.PathLike] = ()
) -> list[str]:
    """What a container must be shown so that jobs in the folder ``project`` find the paths that they read and write, in
    Apptainer's notation; the project comes first, folders that are only read are bound read-only.

    A path that leads through symbolic links is bound as it is written and where it ends, so
    that both names work. Many folders are replaced by what they have in common. What is to be read but does not exist is
    left out: that is for other checks to say. Folders to be written may be yet to come (``make_bound``). Raises UserError
    for what Apptainer cannot bind.
    """
    roots = {Path(os.path.abspath(project)), Path(os.path.realpath(project))}
    writable = roots | _few(_outside(project, written, roots, to_come=True))
    readable = {location for location in _few(_outside(project, read, writable)) if not _within(location, writable)}
    for location in writable | readable:
        if any(character in str(location) for character in _UNBINDABLE):
            raise UserError(
                f"{location} has a comma, colon or quotation mark in its name, which Apptainer cannot bind; rename it."
            )
        if location == Path(location.anchor):
            raise UserError(
                "the data lie in too many places without a common folder that a container could be shown; collect them."
            )
    return [*sorted(map(str, writable)), *(f"{location}:{location}:ro" for location in sorted(readable))]


def make_bound(written: Iterable[str | os.PathLike]) -> None:
    """Make the folders that are bound to be written. Raises UserError with the reason where one cannot be made."""
    for folder in written:
        try:
            Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the folder {folder} cannot be made ({error.strerror}); name one that you may write to."
            ) from None


def _outside(
    project: str | os.PathLike, paths: Iterable[str | os.PathLike], roots: set[Path], to_come: bool = False
) -> set[Path]:
    """The ``paths``, as written and with links followed, that are not below one of ``roots``.

    Only those that exist, or with ``to_come`` also those that do not yet.
    """
    found = set()
    for path in paths:
        absolute = Path(os.path.abspath(os.path.join(project, path)))
        for location in (absolute, Path(os.path.realpath(absolute))):
            if (to_come or location.exists()) and not _within(location, roots):
                found.add(location)
    return found


def _within(location: Path, roots: set[Path]) -> bool:
    return any(location.is_relative_to(root) for root in roots)


def _few(locations: set[Path]) -> set[Path]:
    """The places, or where they are many the folders that they have in common; none inside another."""
    while len(locations) > _MOST_BINDS:
        deepest = max(len(location.parts) for location in locations)
        locations = {location.parent if len(location.parts) == deepest else location for location in locations}
    return {location for location in locations if not _within(location, locations - {location})}


FOR_NODES = "LSTV_NODE_BINDS"
"""Variable that carries the binds from where Snakemake runs to its jobs on the nodes of a cluster."""


def environment_for_nodes(binds: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """What jobs on a node are to take over; ``binds`` without those of a download."""
    return {FOR_NODES: container_environment(binds, environment)["APPTAINER_BIND"]}


def enter_node(environment: MutableMapping[str, str]) -> None:
    """Make ``environment`` that of a job on a node: the binds found where Snakemake runs, as far as their folders are
    there too, because Apptainer starts with none missing; this job's GPU; and no credentials."""
    binds = [bind for bind in environment[FOR_NODES].split(",") if os.path.exists(bind.split(":")[0])]
    for name in list(environment):
        if name.startswith(tuple(f"{program}ENV_KAGGLE_" for program in _PROGRAMS)):
            del environment[name]
    for program in _PROGRAMS:
        environment[f"{program}_BIND"] = ""
        environment.pop(f"{program}_BINDPATH", None)  # they are among the binds that were handed on
    environment.update(container_environment(binds, environment))


def enter(
    binds: Iterable[str], environment: MutableMapping[str, str], passed_on: Mapping[str, str] | None = None
) -> None:
    """Put into ``environment`` what ``container_environment`` gives. What a site binds by ``APPTAINER_BINDPATH`` is among it
    and goes by that name no longer, because two names for the same are not read by every version."""
    environment.update(container_environment(binds, environment, passed_on))
    for program in _PROGRAMS:
        environment.pop(f"{program}_BINDPATH", None)


def show(
    environment: MutableMapping[str, str],
    read: Iterable[str | os.PathLike],
    written: Iterable[str | os.PathLike],
    files: Iterable[str | os.PathLike],
    variables: Mapping[str, str],
) -> None:
    """Put into ``environment`` what containers are shown: here the paths ``read`` and ``written`` and the ``files`` and
    ``variables`` that only a download needs; on a node the paths alone. Raises UserError for what cannot be bound."""
    read, written, files = list(read), list(written), list(files)
    data = bind_paths(os.getcwd(), read, written)
    environment.update(environment_for_nodes(data, environment))
    enter(bind_paths(os.getcwd(), [*read, *files], written) if files else data, environment, variables)


def container_environment(
    binds: Iterable[str], environment: Mapping[str, str], passed_on: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Variables by which Apptainer, and Singularity before it, is told of ``binds`` beside those that are set already
    for either, and of variables to be ``passed_on`` into the container.

    A GPU that SLURM has given to a job is passed on too, because a cleaned environment would show the job every GPU.
    """
    binds, passed_on = list(binds), dict(passed_on or {})
    if "CUDA_VISIBLE_DEVICES" in environment:
        passed_on["CUDA_VISIBLE_DEVICES"] = environment["CUDA_VISIBLE_DEVICES"]
    names = (f"{program}_{name}" for name in ("BIND", "BINDPATH") for program in _PROGRAMS)
    set_already = ",".join(environment.get(name, "") for name in names).split(",")
    everything = ",".join(dict.fromkeys(bind for bind in (*set_already, *binds) if bind))
    variables = {}
    for program in _PROGRAMS:
        variables[f"{program}_BIND"] = everything
        variables.update({f"{program}ENV_{name}": value for name, value in passed_on.items()})
    return variables
