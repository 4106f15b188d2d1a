"""What a site's SLURM tells of itself, and the SLURM profile filled in with it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lstv.base.errors import UserError
from lstv.run.deployment import FILL_IN

Answer = Callable[[Sequence[str]], str | None]
"""What a command prints; None where it fails or is not there."""

_TIMEOUT = 30
_NO_MEANING = frozenset({"normal"})  # the QOS that SLURM gives to everyone
_VOLTA = re.compile(r"^(v100.*|volta.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Partition:
    """A partition by name; ``gpus`` are its nodes' GRES that are GPUs, ``features`` those of its nodes with GPUs."""

    name: str
    default: bool
    gpus: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Site:
    """What SLURM told: the user's accounts and QOS, the partitions; ``accounting`` is whether there is a database."""

    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    partitions: tuple[Partition, ...] = ()
    accounting: bool = True
    silent: tuple[str, ...] = field(default=(), compare=False)

    def with_gpu(self) -> list[Partition]:
        return [partition for partition in self.partitions if partition.gpus]


def answer(command: Sequence[str]) -> str | None:
    """Run one of SLURM's programs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def ask(user: str, answer: Answer = answer) -> Site:
    """Ask sacctmgr, sinfo and scontrol. Raises UserError where none of them answers."""
    commands = {
        "sacctmgr": ("sacctmgr", "-nP", "show", "associations", f"user={user}", "format=account,qos"),
        "sinfo": ("sinfo", "--noheader", "--format=%P|%G|%f"),
        "scontrol": ("scontrol", "show", "config"),
    }
    said = {name: answer(command) for name, command in commands.items()}
    silent = tuple(name for name, text in said.items() if text is None)
    if len(silent) == len(commands):
        raise UserError("none of sacctmgr, sinfo and scontrol answers here: run this on a login node of the cluster.")
    rows = [line.split("|") for line in (said["sacctmgr"] or "").splitlines() if "|" in line]
    storage = re.search(r"^AccountingStorageType *= *(\S+)", said["scontrol"] or "", re.MULTILINE)
    return Site(
        accounts=_once(row[0] for row in rows),
        qos=_once(name for row in rows for name in row[1].split(",")),
        partitions=_partitions(said["sinfo"] or ""),
        accounting=storage is None or storage[1] not in ("accounting_storage/none", "(null)"),
        silent=silent,
    )


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _partitions(text: str) -> tuple[Partition, ...]:
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        name, gres, features = (*line.strip().split("|"), "", "")[:3]
        if not name:
            continue
        before = found.get(name.rstrip("*"), Partition(name.rstrip("*"), name.endswith("*")))
        gpus = frozenset(re.findall(r"(?:^|,)(gpu(?::[\w.-]+)*)", gres))
        more = frozenset(features.split(",")) - {"", "(null)"} if gpus else frozenset()
        found[before.name] = Partition(before.name, before.default, before.gpus | gpus, before.features | more)
    return tuple(found.values())


@dataclass(frozen=True)
class Filling:
    """Values of the profile by their line (``None`` takes a line out), and what there is to say of them."""

    values: dict[str, str | None]
    found: list[str]
    missing: list[str]


def fill(site: Site) -> Filling:
    """Choose the profile's values; where a choice is not clear it is FILL_IN, and said."""
    values: dict[str, str | None] = {}
    found: list[str] = []
    missing = [f"{name} did not answer" for name in site.silent]
    named = [name for name in site.qos if name not in _NO_MEANING] if site.accounting else []
    gpu_qos = [name for name in named if "gpu" in name.lower()]
    cpu_qos = [name for name in named if name not in gpu_qos]

    def choose(line: str, what: str, candidates: Sequence[str], preferred: str = "") -> None:
        if preferred in candidates or len(candidates) == 1:
            values[line] = preferred if preferred in candidates else candidates[0]
            found.append(f"{what}: {values[line]}")
        else:
            values[line] = FILL_IN
            choice = f"one of {', '.join(candidates)}" if candidates else "SLURM names none"
            missing.append(f"{what}: {choice}; put it in yourself")

    default = next((partition.name for partition in site.partitions if partition.default), "")
    gpu_partitions = [partition.name for partition in site.with_gpu()]
    if named:
        choose("qos", "QOS of jobs without a GPU", cpu_qos or [n for n in site.qos if n in _NO_MEANING], "primary")
        choose("gpu.qos", "QOS of jobs with a GPU", gpu_qos or cpu_qos, "gpu")
        if gpu_partitions and default not in gpu_partitions:  # the plugin would name the default to every job
            choose("gpu.slurm_partition", "partition of jobs with a GPU", gpu_partitions, "gpu")
    else:
        values |= {"qos": None, "gpu.qos": None}
        choose(
            "slurm_partition",
            "partition of jobs without a GPU",
            [p.name for p in site.partitions if not p.gpus] or [p.name for p in site.partitions],
            default,
        )
        choose("gpu.slurm_partition", "partition of jobs with a GPU", gpu_partitions, "gpu")
        if site.accounts and site.accounting:
            choose("slurm_account", "account", site.accounts)
        else:
            values["slurm-no-account"] = "true"
    features = {name for partition in site.with_gpu() for name in partition.features}
    volta = sorted(name for name in features if _VOLTA.match(name))
    if site.with_gpu():
        found.append(f"GPUs: {', '.join(sorted({name for partition in site.with_gpu() for name in partition.gpus}))}")
    else:
        values["gpu.gres"] = FILL_IN
        missing.append(
            "GPU: no partition lists one under GRES; put it in yourself, or delete gres and use localizer.device cpu"
        )
    values["gpu.constraint"] = volta[0] if volta else None
    if volta:
        found.append(f"feature of the V100 nodes: {volta[0]}")
    elif features:
        found.append(f"no constraint; the nodes with GPUs have the features {', '.join(sorted(features))}")
    return Filling(values, found, missing)


_LINES = {
    "slurm-no-account": (0, "slurm-no-account"),
    "qos": (2, "qos"),
    "slurm_account": (2, "slurm_account"),
    "slurm_partition": (2, "slurm_partition"),
    "gpu.qos": (4, "qos"),
    "gpu.slurm_partition": (4, "slurm_partition"),
    "gpu.gres": (4, "gres"),
    "gpu.constraint": (4, "constraint"),
}


def filled(text: str, values: dict[str, str | None]) -> str:
    """The profile's ``text`` with ``values`` in it, line by line; comments stay.

    Raises UserError where a line of the profile as it was delivered is not there.
    """
    for line, value in values.items():
        depth, key = _LINES[line]
        pattern = re.compile(rf"^ {{{depth}}}(?:# )?{key}: (\S+)", re.MULTILINE)
        match = pattern.search(text)
        if match is None:
            raise UserError(f"the profile no longer has a line {key}; enter the values by hand (docs/hpc.md).")
        start = f"{' ' * depth}# {key}: {match[1]}" if value is None else f"{' ' * depth}{key}: {value}"
        text = text[: match.start()] + start + text[match.end() :]
    return text


def main_job(text: str, values: dict[str, str | None]) -> str:
    """The script of the main job with the same QOS, account and partition as the jobs without a GPU."""
    for key, option in (("qos", "qos"), ("slurm_account", "account"), ("slurm_partition", "partition")):
        if key in values:
            value = values[key]
            new = f"##SBATCH --{option}={FILL_IN}" if value is None else f"#SBATCH --{option}={value}"
            text = re.sub(rf"^#+SBATCH --{option}=.*$", new, text, flags=re.MULTILINE)
    return text
