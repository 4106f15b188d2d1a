"""profiles/slurm as a user of the tests' site fills it in, and the parts of a project folder."""

from __future__ import annotations

from pathlib import Path

PARTS = ("workflow", "scripts", "config", "profiles", "resources", "containers")
UNFINISHED_BYTECODE = "*.pyc.*"
"""What a copy of the project leaves out. With the rest of __pycache__ it need not compile all code anew."""
_PARTITIONS = (
    ("  qos: primary", "  # qos: primary"),
    ("  # slurm_account: FILL_IN", "  slurm_account: lab"),
    ("  # slurm_partition: FILL_IN", "  slurm_partition: primary"),
    ("    qos: gpu", "    # qos: gpu"),
    ("    # slurm_partition: FILL_IN", "    slurm_partition: gpu"),
    ("    gpu: 0", "    gpu: 1"),
    ("    gres: gpu:1", "    # gres: gpu:1"),
    ("    constraint: v100", "    # constraint: v100"),
)


def fill_in_site(profile: Path) -> None:
    """Account and partitions instead of QOS, in the order of the file, as docs/hpc.md tells users to put them in."""
    lines = profile.read_text().splitlines(keepends=True)
    for before, after in _PARTITIONS:
        (number,) = (number for number, line in enumerate(lines) if line.startswith(before))
        lines[number] = after + lines[number].removeprefix(before)
    profile.write_text("".join(lines))
